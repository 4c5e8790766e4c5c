"""What was written is lost: an old copy of the database is put back."""

import random
from typing import TYPE_CHECKING

from tests.sim.faults.crashes import short
from tests.sim.faults.disks import SIGN
from tests.sim.inline import copy
from tests.sim.moments import NOTICED, SLACK

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR, DAY = 3600.0, 86_400.0


def restore(world: "World", rng: random.Random) -> None:
    """Copy the database, and put the copy back after hours or days."""
    _go_back_after(world, rng, rng.choice((HOUR, 8 * HOUR, 2 * DAY)))


def lose_tail(world: "World", rng: random.Random) -> None:
    """Cut the power where a disk had lied about its syncs: what came last is gone."""
    _go_back_after(world, rng, rng.uniform(10, 1200))


def _go_back_after(world: "World", rng: random.Random, length: float) -> None:
    if not world.can_ask or world.kept is not None:
        return
    backup = world.folder / "backup" / "hcl.sqlite"
    copy(world.path, backup)
    world.kept = world.oracle.remember()
    taken, gone, guessed = world.machine.now, short(rng), world.guessed
    signed = taken - SIGN
    if taken < world.signless[1]:
        # The disk took none.
        signed = min(signed, world.signless[0])
    # Of a wall that is wrong just now windows may be as much longer, as after a boot.
    life = world.timeless if world.machine.is_wrong else None
    machine = world.machine
    boots, offset = machine.boots, machine.offset
    world.note("the database is copied")

    def go_back() -> None:
        if not world.can_ask:
            world.later(60, go_back)
            return
        world.be_near()
        world.crash(gone, backup)
        world.note("the copy of the database is put back")
        world.guessed = guessed
        # It goes by the time that the copy tells until it notices what was set since.
        world.notices_by = world.machine.now + NOTICED
        _believe(world, signed, taken, life)
        world.copied = boots, offset
        if later := offset - machine.offset:
            look_at_ends(world, taken, later, life=world.lives)

    world.later(length, go_back)


def _believe(world: "World", signed: float, taken: float, life: int | None) -> None:
    world.oracle.go_back(world.kept)
    world.kept = None
    now = world.believed_at = world.machine.now
    world.taken_at = taken
    world.was_away(now - taken)
    world.judges = -1e9, -1e9
    world.next_away = (signed, taken), now
    is_behind = world.machine.offset < taken - now
    if is_behind or life is not None:
        life = world.lives if life is None else life
        world.maintaining.look_again(0.0, life)
    if is_behind:
        # What the copy knows has as much left as then.
        world.telling.mutes.stretch(taken, now - signed + 3 * HOUR)


def mistime(world: "World") -> None:
    """Have it start on a copy that was made by another wall, or with a wrong one.

    Nobody has set it since, as far as the copy knows. What that says was heard is of
    another time by this wall, if the boot clock does not tell.
    """
    if world.copied is None:
        return
    machine, (boots, offset) = world.machine, world.copied
    world.copied = None
    by = offset - machine.offset
    if boots != machine.boots and abs(by) > SLACK:
        world.oracle.misjudge(machine.now, by)
        world.telling.mutes.stretch(world.taken_at, max(by, 0.0))
        if machine.synchronised and machine.now - by > world.taken_at:
            world.maintaining.mistime(by)
    if machine.is_wrong or abs(by) > SLACK:
        world.oracle.doubt()


def look_at_ends(
    world: "World", since: float, later: float, *, longer: float = 0.0, life: int
) -> None:
    """Have windows, and mutes, end by a wall that is not as it was.

    That it was set nobody knows, who has not run since this `life`, or not since the
    copy was made; what is set next moves them. `longer` they last whatever was set.
    """
    longest, sooner = longer + max(later, 0.0), max(-later, 0.0)
    world.maintaining.look_again(longest, life, sooner=sooner)
    if later > 0:
        world.telling.mutes.stretch(since, later)
