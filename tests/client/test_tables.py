"""How the command line says lengths, and what others wrote."""

import json

import pytest

from hcl.client.tables import in_json, in_lines, length, took


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (60, "1 min"),
        (5400, "1 h 30 min"),
        (604_800, "7 d"),
        (90_061, "1 d 1 h 1 min 1 s"),
    ],
)
def test_a_period_is_said_in_full(seconds: int, text: str) -> None:
    assert length(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "under 10 ms"),
        (0.34, "340 ms"),
        (0.99, "990 ms"),
        (1.44, "1.4 s"),
        (9.96, "9.9 s"),
        (10.7, "10 s"),
        (1443.2, "24 min 3 s"),
    ],
)
def test_a_short_run_is_not_said_to_take_no_time(seconds: float, text: str) -> None:
    assert took(seconds) == text


def test_json_says_the_same_and_gives_a_terminal_no_orders() -> None:
    document = {"name": "日本 \x9b2J\x7f\u202e\U000e0001\x1b[31m\n", "n": [1, None]}

    written = in_json(document)

    assert json.loads(written) == document
    assert "日本" in written
    assert all(sign.isprintable() or sign == "\n" for sign in written)


def test_text_keeps_its_lines_and_tabs_and_gives_a_terminal_no_orders() -> None:
    assert in_lines("a\tb\r\n\x1b[31mc\x9b\n") == "a\tb \n [31mc \n"
