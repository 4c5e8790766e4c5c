"""Moments, as they are said to people."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hcl.words.lengths import duration
from hcl.words.lines import one_line


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
