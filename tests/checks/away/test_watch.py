"""Absences and steps on a real database, by clocks that the test drives."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from hcl import store
from hcl.checks import rules
from hcl.checks.away import judging
from hcl.checks.away.absence import is_same
from hcl.checks.away.guessing import NEXT
from hcl.clock import Clock
from hcl.db import UnwritableError
from hcl.model import Action, Check, Flip, Run
from hcl.pings.arrival import Target
from hcl.store.waiting import Waiting
from tests import toml
from tests.app import CONFIG, App, running_app
from tests.build import DAY, HOUR, NOW, make_ping
from tests.clocks import Times
from tests.store import change, put_check, put_pings, rows, writer_of

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

FULL = (
    "CREATE TRIGGER full_{0} BEFORE INSERT ON {0}"
    " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END"
)


@asynccontextmanager
async def running(folder: Path, times: Times, text: str = CONFIG) -> AsyncIterator[App]:
    """Run the app by these times; whatever is waited for passes at once."""
    async with running_app(folder, text, clock=Clock(times)) as app:
        # Nothing waits to be let in.
        app.assembly.watch.quiet = app.assembly.watch.most_patience = 0.0
        yield app


async def up(app: App, heard: datetime, **overrides: Any) -> Check:
    """Put a check that is up: a period of a day, an hour of grace, heard once."""
    values = {
        "status": "up",
        "last_ping": heard,
        "n_pings": 1,
        "alert_after": heard + DAY + HOUR,
    }
    check = await put_check(app.database, 1, **(values | overrides))
    ping = make_ping(n=1, created=heard)
    await put_pings(app.database, (check.id, ping))
    return check


async def again(app: App, check: Check) -> Check:
    """Return a check as it is now."""
    found = await store.checks.by_id(await app.database.current(), check.id)
    assert found is not None
    return found


async def look(app: App) -> None:
    """Do what the checker does when it wakes."""
    await app.assembly.watch.look()
    if app.assembly.watch.may_call_down:
        await app.assembly.checker.check_once(app.clock.now())


async def due_soon(app: App) -> Check:
    """Put a check that goes down in six minutes, and look once."""
    times = {"timeout": 5 * MINUTE, "grace": MINUTE}
    check = await up(app, NOW, **times, alert_after=NOW + 6 * MINUTE)
    await look(app)
    return check


async def status(app: App, check: Check) -> str:
    answer = await app.api("GET", f"checks/{check.code}")
    return str(answer.json()["status"])


# Absence


async def test_first_start_is_no_absence(tmp_path: Path) -> None:
    async with running(tmp_path, Times()) as app:
        check = await up(app, NOW - DAY - 2 * HOUR)
        await look(app)

        assert await status(app, check) == "down"
        assert await rows(app.database, "SELECT * FROM absences") == []


async def test_that_filing_takes_long_is_no_absence(tmp_path: Path) -> None:
    """A card is slow; where logs are damaged on it, that would be so at each look."""
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW, n_pings=801)
        waiting = [(check.id, make_ping(n=n, created=NOW)) for n in range(2, 802)]
        await put_pings(app.database, *waiting, filed=False)
    times.run(130)

    def passes(statement: str) -> None:
        times.run(3 * statement.startswith("INSERT OR IGNORE INTO pings"))

    async with running(tmp_path, times) as app:
        await (await writer_of(app.database)).set_trace_callback(passes)
        await look(app)

        assert times.boot_ >= 1130 + 12
        absences = await rows(app.database, "SELECT reason FROM absences")
        assert len(absences) == 1


@pytest.mark.parametrize("seconds", [5, 61, 130, 8 * 3600, 3 * 86_400])
@pytest.mark.parametrize("same_boot", [True, False])
async def test_what_fell_due_while_it_was_away_is_not_called_down(
    tmp_path: Path, seconds: float, same_boot: bool
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + SECOND)
    times.run(seconds)
    if not same_boot:
        times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    returned = NOW + timedelta(seconds=seconds)

    async with running(tmp_path, times) as app:
        # Until it is judged all is shown as it was.
        before = await status(app, check)
        await look(app)
        after = await again(app, check)

        assert before == "grace"
        assert (after.status, after.counted_from, after.excused) == ("up", returned, 1)
        assert after.alert_after == returned + DAY + HOUR
        assert await status(app, check) == "up"
        assert await rows(app.database, "SELECT * FROM notifications") == []
        # What is dead is told.
        times.run(25 * 3600 + 1)
        await look(app)
        [flip] = await store.flips.of_check(app.database.committed, check.id)
        assert flip.created == returned + DAY + HOUR


async def test_what_was_overdue_before_is_down(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR - SECOND)
    times.run(130)

    async with running(tmp_path, times) as app:
        await look(app)

        [flip] = await store.flips.of_check(app.database.committed, check.id)
        assert flip.created == NOW - SECOND


async def test_absences_may_judge_as_if_it_had_listened(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + SECOND)
    times.run(130)

    async with running(tmp_path, times) as app:
        app.assembly.watch.excuses = False
        await look(app)

        [flip] = await store.flips.of_check(app.database.committed, check.id)
        assert flip.created == NOW + SECOND


async def test_a_crash_before_all_is_judged_loses_no_absence(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + MINUTE)
        other = await up(app, NOW - HOUR)
    times.run(3600)
    async with running(tmp_path, times) as app:
        # It takes a ping, which is a sign of life, and then it is gone.
        await app.parts.pinging.receive(
            Target(code=other.code), make_ping(created=app.clock.now())
        )
    times.run(60)

    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, check)).status == "up"
        went = await rows(app.database, "SELECT went, judged FROM absences")
        assert went == [(NOW.timestamp(), 1)] * 2


async def test_a_ping_that_waited_is_taken_before_anybody_is_judged(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + SECOND)
    times.run(130)

    async with running(tmp_path, times) as app:
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        await look(app)

        after = await again(app, check)
        assert (after.counted_from, after.excused) == (None, 0)
        assert after.last_ping == NOW + timedelta(seconds=130)


async def test_restarts_cannot_make_deaf(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(
            app,
            NOW,
            timeout=MINUTE,
            grace=MINUTE,
            alert_after=NOW + 2 * MINUTE,
        )
    told = None
    for _ in range(60):
        times.run(27)
        async with running(tmp_path, times) as app:
            times.run(3)
            await look(app)
            flips = await store.flips.of_check(app.database.committed, check.id)
            if flips:
                told = flips[0]
                break

    # Period and grace, the absences, three times as long, and the last chance.
    assert told is not None
    assert told.created <= NOW + 2 * MINUTE + 60 * 27 * SECOND + 3 * 2 * MINUTE + MINUTE


async def test_nights_of_a_machine_that_sleeps_cannot_make_deaf(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW)
        away = timedelta()
        flips: list[Flip] = []
        while not flips and away < 14 * 8 * HOUR:
            for _ in range(16):
                app.assembly.watch.sleeps(3600)
                times.run(3600)
                await look(app)
            times.suspend(8 * 3600)
            away += 8 * HOUR
            await look(app)
            flips = await store.flips.of_check(app.database.committed, check.id)

        bound = NOW + DAY + HOUR + away + 3 * (DAY + HOUR) + MINUTE
        assert flips
        assert flips[0].created <= bound
        assert (await again(app, check)).excused == 3


async def test_an_absence_counts_once_though_judging_it_fails(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY - HOUR + MINUTE)
    times.run(130)

    async with running(tmp_path, times) as app:
        await change(
            app.database,
            "CREATE TRIGGER fail BEFORE UPDATE ON absences"
            " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
        )
        for _ in range(3):
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
        await change(app.database, "DROP TRIGGER fail")
        await look(app)

        assert (await again(app, check)).excused == 1
        assert await status(app, check) == "up"
        [story] = await rows(app.database, "SELECT story FROM announcements")
        assert "1 check" in story


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
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
            app.assembly.watch.failed()
            app.assembly.watch.sleeps(60)
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
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
            app.assembly.watch.failed()
            app.assembly.watch.sleeps(60)
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
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
            app.assembly.watch.failed()
            app.assembly.watch.sleeps(1200)

            assert await status(app, check) == "up"


@pytest.mark.parametrize("is_killed", [True, False])
async def test_who_ends_just_after_a_disk_was_full_has_heard_nothing_of_that_time(
    tmp_path: Path, *, is_killed: bool
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
        await change(app.database, FULL.format("life"))
        for _ in range(60):
            times.run(60)
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
            app.assembly.watch.failed()
            app.assembly.watch.sleeps(60)
        await change(app.database, "DROP TRIGGER full_life")
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
            await change(
                app.database,
                f"CREATE TRIGGER full_{table} BEFORE INSERT ON {table}"
                " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
            )
        for length in (60, 600, 1200, 60, 60):
            with pytest.raises(sqlite3.DatabaseError):
                await app.assembly.watch.look()
            app.assembly.watch.failed()
            app.assembly.watch.sleeps(60)
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


async def test_judging_many_checks_shows_that_it_is_at_work(tmp_path: Path) -> None:
    pulses: list[datetime] = []
    async with running(tmp_path, Times()) as app:
        for _ in range(judging.AT_ONCE + 1):
            await up(app, NOW - DAY)
        away = store.life.Absence(NOW - MINUTE, NOW, "stopped")
        many = judging.Judging(
            app.database,
            app.clock,
            app.parts.maintenance,
            pulse=lambda: pulses.append(app.clock.now()),
        )

        await many.judge(away)

    assert len(pulses) == 2


@pytest.mark.parametrize("seconds", [7200, -7200])
async def test_a_crash_soon_after_a_step_judges_by_the_new_time(
    tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(
            app, NOW, timeout=HOUR, grace=MINUTE, alert_after=NOW + HOUR + MINUTE
        )
        times.run(60)
        times.set_wall(seconds)
        await look(app)
        # No clean end: no sign is left.
        monkeypatch.setattr(app.assembly.watch, "end", AsyncMock())
    times.run(2)

    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, check)).status == "up"
        assert app.clock.steps == []


async def test_an_older_database_without_a_sign_counts_from_its_last_ping(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - DAY)
        await change(app.database, "DELETE FROM life")
    async with running(tmp_path, times) as app:
        await change(app.database, "DELETE FROM life")
        await change(app.database, "DELETE FROM absences")
    times.run(2 * 3600)

    async with running(tmp_path, times) as app:
        await change(app.database, "DELETE FROM life")
    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, check)).status == "up"


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


async def test_a_start_that_takes_long_hears_nobody_until_it_is_over(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await due_soon(app)
    times.run(5)

    async with running(tmp_path, times) as app:
        # It is stopped, or the machine has much else to do.
        times.run(3600)
        early = await status(app, check)
        await look(app)

        after = await again(app, check)
        assert early == "up"
        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == NOW + timedelta(seconds=3605)
        count = "SELECT count(*) FROM announcements"
        assert await rows(app.database, count) == [1]


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


async def test_a_sign_of_life_is_left_once_a_minute(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        signs = []
        for _ in range(5):
            await look(app)
            signs += await rows(app.database, "SELECT moment FROM life")
            times.run(29)

    begin = NOW.timestamp()
    assert signs == [begin, begin, begin + 58, begin + 58, begin + 116]


async def test_who_is_killed_and_starts_at_once_was_not_away_for_a_minute(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        await look(app)
        # Somebody is due: that comes too soon for another sign.
        times.run(25)
        await look(app)
        times.run(app.watch.next_look.total_seconds())
        await look(app)

        [signed] = await rows(app.database, "SELECT moment FROM life")

    assert 25 < signed - NOW.timestamp() < 60


# Steps of the clock


@pytest.mark.parametrize(
    "seconds", [5, -5, 45, -45, 7200, -7200, 2_592_000, 31_536_000]
)
async def test_a_step_changes_no_length(tmp_path: Path, seconds: float) -> None:
    step = timedelta(seconds=seconds)
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        running_one = await up(app, NOW - HOUR, last_start=NOW - MINUTE)
        times.run(60)
        await look(app)
        times.synchronised = False
        times.set_wall(seconds)

        await look(app)
        after, other = await again(app, check), await again(app, running_one)

        assert after.alert_after == NOW - HOUR + DAY + HOUR + step
        assert other.last_start == NOW - MINUTE + step
        assert after.status == "up"
        # It was heard long before, by a clock that was right.
        assert after.last_ping == NOW - HOUR
        assert after.counted_from == NOW - HOUR + step
        assert after.excused == 0
        assert await rows(app.database, "SELECT * FROM flips") == []
        # The dead are told as late as they would have been.
        times.run(24 * 3600 - 61)
        await look(app)
        assert (await again(app, check)).status == "up"
        times.run(2)
        await look(app)
        assert (await again(app, check)).status == "down"


@pytest.mark.parametrize("seconds", [7200, -7200])
async def test_a_step_changes_no_length_of_a_mute(
    tmp_path: Path, seconds: float
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        project = app.synced.projects[0]
        await app.parts.managing.mute(project, check.code, HOUR, app.clock.now())
        times.run(60)
        await look(app)
        times.set_wall(seconds)

        await look(app)

        muted_until = NOW + HOUR + timedelta(seconds=seconds)
        assert (await again(app, check)).muted_until == muted_until


@pytest.mark.parametrize("seconds", [45, -45, 7200, -7200, 2_592_000])
@pytest.mark.parametrize("synchronised", [False, True])
@pytest.mark.parametrize("gap", [1, 60])
async def test_a_step_that_is_undone_leaves_all_as_it_was(
    tmp_path: Path, seconds: float, synchronised: bool, gap: float
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        # Heard just before, and down; and a schedule.
        heard = await up(app, NOW - HOUR)
        failed = await up(app, NOW - HOUR)
        cron = await up(
            app,
            NOW - HOUR,
            kind="cron",
            schedule="0 11 * * *",
            alert_after=NOW + DAY,
        )
        for check, action in ((heard, "success"), (heard, "start"), (failed, "fail")):
            ping = make_ping(action=action, created=app.clock.now())
            await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(gap)
        if gap > 1:
            await look(app)
        before = [await everything(app, check) for check in (heard, failed, cron)]
        times.synchronised = synchronised
        times.set_wall(seconds)
        await look(app)
        times.run(600)
        await look(app)
        times.run(50)
        times.set_wall(-seconds)
        times.synchronised = True

        await look(app)

        after = [await everything(app, check) for check in (heard, failed, cron)]
        assert after == before


@pytest.mark.parametrize("seconds", [45, -45, 7200, -7200])
async def test_a_step_moves_every_open_run_and_what_was_missed(
    tmp_path: Path, seconds: float
) -> None:
    step = timedelta(seconds=seconds)
    times = Times()
    runs = (Run(NOW - HOUR, None, True), Run(NOW - MINUTE, "a"))
    fields = {"max_run": HOUR, "down_after": 3, "bad_outcomes": 1}
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - 2 * HOUR, open_runs=runs, missed=NOW, **fields)
        due = NOW - MINUTE + HOUR
        await change(
            app.database, "UPDATE check_states SET alert_after = ?", due.timestamp()
        )
        times.run(60)
        await look(app)
        before = await again(app, check)
        times.set_wall(seconds)

        await look(app)

        after = await again(app, check)
        assert after.open_runs == tuple(
            run._replace(started=run.started + step) for run in runs
        )
        assert (after.missed, after.alert_after) == (NOW + step, due + step)
        # And back.
        times.set_wall(-seconds)
        await look(app)
        assert await again(app, check) == before


async def everything(app: App, check: Check) -> tuple[Any, ...]:
    """Return a check with its log and its flips."""
    conn = await app.database.current()
    return (
        await store.checks.by_id(conn, check.id),
        [
            (ping.n, ping.created)
            for ping in await store.pings.newest(conn, check.id, 9)
        ],
        await store.flips.of_check(conn, check.id),
    )


async def test_what_came_by_the_wrong_clock_moves_along(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        times.synchronised = False
        times.set_wall(7200)
        await look(app)
        times.run(60)
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(60)
        times.set_wall(-7200)
        times.synchronised = True

        await look(app)
        after = await again(app, check)

        assert after.last_ping == NOW + MINUTE
        assert after.counted_from is None
        log = await store.pings.newest(app.database.committed, check.id, 9)
        assert [entry.created for entry in log] == [NOW + MINUTE, NOW - HOUR]


async def test_filed_pings_and_flips_move_along_too(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        times.synchronised = False
        times.set_wall(7200)
        await look(app)
        for action in ("fail", "success"):
            times.run(60)
            ping = make_ping(action=action, created=app.clock.now())
            await app.parts.pinging.receive(Target(code=check.code), ping)
        await app.assembly.filer.file_once()
        times.set_wall(-7200)
        times.synchronised = True

        await look(app)

        log = await store.pings.newest(app.database.committed, check.id, 9)
        flips = await store.flips.of_check(app.database.committed, check.id)
        moments = [NOW + 2 * MINUTE, NOW + MINUTE]
        assert [ping.created for ping in log] == [*moments, NOW - HOUR]
        assert [flip.created for flip in flips] == moments


async def test_logs_that_an_error_left_move_along_later(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        checks = [await up(app, NOW) for _ in range(8)]
        await look(app)
        last = checks[4].id
        await change(
            app.database,
            "CREATE TRIGGER fail BEFORE UPDATE ON pings"
            f' WHEN new."key" >> 32 = {last}'
            " BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
        )
        times.synchronised = False
        times.set_wall(-7200)
        version = app.parts.changes.begin()

        with pytest.raises(sqlite3.DatabaseError):
            await look(app)
        told = app.parts.changes.is_over(version)
        await change(app.database, "DROP TRIGGER fail")
        await look(app)
        await look(app)

        assert told
        stamps = await rows(app.database, "SELECT DISTINCT created FROM pings")
        assert stamps == [(NOW - 2 * HOUR).timestamp()]


async def test_what_waits_to_be_told_moves_along(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        ping = make_ping(action="fail", created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        await change(app.database, "UPDATE notifications SET next_try = next_try + 300")
        times.set_wall(-7200)

        await look(app)

        waiting = await rows(
            app.database, "SELECT next_try, created FROM notifications"
        )
        then = (NOW - 2 * HOUR).timestamp()
        assert waiting == [(then + 300, then)]


async def test_what_is_put_off_while_the_clock_is_set_moves_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    channel = toml.email("Mail", "me@example.org", fold="10m")
    text = "\n".join([toml.smtp(9), toml.project(), channel])
    due = store.waiting.due

    async with running(tmp_path, times, text) as app:

        async def set_meanwhile(*args: Any) -> list[Waiting]:
            found = await due(*args)
            if not app.clock.steps:
                times.set_wall(-7200)
                await look(app)
            return found

        monkeypatch.setattr(store.waiting, "due", set_meanwhile)
        check = await put_check(app.database, 1, status="up")
        ping = make_ping(action="fail", created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        await app.sender.send_once(app.clock.now())
        sql = "SELECT next_try - ? FROM notifications WHERE hold = 'fold'"
        [left] = await rows(app.database, sql, app.clock.timestamp())

        assert app.clock.now() == NOW - 2 * HOUR
        assert left == 600


async def test_a_ping_that_waited_over_a_step_is_of_the_new_time(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        times.set_wall(7200)
        ping = make_ping(created=app.clock.now())
        async with app.database.turn():
            received = app.parts.pinging.receive(Target(code=check.code), ping)
            app.clock.take(app.clock.step)
        await received

        assert ping.created == NOW
        assert (await again(app, check)).last_ping == NOW + 2 * HOUR


# Starts with a clock that cannot be believed


async def test_what_is_due_since_long_ago_is_no_absence(tmp_path: Path) -> None:
    """A job has told late that it ran, and what was to come next did not, hours ago."""
    times = Times()
    async with running(tmp_path, times) as app:
        await look(app)
        app.watch.sleeps(-36_000.0)

        assert app.clock.shown() == app.clock.now()
        await look(app)

        assert await rows(app.database, "SELECT * FROM absences") == []


async def pi(folder: Path, times: Times, heard: datetime, **overrides: Any) -> Check:
    """Run once with a right clock, and lose the power; the wall stands still."""
    async with running(folder, times) as app:
        check = await up(app, heard, **overrides)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False
    return check


async def test_nobody_is_called_down_before_the_wall_is_known(tmp_path: Path) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW - DAY - HOUR + 5 * MINUTE)
    times.set_wall(-3600)

    async with running(tmp_path, times) as app:
        first = app.clock.now()
        await look(app)
        times.run(9 * 60)
        await look(app)

        # It goes on from the last moment known.
        assert first == NOW + NEXT
        assert app.clock.now() == NOW + NEXT + 9 * MINUTE
        assert not app.assembly.watch.may_call_down
        assert (await again(app, check)).status == "up"


@pytest.mark.parametrize(
    ("runs_for", "is_right", "status"),
    [
        # As soon as it is back, when it has judged all, and when it has waited enough.
        (0, False, "up"),
        (60, False, "up"),
        (601, False, "up"),
        # Its length is known again.
        (60, True, "down"),
    ],
)
@pytest.mark.parametrize("behind", [timedelta(0), 365 * DAY])
async def test_no_run_is_too_short_whose_length_nobody_knows(
    tmp_path: Path, runs_for: int, is_right: bool, status: str, behind: timedelta
) -> None:
    times = Times()
    began = {"last_start": NOW - MINUTE, "min_run": HOUR}
    check = await pi(tmp_path, times, NOW - HOUR, **began)
    times.set_wall(-behind.total_seconds())
    async with running(tmp_path, times) as app:
        if runs_for:
            await look(app)
            times.run(runs_for)
            times.synchronised = is_right
            if is_right:
                times.set_wall(behind.total_seconds())
            await look(app)

        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)

        assert (await again(app, check)).status == status
        # A run of which all is known is too short as ever.
        times.run(1)
        for action in ("start", "success"):
            ping = make_ping(action=action, created=app.clock.now())
            await app.parts.pinging.receive(Target(code=check.code), ping)
        assert (await again(app, check)).status == "down"


@pytest.mark.parametrize("is_guessed", [True, False])
async def test_no_run_is_too_short_that_began_by_a_clock_which_was_ahead(
    tmp_path: Path, is_guessed: bool
) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW - HOUR, last_start=NOW, min_run=HOUR)
    times.set_wall(-7200)
    times.synchronised = not is_guessed
    async with running(tmp_path, times) as app:
        for _ in range(2):
            await look(app)
            times.run(60)
            times.synchronised = True

        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)

        assert app.clock.now() < NOW
        assert (await again(app, check)).status == "up"
        # By the clock that is right all is known.
        for action in ("start", "success"):
            times.run(1)
            ping = make_ping(action=action, created=app.clock.now())
            await app.parts.pinging.receive(Target(code=check.code), ping)
        assert (await again(app, check)).status == "down"


@pytest.mark.parametrize("is_guessed", [True, False])
async def test_a_run_before_the_last_ping_is_not_what_the_next_one_waits_for(
    tmp_path: Path, is_guessed: bool
) -> None:
    times = Times()
    run = Run(NOW - 20 * MINUTE, "2d8b1c8e-0000-4000-8000-000000000000")
    check = await pi(
        tmp_path,
        times,
        NOW - 10 * MINUTE,
        alert_after=NOW + HOUR,
        timeout=HOUR,
        grace=10 * MINUTE,
        max_run=DAY,
        last_start=run.started,
        last_start_rid=run.rid,
        open_runs=(run,),
    )
    times.set_wall(-7200)
    times.synchronised = not is_guessed
    async with running(tmp_path, times) as app:
        app.assembly.watch.excuses = False
        await look(app)
        times.synchronised = True
        await look(app)
        after = await again(app, check)
        times.run(70 * 60)
        await look(app)

        # It may be open still, and has its own end.
        assert len(after.open_runs) == 1
        assert (await again(app, check)).status == "down"


async def test_what_is_gathered_by_a_clock_which_was_ahead_goes_out_in_time(
    tmp_path: Path,
) -> None:
    times = Times()
    channel = toml.email("Mail", "me@example.org", fold="10m")
    text = "\n".join([toml.smtp(9), toml.project(), channel])
    async with running(tmp_path, times, text) as app:
        check = await put_check(app.database, 1, status="up")
        ping = make_ping(action="fail", created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        await app.sender.send_once(app.clock.now())
        times.run(120)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-36_000)

    async with running(tmp_path, times, text) as app:
        sql = "SELECT next_try - ? FROM notifications WHERE hold = 'fold'"
        [left] = await rows(app.database, sql, app.clock.timestamp())

        assert 0 < left <= 600


@pytest.mark.parametrize("behind", [DAY, 365 * DAY])
@pytest.mark.parametrize("is_known", [True, False])
async def test_what_is_over_begins_not_again_by_a_wall_that_is_behind(
    tmp_path: Path, behind: timedelta, is_known: bool
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        over, lasting = await up(app, NOW), await up(app, NOW)
        for check, length in ((over, MINUTE), (lasting, 3 * HOUR)):
            project = app.synced.projects[0]
            await app.parts.managing.mute(project, check.code, length, NOW)
        opened = await app.api("POST", "maintenance/", json={"seconds": 60})
        times.run(2 * 3600)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-behind.total_seconds())
    times.synchronised = is_known
    async with running(tmp_path, times):
        # It ends before anything is judged.
        pass

    async with running(tmp_path, times) as app:
        # Or that it is right is known only after the start.
        times.synchronised = True
        await look(app)
        now = app.clock.now()

        assert opened.status_code == 201
        assert now == NOW + 2 * HOUR - behind
        ended, lasts = await again(app, over), await again(app, lasting)
        assert is_same(ended.muted_until, now - 2 * HOUR + MINUTE)
        assert is_same(lasts.muted_until, now + HOUR)
        assert app.parts.maintenance.until(over, now) is None
        assert app.parts.maintenance.until(over, now - 2 * HOUR) is not None


@pytest.mark.parametrize(
    ("ahead", "is_known", "set_by"),
    [(0, True, 7200), (7200, True, -7200), (7200, False, 0), (0, False, 7200)],
)
async def test_a_window_opened_by_a_guessed_time_is_open_for_as_long_as_was_said(
    tmp_path: Path, ahead: float, is_known: bool, set_by: float
) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW)
    times.set_wall(ahead)
    async with running(tmp_path, times) as app:
        await look(app)
        await app.api("POST", "maintenance/", json={"seconds": 3600})
    times.run(60)
    # And that it is guessed is known to the next start.
    async with running(tmp_path, times) as app:
        await look(app)
        times.run(640)
        times.set_wall(set_by)
        times.synchronised = is_known

        await look(app)

        until = app.parts.maintenance.until(check, app.clock.now())
        assert until == app.clock.now() + HOUR - timedelta(seconds=700)


@pytest.mark.parametrize("gone", [HOUR, 30 * DAY, 365 * DAY])
async def test_once_the_wall_is_right_all_is_judged_after_the_true_absence(
    tmp_path: Path, gone: timedelta
) -> None:
    times = Times()
    dead = await pi(tmp_path, times, NOW - HOUR)
    async with running(tmp_path, times) as app:
        await look(app)
        pinged = await up(app, NOW - HOUR)
        times.run(60)
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=pinged.code), ping)
        times.run(60)
        times.set_wall(gone.total_seconds())
        times.synchronised = True

        await look(app)
        now = NOW + gone + 2 * MINUTE
        one, other = await again(app, dead), await again(app, pinged)

        assert app.clock.now() == now
        assert app.assembly.watch.may_call_down
        assert one.status == "up"
        if gone > DAY:
            assert (one.counted_from, one.excused) == (now, 1)
        assert other.last_ping == now - MINUTE
        assert other.alert_after == now - MINUTE + DAY + HOUR
        assert await rows(app.database, "SELECT * FROM flips") == []


@pytest.mark.parametrize("gone", [timedelta(0), HOUR, -30 * DAY])
@pytest.mark.parametrize("is_right", [True, False])
async def test_what_an_earlier_start_without_the_time_heard_moves_along_too(
    tmp_path: Path, gone: timedelta, is_right: bool
) -> None:
    times = Times()
    silent = await pi(tmp_path, times, NOW - HOUR)
    async with running(tmp_path, times) as app:
        await look(app)
        pinged = await up(app, NOW - HOUR)
        for action in ("fail", "success"):
            ping = make_ping(action=action, created=app.clock.now())
            await app.parts.pinging.receive(Target(code=pinged.code), ping)
        times.run(60)
    times.set_wall(gone.total_seconds())
    times.synchronised = is_right

    async with running(tmp_path, times) as app:
        # Or the wall is right only later.
        await look(app)
        times.synchronised = True
        await look(app)
        now = NOW + gone + MINUTE
        one, other = await again(app, pinged), await again(app, silent)

        assert app.clock.now() == now
        assert app.assembly.watch.may_call_down
        assert is_same(one.last_ping, now - MINUTE)
        assert is_same(one.alert_after, now - MINUTE + DAY + HOUR)
        flips = await rows(app.database, "SELECT created FROM flips")
        assert flips == pytest.approx([(now - MINUTE).timestamp()] * 2, abs=0.001)
        if gone >= timedelta(0):
            # It is judged as after an absence, and not as after a step.
            assert other.alert_after == NOW + DAY
        assert await store.life.guess(app.database.committed) is None


@pytest.mark.parametrize("was_right", [True, False])
@pytest.mark.parametrize("heard", [NOW - DAY, NOW - 2 * HOUR])
async def test_after_ten_minutes_without_a_right_wall_all_count_anew(
    tmp_path: Path, heard: datetime, *, was_right: bool
) -> None:
    times = Times(synchronised=was_right)
    check = await pi(tmp_path, times, heard)
    times.set_wall(-365 * 86_400)

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(601)
        await look(app)
        after = await again(app, check)

        # The wall counts now, whatever it shows.
        began = NOW - 365 * DAY
        assert app.clock.now() == began + timedelta(seconds=601)
        assert app.assembly.watch.may_call_down
        assert (after.status, after.counted_from, after.excused) == ("up", began, 1)
        assert after.alert_after == began + DAY + HOUR
        assert after.last_ping is not None
        times.run(25 * 3600)
        await look(app)
        assert (await again(app, check)).status == "down"


@pytest.mark.parametrize("excuses", [True, False])
@pytest.mark.parametrize("was_right", [True, False])
async def test_starts_by_a_wall_that_is_behind_cannot_make_deaf(
    tmp_path: Path, *, excuses: bool, was_right: bool
) -> None:
    times = Times(synchronised=was_right)
    heard, due = NOW - 20 * HOUR, {"alert_after": NOW + 5 * HOUR}
    excused = {"excused": 3, "counted_from": heard} if excuses else {}
    check = await pi(tmp_path, times, heard - excuses * DAY, **due, **excused)
    seen = []
    for number in range(3):
        # It has the same time at each boot, and never the right one.
        times.boot_id, times.boot_, times.monotonic_ = f"boot-{number + 3}", 7.0, 7.0
        times.wall_ = (NOW - YEAR).timestamp()
        async with running(tmp_path, times) as app:
            app.assembly.watch.excuses = excuses
            await look(app)
            times.run(601)
            await look(app)
            times.run(2 * 3600)
            await look(app)
            seen.append((await again(app, check)).status)

    # Five hours were left.
    assert seen == ["up", "up", "down"]


async def test_a_restart_guesses_no_time_anew_once_the_wall_counts(
    tmp_path: Path,
) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW - HOUR)
    times.set_wall(-3 * 86_400)
    async with running(tmp_path, times) as app:
        await look(app)
        times.run(601)
        await look(app)
    times.run(5)

    async with running(tmp_path, times) as app:
        assert app.assembly.watch.may_call_down
        await look(app)
        before = await again(app, check)
        times.run(60)
        times.set_wall(3 * 86_400)
        times.synchronised = True
        await look(app)
        after = await again(app, check)

        # It was away for five seconds, whatever the wall does.
        assert before.alert_after is not None
        assert after.alert_after == before.alert_after + 3 * DAY
        assert (after.status, after.excused) == ("up", before.excused)
        sql = "SELECT returned - went FROM absences ORDER BY id DESC LIMIT 1"
        assert await rows(app.database, sql) == [pytest.approx(5, abs=0.01)]


async def test_who_is_not_excused_any_more_is_not_called_down_by_a_wall_that_is_ahead(
    tmp_path: Path,
) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW - HOUR, counted_from=NOW - HOUR, excused=3)
    times.set_wall(2 * 3600)
    async with running(tmp_path, times) as app:
        await look(app)

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(601)
        await look(app)
        times.synchronised = True
        times.set_wall(-2 * 3600)
        await look(app)
        after = await again(app, check)

        assert (after.status, after.excused) == ("up", 3)
        assert after.alert_after == NOW + DAY


async def test_what_waits_is_tried_in_time_though_the_wall_is_days_behind(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        ping = make_ping(action="fail", created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(60)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False
    times.set_wall(-3 * 86_400)

    async with running(tmp_path, times) as app:
        await change(
            app.database,
            "UPDATE notifications SET attempts = 1, next_try = next_try + 7200",
        )
        await look(app)
        times.run(601)
        await look(app)
        sql = "SELECT next_try - ? FROM notifications"
        [behind] = await rows(app.database, sql, app.clock.now().timestamp())
        times.set_wall(3 * 86_400)
        times.synchronised = True
        await look(app)
        [right] = await rows(app.database, sql, app.clock.now().timestamp())

        assert 0 <= behind <= 7200 - 601
        assert 0 <= right <= 7200 - 601


@pytest.mark.parametrize("pinged", [NOW - HOUR, NOW + 20 * DAY])
async def test_a_last_chance_by_a_wall_that_is_ahead_ends_by_the_right_one(
    tmp_path: Path, pinged: datetime
) -> None:
    """Its last ping may be of a wall that was set back since."""
    times = Times()
    async with running(tmp_path, times) as app:
        state = {"counted_from": NOW - HOUR, "alert_after": NOW + DAY}
        check = await up(app, pinged, excused=3, **state)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False
    times.set_wall(40 * 86_400)

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(60)
        times.set_wall(-40 * 86_400)
        times.synchronised = True
        await look(app)
        after = await again(app, check)

        assert after.status == "up"
        assert after.alert_after is not None
        assert NOW <= after.alert_after <= NOW + DAY + HOUR


YEAR = 365 * DAY


@pytest.mark.parametrize("excuses", [True, False])
@pytest.mark.parametrize("killed", [0, 1, 2])
@pytest.mark.parametrize(
    ("counted_from", "left"),
    [(NOW - HOUR, DAY + HOUR), (NOW - YEAR - HOUR, DAY)],
    ids=["ahead", "right"],
)
async def test_a_wall_that_is_a_year_back_puts_nothing_off_for_a_year(
    tmp_path: Path,
    excuses: bool,
    killed: int,
    counted_from: datetime,
    left: timedelta,
) -> None:
    """Excused three times, it was to be judged a minute after the return.

    Only that one, or the last of the three too, was by a wall that was ahead. So many
    starts are killed before they have judged.
    """
    times = Times()
    state = {"excused": 3, "counted_from": counted_from, "not_before": NOW + MINUTE}
    async with running(tmp_path, times) as app:
        due = {"alert_after": NOW + MINUTE}
        check = await up(app, counted_from - 2 * DAY, **state, **due)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-365 * 86_400)
    for _ in range(killed):
        async with running(tmp_path, times):
            pass

    async with running(tmp_path, times) as app:
        app.assembly.watch.excuses = excuses
        await look(app)
        after = await again(app, check)

        assert after.alert_after == NOW - YEAR + left


async def test_a_clock_that_was_never_right_is_not_behind_what_is_known(
    tmp_path: Path,
) -> None:
    times = Times(synchronised=False)
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-86_400)

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(60)
        await look(app)
        first = app.clock.now()
        times.run(600)
        await look(app)
        after = await again(app, check)

        assert first == NOW + MINUTE + NEXT
        assert app.assembly.watch.may_call_down
        assert app.clock.now() == NOW - DAY + timedelta(seconds=660)
        assert after.status == "up"


@pytest.mark.parametrize("excuses", [True, False])
@pytest.mark.parametrize("minutes", [5, 10])
async def test_the_first_run_of_a_check_hangs_no_longer_since_a_wall_was_behind(
    tmp_path: Path, minutes: int, excuses: bool
) -> None:
    """It began while the time was guessed, and nothing else was heard of the check."""
    times = Times(synchronised=False)
    async with running(tmp_path, times) as app:
        check = await put_check(app.database)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-86_400)

    async with running(tmp_path, times) as app:
        app.assembly.watch.excuses = excuses
        await look(app)
        ping = make_ping(action="start", created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(minutes * 60 + 1)
        # It is known to be right; or it is waited for in vain.
        times.synchronised = minutes < 10
        await look(app)
        after = await again(app, check)

        assert after.last_start == NOW - DAY
        assert after.alert_after == NOW - DAY + HOUR


@pytest.mark.parametrize("days", [-300, 5])
async def test_a_lateness_moves_along_with_a_time_that_was_guessed(
    tmp_path: Path, days: int
) -> None:
    """So the ping that ends it is known to be the one that people wait for."""
    times = Times(synchronised=False)
    channel = toml.email("Mail", "me@example.org", events=["down", "late"])
    text = "\n".join([toml.smtp(9), toml.project(), channel])
    async with running(tmp_path, times, text) as app:
        check = await up(app, NOW - 6 * MINUTE, timeout=5 * MINUTE)
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-86_400)
    sql = "SELECT began, ended FROM latenesses"

    async with running(tmp_path, times, text) as app:
        await look(app)
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(320)
        await look(app)
        [(began, _)] = await rows(app.database, sql)
        step = days * DAY
        times.synchronised = True
        times.set_wall((NOW + step).timestamp() - times.wall())
        moved = app.clock.step.total_seconds()
        await look(app)
        after = await again(app, check)
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        [(later, ended)] = await rows(app.database, sql)

        assert after.late_since is not None
        assert after.late_since.timestamp() == pytest.approx(later, abs=0.0005)
        assert later == pytest.approx(began + moved, abs=0.01)
        assert ended == app.clock.now().timestamp()
        over = "SELECT count(*) FROM notifications WHERE is_end"
        assert await rows(app.database, over) == [1]


@pytest.mark.parametrize("is_guessed", [True, False])
@pytest.mark.parametrize("is_told", [True, False])
async def test_whether_a_lateness_was_told_is_known_once_a_wall_is_behind(
    tmp_path: Path, *, is_told: bool, is_guessed: bool
) -> None:
    """It began before a run, and all know; or while that was open, and nobody does."""
    times = Times()
    channel = toml.email("Mail", "me@example.org", events=["down", "late"])
    text = "\n".join([toml.smtp(9), toml.project(), channel])

    async def hear(app: App, action: Action, minutes: int) -> None:
        times.run(minutes * 60)
        await look(app)
        times.run(1)
        ping = make_ping(action=action, created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)

    async with running(tmp_path, times, text) as app:
        check = await put_check(app.database, 1, timeout=5 * MINUTE, grace=HOUR)
        await hear(app, "success", 0)
        await hear(app, "start", 7 if is_told else 2)
        times.run(300)
        await look(app)
        before = await again(app, check)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-86_400)
    times.synchronised = not is_guessed

    async with running(tmp_path, times, text) as app:
        await hear(app, "start", 1)
        times.synchronised = True
        await hear(app, "start", 1)
        await hear(app, "success", 1)

        assert before.late_since is not None
        assert before.last_start is not None
        assert (before.late_since < before.last_start) == is_told
        assert app.clock.now() < before.late_since
        over = "SELECT count(*) FROM notifications WHERE is_end"
        assert await rows(app.database, over) == [is_told]
        lasting = "SELECT count(*) FROM latenesses WHERE ended IS NULL"
        assert await rows(app.database, lasting) == [0]


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("is_right", [True, False])
@pytest.mark.parametrize("behind", [MINUTE, 9 * MINUTE, DAY])
async def test_a_lateness_of_a_run_that_was_open_is_none_once_a_wall_counts(
    tmp_path: Path, *, is_told: bool, is_right: bool, behind: timedelta
) -> None:
    times = Times()
    start = NOW - 2 * MINUTE
    since = start - SECOND if is_told else start + SECOND
    state = {"last_start": start, "late_since": since, "down_after": 2}
    check = await pi(tmp_path, times, NOW - HOUR, **state)
    times.set_wall(-behind.total_seconds())
    async with running(tmp_path, times) as app:
        await look(app)
        times.run(300 if is_right else 601)
        times.synchronised = is_right
        await look(app)
        after = await again(app, check)

        assert (rules.late_still(after) is not None) == is_told


async def test_states_of_a_future_that_is_none_are_cut(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW + 9 * DAY, last_start=NOW + 9 * DAY)
    times.run(60)

    async with running(tmp_path, times) as app:
        after = await again(app, check)

        now = NOW + MINUTE
        assert (after.last_ping, after.last_start) == (now, now)
        log = await store.pings.newest(app.database.committed, check.id, 1)
        assert log[0].created == NOW + 9 * DAY


async def test_schedules_count_loosely_while_the_wall_is_not_known(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        # A job that runs at eleven, and was last heard an hour ago.
        check = await up(
            app,
            NOW - HOUR,
            kind="cron",
            schedule="0 11 * * *",
            alert_after=NOW + DAY,
        )
        await look(app)
        strict = (await again(app, check)).alert_after
        times.synchronised = False
        times.set_wall(7200)
        await look(app)
        loose = (await again(app, check)).alert_after
        times.set_wall(-7200)
        times.synchronised = True
        await look(app)

        assert strict == NOW + DAY
        assert loose == NOW + DAY + 2 * HOUR
        assert (await again(app, check)).alert_after == strict


@pytest.mark.parametrize("action", ["success", "start"])
async def test_the_last_ping_before_a_power_cut_is_no_ping_of_the_next_start(
    tmp_path: Path, action: Action
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        ping = make_ping(action=action, created=NOW)
        await app.parts.pinging.receive(Target(code=check.code), ping)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(60)
        times.set_wall(2 * 86_400)
        times.synchronised = True
        await look(app)
        after = await again(app, check)

        assert after.excused == 1
        assert after.alert_after == NOW + MINUTE + 2 * DAY + DAY + HOUR
        if action == "start":
            # Its end may have gone unheard.
            assert (after.last_start, after.run_excused) == (NOW, True)
        else:
            assert after.last_ping == NOW
