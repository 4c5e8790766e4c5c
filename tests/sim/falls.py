"""Who goes down since nothing is heard: not too soon, not too late, and why."""

from typing import TYPE_CHECKING

from tests.sim.guesses import Guesses
from tests.sim.model import Model
from tests.sim.moments import NEVER, SLACK
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World

# The checker is not later than this where nothing is in its way.
_LATE = 6.0


class Falls:
    """Judges each by when its job truly ran."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def timed_out(self, watched: Watched, old: str, reason: str) -> None:
        """Hear that a check was called down since nothing was heard of it."""
        model, now = watched.model, self._world.machine.now
        if model.status != old or model.low == NEVER:
            self._blame(watched, "it is called down, and nothing was due")
        elif now < (low := max(model.low, self._world.steps.low(watched))) - SLACK:
            self._blame(watched, "it is called down too early", f"by {low - now:.0f} s")
        self.settle(watched)
        perfect = watched.perfect
        if perfect.status != "down" and not self._is_explained(watched):
            self._blame(watched, "a false alarm: the job ran in time")
        if watched.down_since is not None:
            since = watched.down_since
            if old != "up" and model.last_start is not None:
                # Before it heard of the run nothing was expected.
                since = max(since, model.last_start + model.grace)
            self._look_at_bound(watched, since)
        if reason not in model.reasons(now):
            self._blame(watched, "a flip has a wrong reason", reason)
        model.fall(now)
        self._world.lates.changed(watched)

    def settle(self, watched: Watched, since: float = -NEVER) -> None:
        """Let one who is always there call it down, if that is due.

        `since` is when people made it so.
        """
        perfect, now = watched.perfect, self._world.machine.now
        perfect.pass_to(now)
        if perfect.low <= now + SLACK:
            watched.down_since = max(perfect.low, since)
            perfect.fall(watched.down_since)

    def be_patient(self, watched: Watched) -> None:
        """Let one who has to be told wait on for as long as before it is edited."""
        if watched.down_since is not None:
            watched.patience = max(watched.patience, _patience(watched.model))

    def _is_explained(self, watched: Watched) -> bool:
        """Tell whether spec.md lets a job be called down that ran in time."""
        model = watched.model
        if model.excused[1] >= 3 or model.doubtful or model.is_misjudged:
            return True
        if isinstance(model, Guesses):
            if model.hangs(watched.perfect, self._world.machine.now):
                return True
            # Any that was not heard may have been what keeps it up.
            return bool(watched.unheard)
        if model.status != "up":
            # The end of its first run may have gone unheard: so long it is waited for.
            return model.run_excused and bool(watched.unheard)
        # What comes long before it mostly does is not looked for.
        turn = (model.last_ping or 0.0) + model.usual() / 2
        return any(at < turn + SLACK for at in watched.unheard)

    def _look_at_bound(self, watched: Watched, since: float) -> None:
        model, world = watched.model, self._world
        length = world.away_since(since) + max(watched.patience, _patience(model)) + 60
        if world.machine.now > since + length + _LATE:
            self._blame(watched, "a dead job is told later than its bound")

    def await_down(self, watched: Watched) -> None:
        """Look at a check again when it has to be down."""
        self._world.lates.watch(watched)
        when = watched.model.high + _LATE
        if when < watched.examined_at:
            watched.examined_at = when
            self._world.agenda.at(when, lambda: self._examine(watched, when))

    def _examine(self, watched: Watched, when: float) -> None:
        """See whether a check that nothing was heard of is down by now."""
        if (
            watched.examined_at != when
            or self._world.oracle.by_code.get(watched.code) is not watched
        ):
            return
        watched.examined_at = NEVER
        model, world = watched.model, self._world
        if model.high + _LATE > world.machine.now or model.high == NEVER:
            self.await_down(watched)
        elif not world.is_calm:
            again = watched.examined_at = world.machine.now + 30
            world.agenda.at(again, lambda: self._examine(watched, again))
        else:
            self._blame(watched, "a dead job is not told")

    def _blame(self, watched: Watched, what: str, more: str = "") -> None:
        self._world.blame(what, f"{watched.job.name} {more}".strip(), watched.code)


def _patience(model: Model) -> float:
    """Return for how long what excuses may put off that a check is called down."""
    return 3 * model.patience + model.longest_maintenance()
