"""How much of each month a check was up, worked out from its flips; pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from hcl.model import DECLARED, Check, Flip, Status

# Of a flip the old status, and the new one.
Change = tuple[Status, Status]

# Those of a check that is down when it leaves hcl.toml, and when it is back.
_AWAY_AND_BACK: tuple[Change, Change] = (("down", "paused"), ("paused", "down"))


@dataclass(slots=True)
class Month:
    """What is known of one month, or another stretch, by the clock of some place.

    `start` is its first moment. Time that the check was new or paused counts as neither
    up nor down. `outages` are those that fell in it, begun before or not.
    """

    start: datetime
    up: timedelta = timedelta(0)
    down: timedelta = timedelta(0)
    outages: int = 0

    @property
    def share(self) -> float | None:
        """How much of the known time the check was up, 0 to 1; None: none is known."""
        known = self.up + self.down
        return self.up / known if known else None

    @property
    def percent(self) -> str:
        """The share in words, never rounded up to 100 %; "" if none is known."""
        if self.share is None:
            return ""
        if not self.down:
            return "100 %"
        return f"{int(self.share * 10_000) / 100:.2f} %"


Span = tuple[datetime, datetime, Status]


def by_month(
    flips: Sequence[Flip],
    status: Status,
    since: datetime | None,
    now: datetime,
    zone: tzinfo = UTC,
    count: int = 12,
) -> list[Month]:
    """Return the last `count` months, the newest first.

    `flips` are all that are known, as they were written, `status` is the check's own.
    `since` is when the check is known to have been there, None: not before its flips.
    """
    starts = _starts(now.astimezone(zone), count)
    return _filled(starts, flips, status, since, now)[::-1]


def by_day(
    flips: Sequence[Flip],
    status: Status,
    since: datetime | None,
    now: datetime,
    zone: tzinfo = UTC,
    count: int = 90,
) -> list[Month]:
    """Return the last `count` days, the oldest first; else as `by_month`."""
    first = now.astimezone(zone).date() - timedelta(days=count - 1)
    days = [first + timedelta(days=n) for n in range(count)]
    starts = [datetime(day.year, day.month, day.day, tzinfo=zone) for day in days]
    return _filled(starts, flips, status, since, now)


def lately(
    flips: Sequence[Flip],
    status: Status,
    since: datetime | None,
    now: datetime,
    length: timedelta,
) -> Month:
    """Return what is known of the time of this length up to now."""
    return _filled([now - length], flips, status, since, now)[0]


def _filled(
    starts: Sequence[datetime],
    flips: Sequence[Flip],
    status: Status,
    since: datetime | None,
    now: datetime,
) -> list[Month]:
    """Return what is known from each of the moments to the next, the last to now."""
    months = [Month(start) for start in starts]
    # Moments of two zones take long to compare.
    starts, now = [start.astimezone(UTC) for start in starts], now.astimezone(UTC)
    stops = [*starts[1:], now]
    for begin, end, held in spans(flips, status, since, now):
        if held not in ("up", "down"):
            continue
        # Of thousands of flips: nothing is copied for each.
        for n in range(max(bisect_right(starts, begin) - 1, 0), len(months)):
            month, length = months[n], min(end, stops[n]) - max(begin, starts[n])
            if length <= timedelta(0):
                break
            if held == "up":
                month.up += length
            else:
                month.down += length
                month.outages += 1
    return months


def spans(
    flips: Sequence[Flip], status: Status, since: datetime | None, now: datetime
) -> Iterator[Span]:
    """Yield how long each status held, the last one first, without overlaps."""
    end = now
    for flip in reversed(flips):
        # Of time that a clock which was set back told twice, what was written last is
        # right; and what lies ahead has not happened.
        begin = min(flip.created, end)
        if begin < end:
            yield begin, end, flip.new_status
        end, status = begin, flip.old_status
    # A log that is younger than the flips tells nothing new.
    if since is not None and since < end:
        yield since, end, status


def goes_on(check: Check, before: Change, after: Change) -> bool:
    """Tell whether by two changes in a row an outage went on, see `declared.on_back`.

    Nobody was told of either.
    """
    return check.origin == DECLARED and (before, after) == _AWAY_AND_BACK


def change(flip: Flip) -> Change:
    """Return between which statuses a flip was."""
    return flip.old_status, flip.new_status


def _starts(now: datetime, count: int) -> list[datetime]:
    """Return the first moments of the last months, oldest first."""
    number = now.year * 12 + now.month - 1
    return [
        datetime(n // 12, n % 12 + 1, 1, tzinfo=now.tzinfo)
        for n in range(number - count + 1, number + 1)
    ]
