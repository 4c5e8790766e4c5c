"""How moments and lengths are kept: REAL unix seconds (UTC), and REAL seconds."""

from datetime import UTC, datetime, timedelta

# Of two moments that are cut to one the first stays before the other by so much.
JUST = timedelta(milliseconds=1)


def moment(seconds: float | None) -> datetime | None:
    """Read a kept moment."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def length(seconds: float | None) -> timedelta | None:
    """Read a kept length."""
    return None if seconds is None else timedelta(seconds=seconds)


def stamp(moment: datetime | None) -> float | None:
    """Write a moment."""
    return None if moment is None else moment.timestamp()


def seconds(length: timedelta | None) -> float | None:
    """Write a length."""
    return None if length is None else length.total_seconds()
