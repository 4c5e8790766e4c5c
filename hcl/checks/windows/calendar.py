"""When the windows of a project are open, merged where they overlap; pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hcl.checks import runs, schedule
from hcl.config.settings import Window
from hcl.model import Check, split_tags

# One that was opened by hand is remembered for so long after its end: what was due in
# it has its grace from there.
REMEMBERED = timedelta(days=32)

# How far it is looked for the opening before a moment: few are gone through.
_LOOKS_BACK = tuple(
    timedelta(hours=hours)
    for hours in (0.25, 2, 30, 9 * 24, 33 * 24, 367 * 24, 4 * 366 * 24)
)

# Answers that are remembered, of a window and of a project; then they are forgotten.
_MOST = 512
_MOST_TAGS = 10_000

# Openings that are merged into one at most. A schedule that opens before it closes is
# refused, so that none goes on for ever.
_MOST_MERGED = 50

_NEVER = datetime.max.replace(tzinfo=UTC)


class Opening(NamedTuple):
    """One time that a window is open: `start` belongs to it, `end` does not."""

    start: datetime
    end: datetime
    window: Window


class _Openings:
    """The openings of one window; what was asked lately is remembered.

    Each ping asks for the last one before its check's deadline.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        # Since when the last opening is the one of the same number, and until when.
        self._starts: list[datetime] = []
        self._lasts: list[tuple[Opening | None, datetime]] = []

    def last(self, at: datetime) -> Opening | None:
        """Return the last that began by a moment; None: there was none."""
        if not self.window.schedule:
            return self._once(at)
        place = bisect_right(self._starts, at)
        if place and at < self._lasts[place - 1][1]:
            return self._lasts[place - 1][0]
        start, following = _around(self.window, at)
        if len(self._starts) >= _MOST:
            self._starts, self._lasts, place = [], [], 0
        opening = self._opening(start)
        self._starts.insert(place, start or at)
        self._lasts.insert(place, (opening, following))
        return opening

    def next(self, after: datetime) -> Opening | None:
        """Return the first that begins after a moment; None: none does."""
        window = self.window
        if not window.schedule:
            start = window.start
            return self._once(start) if start is not None and start > after else None
        return self._opening(_next(window, after))

    def _opening(self, start: datetime | None) -> Opening | None:
        if start is None:
            return None
        return Opening(start, start + self.window.length, self.window)

    def _once(self, at: datetime) -> Opening | None:
        start, end = self.window.start, self.window.end
        if start is None or end is None or start > at:
            return None
        return Opening(start, end, self.window)


def _next(window: Window, after: datetime) -> datetime | None:
    kind = schedule.kind_of(window.schedule)
    try:
        return schedule.next_occurrence(kind, window.schedule, window.tz, after)
    except schedule.ScheduleError:
        # It was understood when the file was read.
        return None


def _around(window: Window, at: datetime) -> tuple[datetime | None, datetime]:
    """Return when it opened last by a moment, and when it opens next."""
    following = _next(window, at) or _NEVER
    for back in _LOOKS_BACK:
        before = _next(window, at - back)
        if before is not None and before <= at:
            while (later := _next(window, before)) is not None and later <= at:
                before = later
            return before, following
    return None, following


class Calendar:
    """The windows of one project, those of the file first."""

    def __init__(self, windows: Iterable[Window]) -> None:
        self._all = tuple(map(_Openings, windows))
        self._by_tags: dict[str, tuple[_Openings, ...]] = {}

    @property
    def windows(self) -> Sequence[Window]:
        """Return all windows."""
        return [openings.window for openings in self._all]

    def open_at(self, at: datetime, tags: str | None = None) -> list[Opening]:
        """Return what is open at a moment, of a check's tags; None: of any check."""
        mine = self._all if tags is None else self._of(tags)
        lasts = (openings.last(at) for openings in mine)
        return [last for last in lasts if last is not None and at < last.end]

    def until(self, at: datetime, tags: str) -> datetime | None:
        """Return when all that is open at a moment has closed; None: nothing is.

        What opens before the others have closed goes on with them.
        """
        end = None
        for _ in range(_MOST_MERGED):
            found = self.open_at(end or at, tags)
            if not found:
                break
            end = max(opening.end for opening in found)
        return end

    def was_open(self, start: datetime, end: datetime, tags: str) -> bool:
        """Tell whether anything was open from one moment to another."""
        lasts = (openings.last(end) for openings in self._of(tags))
        return any(last is not None and last.end > start for last in lasts)

    def turn(self, now: datetime) -> datetime | None:
        """Return when a window opens or closes next; None: none does."""
        nexts = (openings.next(now) for openings in self._all)
        turns = [opening.start for opening in nexts if opening is not None]
        turns += [opening.end for opening in self.open_at(now)]
        return min(turns, default=None)

    def upcoming(
        self, now: datetime, most: int, of_each: int | None = None
    ) -> list[Opening]:
        """Return what opens next, the first first: `most` in all, and `of_each` window.

        None: of each as many as there are.
        """
        each = most if of_each is None else of_each
        found = [opening for own in self._all for opening in _some(own, now, each)]
        return sorted(found, key=lambda opening: opening.start)[:most]

    def spared(self, check: Check, deadline: datetime) -> timedelta:
        """Return by how much windows move a deadline.

        Where one is open while the grace runs, the grace begins anew at its end; of a
        run no window counts that closed before it began. That happens once: in a window
        in which it is over then, the check goes down at the end of that.
        """
        lasts = (openings.last(deadline) for openings in self._of(check.tags))
        begins = deadline - _at_risk(check, deadline)
        end = max((o.end for o in lasts if o and o.end > begins), default=None)
        if end is None:
            return timedelta(0)
        end = self.until(end, check.tags) or end
        moved = end + check.grace
        return (self.until(moved, check.tags) or moved) - deadline

    def _of(self, tags: str) -> tuple[_Openings, ...]:
        """Return the windows that concern a check with these tags."""
        known = self._by_tags.get(tags)
        if known is None:
            own = set(split_tags(tags))
            known = tuple(
                openings
                for openings in self._all
                if not openings.window.tags or own & openings.window.tags
            )
            if len(self._by_tags) >= _MOST_TAGS:
                self._by_tags.clear()
            self._by_tags[tags] = known
        return known


def _at_risk(check: Check, deadline: datetime) -> timedelta:
    """Return for how long before a deadline a window moves it."""
    limit = check.max_run
    if limit is None or limit >= check.grace or runs.first_end(check) != deadline:
        return check.grace
    return limit


def _some(openings: _Openings, now: datetime, most: int) -> Iterator[Opening]:
    for _ in range(most):
        opening = openings.next(now)
        if opening is None:
            return
        yield opening
        now = opening.start
