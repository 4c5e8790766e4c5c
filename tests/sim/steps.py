"""What a step of the wall leaves as it was: when each goes down, if nothing comes."""

from typing import TYPE_CHECKING

from tests.sim.guesses import Guesses
from tests.sim.moments import NEVER
from tests.sim.watched import Watched

if TYPE_CHECKING:
    from tests.sim.world import World


class Steps:
    """Knows until when a step has each stay as it is, if nothing else happens.

    The deadline moves along with the wall, and the start of a run only brings that of
    the run. Bounds are wide again once it is worked out anew: by an outcome, an edit,
    or a start of hcl.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        # When the wall was set last; until when, and for which state of each model.
        self._at = -NEVER
        self._lows: dict[str, tuple[float, int]] = {}

    def step(self) -> None:
        """Hear that the wall was just set."""
        world, lows = self._world, {}
        if world.machine.synchronised and world.is_calm:
            lows = {
                code: self._low_now(watched)
                for code, watched in world.oracle.by_code.items()
            }
        world.oracle.doubt()
        self._at = world.troubled = world.machine.now
        self._lows = {
            code: (low, world.oracle.by_code[code].model.version)
            for code, low in lows.items()
        }

    @property
    def taken(self) -> float:
        """When hcl took the last step at the latest; now, if it may not have yet.

        It goes by the time before until all that was counted by that has been moved,
        which cannot be while the disk takes nothing.
        """
        world = self._world
        since, until = world.signless
        if since <= world.set <= until:
            return min(until, world.machine.now)
        return world.set

    def began(self, watched: Watched, version: int) -> None:
        """Hear that a run began, which made another of this version of a model."""
        low, known = self._lows.get(watched.code, (0.0, -1))
        if known == version:
            model, end = watched.model, self._world.machine.now
            end += model.guesses[0].limit if isinstance(model, Guesses) else model.grace
            self._lows[watched.code] = min(low, end), model.version

    def _low_now(self, watched: Watched) -> float:
        model = watched.model
        if model.doubtful:
            return self.low(watched)
        # Windows stay where the wall has them.
        if isinstance(model, Guesses):
            return model.next_wrong()
        return model.low

    def low(self, watched: Watched) -> float:
        """Return before when a check stays as it is; 0: nobody can tell."""
        low, version = self._lows.get(watched.code, (0.0, -1))
        is_so = self._world.troubled == self._at and version == watched.model.version
        return low if is_so else 0.0
