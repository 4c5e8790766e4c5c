import pytest

from hcl.alerts.messages.output import EXCERPT, Output, output_of
from tests.alerts import a_ping


def test_output_is_the_text_without_control_characters() -> None:
    ping = a_ping(body=b"one\r\n\ttwo\x00\x1b[0m \xff \xe2\x82\xac\n")

    assert output_of(ping) == Output("one\n\ttwo \ufffd €", False)


def test_output_is_the_end_of_a_long_body() -> None:
    ping = a_ping(body=b"early " + b"x" * 10_000 + b" late")

    text, is_cut = output_of(ping)

    assert is_cut
    assert len(text) == EXCERPT
    assert text.endswith("x late")
    assert "early" not in text


@pytest.mark.parametrize("lead", ["", "a", "ab"])
def test_output_does_not_begin_within_a_character(lead: str) -> None:
    ping = a_ping(body=("€" * 5000 + lead).encode())

    assert output_of(ping).text.strip("€") == lead


def test_no_ping_and_blank_bodies_have_no_output() -> None:
    assert output_of(None) == Output("", False)
    assert output_of(a_ping(body=b" \r\n\t\n")) == Output("", False)


def test_end_is_made_of_whole_lines() -> None:
    output = Output("first\nsecond\nthird")

    assert output.end(100) is output
    assert output.end(10) == Output("third", True)
    assert output.end(3) == Output("ird", True)


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        (b"Subject: Done\n\nall well\n", "Subject: Done\n\nall well"),
        (b"Subject: =?utf-8?q?=C3=BC?=\n\n", "Subject: \u00fc"),
        (b"Content-Type: text/html\n\n<p>a &amp; <b>b</b></p>", "a & b"),
        (b"Subject: a\n b\x1b[0m\n\nx\x00y", "Subject: a b[0m\n\nxy"),
        (b"Subject: a\n\n\n\x1b[31mdisk full\x1b[0m\n\n", "Subject: a\n\ndisk full"),
        (b"", ""),
    ],
)
def test_mail_is_shown_as_people_read_it(mail: bytes, text: str) -> None:
    assert output_of(a_ping(scheme="email", body=mail)).text == text


def test_long_mail_shows_its_subject_and_end() -> None:
    mail = b"Subject: Done\n\nearly " + b"x" * 20_000 + b" late"

    text, is_cut = output_of(a_ping(scheme="email", body=mail))

    assert is_cut
    assert text.startswith("Subject: Done\n\nx")
    assert text.endswith(" late")
