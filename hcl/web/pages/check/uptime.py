"""How much of the last months a check was up: a bar of days, and a table; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby

from hcl.checks import availability
from hcl.checks.availability import Month
from hcl.model import Flip, Status
from hcl.words.lengths import short
from hcl.words.lines import counted

DAYS = 90

# In the bar's own units: a day, of which its style sheet leaves a gap.
_DAY = 7

# Days that the bar's name tells one by one.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days in a row that fared alike: `kind` is u (up), p, d (down) or n (no data).

    `words` say what a day was that was not well.
    """

    kind: str
    x: int
    width: int
    words: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what is known of a time that began on the day `since`.

    `label` "" stands for the month. `until` is its last day; "": it goes on.
    """

    known: Month
    since: str
    label: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Uptime:
    """What the card shows. `months` come newest first, `gaps` as `_gaps` has them."""

    stretches: tuple[Stretch, ...]
    words: str
    rows: tuple[Row, ...]
    months: tuple[Month, ...]
    gaps: tuple[tuple[datetime, datetime | None], ...]

    @property
    def is_known(self) -> bool:
        """Tell whether anything is known."""
        return any(month.share is not None for month in self.months)


def uptime(
    flips: Sequence[Flip],
    status: Status,
    since: datetime | None,
    now: datetime,
    zone: tzinfo,
) -> Uptime:
    """Work out how a check fared; the arguments are those of `availability`."""
    now = now.astimezone(zone)
    months = availability.by_month(flips, status, since, now, zone)
    days = availability.by_day(flips, status, since, now, zone, DAYS)
    bad = [f"{_named(day, now)}: {_words(day)}" for day in days if day.down][::-1]
    more = [f"and {counted(len(bad) - _NAMED, 'day')} more"] if bad[_NAMED:] else []
    is_known = any(day.share is not None for day in days)
    none = "never down" if is_known else "nothing is known"
    lengths = (("30 days", timedelta(days=30)), ("12 months", now - months[-1].start))
    first, last = (
        Row(known, _day(known.start, zone), label)
        for label, length in lengths
        for known in [availability.lately(flips, status, since, now, length)]
    )
    return Uptime(
        stretches=tuple(_stretches(days, now)),
        words=f"{DAYS} days: {'; '.join(bad[:_NAMED] + more) or none}",
        rows=(first, *_months(months, zone), last),
        months=tuple(months),
        gaps=tuple(_gaps(months)),
    )


def _months(months: Sequence[Month], zone: tzinfo) -> Iterator[Row]:
    """Yield this month and the one before."""
    this, before = months[:2]
    yield Row(this, _day(this.start, zone))
    until = _day(this.start - timedelta(days=1), zone)
    yield Row(before, _day(before.start, zone), until=until)


def _day(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d}"


def _stretches(days: Sequence[Month], now: datetime) -> list[Stretch]:
    found, x = [], 0
    # Each day that was not well has a name of its own.
    for kind, group in groupby(enumerate(days), lambda pair: _kind(*pair)):
        alike = [day for _, day in group]
        words = f"{_named(alike[0], now)}: {_words(alike[0])}" if alike[0].down else ""
        width = _DAY * len(alike)
        found.append(Stretch(kind[0], x, width, words))
        x += width
    return found


def _kind(number: int, day: Month) -> tuple[str, int]:
    if day.share is None:
        return "n", 0
    if not day.down:
        return "u", 0
    return ("d" if day.down >= day.up else "p"), number


def _named(day: Month, now: datetime) -> str:
    if day.start.date() == now.date():
        return "today"
    return f"{day.start:%a} {day.start.day} {day.start:%b}"


def _words(day: Month) -> str:
    return f"down {short(day.down)}"


def _gaps(months: Sequence[Month]) -> list[tuple[datetime, datetime | None]]:
    """Return the months that nothing is known of, those in a row by their ends."""
    gaps: list[tuple[datetime, datetime | None]] = []
    for known, group in groupby(months[::-1], lambda month: month.share is not None):
        starts = [month.start for month in group]
        if not known:
            gaps.append((starts[0], starts[-1] if len(starts) > 1 else None))
    return gaps[::-1]
