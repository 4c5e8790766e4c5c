"""The process, or its machine, stands still."""

import random
from functools import partial
from typing import TYPE_CHECKING

from tests.sim.away import Away
from tests.sim.moments import PATIENCE

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR = 3600.0


def suspend(world: "World", rng: random.Random) -> None:
    """Have the machine sleep: minutes, or a night."""
    length = rng.choice((30.0, 300.0, 3000.0, 8 * HOUR)) * rng.uniform(0.7, 1.3)
    _freeze(world, length, "lost")


def stop(world: "World", rng: random.Random) -> None:
    """Stop the process for a while; what comes waits for it."""
    length = rng.choice((5.0, 30.0, 120.0, 1200.0)) * rng.uniform(0.7, 1.3)
    _freeze(world, length, "queued")


def starve(world: "World", rng: random.Random) -> None:
    """Give it hardly any time for some minutes."""
    after = 0.0
    for _ in range(rng.randint(3, 8)):
        length = rng.uniform(3, 45)
        world.later(after, partial(_freeze, world, length, "queued"))
        after += length + rng.uniform(0.5, 4)


def _freeze(world: "World", length: float, trouble: str) -> None:
    if not world.can_ask:
        return
    machine, life = world.machine, world.life
    assert life is not None
    word = "sleeps with its machine" if trouble == "lost" else "stands still"
    world.note(f"hcl {word} for {length:.0f} s")
    world.network.trouble = trouble
    went = world.still_since = machine.now
    world.agenda.pass_all(went + length, lambda: life.is_alive)
    away = machine.now - went
    world.network.trouble = ""
    if not life.is_alive:
        # What waited for it is gone with it.
        world.network.let_in()
        return
    world.still_since = None
    if world.set >= went:
        # It finds that only now.
        world.set = machine.now
    world.note("hcl goes on")
    world.be_near()
    if trouble == "lost":
        machine.sleep(away)
    world.was_away(away + 60)
    world.troubled = machine.now
    world.settles_at = max(world.settles_at, machine.now + PATIENCE + 62)
    now = machine.now
    is_sure = trouble == "lost" or away > 80
    # What is not judged yet goes on, as one absence.
    is_apart = went >= max(world.judges_stills_by, world.judges[1])
    counts = int(is_sure and is_apart), 1
    again = world.judges_again(went, now + 62 + PATIENCE)
    gone, back = (went - 65, went), (now, now + 62)
    world.oracle.judge(Away(gone, back, is_sure, counts, again=again))
    world.judges_stills_by = now + 62 + PATIENCE
    world.network.let_in()
