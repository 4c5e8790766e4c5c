"""Starts with a clock that cannot be believed."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from hcl import store
from hcl.checks.away.absence import is_same
from hcl.checks.away.guessing import NEXT
from hcl.db import UnreadableError
from hcl.model import Action
from hcl.pings.arrival import Target
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import MINUTE, YEAR, again, look, pi, running, up
from tests.clocks import Times
from tests.store import change, put_pings, rows


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


@pytest.mark.parametrize("is_open", [True, False])
async def test_what_fell_due_unheard_before_the_wall_was_right_is_excused(
    tmp_path: Path, *, is_open: bool
) -> None:
    times = Times()
    # By its interval nothing was to come: the end of its run, or a period of late.
    due = NOW + MINUTE
    values: dict[str, Any] = {"last_start": due - HOUR}
    if not is_open:
        values = {"timeout": HOUR}
    heard = NOW - 2 * HOUR + MINUTE
    async with running(tmp_path, times) as app:
        values |= {"last_ping": heard, "alert_after": due, "n_pings": 4}
        check = await up(app, heard - 3 * DAY, **values)
        daily = [make_ping(n=n, created=heard - (4 - n) * DAY) for n in (2, 3, 4)]
        await put_pings(app.database, *((check.id, ping) for ping in daily))
        await look(app)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(120)
        await look(app)
        times.set_wall(3600)
        times.synchronised = True
        await look(app)
        after = await again(app, check)

        assert (after.status, after.excused) == ("up", 1)
        assert after.counted_from == app.clock.now() == NOW + HOUR + 2 * MINUTE


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


async def test_an_absence_is_judged_though_windows_cannot_be_read_just_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW - HOUR)
    async with running(tmp_path, times) as app:
        await look(app)
        times.run(60)
        times.set_wall(2 * 86_400)
        times.synchronised = True
        with monkeypatch.context() as broken:
            fail = AsyncMock(side_effect=UnreadableError("disk I/O error"))
            broken.setattr(store.windows, "of_projects", fail)
            with pytest.raises(UnreadableError):
                await look(app)

        await look(app)

        assert (await again(app, check)).status == "up"
