"""Lengths of time, as they are said to people."""

from datetime import timedelta

from hcl.words.lines import counted

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


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
