"""Runs, windows and latenesses by a clock that cannot be believed."""

from datetime import timedelta
from pathlib import Path

import pytest

from hcl.checks import rules
from hcl.checks.away.absence import is_same
from hcl.model import Action, Run
from hcl.pings.arrival import Target
from tests import toml
from tests.app import App
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import MINUTE, SECOND, again, look, pi, running, up
from tests.clocks import Times
from tests.store import put_check, rows


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
