import pytest

from hcl.words import lines


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_names_in_a_row(names: list[str], text: str) -> None:
    assert lines.listed(names) == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("\x1b[0;31mERROR:\x1b[0m disk \x1b[1mfull\x1b[m", "ERROR: disk full"),
        ("\x1b[38:2::255:0:0mred\x1b[K\x1b[2J\x1b[?25l", "red"),
        ("\x1b]0;title\x07a \x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "a link"),
        ("\x1b(Ba\x1b7b\x1b=c", "abc"),
        # One that is cut takes nothing of the text along.
        ("\x1b]0;title\nlost?\x07", "0;title\nlost?"),
        ("a\x1b", "a"),
        ("a [31m b", "a [31m b"),
        ("one\r\ntwo\r\r\nthree", "one\ntwo\nthree"),
        ("get  1 %\rget 99 %\r\ndone\r", "get  1 %\nget 99 %\ndone"),
        ("\n \n  first\n\nlast  \n   \n\n", "  first\n\nlast"),
        ("   \n\r\t\n", ""),
    ],
)
def test_what_was_printed_is_read_as_in_a_terminal(written: str, read: str) -> None:
    assert lines.printed(written) == read
