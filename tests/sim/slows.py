"""The oracle of slow runs: which runs truly took long, and who was told."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from hcl.model import Alert
from tests.sim.clockwork import BEGAN
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World

_SOON = 90.0

# So far apart two lengths of a run may be, in seconds: answers take a while.
_ROUNDED = 15.0
# So many runs make a habit, from which a slow one differs by half of it at least.
_HABIT, _FAR = 10, 1.4


@dataclass
class Slow:
    """One run that hcl found slow; `told` has in which life each channel was told."""

    id: int
    code: str
    found: float
    # Its channels then.
    channels: frozenset[str]
    told: dict[str, int] = field(default_factory=dict)
    # Channels that took it and never answered.
    lied: set[str] = field(default_factory=set)


class Slows:
    """Knows how long runs took that hcl heard of, and who was told of slow ones."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._last, self._is_old = 0, False
        self._all: dict[int, Slow] = {}
        # When runs began that are open, by check and rid, and how long others took.
        self._starts: dict[tuple[str, str | None], float] = {}
        self._lengths: defaultdict[str, deque[float]]
        self._lengths = defaultdict(partial(deque[float], maxlen=60))

    def heard(self, watched: Watched, action: str, rid: str | None, at: float) -> None:
        """Hear that hcl heard a signal, and when."""
        if action == "start":
            self._starts[watched.code, rid] = at
        elif action in ("success", "fail"):
            began = self._starts.pop((watched.code, rid), None)
            if began is not None and action == "success":
                self._lengths[watched.code].append(at - began)

    def poll(self) -> None:
        """Look for slow runs that were committed."""
        world = self._world
        if self._is_old:
            self._last, self._is_old = world.oracle.last_lateness(), False
        for id_, code, length, ended in world.oracle.slow_after(self._last):
            self._last = id_
            watched = world.oracle.by_code.get(code)
            if watched is None:
                continue
            channels = frozenset(self._channels(watched))
            self._all[id_] = slow = Slow(id_, code, world.machine.now, channels)
            world.note(f"{watched.job.name} was slow (lateness {id_})", code)
            self._judge(code, length, ended - BEGAN - world.machine.offset - length)
            hold = max(map(world.telling.hold, channels), default=0)
            world.agenda.after(hold + _SOON, partial(self._look, slow))

    def _judge(self, code: str, length: float, began: float) -> None:
        lengths, world = self._lengths[code], self._world
        if len(lengths) <= _HABIT or world.machine.is_wrong or world.set > began - 65:
            return
        # It is one of them itself, and not of those that it is slow beside.
        its_own, *others = sorted(lengths, key=lambda other: abs(length - other))
        if abs(length - its_own) > _ROUNDED:
            self._blame(code, f"{length:.0f} s is the length of none of its runs")
        elif length < _FAR * median(others):
            self._blame(code, f"{length:.0f} s is no longer than its runs take")

    def _channels(self, watched: Watched) -> list[str]:
        """Return the channels that tell of slow runs."""
        plans = self._world.telling.plans()
        return [
            name
            for name in sorted(watched.channels & plans.keys())
            if "slow" in plans[name].events
        ]

    def _look(self, slow: Slow) -> None:
        """See whether a slow run was told, if nothing came that tells more."""
        oracle = self._world.oracle
        watched = oracle.by_code.get(slow.code)
        if watched is None or slow.id not in self._all:
            return
        is_last = not any(
            other.code == slow.code and other.id > slow.id
            for other in self._all.values()
        )
        if not is_last or oracle.flipped_at(slow.code) > slow.found - 2 * _SOON:
            return
        for name in sorted(slow.channels.intersection(self._channels(watched))):
            has_to_know = self._world.lates.has_to_know
            if name not in slow.told and has_to_know(name, slow.code, slow.found):
                self._blame(slow.code, f"{name} is not told of a slow run")

    def told(self, name: str, alert: Alert, *, lied: bool, notice: bool) -> None:
        """Hear that a receiver took a message of a slow run."""
        assert alert.lateness is not None
        assert alert.lateness.ended is not None
        world, code = self._world, alert.check.code
        id_ = world.oracle.slow_of(code, alert.lateness.ended.timestamp())
        slow = self._all.get(id_ or 0)
        if slow is None:
            # One of an old copy is not judged.
            if id_ is None:
                self._blame(code, f"{name} is told of no slow run")
            return
        world.note(f"{name} is told: slow, lateness {id_}", code)
        plan = world.telling.plans().get(name)
        if plan and "slow" not in plan.events and not notice:
            self._blame(code, f"{name} is told of what it does not tell")
        is_again = slow.told.get(name) == world.lives and name not in slow.lied
        if is_again and not notice:
            self._blame(code, f"{name} is told of one slow run twice")
        slow.told[name] = world.lives
        if lied:
            slow.lied.add(name)

    def go_back(self) -> None:
        """Have an old copy of the database be put back."""
        self._all.clear()
        self._starts.clear()
        self._lengths.clear()
        self._is_old = True

    def _blame(self, code: str, what: str) -> None:
        self._world.blame("a slow run", f"{self._world.name_of(code)}: {what}", code)
