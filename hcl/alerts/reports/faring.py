"""How a check fared in the span of a report, worked out from flips and pings; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from hcl.checks import trends
from hcl.checks.availability import change, goes_on, spans
from hcl.checks.runs import Runs
from hcl.model import Check, Flip, Ping
from hcl.words.names import title

# What goes down so often within a day flaps.
FLAPS = 3
_DAY = timedelta(days=1)

# So many runs of a span have to differ from those before.
_CHANGED = 5


class Delivery(NamedTuple):
    """How a channel fared: what it was to send, and what failed and was given up.

    `failing_since` None: it delivers now.
    """

    channel: str
    messages: int
    failed: int
    given_up: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Slow:
    """A run that took far longer than `usual`."""

    ended: datetime
    length: timedelta
    usual: timedelta


@dataclass(frozen=True, slots=True)
class Faring:
    """How a check fared.

    `outages` counts those that fell in the span, begun before or not, and `down` is
    their length; `is_down`: it has not come up since. It `went` down so often in the
    span. `cells` are those of `model.Line`. `silent_since` is when it pinged
    last, of one that was down all the time and that nobody pinged. `change` is the
    length that half of the runs took before, and that they take now.
    """

    title: str
    code: str
    outages: int = 0
    down: timedelta = timedelta(0)
    is_down: bool = False
    went: int = 0
    flaps: bool = False
    cells: tuple[int, ...] = ()
    silent_since: datetime | None = None
    longest: timedelta | None = None
    slow: tuple[Slow, ...] = ()
    change: tuple[timedelta, timedelta] | None = None


def faring(
    check: Check,
    flips: Sequence[Flip],
    signals: Iterable[Ping],
    span: tuple[datetime, datetime],
    now: datetime,
    parts: int,
) -> Faring:
    """Tell how a check fared in a span, of which charts show so many parts.

    `flips` are all since its start, up to `now`, when the check is as it is given.
    """
    start, end = span
    held = [
        (max(begin, start), min(stop, end), status)
        for begin, stop, status in spans(flips, check.status, start, now)
        if begin < end and stop > start
    ]
    outages = sorted((begin, stop) for begin, stop, status in held if status == "down")
    down = sum((stop - begin for begin, stop in outages), timedelta(0))
    is_silent = bool(outages) and down == end - start and check.last_ping is not None
    on = _went_on(check, flips)
    went = [begin for begin, _ in outages if begin > start and begin not in on]
    runs = _runs(signals, end)
    return Faring(
        title=title(check),
        code=check.code,
        outages=sum(begin not in on for begin, _ in outages),
        down=down,
        # One that was to be sent long ago may be late.
        is_down=bool(outages) and outages[-1][1] == end and check.status == "down",
        went=len(went),
        flaps=_flaps(went),
        cells=_cells(held, span, parts),
        silent_since=_silent(check, start) if is_silent else None,
        longest=max((length for at, length in runs if at >= start), default=None),
        slow=_slow(runs, start),
        change=_change(runs, start),
    )


def _went_on(check: Check, flips: Sequence[Flip]) -> frozenset[datetime]:
    """Return when outages went on that a while out of hcl.toml had broken off."""
    return frozenset(
        flip.created
        for before, flip in pairwise(flips)
        if goes_on(check, change(before), change(flip))
    )


def _silent(check: Check, start: datetime) -> datetime | None:
    """Return when it pinged last, if that was before the span."""
    last = check.last_ping
    return last if last is not None and last < start else None


def _flaps(went: Sequence[datetime]) -> bool:
    """Tell whether it went down often within a day."""
    firsts, lasts = went, went[FLAPS - 1 :]
    return any(last - first <= _DAY for first, last in zip(firsts, lasts, strict=False))


def _cells(
    held: Sequence[tuple[datetime, datetime, str]],
    span: tuple[datetime, datetime],
    parts: int,
) -> tuple[int, ...]:
    start, end = span
    length = (end - start) / parts
    cells = []
    for number in range(parts):
        begin, stop = start + number * length, start + (number + 1) * length
        known, down = timedelta(0), timedelta(0)
        for since, until, status in held:
            shared = max(min(until, stop) - max(since, begin), timedelta(0))
            known += shared if status in ("up", "down") else timedelta(0)
            down += shared if status == "down" else timedelta(0)
        # A minute of a week is to be seen, too.
        cells.append(max(round(100 * (down / known)), bool(down)) if known else -1)
    return tuple(cells)


def _runs(signals: Iterable[Ping], end: datetime) -> list[tuple[datetime, timedelta]]:
    """Return the runs that ended before the end of the span, the oldest first."""
    signals = list(signals)
    ended = {ping.n: ping.created for ping in signals}
    lengths = Runs().take(signals)
    return [(ended[n], length) for n, length in lengths.items() if ended[n] < end]


def _slow(
    runs: Sequence[tuple[datetime, timedelta]], start: datetime
) -> tuple[Slow, ...]:
    first = next((i for i, (at, _) in enumerate(runs) if at >= start), len(runs))
    found = trends.slow([length for _, length in runs], first)
    return tuple(
        Slow(runs[place][0], runs[place][1], habit.usual) for place, habit in found
    )


def _change(
    runs: Sequence[tuple[datetime, timedelta]], start: datetime
) -> tuple[timedelta, timedelta] | None:
    """Tell what half of the runs took before the span and in it, if that differs."""
    before = trends.habit([length for at, length in runs if at < start])
    since = [length for at, length in runs if at >= start]
    if before is None or len(since) < _CHANGED:
        return None
    usual = trends.median(since)
    return (before.usual, usual) if before.differs(usual) else None
