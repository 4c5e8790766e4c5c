"""A process that is stopped, suspended or slow was away, and only then."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.pings.arrival import Target
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import (
    SECOND,
    again,
    due_soon,
    look,
    running,
    status,
    up,
)
from tests.clocks import Times
from tests.store import rows


async def test_a_suspend_while_the_checker_is_at_work_is_found(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY)
        await look(app)
        # After its look, and before it sleeps.
        times.suspend(8 * 3600)
        app.assembly.watch.sleeps(60)

        await look(app)

        assert (await again(app, check)).status == "up"


@dataclass
class Stopping(Times):
    """Clocks of a process that is stopped, for so many seconds, while it looks."""

    stops: float = 0.0

    def is_synchronised(self) -> bool:
        self.run(self.stops)
        self.stops = 0.0
        return True


async def test_a_stop_while_it_looks_is_found_before_anybody_is_called_down(
    tmp_path: Path,
) -> None:
    times = Stopping()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + 30 * SECOND)
        await look(app)

        times.stops = 130
        await look(app)

        after = await again(app, check)
        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == NOW + timedelta(seconds=130)


@pytest.mark.parametrize("way", ["stopped", "suspended"])
async def test_a_process_that_stood_still_was_away_too(
    tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "hcl.checks.away.watch")
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + 30 * SECOND)
        await look(app)
        app.assembly.watch.sleeps(30)
        if way == "stopped":
            times.run(130)
        else:
            times.suspend(130)

        # A reader may be faster than the checker.
        early = await status(app, check)
        await look(app)
        after = await again(app, check)

        assert early != "down"
        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == NOW + timedelta(seconds=130)
        word = "starved" if way == "stopped" else "suspended"
        assert word in caplog.text


@pytest.mark.parametrize("way", ["stopped", "suspended"])
async def test_who_ends_before_it_has_looked_was_away_all_the_same(
    tmp_path: Path, way: str
) -> None:
    """A machine that wakes is soon shut down, or has hcl upgraded."""
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        app.watch.sleeps(60)
        if way == "stopped":
            times.run(3600)
        else:
            times.suspend(3600)
    times.run(5)

    async with running(tmp_path, times) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == NOW + timedelta(seconds=3605)


async def test_who_ends_while_the_checker_sleeps_was_there(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        await look(app)
        app.watch.sleeps(60)
        times.run(50)
    times.run(1)

    async with running(tmp_path, times) as app:
        went = await rows(app.database, "SELECT went FROM absences")

    assert went == [NOW.timestamp() + 50]


async def test_a_checker_that_wakes_on_time_was_there(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + 30 * SECOND)
        await look(app)
        app.assembly.watch.sleeps(30)
        times.run(33)

        await look(app)

        assert (await again(app, check)).status == "down"
        assert await rows(app.database, "SELECT * FROM absences") == []


async def test_a_ping_that_waited_while_it_stood_still_for_a_moment_is_in_time(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + 30 * SECOND)
        await look(app)
        app.assembly.watch.sleeps(30)
        times.run(33)
        # That is no absence; but others are before it in the line.
        app.assembly.watch.quiet = app.assembly.watch.most_patience = 0.1
        looking = asyncio.create_task(look(app))
        await asyncio.wait([looking], timeout=0.3)
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(1)
        await looking

        assert (await again(app, check)).status == "up"
        assert await rows(app.database, "SELECT * FROM flips") == []
        assert await rows(app.database, "SELECT * FROM absences") == []


@pytest.mark.parametrize("seconds", [3, 30])
async def test_a_ping_that_waits_for_the_disk_is_in_time(
    tmp_path: Path, seconds: float
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + 20 * SECOND)
        await look(app)
        app.watch.sleeps(20)
        # Too soon for a sign of life.
        times.run(20)
        async with asyncio.TaskGroup() as group:
            # As a commit that a slow disk holds up, or another program's lock.
            async with app.database.turn():
                looking = group.create_task(look(app))
                await asyncio.wait([looking], timeout=0.3)
                ping = make_ping(created=app.clock.now())
                receipt = app.parts.pinging.receive(Target(code=check.code), ping)
                await asyncio.wait([looking], timeout=0.1)
                times.run(seconds)
            await receipt
        await look(app)

        assert (await again(app, check)).status == "up"
        assert await rows(app.database, "SELECT * FROM flips") == []


async def test_who_is_dead_is_told_though_each_write_waits_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + 20 * SECOND)
        await look(app)
        transaction = app.database.transaction

        def slow(**options: Any) -> Any:
            times.run(11)
            return transaction(**options)

        times.run(21)
        for _ in range(5):
            await app.assembly.watch.look()
            with monkeypatch.context() as patch:
                patch.setattr(app.database, "transaction", slow)
                await app.assembly.checker.check_once(app.clock.now())

        assert (await again(app, check)).status == "down"


async def test_what_is_due_since_long_ago_is_no_absence(tmp_path: Path) -> None:
    """A job has told late that it ran, and what was to come next did not, hours ago."""
    times = Times()
    async with running(tmp_path, times) as app:
        await look(app)
        app.watch.sleeps(-36_000.0)

        assert app.clock.shown() == app.clock.now()
        await look(app)

        assert await rows(app.database, "SELECT * FROM absences") == []
