"""When maintenance is, written anew from docs/maintenance.md."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.sim.moments import occurrences

# A story is no longer than this.
_DAYS = 600


@dataclass(frozen=True)
class WindowPlan:
    """A window of the config: by schedule and length, or `once` from and to."""

    name: str
    length: float
    schedule: str = ""
    tz: str = "UTC"
    tags: frozenset[str] = frozenset()
    # When it begins, in seconds since the story began.
    once: float = -1.0

    def openings(self) -> Iterator[tuple[float, float]]:
        """Yield from when to when it is open."""
        starts: Sequence[float] = [self.once]
        if self.schedule:
            starts = occurrences(self.schedule, self.tz, _DAYS)
        for start in starts:
            yield start, start + self.length


@dataclass
class ByHand:
    """One that somebody opened: `end` may come sooner than was said."""

    id: int
    start: float
    end: float
    tags: frozenset[str]


class Windows:
    """Those of one project."""

    def __init__(self, plans: Iterable[WindowPlan] = ()) -> None:
        self.by_hand: list[ByHand] = []
        # Grows with each change.
        self.version = 0
        self._plans = tuple(plans)
        # What is open for these tags, merged where it overlaps or follows.
        self._merged: dict[str, list[tuple[float, float]]] = {}

    def __deepcopy__(self, _memo: object) -> "Windows":
        # Whoever is copied lives with the windows that there are.
        return self

    def copy(self) -> "Windows":
        """Return those of now."""
        other = Windows(self._plans)
        other.by_hand = [ByHand(w.id, w.start, w.end, w.tags) for w in self.by_hand]
        return other

    def use(self, plans: Iterable[WindowPlan]) -> None:
        """Go by another config."""
        self._plans = tuple(plans)
        self.changed()

    def changed(self) -> None:
        """Note that one was opened or ended by hand."""
        self._merged.clear()
        self.version += 1

    def _of(self, tags: str) -> list[tuple[float, float]]:
        if tags not in self._merged:
            merged: list[tuple[float, float]] = []
            self._merged[tags] = merged
            for start, end in sorted(self._all(set(tags.split()))):
                if merged and start <= merged[-1][1]:
                    merged[-1] = merged[-1][0], max(end, merged[-1][1])
                else:
                    merged.append((start, end))
        return self._merged[tags]

    def _all(self, tags: set[str]) -> Iterator[tuple[float, float]]:
        for plan in self._plans:
            if not plan.tags or plan.tags & tags:
                yield from plan.openings()
        for window in self.by_hand:
            if not window.tags or window.tags & tags:
                yield window.start, window.end

    def concern(self, tags: str) -> bool:
        """Tell whether any is of a check with these tags."""
        return bool(self._of(tags))

    def until(self, at: float, tags: str) -> float | None:
        """Return when what is open at a moment has closed; None: nothing is."""
        start, end = self._last(at, tags)
        return end if start <= at < end else None

    def _last(self, at: float, tags: str) -> tuple[float, float]:
        """Return from when to when the last was open that began by a moment."""
        merged = self._of(tags)
        place = bisect_right(merged, at, key=lambda one: one[0])
        return merged[place - 1] if place else (-1e12, -1e12)

    def is_near_edge(self, at: float, tags: str, slack: float) -> bool:
        """Tell whether one opens or closes at about this moment."""
        return self.until(at - slack, tags) != self.until(at + slack, tags)

    def held(self, due: float, risk: float, grace: float, tags: str) -> float:
        """Return what becomes of a deadline: `risk` is how long it was near before."""
        _, end = self._last(due, tags)
        if end <= due - risk:
            return due
        moved = end + grace
        return self.until(moved, tags) or moved

    def latest(self, due: float, grace: float, tags: str) -> float:
        """Return until when a deadline is moved at most, whenever windows are."""
        longest = max(end - start for start, end in self._of(tags))
        return due + 2 * longest + grace
