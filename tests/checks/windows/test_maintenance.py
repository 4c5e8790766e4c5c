"""Windows at work: the file's and those opened by hand, on a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from hcl import store
from hcl.checks.windows import maintenance
from hcl.checks.windows.maintenance import MaintenanceError, UnknownWindowError
from hcl.clock import Clock
from hcl.db import UnreadableError
from hcl.model import Check, Flip
from hcl.pings.arrival import Target
from hcl.store.life import Sign
from tests import toml
from tests.app import CONFIG, App, running_app
from tests.build import DAY, HOUR, NOW, make_ping
from tests.clocks import Times
from tests.store import put_check, put_copies, put_pings, rows, traced

MINUTE = timedelta(minutes=1)

# NOW is noon on 15 June: it opened at eleven, for two hours.
OPEN = toml.table(
    "[projects.maintenance]", name="Updates", schedule="0 11 * * *", length="2h"
)
OPEN_TO_NAS = OPEN.replace('Updates"', 'Updates"\ntags = ["nas"]')
END = NOW + HOUR
# CONFIG has a second project, which the window does not concern.
_FIRST, _SECOND = CONFIG.split('[[projects]]\nname = "Other"')
WITH_WINDOW = f'{_FIRST}{OPEN}[[projects]]\nname = "Other"{_SECOND}'


@asynccontextmanager
async def running(
    folder: Path, times: Times, text: str = WITH_WINDOW
) -> AsyncIterator[App]:
    async with running_app(folder, text, clock=Clock(times)) as app:
        app.assembly.watch.quiet = app.assembly.watch.most_patience = 0.0
        yield app


async def late(app: App, *channels: int, **overrides: Any) -> Check:
    """Put a check that was due ten minutes ago, and goes down in ten."""
    state: dict[str, Any] = {
        "status": "up",
        "n_pings": 1,
        "grace": 20 * MINUTE,
        "last_ping": NOW - DAY - 10 * MINUTE,
        "alert_after": NOW + 10 * MINUTE,
    }
    check = await put_check(app.database, *channels, **(state | overrides))
    await put_pings(
        app.database, (check.id, make_ping(n=1, created=state["last_ping"]))
    )
    return check


async def look(app: App) -> None:
    """Do what the checker does when it wakes."""
    await app.assembly.watch.look()
    await app.parts.maintenance.reckon()
    await app.checker.check_once(app.clock.now())


async def again(app: App, check: Check) -> Check:
    found = await store.checks.by_id(await app.database.current(), check.id)
    assert found is not None
    return found


async def flips(app: App, check: Check) -> list[Flip]:
    return await store.flips.of_check(await app.database.current(), check.id)


async def status(app: App, check: Check, version: int = 3) -> str:
    answer = await app.api("GET", f"checks/{check.code}", version=version)
    return str(answer.json()["status"])


async def ping(app: App, check: Check, **values: Any) -> None:
    values = {"created": app.clock.now()} | values
    await app.parts.pinging.receive(Target(code=check.code), make_ping(**values))


async def test_nobody_is_called_down_until_a_grace_after_the_window(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app, 1)
        other = await late(app, project_id=2)
        await look(app)
        before = (await app.api("GET", f"checks/{check.code}")).json()["next_ping"]

        seen = []
        for _ in range(4):
            times.run(30 * 60)
            await look(app)
            seen.append(await status(app, check))

        assert before == "2026-06-15T11:50:00+00:00"
        assert seen == ["grace", "grace", "down", "down"]
        assert await flips(app, check) == [
            Flip(END + 20 * MINUTE, "up", "down", "timeout")
        ]
        # The other project has no window.
        assert await flips(app, other) == [
            Flip(NOW + 10 * MINUTE, "up", "down", "timeout")
        ]
        assert await rows(app.database, "SELECT check_id FROM notifications") == [
            check.id
        ]


async def test_shown_status_and_stored_deadline_agree(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app)
        await look(app)
        shown = []
        for minutes in (0, 15, 45, 19, 2):
            times.run(minutes * 60)
            # Nobody has looked.
            shown.append([await status(app, check, v) for v in (1, 3)])

        assert shown == [["grace", "grace"]] * 4 + [["down", "down"]]
        [stored] = await rows(
            app.database, "SELECT alert_after = look_at FROM check_states"
        )
        assert stored == 1


async def test_a_run_that_is_spared_is_started_in_api_v1(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app)
        await ping(app, check, action="start")
        times.run(30 * 60)

        assert [await status(app, check, v) for v in (1, 3)] == ["started", "grace"]


async def test_a_fail_is_kept_and_told_nobody_though_hcl_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app, 1)
        await look(app)
        await ping(app, check, action="fail", body=b"no disk")
        # No clean end.
        monkeypatch.setattr(app.assembly.watch, "end", AsyncMock())
    times.run(5)

    async with running(tmp_path, times) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.n_pings, after.last_ping) == ("up", 2, NOW)
        assert await flips(app, check) == []
        assert await rows(app.database, "SELECT * FROM notifications") == []
        [newest, _] = (await app.api("GET", f"checks/{check.code}/pings/")).json()[
            "pings"
        ]
        assert newest["type"] == "fail"


async def test_what_crashed_before_it_was_counted_is_spared_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        # It goes down in the window of tomorrow.
        check = await late(app, timeout=DAY, grace=5 * MINUTE)
        await ping(app, check)
        monkeypatch.setattr(app.assembly.watch, "end", AsyncMock())
        app.database.put_off(AsyncMock())
    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, check)).alert_after == END + DAY + 5 * MINUTE


async def test_what_crashed_before_it_was_counted_is_excused_in_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        # Due at 12:10 and down at 12:15, but for the window; then hcl is away for long.
        check = await late(app, timeout=10 * MINUTE, grace=5 * MINUTE)
        await ping(app, check)
        monkeypatch.setattr(app.assembly.watch, "end", AsyncMock())
        app.database.put_off(AsyncMock())
        times.run(20 * 60)
        # Other checks are served still.
        sign = Sign(times.boot_id, times.boot(), app.clock.now(), was_synchronised=True)
        async with app.database.transaction() as conn:
            await store.life.leave(conn, sign)
    times.run(3600)
    async with running(tmp_path, times) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.excused) == ("up", 1)
        assert await flips(app, check) == []


@pytest.mark.parametrize("minutes", [1, 30, 59])
async def test_a_reload_while_it_is_open(tmp_path: Path, minutes: int) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        check = await late(app)
        await look(app)
        await app.reload(WITH_WINDOW)
        await look(app)
        assert (await again(app, check)).alert_after == END + 20 * MINUTE

        times.run(60 * minutes)
        await app.reload(CONFIG)
        await look(app)

        # If it would be down by now, the window ends now, and it has its grace.
        ended = NOW + minutes * MINUTE + 20 * MINUTE if minutes > 10 else None
        after = await again(app, check)
        assert after.alert_after == (ended or NOW + 10 * MINUTE)
        assert (after.spared, await status(app, check)) == (timedelta(0), "grace")


async def test_a_reload_that_changes_no_window_works_nothing_out(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app)
        await look(app)
        await app.reload(WITH_WINDOW)

        async with traced(app.database.committed) as statements:
            await app.parts.maintenance.reckon()

        assert statements == []
        assert (await again(app, check)).spared == 70 * MINUTE


async def test_windows_that_left_the_file_while_hcl_was_away(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times, ALERT + WITH_WINDOW) as app:
        check = await late(app)
        await look(app)

    async with running(tmp_path, times, ALERT + CONFIG) as app:
        await look(app)

        after = await again(app, check)
        assert (after.alert_after, after.spared) == (NOW + 10 * MINUTE, timedelta(0))


@pytest.mark.parametrize(
    ("excused", "left"), [(0, DAY + 20 * MINUTE), (3, 20 * MINUTE)]
)
async def test_what_a_window_put_off_has_its_grace_though_it_left_the_file_meanwhile(
    tmp_path: Path, excused: int, left: timedelta
) -> None:
    times, heard = Times(), NOW - DAY - 10 * MINUTE
    state = {"excused": excused, "counted_from": heard if excused else None}
    async with running(tmp_path, times) as app:
        check = await late(app, **state)
        await look(app)
        times.run(15 * 60)
        await look(app)
    times.run(5)

    async with running(tmp_path, times, CONFIG) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.alert_after) == ("up", app.clock.now() + left)


@pytest.mark.parametrize("text", [CONFIG, WITH_WINDOW.replace("0 11 *", "0 15 *")])
async def test_a_run_that_starts_before_it_is_known_that_a_window_left_takes_no_grace(
    tmp_path: Path, text: str
) -> None:
    """It is so for the first seconds after a start, which may be killed meanwhile."""
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app)
        await look(app)
        times.run(15 * 60)
        await look(app)
    async with running(tmp_path, times, ALERT + text) as app:
        await ping(app, check, action="start")
    times.run(5)

    async with running(tmp_path, times, ALERT + text) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.alert_after) == ("up", NOW + 35 * MINUTE)


ALERT = toml.table("alerts", after_absence="alert")


@pytest.mark.parametrize(
    ("minutes", "deadline", "judged_by"),
    [
        # It may have pinged unheard: it counts from the return, and windows to come
        # have their say.
        (30, END + DAY + 20 * MINUTE, ""),
        (90, NOW + 90 * MINUTE + DAY + 20 * MINUTE, ""),
        # As if hcl had listened.
        (30, END + 20 * MINUTE, ALERT),
    ],
)
async def test_an_absence_within_a_window(
    tmp_path: Path, minutes: int, deadline: datetime, judged_by: str
) -> None:
    times, text = Times(), judged_by + WITH_WINDOW
    async with running(tmp_path, times, text) as app:
        check = await late(app)
        await look(app)
    times.run(60 * minutes)

    async with running(tmp_path, times, text) as app:
        await look(app)

        after = await again(app, check)
        assert (after.status, after.alert_after) == ("up", deadline)
        assert after.excused == (not judged_by)


@pytest.mark.parametrize("seconds", [-1800, 1800])
async def test_a_step_of_the_clock_has_deadlines_worked_out_anew(
    tmp_path: Path, seconds: int
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await late(app)
        await look(app)
        times.run(60)
        times.set_wall(seconds)
        await look(app)

        after = await again(app, check)
        # The window opens and closes by the wall; the check was due ten minutes ago.
        assert after.alert_after == END + 20 * MINUTE
        assert after.late_from == NOW + timedelta(seconds=seconds) - 10 * MINUTE


@pytest.mark.parametrize("seconds", [-1800, 1800])
async def test_a_fail_in_a_window_moves_along_with_a_clock_that_is_set(
    tmp_path: Path, seconds: int
) -> None:
    """By a clock that was never right: as its log says, and back if that is undone."""
    times = Times(synchronised=False)
    async with running(tmp_path, times) as app:
        check = await late(app)
        await look(app)
        await ping(app, check, action="fail")
        at, counted_from = app.clock.now(), check.last_ping
        assert counted_from is not None
        for step, moved in ((seconds, seconds), (-seconds, 0)):
            times.run(60)
            # It is no outcome.
            await ping(app, check, action="log")
            times.set_wall(step)
            await look(app)

            after = await again(app, check)
            log = await store.pings.newest(app.database.committed, check.id, 9)
            by = timedelta(seconds=moved)
            assert [p.created for p in log if p.action == "fail"] == [at + by]
            assert after.last_ping == at + by
            assert after.counted_from == counted_from + by


async def test_an_edit_that_takes_the_tag_of_a_window_ends_it_for_the_check(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        check = await late(app, tags="nas")
        await app.parts.maintenance.open(1, HOUR, NOW, tags=["nas"])
        await look(app)
        times.run(30 * 60)

        await app.api("POST", f"checks/{check.code}", json={"tags": "web"})
        await look(app)

        # It would be down for twenty minutes; it has its grace from now on.
        after = await again(app, check)
        assert (after.status, after.alert_after) == ("up", NOW + 50 * MINUTE)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("tag", "window", "grace", "left"),
    [
        # The window stays, and what was due has its grace at the end.
        ("nas", OPEN, "30m", HOUR / 2 + 30 * MINUTE),
        # It ends for the check: it would be down, and has its grace from now on.
        ("nas", "", "30m", 30 * MINUTE),
        ("web", OPEN_TO_NAS, "20m", 20 * MINUTE),
        # By its new grace it is not overdue yet, whatever windows there were.
        ("nas", "", "1h", 20 * MINUTE),
    ],
)
async def test_a_declared_check_that_changes_as_its_window_ends_has_its_grace(
    tmp_path: Path,
    tag: str,
    window: str,
    grace: str,
    left: timedelta,
    *,
    restarts: bool,
) -> None:
    def text(window: str, tag: str, grace: str) -> str:
        its = toml.table("[projects.checks]", slug="a", tags=[tag], grace=grace)
        return f'{ALERT}{_FIRST}{window}{its}[[projects]]\nname = "Other"{_SECOND}'

    times = Times()
    async with running(tmp_path, times, text(OPEN_TO_NAS, "nas", "20m")) as app:
        [check] = await store.checks.of_project(app.database.committed, 1)
        # As `late` has it.
        check = check._replace(
            status="up",
            last_ping=NOW - DAY - 10 * MINUTE,
            alert_after=NOW + 10 * MINUTE,
        )
        async with app.database.transaction() as conn:
            await store.checks.save(conn, check)
        await app.parts.maintenance.moved()
        await look(app)
        times.run(30 * 60)
        await look(app)
        if not restarts:
            await app.reload(text(window, tag, grace))
            await look(app)
            after = await again(app, check)
    if restarts:
        async with running(tmp_path, times, text(window, tag, grace)) as app:
            await look(app)
            after = await again(app, check)

    assert (after.status, after.alert_after) == ("up", NOW + 30 * MINUTE + left)


# By hand


async def test_a_window_opened_by_hand_is_there_at_once_and_after_a_restart(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times, ALERT + CONFIG) as app:
        nas, other = await late(app, tags="nas"), await late(app, tags="db")
        window = await app.parts.maintenance.open(
            1, 2 * HOUR, NOW, tags=["nas"], reason="new disk"
        )
        await look(app)
        assert (window.name, window.start, window.end) == (
            "new disk",
            NOW,
            NOW + 2 * HOUR,
        )
    times.run(20)
    async with running(tmp_path, times, ALERT + CONFIG) as app:
        await look(app)
        assert (await again(app, nas)).alert_after == NOW + 140 * MINUTE
        [opening] = app.parts.maintenance.open_now(1, app.clock.now())
        assert opening.window == window
        assert app.parts.maintenance.open_now(2, app.clock.now()) == []
        assert app.parts.maintenance.until(other, app.clock.now()) is None


async def test_a_window_that_is_ended_gives_its_grace_from_then(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        check = await late(app)
        window = await app.parts.maintenance.open(1, 2 * HOUR, NOW)
        await look(app)
        assert (await again(app, check)).alert_after == NOW + 140 * MINUTE

        times.run(15 * 60)
        await app.parts.maintenance.end(1, window.id, app.clock.now())
        await look(app)

        assert (await again(app, check)).alert_after == NOW + 35 * MINUTE
        with pytest.raises(UnknownWindowError):
            await app.parts.maintenance.end(1, window.id, app.clock.now())


async def test_a_window_that_could_not_be_read_counts_from_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        check = await late(app)
        windows, failing = app.parts.maintenance, UnreadableError("disk I/O error")
        kept = await windows.open(1, HOUR, NOW)
        await look(app)

        due = []
        # Both are written: nobody is told that nothing was done.
        for change in (windows.end(1, kept.id, NOW), windows.open(1, 2 * HOUR, NOW)):
            with monkeypatch.context() as broken:
                fail = AsyncMock(side_effect=failing)
                broken.setattr(store.windows, "of_projects", fail)
                await change
            await look(app)
            due.append((await again(app, check)).alert_after)

        # A grace from the end, and then a grace after the other window.
        assert due == [NOW + 20 * MINUTE, NOW + 140 * MINUTE]


@pytest.mark.parametrize(
    "length", [timedelta(0), timedelta(seconds=59), timedelta(days=30, seconds=1)]
)
async def test_lengths_that_are_refused(tmp_path: Path, length: timedelta) -> None:
    async with running(tmp_path, Times(), CONFIG) as app:
        with pytest.raises(MaintenanceError, match="from 1 minute to 30 days"):
            await app.parts.maintenance.open(1, length, NOW)


async def test_there_are_not_too_many_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "MOST", 2)
    async with running(tmp_path, Times(), CONFIG) as app:
        for _ in range(2):
            await app.parts.maintenance.open(1, HOUR, NOW)

        with pytest.raises(MaintenanceError, match="2 windows are open already"):
            await app.parts.maintenance.open(1, HOUR, NOW)

        # Another project's do not count, nor do those that are over.
        await app.parts.maintenance.open(2, HOUR, NOW)
        await app.parts.maintenance.open(1, HOUR, NOW + 2 * HOUR)


async def test_what_ended_long_ago_is_forgotten(tmp_path: Path) -> None:
    async with running(tmp_path, Times(), CONFIG) as app:
        await app.parts.maintenance.open(1, HOUR, NOW - 40 * DAY)
        kept = await app.parts.maintenance.open(1, HOUR, NOW)

        assert await rows(app.database, "SELECT id FROM windows") == [kept.id]


@pytest.mark.parametrize("seconds", [-3600, 7200])
async def test_a_window_opened_by_hand_is_as_long_though_the_clock_is_set(
    tmp_path: Path, seconds: int
) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        await app.parts.maintenance.open(1, HOUR, NOW)
        times.run(60)
        times.set_wall(seconds)
        await look(app)

        [opening] = app.parts.maintenance.open_now(1, app.clock.now())
        assert opening.end == NOW + HOUR + timedelta(seconds=seconds)


@pytest.mark.parametrize("days", [-3, 3])
async def test_a_window_opened_by_hand_outlives_a_boot_without_the_time(
    tmp_path: Path, days: int
) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        await look(app)
        await app.parts.maintenance.open(1, HOUR, NOW)
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.synchronised = False
    times.set_wall(days * 86_400)

    async with running(tmp_path, times, CONFIG) as app:
        await look(app)
        # The wall counts after ten minutes, whatever it shows; then it is set.
        times.run(601)
        await look(app)
        assert app.parts.maintenance.open_now(1, app.clock.now())
        times.synchronised = True
        times.set_wall(-days * 86_400)
        await look(app)

        [opening] = app.parts.maintenance.open_now(1, app.clock.now())
        assert abs(opening.end - (NOW + HOUR)) < timedelta(seconds=1)


@pytest.mark.parametrize("seconds", [-7200, 7200])
async def test_a_window_that_is_over_stays_over_though_the_clock_is_set(
    tmp_path: Path, seconds: int
) -> None:
    times = Times()
    async with running(tmp_path, times, CONFIG) as app:
        check = await late(app)
        await app.parts.maintenance.open(1, 15 * MINUTE, NOW)
        times.run(16 * 60)
        await look(app)
        before = await again(app, check)

        times.set_wall(seconds)
        await look(app)

        now, after = app.clock.now(), await again(app, check)
        assert app.parts.maintenance.upcoming(1, now, 1) == []
        # It has its grace from the end of the window, as long as was said.
        assert before.alert_after == NOW + 35 * MINUTE
        assert after.alert_after == NOW + 35 * MINUTE + timedelta(seconds=seconds)


# Cost


async def test_many_checks_are_worked_out_a_few_at_a_time(tmp_path: Path) -> None:
    times, pulses = Times(), []
    async with running(tmp_path, times, CONFIG) as app:
        check = await late(app)
        await put_copies(app.database, check, 2 * maintenance.AT_ONCE)
        await look(app)
        await app.parts.maintenance.open(1, HOUR, NOW)

        await app.parts.maintenance.reckon(pulse=lambda: pulses.append(1))

        assert len(pulses) == 3
        spared = "SELECT count(*) FROM check_states WHERE spared > 0"
        assert await rows(app.database, spared) == [2 * maintenance.AT_ONCE + 1]


async def test_without_windows_nothing_is_asked(tmp_path: Path) -> None:
    async with running(tmp_path, Times(), CONFIG) as app:
        await late(app)
        await look(app)

        async with traced(app.database.committed) as statements:
            await app.parts.maintenance.reckon()

        assert not app.parts.maintenance
        assert statements == []
