"""Lengths of time as people write them: 90, 90s, 10m, 4h, 1d, 2w."""

from __future__ import annotations

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FIGURES = set("0123456789.")
_LONGEST = 1e9


def seconds(text: str) -> float:
    """Read a length. Raises ValueError, which says how to write it."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        # float takes more than people write: 1e3, nan, 1_000.
        length = float(number) * _UNITS[unit] if set(number) <= _FIGURES else -1.0
    except ValueError:
        length = -1.0
    if not 0 <= length < _LONGEST:
        raise ValueError(f"{text!r} is no time: write 90s, 10m, 4h, 1d, 2w")
    return length


def whole_seconds(text: str) -> int:
    """Read a length that has to be of whole seconds. Raises ValueError."""
    length = seconds(text)
    if length != int(length):
        raise ValueError(f"{text!r} is no whole number of seconds")
    return int(length)
