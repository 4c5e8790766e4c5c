"""Text made fit for a line, numbers of things, names in a row."""

import re
from collections.abc import Sequence

# Mail clients and phones show far less of a title than this.
LONGEST_TITLE = 200

# C0 and C1, and what turns the direction of the text around it: none may disguise
# what a message says.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\ud800-\udfff]"
)

# What a program tells a terminal beside its text (ECMA-48): colours and the cursor, by
# CSI; titles and links, within a line; the rest.
_ORDER = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x00-\x1f]*(?:\x07|\x1b\\)|[ -/]*[0-~])"
)
_RETURN = re.compile(r"\r*\n|\r+")
_BLANK_LINES = re.compile(r"\A\s*\n")


def counted(count: int, thing: str) -> str:
    """Write a number of things: `1 check`, `2 checks`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Write names in a row: `a`, `a and b`, `a, b and c`."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def one_line(text: str) -> str:
    """Bring text into one line: runs of white space become one space."""
    return " ".join(filter(None, map(clean, text.split())))


def clean(text: str) -> str:
    """Drop control characters but line feed and tab."""
    return _CONTROL.sub("", text)


def printed(text: str) -> str:
    """Return what a job printed as people read it, without blank lines around it.

    Without what it told a terminal; a line that it wrote over, as the bar of a progress
    is, stands below what was there before.
    """
    lines = _RETURN.sub("\n", _ORDER.sub("", text))
    return _BLANK_LINES.sub("", clean(lines).rstrip())


def cut(text: str, length: int = LONGEST_TITLE) -> str:
    """Shorten text to a number of characters, the last of which then is an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
