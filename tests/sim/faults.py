"""What goes wrong with hcl's machine, its disk, its clock and its receivers."""

import random
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hcl.db import DatabaseError, held
from tests.sim.inline import Crash, copy, torn, wal_of
from tests.sim.model import PATIENCE, Away

if TYPE_CHECKING:
    from tests.sim.world import World

Refusal = Callable[[], sqlite3.OperationalError]

HOUR, DAY = 3600.0, 86_400.0

# A sign of life is no older than this while something is about to happen.
_SIGN = 100.0


def short(rng: random.Random) -> float:
    """Draw how long a process is gone: mostly seconds, at times hours."""
    return rng.choice((0.5, 2, 5, 20, 90, 600, 2 * HOUR)) * rng.uniform(0.7, 1.5)


def _is_up(world: "World") -> bool:
    life = world.life
    return life is not None and life.takes_requests and not world.network.trouble


# The process.


def crash(world: "World", rng: random.Random) -> None:
    """Kill it between two statements, or as soon as it has acknowledged some pings."""
    length = short(rng)
    if rng.random() < 0.5:
        world.crash(length)
    else:
        world.be_near(HOUR)
        world.network.acked_then = rng.randint(1, 4), partial(world.crash, length)


def crash_at_statement(world: "World", rng: random.Random) -> None:
    """Kill it before or after one of the next statements that write."""
    _arm(
        world, rng, "before" if rng.random() < 0.5 else "after", rng.randint(1, 25), ""
    )


def crash_at_commit(world: "World", rng: random.Random) -> None:
    """Kill it before, in or after one of the next commits."""
    where = rng.choice(("before", "in", "in", "after"))
    _arm(world, rng, where, rng.randint(1, 8), "COMMIT")


def crash_at_send(world: "World", rng: random.Random) -> None:
    """Kill it before or after the next message goes."""
    world.sends = rng.choice(("before", "after"))

    def give_up() -> None:
        world.sends = None

    world.later(12 * HOUR - 1800, give_up)


def _arm(
    world: "World", rng: random.Random, where: str, number: int, wanted: str
) -> None:
    if not _is_up(world):
        return
    assert world.life is not None
    gate, left, length = world.life.gate, number, short(rng)
    wal = wal_of(world.path)
    before_it: list[tuple[bytes, bytes]] = []

    def counts(sql: str) -> bool:
        nonlocal left
        if sql.startswith(("SELECT", "WITH", "PRAGMA")) or not sql.startswith(wanted):
            return False
        left -= 1
        return left == 0

    def before(sql: str) -> None:
        if where == "before" and counts(sql):
            world.crash(length)
            raise Crash
        if where == "in" and counts(sql):
            before_it.append((world.path.read_bytes(), wal.read_bytes()))

    def after(sql: str) -> None:
        if where == "after" and counts(sql):
            world.crash(length)
            raise Crash
        if before_it:
            database, old = before_it.pop()
            kept = world.folder / "torn" / "hcl.sqlite"
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(database)
            wal_of(kept).write_bytes(torn(old, wal.read_bytes(), rng.random()))
            world.crash(length, kept)
            raise Crash

    gate.before, gate.after = before, after


def restart(world: "World", rng: random.Random) -> None:
    """End it in order, as an update does."""
    if _is_up(world):
        assert world.life is not None
        now, length = world.machine.now, short(rng)
        world.note("hcl is told to stop")
        world.next_away = (now - 1, now + 5), now
        world.starts_at = now + length
        world.life.stop()


def restarts(world: "World", rng: random.Random) -> None:
    """End it again and again, for days: its memory leaks, or its host is at fault."""
    after = 0.0
    for _ in range(rng.randint(6, 14)):
        after += rng.choice((HOUR, 6 * HOUR, 9 * HOUR)) * rng.uniform(0.8, 1.2)
        world.later(after, partial(world.crash, rng.uniform(1, 20)))


def second_server(world: "World", rng: random.Random) -> None:
    """Have another server try the same database."""
    if not _is_up(world):
        return
    assert world.life is not None
    try:
        with held(world.path, world.life.config.path):
            world.blame("two servers serve one database", "")
    except DatabaseError:
        world.note("a second server is turned away")


# Standing still.


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
    if not _is_up(world):
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
    world.oracle.judge(
        Away((went - 65, went), (now, now + 62), is_sure, (int(is_sure), 1))
    )
    world.network.let_in()


# The clock.


def step(world: "World", rng: random.Random) -> None:
    """Set the wall wrong, as if it were right, and right again after a while."""
    steps = (2.5, 5.0, 45.0, 2 * HOUR, 30 * DAY, 365 * DAY)
    by = rng.choice(steps) * rng.choice((-1, 1))
    _set(world, by)
    world.later(rng.choice((10, 300.0, 2 * HOUR, 25 * HOUR)), lambda: _set(world, -by))


