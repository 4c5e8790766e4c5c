"""Schedules, as they are said to people.

Cron expressions have words for the forms that most have; for others there are none.

The library has words too (CronSim.explain), for every form: "At 00:00 on the 22th day
of every month". And two days of a cron line may mean either or both; such a line is
better shown as it is than explained.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache

from hcl.model import Check, Kind
from hcl.words.lengths import every
from hcl.words.lines import listed, one_line

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAY_NAMES = {name[:3].upper(): number for number, name in enumerate(_DAYS)}
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MONTH_NAMES = {name[:3].upper(): number for number, name in enumerate(_MONTHS, 1)}
# Longer rows of times and days are no easier to read than the expression.
_MOST = 6


def words_of(check: Check) -> str:
    """Say when pings are expected: `every day at 03:05`; "" if no words fit."""
    if check.kind == "simple":
        return every(check.timeout)
    return in_words(check.schedule) if check.kind == "cron" else ""


def in_full(check: Check) -> str:
    """Say it in words and as it was written: `every hour at :05 (5 * * * *, UTC)`."""
    return _said(check.kind, check.timeout, check.schedule, check.tz)[0]


def in_short(check: Check) -> str:
    """Say it in words, or as it was written; with the zone, unless that is UTC."""
    return _said(check.kind, check.timeout, check.schedule, check.tz)[1]


# A list says the schedules of a thousand checks at once, again and again.
@lru_cache(maxsize=4096)
def _said(
    kind: Kind, timeout: timedelta, expression: str, zone: str
) -> tuple[str, str]:
    """Say a schedule in full, and in short."""
    if kind == "simple":
        words = every(timeout)
        return words, words
    words = in_words(expression) if kind == "cron" else ""
    # OnCalendar may have several lines.
    written = "; ".join(filter(None, map(one_line, expression.splitlines())))
    tz = one_line(zone)
    short = words or written
    return (
        f"{words} ({written}, {tz})" if words else f"{written} ({tz})",
        short if zone == "UTC" else f"{short} {tz}",
    )


def in_words(expression: str) -> str:
    """Say when a cron expression fires: `every day at 03:05`; "" if no words fit."""
    fields = expression.upper().split()
    if len(fields) != 5:
        return ""
    minute, hour, day, month, weekday = fields
    days = _days(day, month, weekday)
    if days is None:
        return ""
    times = _times_of_day(minute, hour)
    if times:
        return f"{days or 'every day'} at {listed(times)}"
    often = _often(minute, hour)
    return f"{often} {days}".strip() if often else ""


def _times_of_day(minute: str, hour: str) -> list[str]:
    minutes, hours = _numbers(minute), _numbers(hour)
    if len(minutes) * len(hours) > _MOST:
        return []
    return [f"{h:02}:{m:02}" for h in hours for m in minutes]


def _often(minute: str, hour: str) -> str:
    """Say how often within a day: `every 5 minutes from 09:00 to 17:55`."""
    minutes, step = _numbers(minute), _step(minute, 60)
    if hour == "*":
        if step:
            return f"every {step} minutes" if step > 1 else "every minute"
        past = listed([f":{m:02}" for m in minutes[:_MOST]]) if minutes else ""
        return f"every hour at {past}" if 0 < len(minutes) <= _MOST else ""
    hours = _step(hour, 24)
    if hours and len(minutes) == 1:
        return f"every {hours} hours at :{minutes[0]:02}" if hours > 1 else ""
    begin, end = _range(hour)
    if begin >= end:
        return ""
    if len(minutes) == 1:
        return f"every hour from {begin:02}:{minutes[0]:02} to {end:02}:{minutes[0]:02}"
    if step:
        often = f"every {step} minutes" if step > 1 else "every minute"
        return f"{often} from {begin:02}:00 to {end:02}:{60 - step:02}"
    return ""


def _days(day: str, month: str, weekday: str) -> str | None:
    """Say on which days: "" on all of them; None if no words are known."""
    if day == month == weekday == "*":
        return ""
    if day == month == "*":
        return _weekdays(weekday)
    if weekday != "*":
        return None
    if month != "*":
        return _yearly(day, month)
    if day == "L":
        return "on the last day of the month"
    days = _numbers(day)
    if not 0 < len(days) <= _MOST:
        return None
    word = "day" if len(days) == 1 else "days"
    return f"on {word} {listed([str(number) for number in days])} of the month"


def _yearly(day: str, month: str) -> str | None:
    days, months = _numbers(day), _numbers(month, _MONTH_NAMES)
    # Not each year has a 29 February.
    if len(days) != 1 or len(months) != 1 or (days, months) == ([29], [2]):
        return None
    return f"every year on {days[0]} {_MONTHS[months[0] - 1]}"


def _weekdays(field: str) -> str | None:
    begin, end = _range(field, _DAY_NAMES)
    # Both 0 and 7 are Sunday.
    numbers = range(begin, end + 1) if begin < end else _numbers(field, _DAY_NAMES)
    days = sorted({number % 7 for number in numbers})
    if days == [1, 2, 3, 4, 5]:
        return "on weekdays"
    if not 0 < len(days) <= _MOST:
        return None
    # The week ends with Sunday.
    days.sort(key=lambda number: number or 7)
    return f"on {listed([f'{_DAYS[number]}s' for number in days])}"


def _numbers(field: str, names: dict[str, int] | None = None) -> Sequence[int]:
    """Read a list of plain numbers, such as 1,15; none if it is anything else."""
    found = {_number(term, names) for term in field.split(",")}
    return [] if -1 in found else sorted(found)


def _range(field: str, names: dict[str, int] | None = None) -> tuple[int, int]:
    """Read a plain range, such as 9-17; an empty one if it is anything else."""
    begin, dash, end = field.partition("-")
    low, high = _number(begin, names), _number(end, names)
    return (low, high) if dash and low >= 0 else (0, -1)


def _number(term: str, names: dict[str, int] | None = None) -> int:
    if names and term in names:
        return names[term]
    return int(term) if re.fullmatch(r"[0-9]{1,2}", term) else -1


def _step(field: str, whole: int) -> int:
    """Read a step that divides the whole evenly, 1 for a star; 0 if it is neither."""
    if field == "*":
        return 1
    match = re.fullmatch(r"\*/([0-9]{1,2})", field)
    step = int(match[1]) if match else 0
    return step if 0 < step < whole and whole % step == 0 else 0
