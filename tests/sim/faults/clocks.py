"""The wall is set, or not known to be right."""

import random
from typing import TYPE_CHECKING

from tests.sim.away import Away
from tests.sim.faults.losses import look_at_ends, mistime
from tests.sim.moments import NOTICED, PATIENCE

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR, DAY = 3600.0, 86_400.0


def step(world: "World", rng: random.Random) -> None:
    """Set the wall wrong, as if it were right, and right again after a while."""
    steps = (2.5, 5.0, 45.0, 2 * HOUR, 30 * DAY, 365 * DAY)
    by = rng.choice(steps) * rng.choice((-1, 1))
    _set(world, by)
    length, boots = rng.choice((10, 300.0, 2 * HOUR, 25 * HOUR)), world.machine.boots
    world.later(length, lambda: _set_back(world, by, boots))


def unsynchronise(world: "World", rng: random.Random) -> None:
    """Have nobody know whether the wall is right, and let it be wrong for a while."""
    by = rng.choice((0.0, 5.0, 2 * HOUR)) * rng.choice((-1, 1))
    if not world.machine.synchronised:
        return
    boots = world.machine.boots
    world.machine.synchronised = False
    world.note("the wall is not known to be right")
    world.oracle.doubt()
    world.later(60, lambda: _set(world, by))

    def end() -> None:
        _set_back(world, by, boots)
        if world.machine.boots == boots:
            # Else it is for the boot to say when the time is right again.
            _is_right(world)

    length = rng.choice((120, HOUR, 6 * HOUR))
    world.blind_until = world.machine.now + length
    world.later(length, end)


def _is_right(world: "World") -> None:
    world.machine.synchronised = True
    world.note("the wall is known to be right")
    world.oracle.doubt()


def _set(world: "World", by: float) -> None:
    world.be_near()
    world.machine.offset += by
    world.set = world.machine.now
    world.set_by = by
    world.notices_by = world.machine.now + NOTICED
    world.note(f"the wall is set by {by:+.0f} s")
    world.steps.step()
    if world.life is None and by:
        # Of this hcl knows nothing, but that it is undone it may see.
        world.maintaining.look_again(abs(by), world.lives, sooner=abs(by))


def _set_back(world: "World", by: float, boots: int) -> None:
    """Undo a step that was made before so many boots."""
    _set(world, -by)
    if world.machine.boots != boots and by:
        # What had ended before the boot stays where it was moved.
        world.maintaining.look_again(abs(by), world.lives, sooner=abs(by))


def boot_without_time(world: "World", rng: random.Random) -> None:
    """Cut the power; boot with a wrong wall, which is right again soon or late."""
    if not world.can_ask:
        return
    length = rng.choice((30.0, 600.0, 3 * HOUR)) * rng.uniform(0.7, 1.3)
    wait = rng.choice((20.0, 120.0, 700.0, 6 * HOUR))
    behind = rng.choice((length, length + 3 * DAY, 9000 * DAY, -2 * HOUR, -40 * DAY))
    world.crash(length)
    life, offset, went = world.lives, world.machine.offset, world.machine.now
    boots = world.machine.boots
    world.note(f"the machine boots with a wall {behind:+.0f} s behind")

    def boot() -> None:
        nonlocal life, boots
        if not world.machine.synchronised:
            # It was without the time before.
            life = min(life, world.timeless)
        world.timeless = life
        world.machine.reboot()
        boots = world.machine.boots
        world.booted = offset
        world.boots.append((behind, length if wait > 598 else 0.0))
        world.machine.offset -= behind
        world.machine.synchronised = False
        world.set = world.machine.now
        world.later(wait, end)
        world.blind_until = world.machine.now + wait

    def end() -> None:
        if world.machine.boots != boots:
            # It booted again meanwhile, and is without the time for longer.
            return
        world.be_near()
        all_behind, longer = map(sum, zip(*world.boots, strict=True))
        world.boots, world.booted = [], None
        _set(world, all_behind)
        _is_right(world)
        later = offset - world.machine.offset
        if longer or later:
            look_at_ends(world, went, later, longer=longer, life=life)
        if wait < 598:
            # It was set meanwhile: what was heard before that moves with nothing.
            world.oracle.misjudge(went, later)

    if wait > 598:
        # It goes on with a time that is as much behind, and is moved on for good.
        world.telling.mutes.stretch(world.machine.now, length + 120)
    world.later(length - 1, boot)


def judge_start(
    world: "World", went: tuple[float, float], since: float, now: float
) -> None:
    """Have all judged as after a start; the process before ended at `since`."""
    machine = world.machine
    until = now
    world.guessed_at = -1.0
    mistime(world)
    right = world.blind_until
    world.guessed, is_guessed = world.guessed.at_start(machine, since, right)
    if not machine.synchronised:
        world.guessed_at = now
        world.oracle.doubt()
    if is_guessed:
        _misjudge(world)
        # Nobody is called down before the wall is right, for ten minutes at most.
        until = world.guessed.until + 2
        world.was_away(600 + 2 * PATIENCE)
        world.settles_at = max(world.settles_at, until + PATIENCE)
    is_never = is_guessed and world.blind_until > world.guessed.waits - 2
    if is_never:
        # Until the wall counts, whatever it shows; windows have as much left as when it
        # went, or as a copy says that was made before this boot.
        world.guessed_at = until
        world.maintaining.look_again(0.0, world.lives - 1)
    earliest, latest = world.judges
    again = "surely" if since < earliest else "perhaps" if since < latest else ""
    ahead = max(machine.offset, 0.0)
    if is_never or not is_guessed:
        ahead = 0.0
    is_sure = not ahead
    away = Away(
        went,
        (now, until),
        sure=is_sure,
        counts=(int(is_sure and since >= world.judges_stills_by), 1),
        all_anew=is_never,
        again=again,
        ahead=ahead,
    )
    world.oracle.judge(away, is_start=True)
    # Until no ping has come for two seconds, and for ten at most.
    world.judges = now + 2, until + PATIENCE


def _misjudge(world: "World") -> None:
    """Leave what was heard before a boot without the time by a wall that had been set.

    Once the wall is right only what was written since moves.
    """
    if world.booted is None:
        return
    known, world.booted = world.booted, None
    world.oracle.misjudge(world.machine.now, known)