def unsynchronise(world: "World", rng: random.Random) -> None:
    """Have nobody know whether the wall is right, and let it be wrong for a while."""
    by = rng.choice((0.0, 5.0, 2 * HOUR)) * rng.choice((-1, 1))
    world.machine.synchronised = False
    world.note("the wall is not known to be right")
    world.oracle.doubt()
    world.later(60, lambda: _set(world, by))

    def end() -> None:
        _set(world, -by)
        world.machine.synchronised = True
        world.note("the wall is known to be right")
        world.oracle.doubt()

    length = rng.choice((120, HOUR, 6 * HOUR))
    world.blind_until = world.machine.now + length
    world.later(length, end)


def _set(world: "World", by: float) -> None:
    world.be_near()
    world.machine.offset += by
    world.set = world.troubled = world.machine.now
    world.note(f"the wall is set by {by:+.0f} s")
    world.oracle.doubt()


def boot_without_time(world: "World", rng: random.Random) -> None:
    """Cut the power; boot with a wrong wall, which is right again soon or late."""
    if not _is_up(world):
        return
    length = rng.choice((30.0, 600.0, 3 * HOUR)) * rng.uniform(0.7, 1.3)
    wait = rng.choice((20.0, 120.0, 700.0, 6 * HOUR))
    behind = rng.choice((length, length + 3 * DAY, 9000 * DAY, -2 * HOUR, -40 * DAY))
    world.crash(length)
    world.note(f"the machine boots with a wall {behind:+.0f} s behind")

    def boot() -> None:
        world.machine.reboot()
        world.machine.offset -= behind
        world.machine.synchronised = False
        world.set = world.machine.now
        world.later(wait, end)
        world.blind_until = world.machine.now + wait

    def end() -> None:
        world.be_near()
        _set(world, behind)
        world.machine.synchronised = True
        world.note("the wall is known to be right")
        world.oracle.doubt()
        if wait > 598:
            world.later(70, lambda: world.maintaining.look_again(length))

    world.later(length - 1, boot)


def judge_start(
    world: "World", went: tuple[float, float], since: float, now: float
) -> None:
    """Have all judged as after a start; the process before ended at `since`."""
    machine = world.machine
    until = now
    if not machine.synchronised:
        # Nobody is called down before the wall is right, for ten minutes at most.
        until = max(now, min(world.blind_until, now + 600)) + 2
        world.was_away(600 + 2 * PATIENCE)
        world.settles_at = max(world.settles_at, until + PATIENCE)
        world.oracle.doubt()
    is_never = not machine.synchronised and world.blind_until > now + 598
    earliest, latest = world.judges
    again = "surely" if since < earliest else "perhaps" if since < latest else ""
    ahead = max(machine.offset, 0.0)
    if machine.synchronised or is_never:
        ahead = 0.0
    is_sure = not ahead
    away = Away(
        went,
        (now, until),
        sure=is_sure,
        counts=(int(is_sure), 1),
        all_anew=is_never,
        again=again,
        ahead=ahead,
    )
    world.oracle.judge(away, is_start=True)
    # Until no ping has come for two seconds, and for ten at most.
    world.judges = now + 2, until + PATIENCE


# The disk.


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
    world.signless = began - _SIGN, began + length + 75
    world.be_near(length + 1800)
    if world.life is not None:
        world.life.gate.refusal = refusal
    world.later(length, end)


def _end_refusal(world: "World", began: float) -> None:
    now = world.machine.now
    world.note("the disk is well again")
    world.refusal = None
    world.troubled = now
    world.was_away(now - began + _SIGN)
    world.settles_at = max(world.settles_at, now + 75 + PATIENCE)
    if world.life is not None:
        world.life.gate.refusal = None
        went = (began - _SIGN, now)
        world.oracle.judge(Away(went, (now, now + 75), sure=False, counts=(0, 1)))


# What is lost.


def restore(world: "World", rng: random.Random) -> None:
    """Copy the database, and put the copy back after hours or days."""
    _go_back_after(world, rng, rng.choice((HOUR, 8 * HOUR, 2 * DAY)))


def lose_tail(world: "World", rng: random.Random) -> None:
    """Cut the power where a disk had lied about its syncs: what came last is gone."""
    _go_back_after(world, rng, rng.uniform(10, 1200))


def _go_back_after(world: "World", rng: random.Random, length: float) -> None:
    if not _is_up(world) or world.kept is not None:
        return
    backup = world.folder / "backup" / "hcl.sqlite"
    copy(world.path, backup)
    world.kept = world.oracle.remember()
    taken, gone = world.machine.now, short(rng)
    world.note("the database is copied")

    def go_back() -> None:
        if not _is_up(world):
            world.later(60, go_back)
            return
        world.be_near()
        world.crash(gone, backup)
        world.note("the copy of the database is put back")
        _believe(world, taken)

    world.later(length, go_back)


def _believe(world: "World", taken: float) -> None:
    world.oracle.go_back(world.kept)
    world.kept = None
    now = world.believed_at = world.machine.now
    world.taken_at = taken
    world.was_away(now - taken)
    world.judges = -1e9, -1e9
    world.next_away = (taken - _SIGN, taken), now


# Receivers.


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
