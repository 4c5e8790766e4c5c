"""The oracle of being late: who is told when grace begins, and that it is over."""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from hcl.model import Alert
from tests.sim.clockwork import BEGAN
from tests.sim.moments import NEVER, SLACK
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World

# What is due is told within so many seconds where nothing is in its way.
_SOON = 90.0
_LATE = 8.0


@dataclass
class Lateness:
    """One time that a check is late; `told` has in which life each channel was told."""

    id: int
    code: str
    began: float
    found: float
    # Its channels then.
    channels: frozenset[str]
    is_over: bool = False
    # It failed since, and was not called down by that.
    has_failed: bool = False
    told: dict[str, int] = field(default_factory=dict)
    told_end: dict[str, int] = field(default_factory=dict)
    # Channels that took it and never answered.
    lied: set[str] = field(default_factory=set)


class Lates:
    """Knows which checks are late, and who was told."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._last, self._is_old = 0, False
        self._all: dict[int, Lateness] = {}
        # The one that lasts, of each check; None: nobody knows.
        self._current: dict[str, Lateness | None] = {}
        self._examined: dict[str, float] = {}

    # What hcl writes.

    def poll(self, written: float) -> None:
        """Look for latenesses that were committed, at about this moment."""
        oracle, machine = self._world.oracle, self._world.machine
        if self._is_old:
            self._last, self._is_old = oracle.last_lateness(), False
        for id_, code, began in oracle.latenesses_after(self._last):
            self._last = id_
            watched = oracle.by_code.get(code)
            if watched is None:
                continue
            at = began - BEGAN - machine.offset
            channels = frozenset(self._channels(watched))
            late = Lateness(id_, code, at, machine.now, channels)
            self._all[id_] = self._current[code] = late
            self._world.note(f"{watched.job.name} is late (lateness {id_})", code)
            self._judge(watched, written)
            hold = max(map(self._world.telling.hold, channels), default=0)
            self._world.agenda.after(hold + _SOON, partial(self._look, late))

    def _judge(self, watched: Watched, at: float) -> None:
        model = watched.model
        if model.status != "up" or at < model.late_between(at)[0] - SLACK:
            self._blame(watched.code, "a check is told to be late that is not")

    def _channels(self, watched: Watched) -> list[str]:
        """Return the channels that tell that a check is late."""
        plans = self._world.telling.plans()
        return [
            name
            for name in sorted(watched.channels & plans.keys())
            if "late" in plans[name].events
        ]

    # What ends it.

    def heard(self, watched: Watched, action: str) -> None:
        """Hear that a check was heard, and how."""
        code = watched.code
        is_end = action == "success" or watched.model.status != "up"
        if not is_end:
            late = self._current.get(code)
            if late is not None and action == "fail":
                late.has_failed = True
            return
        late = self._current.pop(code, None)
        if late is None or late.is_over:
            return
        late.is_over = True
        if action == "success":
            for name in late.told:
                hold = self._world.telling.hold(name) + _SOON
                self._world.agenda.after(hold, partial(self._look_at_end, late, name))

    def changed(self, watched: Watched) -> None:
        """Hear that a check was edited, paused, or called down."""
        late = self._current.get(watched.code)
        now = self._world.machine.now
        model = watched.model
        low, high = model.late_between(now)
        if model.status == "up" and low <= now:
            if late is not None and high > now:
                # Nobody knows whether it is late still.
                self._current[watched.code] = None
            return
        has_failed = late is None or late.has_failed or model.has_missed(now)
        may_last = has_failed or model.excused[1] > 0
        if may_last and watched.code in self._current and model.status == "up":
            # Only a success ends it: it failed, or an absence put it off before that.
            self._current[watched.code] = None
            return
        if late is not None:
            late.is_over = True
        self._current.pop(watched.code, None)

    # What has to come.

    def watch(self, watched: Watched) -> None:
        """Look at a check once it has to be late."""
        when = self._due(watched)
        if when < self._examined.get(watched.code, NEVER):
            self._examined[watched.code] = when
            self._world.agenda.at(when, lambda: self._examine(watched, when))

    def _due(self, watched: Watched) -> float:
        now = self._world.machine.now
        return watched.model.late_between(now)[1] + _LATE

    def _examine(self, watched: Watched, when: float) -> None:
        """See whether a check that is late is known to be."""
        code, world = watched.code, self._world
        if (
            self._examined.get(code) != when
            or world.oracle.by_code.get(code) is not watched
        ):
            return
        self._examined.pop(code)
        due, model = self._due(watched), watched.model
        if due == NEVER or code in self._current or not self._channels(watched):
            return
        # When it is called down there is nothing to tell any more.
        if model.low < world.machine.now + 2 * _LATE or model.doubtful:
            return
        if due > world.machine.now or not world.is_calm:
            again = self._examined[code] = max(due, world.machine.now + 30)
            world.agenda.at(again, lambda: self._examine(watched, again))
            return
        self._blame(code, "nobody is told that a check is late")

    def _look(self, late: Lateness) -> None:
        """See whether a lateness that lasts was told."""
        watched = self._world.oracle.by_code.get(late.code)
        if watched is None or self._current.get(late.code) is not late:
            return
        for name in sorted(late.channels.intersection(self._channels(watched))):
            if name not in late.told and self.has_to_know(name, late.code, late.found):
                self._blame(late.code, f"{name} is not told that a check is late")

    def _look_at_end(self, late: Lateness, name: str) -> None:
        is_known = late.told.get(name) == self._world.lives and name not in late.lied
        if name in late.told_end or late.id not in self._all or not is_known:
            return
        if any(
            other.id > late.id and other.code == late.code and name in other.told
            for other in self._all.values()
        ):
            # That it is late again says so too.
            return
        if self.has_to_know(name, late.code, self._world.machine.now - _SOON):
            self._blame(late.code, f"{name} is not told that a check is late no more")

    def has_to_know(self, name: str, code: str, since: float) -> bool:
        """Tell whether nothing was in the way of a message of a check."""
        world = self._world
        hold = world.telling.hold(name) + _SOON
        receiver = world.receiver(name)
        was_troubled = receiver.troubled > since - 2 * 86_400 or receiver.mood != "well"
        is_muted = world.telling.mutes.until(code) > since - hold
        was_away = max(world.troubled, world.set, world.reloaded_at) > since - hold
        is_there = name in world.telling.plans() and code in world.oracle.by_code
        is_held = world.telling.owes(name, code)
        in_the_way = was_troubled or is_muted or was_away or is_held
        return is_there and world.is_calm and not in_the_way

    # What arrives.

    def told(self, name: str, alert: Alert, *, lied: bool, notice: bool) -> None:
        """Hear that a receiver took a message of being late, or of its end."""
        assert alert.lateness is not None
        world, code = self._world, alert.check.code
        began = alert.lateness.began.timestamp()
        id_ = world.oracle.lateness_of(code, began)
        late = self._all.get(id_ or 0)
        if late is None:
            # One of an old copy is not judged.
            if id_ is None:
                self._blame(code, f"{name} is told of no lateness")
            return
        is_end = alert.lateness.ended is not None
        world.note(f"{name} is told: {'no more ' * is_end}late, lateness {id_}", code)
        told = late.told_end if is_end else late.told
        plan = world.telling.plans().get(name)
        if plan and not is_end and "late" not in plan.events and not notice:
            self._blame(code, f"{name} is told of what it does not tell")
        if is_end and name not in late.told and not notice:
            self._blame(code, f"{name} is told of the end of what it was not told")
        is_again = told.get(name) == world.lives and name not in late.lied
        if is_again and not notice:
            self._blame(code, f"{name} is told of one lateness twice")
        told[name] = world.lives
        if lied:
            late.lied.add(name)

    # What others do.

    def go_back(self) -> None:
        """Have an old copy of the database be put back."""
        self._all.clear()
        self._is_old = True
        self._current = dict.fromkeys(self._world.oracle.by_code)

    def _blame(self, code: str, what: str) -> None:
        self._world.blame("being late", f"{self._world.name_of(code)}: {what}", code)
