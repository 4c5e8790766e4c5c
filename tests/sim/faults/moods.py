"""Somebody's receiver takes nothing, or says so."""

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR, DAY = 3600.0, 86_400.0


def receiver(world: "World", rng: random.Random) -> None:
    """Have somebody's receiver be slow, refuse, flap, lie, or be gone."""
    names = sorted(
        plan.name for plan in world.telling.plans().values() if not plan.group
    )
    taker = world.receiver(rng.choice(names))
    if taker.mood != "well":
        return
    moods = ("slow", "refusing", "gone", "closed", "flapping", "lying")
    taker.mood = rng.choice(moods)
    taker.troubled = world.machine.now
    world.note(f"{taker.name} is {taker.mood}")

    def recover() -> None:
        taker.mood = "well"
        taker.troubled = world.machine.now
        world.note(f"{taker.name} is well")

    length = rng.choice((30.0, 600.0, 5 * HOUR, 3 * DAY)) * rng.uniform(0.7, 1.3)
    world.later(length, recover)
