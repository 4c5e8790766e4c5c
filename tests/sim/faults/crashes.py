"""The process is killed, ended, or not alone."""

import random
from functools import partial
from typing import TYPE_CHECKING

from hcl.db import DatabaseError, held
from tests.sim.inline import Crash, torn, wal_of

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR = 3600.0


def short(rng: random.Random) -> float:
    """Draw how long a process is gone: mostly seconds, at times hours."""
    return rng.choice((0.5, 2, 5, 20, 90, 600, 2 * HOUR)) * rng.uniform(0.7, 1.5)


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
    if not world.can_ask:
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
    if world.can_ask:
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
    if not world.can_ask:
        return
    assert world.life is not None
    try:
        with held(world.path, world.life.config.path):
            world.blame("two servers serve one database", "")
    except DatabaseError:
        world.note("a second server is turned away")
