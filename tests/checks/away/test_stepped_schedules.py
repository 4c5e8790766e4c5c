"""Clocks that are set, or not known: deadlines move, stay so, and are met at last."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.checks import rules
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar
from hcl.clock import Clock
from hcl.config.settings import Window
from hcl.model import Flip
from tests import toml
from tests.app import CONFIG, App, running_app
from tests.build import DAY, HOUR, NOW, make_check, make_ping
from tests.checks.away.watching import again, pi, running, up
from tests.clocks import Times
from tests.store import rows

MINUTE = timedelta(minutes=1)

_HOOK = 'name = "Hook A"\n'
CONFIGS = {
    "plain": CONFIG,
    # It is open in no story here.
    "window": CONFIG.replace(
        '[[projects]]\nname = "Other"',
        toml.table(
            "[projects.maintenance]", name="a", schedule="0 4 1 1 *", length="1h"
        )
        + '[[projects]]\nname = "Other"',
    ),
    "late": CONFIG.replace(
        _HOOK,
        f'{_HOOK}events = ["down", "late"]\nlate = {{ url = "http://[::1]:9" }}\n',
    ),
}


async def look(app: App) -> None:
    """Do what the checker does when it wakes."""
    await app.watch.look()
    await app.parts.maintenance.reckon()
    if app.watch.may_call_down:
        await app.checker.check_once(app.clock.now())


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("down_after", [1, 2])
@pytest.mark.parametrize("seconds", [-7200, 7200, -31_536_000])
async def test_a_step_calls_nobody_down_that_has_a_schedule(
    tmp_path: Path, seconds: int, down_after: int, config: str
) -> None:
    """It is Monday noon, and it was heard an hour ago; by its schedule is due soon."""
    times, step = Times(), timedelta(seconds=seconds)
    due = NOW + 7 * DAY
    async with running_app(tmp_path, CONFIGS[config], clock=Clock(times)) as app:
        cron = {"kind": "cron", "schedule": "0 11 * * 1", "down_after": down_after}
        check = await up(app, NOW - HOUR + MINUTE, alert_after=due, **cron)
        async with app.database.transaction() as conn:
            await store.checks.look_again(conn, [check])
        times.run(60)
        await look(app)
        times.set_wall(seconds)

        await look(app)
        assert (await again(app, check)).alert_after == due + step
        # It is late, and not down yet.
        times.run((7 * DAY - 30 * MINUTE).total_seconds())
        await look(app)

        after = await again(app, check)
        assert (after.status, after.alert_after) == ("up", due + step)
        assert (after.late_since is not None) == (config == "late")
        assert await rows(app.database, "SELECT * FROM flips") == []


# By the clock of now, which was set back by two hours, the moment that it answered
# comes once more.
_ANSWERED = make_check(
    kind="cron",
    schedule="0 11 * * *",
    status="up",
    last_ping=NOW - HOUR + MINUTE,
    counted_from=NOW - 3 * HOUR + MINUTE,
    alert_after=NOW + 22 * HOUR,
)


def test_nobody_is_shown_as_down_by_a_schedule_that_a_clock_that_was_set_reads() -> (
    None
):
    """Its run has an hour from now on, and what is due was moved by two hours."""
    check = _ANSWERED._replace(
        last_start=NOW - 10 * MINUTE, alert_after=NOW + 50 * MINUTE
    )

    statuses = [rules.shown_status(check, NOW + m * MINUTE) for m in (0, 49, 50)]

    assert statuses == ["grace", "grace", "down"]


@pytest.mark.parametrize("down_after", [1, 2])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (-10 * MINUTE, 50 * MINUTE),
        (20 * HOUR, 21 * HOUR),
        (21.5 * HOUR, 22 * HOUR),
    ],
)
def test_a_start_calls_nobody_down_whose_deadline_a_step_has_moved(
    start: timedelta, end: timedelta, down_after: int
) -> None:
    check = _ANSWERED._replace(down_after=down_after)
    ping = make_ping(action="start", created=NOW + start)

    transition, _ = rules.on_ping(check, ping)

    assert transition.flip is None
    assert transition.check.alert_after == NOW + end
    # It begins again and again: an occurrence later something has been due.
    check, last = transition.check, NOW + DAY
    for n in range(15):
        ping = make_ping(action="start", created=NOW + start + n * 10 * MINUTE)
        check = rules.on_ping(check, ping)[0].check
        assert check.alert_after == min(ping.created + HOUR, last)


@pytest.mark.parametrize("runs", [False, True])
def test_a_fail_in_a_window_leaves_a_deadline_where_a_step_has_moved_it(
    *, runs: bool
) -> None:
    calendar = Calendar([Window("It", schedule="0 7 * * *", length=2 * HOUR)])
    check = _ANSWERED
    if runs:
        start = make_ping(action="start", created=NOW + 19.5 * HOUR)
        check = rules.on_ping(check, start)[0].check
        check = holding.held(check, calendar)
    ping = make_ping(action="fail", created=NOW + 20 * HOUR)

    transition, _ = rules.on_ping(check, ping)
    transition, is_spared = holding.on_ping(check, transition, ping, calendar)

    assert is_spared
    assert transition.check.alert_after == check.alert_after


def test_what_a_step_has_moved_comes_due_then_and_counts_once() -> None:
    due = NOW + 22 * HOUR
    finer = _ANSWERED._replace(down_after=2)

    plain = rules.on_deadline(_ANSWERED, due)
    counted = rules.on_deadline(finer, due)

    assert plain.flip == Flip(due, "up", "down", "timeout")
    assert counted.flip is None
    assert (counted.check.bad_outcomes, counted.check.missed) == (1, due - HOUR)


@pytest.mark.parametrize("spared", [False, True])
async def test_what_is_dead_is_told_after_a_boot_from_a_wall_that_was_ahead(
    tmp_path: Path, *, spared: bool
) -> None:
    """A window had moved its deadline, which is of the next year by the right wall."""
    times = Times()
    times.set_wall(365 * 86_400)
    async with running(tmp_path, times) as app:
        now = app.clock.now()
        due = {"spared": 2 * HOUR, "alert_after": now + DAY + 3 * HOUR}
        check = await up(app, now, **(due if spared else {}))
    times.boot_id, times.boot_, times.monotonic_ = "boot-2", 7.0, 7.0
    times.set_wall(-365 * 86_400)

    async with running(tmp_path, times) as app:
        await look(app)
        times.run((DAY + 2 * HOUR).total_seconds())
        await look(app)

        assert (await again(app, check)).status == "down"


async def test_restarts_without_the_time_add_ten_minutes_in_all(tmp_path: Path) -> None:
    times = Times()
    check = await pi(tmp_path, times, NOW - DAY - HOUR - MINUTE)
    times.set_wall(-86_400)
    for _ in range(2):
        async with running(tmp_path, times) as app:
            await look(app)
            assert not app.watch.may_call_down
            times.run(290)

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(25)
        await look(app)

        # The first start is ten minutes ago, and it was overdue before that.
        assert app.watch.may_call_down
        assert (await again(app, check)).status == "down"


WEEKLY: dict[str, Any] = {"kind": "cron", "schedule": "0 11 * * 1"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        # What scripts post each hour, and what says nothing of when it is due.
        {"schedule": "0 11 * * 1", "tz": "UTC", "grace": 3600, "channels": "*"},
        {"name": "Other", "tags": "a", "failure_kw": "no"},
    ],
)
async def test_an_edit_leaves_a_deadline_that_it_does_not_move_where_a_step_has(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    """By the wall that was set back a bit, the same occurrence would be due again."""
    times = Times()
    async with running(tmp_path, times) as app:
        heard = NOW - HOUR + timedelta(seconds=2)
        check = await up(app, heard, alert_after=NOW + 7 * DAY, **WEEKLY)
        times.run(60)
        await look(app)
        times.set_wall(-5)
        await look(app)
        before = await again(app, check)

        answer = await app.api("POST", f"checks/{check.code}", json=fields)
        times.run((2 * HOUR).total_seconds())
        await look(app)

        after = await again(app, check)
        assert answer.json()["next_ping"] == "2026-06-22T10:59:55+00:00"
        assert (after.status, after.alert_after) == ("up", before.alert_after)


async def test_a_reload_leaves_a_deadline_that_it_does_not_move_where_a_step_has(
    tmp_path: Path,
) -> None:
    times = Times()
    first, second = CONFIG.split('[[projects]]\nname = "Other"')

    def text(desc: str) -> str:
        table = "[projects.checks]"
        its = toml.table(table, slug="weekly", schedule="0 11 * * 1", desc=desc)
        return f'{first}{its}[[projects]]\nname = "Other"{second}'

    async with running_app(tmp_path, text("a"), clock=Clock(times)) as app:
        [check] = await store.checks.of_project(app.database.committed, 1)
        heard = NOW - HOUR + timedelta(seconds=2)
        check = check._replace(status="up", last_ping=heard, alert_after=NOW + 7 * DAY)
        async with app.database.transaction() as conn:
            await store.checks.save(conn, check)
        times.run(60)
        await look(app)
        times.set_wall(-5)
        await look(app)
        before = await again(app, check)

        await app.reload(text("b"))

        after = await again(app, check)
        assert (after.desc, before.desc) == ("b", "a")
        assert after.alert_after == before.alert_after
