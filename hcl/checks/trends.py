"""How long runs of a job take by habit, and which take far longer; pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from hcl.checks.runs import MOST_OPEN, Runs
from hcl.model import Lateness, Ping

# So many runs make a habit, and no more than so many are looked at.
LEAST, MOST = 10, 50

_Length = TypeVar("_Length", timedelta, float)

_LEAST_SPREAD = timedelta(seconds=1)

# Signals so close to one another have no order.
_AT_ONCE = timedelta(minutes=1)


class Habit(NamedTuple):
    """How long a run takes usually, and by how much it may differ from that."""

    usual: timedelta
    spread: timedelta

    def is_slow(self, length: timedelta) -> bool:
        """Tell whether a run took far longer than usual."""
        return length > self.usual + self.spread

    def differs(self, length: timedelta) -> bool:
        """Tell whether a run was far from usual, longer or shorter."""
        return abs(length - self.usual) > self.spread


def habit(lengths: Sequence[timedelta]) -> Habit | None:
    """Tell the habit from runs, the oldest first; None: there are too few.

    By the median, and five times the median deviation from it, but half of it at least,
    and a second: a few runs that went wrong change neither.
    """
    lengths = lengths[-MOST:]
    if len(lengths) < LEAST:
        return None
    usual = median(lengths)
    deviation = median([abs(length - usual) for length in lengths])
    return Habit(usual, max(5 * deviation, usual / 2, _LEAST_SPREAD))


def last_slow(lengths: Sequence[timedelta]) -> tuple[timedelta, timedelta] | None:
    """Return how long the last run took, and takes usually, if it was slow."""
    *before, last = lengths or [timedelta(0)]
    found = habit(before)
    return (last, found.usual) if found and found.is_slow(last) else None


def median(lengths: Sequence[timedelta]) -> timedelta:
    """Return what half of the lengths, one at least, are not above."""
    # The standard library's brings fractions and random with it, which take memory.
    ordered = sorted(lengths)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2


def slow(lengths: Sequence[timedelta], first: int = 0) -> list[tuple[int, Habit]]:
    """Return which runs were slow, by their place, each with the habit before it.

    Of those from the place `first` on.
    """
    found = []
    # Numbers compare several times as fast.
    seconds = [length.total_seconds() for length in lengths]
    for place in range(max(LEAST, first), len(lengths)):
        start = max(0, place - MOST)
        if not _may_be_slow(seconds[place], seconds[start:place]):
            continue
        before = habit(lengths[start:place])
        if before is not None and before.is_slow(lengths[place]):
            found.append((place, before))
    return found


def _may_be_slow(length: _Length, known: Sequence[_Length]) -> bool:
    """Tell whether a run may be slow: most are not, and this costs little.

    What takes no longer than half of those that are known, by half, is not.
    """
    least = length / 1.5
    return 2 * len([each for each in known if each < least]) >= len(known)


class Pace:
    """Tells which runs of one check were slow, by pings that come oldest first.

    `n` is the number of the last that it took. By the last runs that succeeded: one
    that fails early says nothing of how long the work takes. A run is slow if it is by
    the last MOST, and by the last LEAST too: of a job that is slow from now on that are
    half of the LEAST, then it is its habit.
    """

    def __init__(self) -> None:
        self.n = 0
        self._runs = Runs(MOST_OPEN)
        self._lengths: tuple[timedelta, ...] = ()
        self._newest: datetime | None = None

    def take(
        self, pings: Iterable[Ping], known: int = 0
    ) -> Iterator[tuple[int, Lateness]]:
        """Take the next pings; yield the slow runs that successes among them ended.

        Each with the number of that ping. Pings that it took are passed over, and those
        up to `known` are not judged.
        """
        for ping in pings:
            if ping.n <= self.n:
                continue
            # What is told late, and others have followed, is told nobody.
            is_past = self._is_past(ping)
            self.n = ping.n
            length = self._runs.take([ping]).get(ping.n)
            if length is None or ping.action != "success":
                continue
            usual = self._usual(length) if ping.n > known else None
            if usual is not None and not is_past:
                yield ping.n, Lateness(ping.created - length, ping.created, usual)
            self._lengths = (*self._lengths, length)[-MOST:]

    def _is_past(self, ping: Ping) -> bool:
        if self._newest is None or self._newest <= ping.created:
            self._newest = ping.created
        return ping.created < self._newest - _AT_ONCE

    def _usual(self, length: timedelta) -> timedelta | None:
        """Return how long runs took, if one was slow; None: it was not."""
        if not _may_be_slow(length, self._lengths):
            return None
        habits = habit(self._lengths), habit(self._lengths[-LEAST:])
        if not all(found and found.is_slow(length) for found in habits):
            return None
        return habits[0].usual if habits[0] else None
