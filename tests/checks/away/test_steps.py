"""Steps of the clock change no length, by clocks that the test drives."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from hcl import store
from hcl.model import Check, Run
from hcl.pings.arrival import Target
from hcl.server.announcer import Announcer
from hcl.store.waiting import Waiting
from tests import toml
from tests.app import App
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import MINUTE, again, look, running, up
from tests.clocks import Times
from tests.store import change, put_check, rows, writer_of


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


async def test_a_step_that_comes_again_undoes_not_that_which_undid_it(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        # A job of 10 o'clock, heard by the right time between two steps.
        check = await up(app, NOW - DAY, kind="cron", schedule="0 10 * * *")
        await look(app)
        for step in (-7200, 7200):
            times.set_wall(step)
            await look(app)
            times.run(600)
        ping = make_ping(created=app.clock.now())
        await app.parts.pinging.receive(Target(code=check.code), ping)
        times.run(10 * 3600)
        await look(app)
        heard = (await again(app, check)).last_ping
        assert heard is not None

        times.set_wall(-7200)
        await look(app)

        after = await again(app, check)
        assert after.last_ping == heard
        assert after.counted_from == heard - 2 * HOUR


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


@pytest.mark.parametrize("seconds", [7200, -7200])
async def test_a_change_that_waited_over_a_step_is_of_the_new_time(
    tmp_path: Path, seconds: float
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        managing, project = app.parts.managing, app.synced.projects[0]
        muted, paused = [await up(app, NOW - HOUR) for _ in range(2)]
        resumed = await up(app, NOW - HOUR, status="paused", alert_after=None)
        asked = (
            managing.mute(project, muted.code, HOUR, NOW),
            managing.pause(project, paused.code, NOW),
            managing.resume(project, resumed.code, NOW),
            app.parts.maintenance.open(project.id, HOUR, NOW),
        )
        async with app.database.turn():
            done = asyncio.gather(*asked)
            # All of them wait for their turn.
            await asyncio.sleep(0)
            times.set_wall(seconds)
            app.clock.take(app.clock.step)
        *_, window = await done

        now = NOW + timedelta(seconds=seconds)
        assert (await again(app, muted)).muted_until == now + HOUR
        conn = await app.database.current()
        for check in (paused, resumed):
            [flip] = await store.flips.of_check(conn, check.id)
            assert flip.created == now
        assert (window.start, window.end) == (now, now + HOUR)


async def test_what_is_told_of_hcl_over_a_step_back_goes_out_at_once(
    tmp_path: Path,
) -> None:
    times = Times()
    text = "\n".join(
        [toml.smtp(9), toml.project(), toml.email("Mail", "me@example.org")]
    )
    async with running(tmp_path, times, text) as app:
        sender, changes = app.alarms["sender"], app.parts.changes
        announcer = Announcer(app.database, app.clock, sender, changes)
        async with app.database.turn():
            told = asyncio.create_task(announcer.tell("damage", "Damaged", ["It is."]))
            await asyncio.sleep(0)
            times.set_wall(-7200)
            app.clock.take(app.clock.step)
        await told

        due = await rows(app.database, "SELECT next_try FROM notifications")
        assert due == [app.clock.timestamp()]


@pytest.mark.parametrize("seconds", [7200, -7200])
async def test_a_step_whose_commit_the_end_breaks_in_upon_is_not_taken_twice(
    tmp_path: Path, seconds: float
) -> None:
    times, loop = Times(), asyncio.get_running_loop()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
        times.run(60)
        await look(app)
        times.set_wall(seconds)
        written = list[str]()

        def end(statement: str) -> None:
            written.append(statement)
            if statement == "COMMIT" and any("life" in sql for sql in written):
                loop.call_soon_threadsafe(looking.cancel)

        writer = await writer_of(app.database)
        await writer.set_trace_callback(end)
        looking = asyncio.create_task(app.assembly.watch.look())
        with pytest.raises(asyncio.CancelledError):
            await looking
        # mypy takes the callback for one that cannot be taken away.
        await writer.set_trace_callback(None)  # type: ignore[arg-type]
    times.run(2)

    async with running(tmp_path, times) as app:
        await look(app)

        due = NOW - HOUR + DAY + HOUR + timedelta(seconds=seconds)
        assert (await again(app, check)).alert_after == due


async def test_a_drill_over_a_step_back_goes_out_at_once_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, count = Times(), store.tallies.count_by_status
    alerts = toml.table("alerts", test_every="day")
    mail = toml.email("Mail", "me@example.org")
    text = "\n".join([alerts, toml.smtp(9), toml.project(), mail])
    async with running(tmp_path, times, text) as app:

        async def set_meanwhile(*args: Any) -> dict[str, int]:
            if not app.clock.steps:
                times.set_wall(-7200)
                await look(app)
            return await count(*args)

        monkeypatch.setattr(store.tallies, "count_by_status", set_meanwhile)
        for _ in range(2):
            await app.assembly.drill.test_once(app.clock.now())

        due = await rows(app.database, "SELECT next_try FROM notifications")
        assert due == [app.clock.timestamp()]
