"""Lengths of time, moments and cleaned text, as all messages word them."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hcl.model import Action

# Mail clients and phones show far less of a title than this.
LONGEST_TITLE = 200

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
# What the signals are called.
ACTIONS: dict[Action, str] = {
    "success": "success",
    "fail": "failure",
    "start": "start",
    "log": "log",
    "ign": "ignored",
}
# C0 and C1, and what turns the direction of the text around it: none may disguise
# what a message says.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\ud800-\udfff]"
)


def duration(length: timedelta, units: int = len(_UNITS)) -> str:
    """Write a length of time in words: `1 hour 30 minutes`.

    `units` is how many units, counted from the largest one needed, are written.
    """
    left = max(0, int(length.total_seconds()))
    parts: list[tuple[int, str]] = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count or parts:
            parts.append((count, unit))
    words = [counted(count, unit) for count, unit in parts[:units] if count]
    return " ".join(words) or "0 seconds"


def rough(length: timedelta) -> str:
    """Write a length of time in its two largest units; none is nothing at all."""
    if length < timedelta(seconds=1):
        return "less than a second"
    return duration(length, units=2)


def every(length: timedelta) -> str:
    """Write how often: `every day`, `every 1 hour 30 minutes`."""
    words = duration(length)
    number, _, unit = words.partition(" ")
    return f"every {unit}" if number == "1" and " " not in unit else f"every {words}"


def ago(then: datetime, now: datetime) -> str:
    """Say roughly how long ago a moment was: `1 hour 30 minutes ago`."""
    # A clock that was set back is no reason to speak of the future.
    if now - then < timedelta(seconds=1):
        return "just now"
    return f"{duration(now - then, units=2)} ago"


def moment(when: datetime, tz: str = "UTC") -> str:
    """Write a moment in UTC, and in the zone `tz` too where that tells another time."""
    when = when.astimezone(UTC)
    text = f"{when:%Y-%m-%d %H:%M:%S} UTC"
    local = _local(when, tz)
    if local is None or not local.utcoffset():
        return text
    shown = "%H:%M:%S" if local.date() == when.date() else "%Y-%m-%d %H:%M:%S"
    return f"{text} ({local:{shown}} {one_line(tz)})"


def _local(when: datetime, tz: str) -> datetime | None:
    try:
        return when.astimezone(ZoneInfo(tz))
    # What ZoneInfo raises for names that are no zones; a directory's is an OSError.
    except (KeyError, ValueError, OSError):
        return None


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


def cut(text: str, length: int = LONGEST_TITLE) -> str:
    """Shorten text to a number of characters, the last of which then is an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
