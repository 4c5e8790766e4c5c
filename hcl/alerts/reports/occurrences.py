"""When a report is due, by the clock of its zone; pure.

An hour that is left out in spring is the first moment after; of one that comes twice in
autumn the first counts.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from hcl.config import ReportConfig

# Two of a kind lie no farther apart.
_DAYS = {"day": 3, "week": 9, "month": 33}


def last(report: ReportConfig, now: datetime, home: str = "UTC") -> datetime:
    """Return when it was due last, now or before; `home` is its zone if it has none."""
    return max(at for at in _around(report, now, home) if at <= now)


def coming(report: ReportConfig, now: datetime, home: str = "UTC") -> datetime:
    """Return when it is due next, after now."""
    return min(at for at in _around(report, now, home) if at > now)


def _around(report: ReportConfig, now: datetime, home: str) -> Iterator[datetime]:
    zone = ZoneInfo(report.tz or home)
    today, days = now.astimezone(zone).date(), _DAYS[report.every]
    for offset in range(-days, days + 1):
        day = today + timedelta(days=offset)
        if _is_due(report, day):
            yield _moment(datetime.combine(day, report.at), zone)


def _is_due(report: ReportConfig, day: date) -> bool:
    if report.every == "day":
        return True
    if report.every == "week":
        return day.weekday() == report.day
    # A month that is too short has it on its last day.
    return day.day == min(report.day, monthrange(day.year, day.month)[1])


def _moment(wall: datetime, zone: tzinfo) -> datetime:
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    # The hour is left out: its end is between what it would be by the offsets of after
    # and before.
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = at.astimezone(zone).utcoffset()
    while early.astimezone(zone).utcoffset() != offset:
        early += timedelta(minutes=1)
    return early
