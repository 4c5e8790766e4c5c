"""How the command line says lengths."""

import pytest

from hcl.client.tables import length, took


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
