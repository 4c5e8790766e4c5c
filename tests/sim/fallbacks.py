"""The oracle of fallbacks: what one channel does not deliver another has to."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.world import World

# It comes within so many seconds where nothing is in its way.
_SOON = 90.0


class Fallbacks:
    """Knows which flips were refused, and which arrived after all."""

    def __init__(self, world: "World") -> None:
        self._world = world
        # Which flips of which checks arrived over which channels.
        self._arrived: set[tuple[str, str, int]] = set()
        # How often such a flip was refused.
        self._refusals: Counter[tuple[str, str, int]] = Counter()

    def arrived(self, name: str, code: str, flip: int) -> None:
        """Hear that a channel told of a flip."""
        self._arrived.add((name, code, flip))

    def has_arrived(self, code: str, flip: int) -> bool:
        """Tell whether any channel has told of a flip of a check."""
        return any(arrived[1:] == (code, flip) for arrived in self._arrived)

    def go_back(self) -> None:
        """Have an old copy of the database be put back."""
        self._arrived.clear()
        self._refusals.clear()

    def refused(self, refused: tuple[str, str, int], *, for_good: bool) -> None:
        """Have another channel tell what was refused for good, or three times."""
        name, world = refused[0], self._world
        plan = world.telling.plans().get(name)
        self._refusals[refused] += 1
        is_due = for_good or self._refusals[refused] >= 3
        if plan is not None and plan.fallback and is_due:
            now, lives = world.machine.now, world.lives
            look = partial(self._examine, refused, now, lives)
            world.agenda.after(_SOON, look)

    def _examine(self, refused: tuple[str, str, int], at: float, lives: int) -> None:
        name, code, flip = refused
        world, telling = self._world, self._world.telling
        plan, told = telling.plans().get(name), telling.owed.get((name, code), ())
        owed = next((one for one in told if one.flip == flip), None)
        if plan is None or owed is None or owed.told_in == -1:
            return
        other = world.receiver(plan.fallback)
        is_troubled = other.mood != "well" or other.troubled > at - 2 * 86_400
        # What became of a try that a crash interrupts is not known.
        is_troubled |= world.lives != lives or telling.mutes.until(code) > at - _SOON
        if is_troubled or {refused, (other.name, code, flip)} & self._arrived:
            return
        due = max(at, world.troubled) + _SOON
        if not world.is_calm or world.machine.now < due:
            look = partial(self._examine, refused, at, lives)
            world.agenda.at(max(due, world.machine.now + 600), look)
            return
        more = f"{other.name}: {world.name_of(code)} flip {flip}"
        world.blame("a fallback is not told", more, code)
