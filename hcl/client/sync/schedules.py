"""Schedules as people write and paste them, and as every server takes them."""

from __future__ import annotations

import re
from typing import NamedTuple

MINUTE, HOUR, DAY = 60, 3600, 86_400

# crontab(5), cronie's.
NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@every_minute": "* * * * *",
}

# systemd's words, and a slip that it takes too, that other readers do not know.
_CALENDARS = {
    "biannually": "semiannually",
    "bi-annually": "semiannually",
    "semi-annually": "semiannually",
    "anually": "annually",
}

_DAYS = (
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_SHORTEST_NAME = 3


class Stored(NamedTuple):
    """A schedule as servers take it.

    cronie's `~` picks a moment up to `spread` seconds after those of `text`.
    """

    text: str
    spread: int = 0


def stored(text: str) -> Stored:
    """Return a schedule as servers take it: of @words, `sat-sun`, `~`, systemd's own.

    What cannot be understood stays as it is.
    """
    stripped = text.strip()
    if stripped.lower() in NAMED:
        return Stored(NAMED[stripped.lower()])
    fields = stripped.split()
    if "\n" in stripped or len(fields) != 5:
        return Stored("\n".join(map(calendar, stripped.split("\n"))))
    try:
        kept, spread = normal(fields)
    except ValueError:
        return Stored(text)
    return Stored(" ".join(kept), spread)


def calendar(expression: str) -> str:
    """Return an OnCalendar expression as every reader takes it."""
    return _CALENDARS.get(expression.strip().lower(), expression)


def normal(fields: list[str]) -> tuple[list[str], int]:
    """Return five fields as every server takes them, and how far random ones go apart.

    Raises ValueError. cronie's `a~b` is some moment between: the first one is expected.
    """
    apart, kept = 0, []
    units = (MINUTE, HOUR, DAY, DAY, DAY)
    for number, field in enumerate(fields):
        parts = []
        for part in field.lower().split(","):
            random = re.fullmatch(r"(\d*)~(\d*)(/\d+)?", part)
            if random:
                low = int(random[1] or (0, 0, 1, 1, 0)[number])
                high = int(random[2] or (59, 23, 31, 12, 6)[number])
                apart += max(0, high - low) * units[number]
                part = str(low)
            parts.append(_named(part, number))
        kept.append(",".join(parts))
    for field, least, most in zip(kept, (0, 0, 1, 1, 0), (59, 23, 31, 12, 7)):
        _judge(field, least, most)
    return kept, apart


def _named(part: str, number: int) -> str:
    """Write days and months as numbers; a range that ends with Sunday, as two."""
    names = {4: _DAYS, 3: _MONTHS}.get(number)
    if names is None:
        return part
    first = 1 if number == 3 else 0
    words = [_number_of(word, names, first) for word in re.split(r"([-/])", part)]
    if number == 4 and len(words) >= 3 and words[1] == "-":
        low, high = words[0], words[2]
        if low.isdigit() and high in ("0", "7") and int(low) > 0 and len(words) == 3:
            days = [str(day) for day in range(int(low), 7)] + ["0"]
            return ",".join(days)
    return "".join(words)


def _number_of(word: str, names: tuple[str, ...], first: int) -> str:
    """Return the number of a day or a month, by its name or the beginning of that.

    What is no name stays: `mon#1` is the first Monday, and not each.
    """
    if len(word) >= _SHORTEST_NAME:
        for number, name in enumerate(names, first):
            if name.startswith(word):
                return str(number)
    return word


def _judge(field: str, least: int, most: int) -> None:
    for part in field.split(","):
        match = re.fullmatch(r"(\*|(\d+)(-(\d+))?)(/(\d+))?", part)
        if match is None:
            raise ValueError(f"{part!r} is no part of a cron schedule")
        numbers = [int(match[group]) for group in (2, 4) if match[group]]
        if not all(least <= number <= most for number in numbers):
            raise ValueError(f"{part!r} is not within {least} and {most}")
