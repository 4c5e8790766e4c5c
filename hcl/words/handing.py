"""What one channel hands on to another, as it is said to people."""

import re
from collections.abc import Iterable

# What became of a message to a group of which nobody had to hear.
NOTHING_HANDED = "nothing to hand on"

_UNDELIVERED = re.compile(
    r"The channel (?P<name>.+?) could not deliver this: ", re.DOTALL
)


def undelivered(name: str, answer: str) -> str:
    """Say in a message why it comes over another channel than that of this name."""
    return f"The channel {name} could not deliver this: {answer}."


def last_reasons(notices: Iterable[str]) -> str:
    """Say why messages come over another channel, once for each that did not deliver.

    By the last answer: each may have a number of its own, and a night's would leave no
    room for what they are about.
    """
    said: dict[tuple[str, ...], str] = {}
    for notice in filter(None, notices):
        names = [found["name"] for found in _UNDELIVERED.finditer(notice)]
        said[tuple(names or [notice])] = notice
    return " ".join(said.values())


def instead_of(notice: str) -> str | None:
    """Return the channel in whose place a message with this notice came; None: none."""
    found = _UNDELIVERED.match(notice)
    return found["name"] if found else None
