"""Times in which nothing could be kept, and so nobody was heard."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.db import UnwritableError
from hcl.model import Run
from hcl.pings.arrival import Target
from tests.app import App
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import (
    MINUTE,
    SECOND,
    again,
    due_soon,
    look,
    running,
    status,
    up,
)
from tests.clocks import Times
from tests.store import change

FULL = (
    "CREATE TRIGGER full_{0} BEFORE INSERT ON {0}"
    " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END"
)


async def look_in_vain(app: App, seconds: float = 60) -> None:
    """Do what the checker does when it cannot write: it sleeps on, for so long."""
    with pytest.raises(sqlite3.DatabaseError):
        await app.assembly.watch.look()
    app.assembly.watch.failed()
    app.assembly.watch.sleeps(seconds)


async def test_what_could_not_be_written_could_not_be_heard(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        app.assembly.watch.sleeps(60)
        times.run(60)
        # The disk is full, and stays so for an hour.
        for event in ("INSERT", "UPDATE"):
            await change(
                app.database,
                f"CREATE TRIGGER fail_{event} BEFORE {event} ON life"
                " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
            )
        for _ in range(60):
            await look_in_vain(app)
            times.run(60)
        for event in ("INSERT", "UPDATE"):
            await change(app.database, f"DROP TRIGGER fail_{event}")

        await look(app)

        after = await again(app, check)
        assert (after.status, after.excused) == ("up", 1)
        [away] = await store.life.absences(app.database.committed, NOW - DAY)
        assert (away.reason, away.went) == ("unwritable", NOW)


async def test_nothing_is_shown_as_down_while_nothing_can_be_kept(
    tmp_path: Path,
) -> None:
    times, seen = Times(), []
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        await change(app.database, FULL.format("life"))
        for _ in range(60):
            times.run(60)
            await look_in_vain(app)
            seen.append(await status(app, check))
        await change(app.database, "DROP TRIGGER full_life")
        await look(app)
        after = await status(app, check)
        times.run(3600)
        later = await status(app, check)

        assert set(seen) == {"up"}
        assert (after, later) == ("up", "down")


async def test_a_suspend_while_nothing_can_be_kept_shows_nothing_as_down(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        for table in ("life", "absences"):
            await change(app.database, FULL.format(table))
        for wait in (times.run, times.suspend, times.run):
            wait(1200)
            await look_in_vain(app, 1200)

            assert await status(app, check) == "up"


@pytest.mark.parametrize("is_heard", [True, False])
@pytest.mark.parametrize("is_killed", [True, False])
async def test_who_ends_just_after_a_disk_was_full_has_heard_nothing_of_that_time(
    tmp_path: Path, *, is_killed: bool, is_heard: bool
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        await change(app.database, FULL.format("life"))
        for _ in range(60):
            times.run(60)
            await look_in_vain(app)
        await change(app.database, "DROP TRIGGER full_life")
        if is_heard:
            # What is kept again before anybody has looked says nothing of before.
            other, ping = await up(app, NOW), make_ping(created=NOW + HOUR)
            await app.parts.pinging.receive(Target(code=other.code), ping)
        if is_killed:
            # Between the first of what it writes then, and the next.
            await change(app.database, FULL.format("absences"))
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
            await change(app.database, "DROP TRIGGER full_absences")
    times.run(600)

    async with running(tmp_path, times) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.excused) == ("up", 1)


@pytest.mark.parametrize(
    "began",
    [
        {"last_start": NOW - MINUTE, "last_start_rid": "a"},
        # Another run, which began later, has failed since.
        {"open_runs": (Run(NOW - MINUTE, "a"),), "max_run": 3 * HOUR},
    ],
    ids=["newest", "older"],
)
async def test_a_run_of_a_check_that_is_down_may_have_ended_unheard(
    tmp_path: Path, began: dict[str, Any]
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY, status="down", alert_after=None, **began)
        await look(app)
    times.run(7200)

    async with running(tmp_path, times) as app:
        await look(app)
        ping = make_ping(created=app.clock.now(), rid="b")
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(3600)
        await look(app)

        assert await status(app, check) == "up"
        assert app.assembly.watch.may_call_down


async def test_a_stop_while_nothing_can_be_written_is_part_of_that(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        app.assembly.watch.sleeps(60)
        times.run(60)
        for table in ("life", "absences"):
            await change(app.database, FULL.format(table))
        for length in (60, 600, 1200, 60, 60):
            await look_in_vain(app)
            # Longer than that the process stands still.
            times.run(length)
        for table in ("life", "absences"):
            await change(app.database, f"DROP TRIGGER full_{table}")

        await look(app)

        after = await again(app, check)
        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == app.clock.now()


async def test_a_run_that_began_just_before_nothing_could_be_written_may_have_ended(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW, timeout=DAY, grace=MINUTE)
        await look(app)
        times.run(20)
        await app.parts.pinging.receive(
            Target(code=check.code),
            make_ping(action="start", created=NOW + 20 * SECOND),
        )
        times.run(10)
        app.assembly.watch.failed()
        app.assembly.watch.sleeps(60)
        times.run(300)

        await look(app)

        after = await again(app, check)
        assert (after.status, after.run_excused) == ("up", True)


async def test_a_disk_that_takes_only_what_is_small_is_deaf_too(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(
            app, NOW, timeout=5 * MINUTE, grace=MINUTE, alert_after=NOW + 6 * MINUTE
        )
        dead = await up(
            app, NOW - MINUTE, timeout=MINUTE, grace=MINUTE, alert_after=NOW + MINUTE
        )
        await look(app)
        full = app.database.turn
        # There is room for a sign of life, and for no ping.
        async with full() as conn:
            await conn.execute("PRAGMA max_page_count = 1")
        for _ in range(8):
            times.run(60)
            with pytest.raises(UnwritableError):
                await app.parts.pinging.receive(
                    Target(code=check.code), make_ping(body=b"x" * 9000)
                )
            times.run(1)
            await look(app)
        assert (await again(app, dead)).status == "up"
        assert await status(app, check) == "up"
        async with full() as conn:
            await conn.execute("PRAGMA max_page_count = 1000000")
        times.run(11)

        await look(app)

        assert await status(app, check) == "up"
        assert (await again(app, check)).excused == 1
        [away] = await store.life.absences(app.database.committed, NOW - DAY)
        assert (away.reason, away.went) == ("unwritable", NOW + MINUTE)


async def test_a_disk_that_stays_so_cannot_make_deaf(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW, timeout=MINUTE, grace=MINUTE, alert_after=NOW)
        refusals = app.parts.pinging.refusals

        for _ in range(60):
            times.run(60)
            refusals.note(times.boot())
            await look(app)

        assert (await again(app, check)).status == "down"
