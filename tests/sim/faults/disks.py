"""The disk takes nothing."""

import random
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.sim.away import Away
from tests.sim.moments import PATIENCE

if TYPE_CHECKING:
    from tests.sim.world import World

Refusal = Callable[[], sqlite3.OperationalError]

HOUR = 3600.0

# A sign of life is no older than this while something is about to happen.
SIGN = 100.0


def disk_full(world: "World", rng: random.Random) -> None:
    """Have no room for a while."""
    _refuse(world, rng, 13, "database or disk is full")


def disk_read_only(world: "World", rng: random.Random) -> None:
    """Have the disk mounted read-only for a while."""
    _refuse(world, rng, 8, "attempt to write a readonly database")


def _refuse(
    world: "World",
    rng: random.Random,
    code: int,
    text: str,
) -> None:
    if world.refusal is not None:
        return
    length = rng.choice((5.0, 60.0, 300.0, 2 * HOUR)) * rng.uniform(0.7, 1.3)
    began = world.machine.now

    def refusal() -> sqlite3.OperationalError:
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        return error

    def end() -> None:
        _end_refusal(world, began)

    world.note(f"the disk: {text}")
    world.refusal = refusal
    world.signless = began - SIGN, began + length + 75
    world.be_near(length + 1800)
    if world.life is not None:
        world.life.gate.refusal = refusal
    world.later(length, end)


def _end_refusal(world: "World", began: float) -> None:
    now = world.machine.now
    world.note("the disk is well again")
    world.refusal = None
    world.troubled = now
    world.was_away(now - began + SIGN)
    world.settles_at = max(world.settles_at, now + 75 + PATIENCE)
    if world.life is not None:
        world.life.gate.refusal = None
        again = world.judges_again(began, now + 75 + PATIENCE)
        went, back = (began - SIGN, now), (now, now + 75)
        world.oracle.judge(Away(went, back, sure=False, counts=(0, 1), again=again))
