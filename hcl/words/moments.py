"""Moments, as they are said to people and to the scripts of pages."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hcl.words.lengths import brief, duration
from hcl.words.lines import one_line


def ago(then: datetime, now: datetime) -> str:
    """Say roughly how long ago a moment was: `1 hour 30 minutes ago`."""
    # A clock that was set back is no reason to speak of the future.
    if now - then < timedelta(seconds=1):
        return "just now"
    return f"{duration(now - then, units=2)} ago"


def relative(then: datetime, now: datetime) -> str:
    """Say how far off a moment is: `12 min ago`, `in 3 h`, `now`."""
    # app.js says the same of the same moments.
    if abs(now - then) < timedelta(seconds=5):
        return "now"
    return f"{brief(now - then)} ago" if then < now else f"in {brief(then - now)}"


def moment(when: datetime, tz: str = "", home: str = "UTC") -> str:
    """Write a moment in the zone `home`, and in `tz` too where that tells another time.

    A zone that there is not is UTC as `home`, and is left out as `tz`.
    """
    here = when.astimezone(zone(home) or UTC)
    text = f"{here:%Y-%m-%d %H:%M:%S} {_named(home)}"
    named = zone(tz)
    local = when.astimezone(named) if named else here
    if local.utcoffset() == here.utcoffset():
        return text
    shown = "%H:%M:%S" if local.date() == here.date() else "%Y-%m-%d %H:%M:%S"
    return f"{text} ({local:{shown}} {one_line(tz)})"


_NEAR = {-1: "yesterday", 0: "today", 1: "tomorrow"}


def said(when: datetime, now: datetime, tz: str = "UTC") -> str:
    """Say a moment as people do, by the clock of a zone: `yesterday 11:22`."""
    # app.js says the same of the same moments.
    place = zone(tz) or UTC
    local, today = when.astimezone(place), now.astimezone(place).date()
    return f"{_day(local.date(), today)} {local:%H:%M}"


def _day(date: date, today: date) -> str:
    near = _NEAR.get((date - today).days)
    year = "" if date.year == today.year else f" {date.year}"
    return near or f"{date.day} {date:%b}{year}"


def day_in_full(date: date, today: date) -> str:
    """Name a day above what happened in it: `Today, Sat 28 Nov`, `Thu 19 Nov`."""
    # check.js says the same of the same days.
    near = _NEAR.get((date - today).days, "").capitalize()
    year = "" if date.year == today.year else f" {date.year}"
    return f"{f'{near}, ' if near else ''}{date:%a} {date.day} {date:%b}{year}"


def span(start: datetime, end: datetime, home: str = "UTC") -> str:
    """Write from when to when: `from 02:55 to 03:10 UTC`; with days if they differ."""
    start, end = (when.astimezone(zone(home) or UTC) for when in (start, end))
    form = "%H:%M" if start.date() == end.date() else "%Y-%m-%d %H:%M"
    if form == "%H:%M" and start.utcoffset() != end.utcoffset():
        # By the clock alone it may have ended before it began.
        form = "%H:%M %Z"
    return f"from {start:{form}} to {end:{form}} {_named(home)}"


def _named(home: str) -> str:
    return one_line(home) if zone(home) else "UTC"


def on_the_wall(when: datetime) -> str:
    """Write a moment by the clock of its own zone: `Mon 2026-01-05 05:00:00`."""
    return f"{when:%a %Y-%m-%d %H:%M:%S}"


def here(when: datetime) -> str:
    """Write a moment by the clock of this machine: `2026-01-05 05:00:00`."""
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"


def there(when: datetime, home: str) -> str:
    """Write a moment by the clock of a zone, and name that: `… 05:00:00 EET`."""
    return f"{when.astimezone(zone(home) or UTC):%Y-%m-%d %H:%M:%S %Z}"


def iso(when: datetime) -> str:
    """Write a moment for scripts: whole seconds, UTC."""
    # Formatting by a pattern takes three times as long.
    return f"{when.astimezone(UTC).isoformat()[:19]}Z"


def zone(name: str) -> ZoneInfo | None:
    """Return a time zone; None: there is none of this name, or none any more."""
    try:
        return ZoneInfo(name)
    # What ZoneInfo raises for names that are no zones; a directory's is an OSError.
    except (KeyError, ValueError, OSError):
        return None
