"""Slow runs as an event: who is told of which, once, and what is no slow run."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.alerts.planning import MOST_OF_A_CHECK
from hcl.checks.editing import seen_channels
from hcl.model import Check
from hcl.pings.arrival import Target
from hcl.store.life import Absence
from tests import toml
from tests.alerts.sending import Post, channel, group, posting, quiet, restarted
from tests.app import App
from tests.build import HOUR, NOW, make_ping
from tests.checks.windows.test_maintenance import running
from tests.clocks import Times
from tests.patience import ENDS
from tests.store import change, put_check, rows

MINUTE = timedelta(minutes=1)
SLOW = '["down", "up", "slow"]'
MAIL = channel("Mail", events=SLOW)
PLAIN = channel("Plain")
URL = '{ url = "@HTTP@hook/$STATUS/$NAME" }'
HOOK = channel("Hook", "webhook", events=SLOW, slow=URL)
USUAL = 2 * MINUTE


async def signal(
    post: Post, check: Check, action: str, at: datetime, rid: str | None = None
) -> None:
    ping = make_ping(action=action, created=at, rid=rid)
    await post.app.parts.pinging.receive(Target(code=check.code), ping)


async def run(
    post: Post,
    check: Check,
    length: timedelta,
    ends: datetime,
    action: str = "success",
    rid: str | None = None,
) -> None:
    """Let a job run for so long, until it ends."""
    await signal(post, check, "start", ends - length, rid)
    await signal(post, check, action, ends, rid)


async def steady(post: Post, *channels: int, **values: Any) -> Check:
    """Put a check whose job took two minutes each hour, up to NOW."""
    stored = {"name": "a", "status": "up"} | values
    check = await put_check(post.app.database, *(channels or (1,)), **stored)
    for hours in range(12, 0, -1):
        await run(post, check, USUAL, NOW - hours * HOUR)
    return check


async def look(post: Post, now: datetime = NOW) -> None:
    """Have the checker look for slow runs, and what is due sent."""
    await post.app.checker.slowness.look_once(now)
    await post.send(now)


def texts(post: Post) -> list[str]:
    """Return the plain text of each mail."""
    parts = (record.message.get_body(("plain",)) for record in post.smtp.records)
    return [part.get_content() for part in parts if part is not None]


async def test_a_slow_run_is_told_once_when_it_ended(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL, PLAIN) as post:
        check = await steady(post, 1, 2)
        await signal(post, check, "start", NOW)
        await look(post, NOW + 40 * MINUTE)
        assert post.mails() == []

        await signal(post, check, "success", NOW + 42 * MINUTE)
        for minutes in (42, 43):
            await look(post, NOW + minutes * MINUTE)
        await run(post, check, USUAL, NOW + HOUR)
        await look(post, NOW + HOUR)

        assert post.mails() == ["SLOW: a"]
        assert post.mails("Plain") == []
        # What the API shows of changes has nothing of it.
        assert await rows(post.app.database, "SELECT * FROM flips") == []
        [body] = texts(post)
        assert "a was slow: its run took 42 minutes, usually 2 minutes." in body
        assert "from 2026-06-15 12:00:00 UTC to 2026-06-15 12:42:00 UTC" in body
        found = await store.tries.of_check(post.app.database.committed, check.id, 9)
        assert [(r.event, r.outcome) for r in found] == [("slow", "sent")]


async def test_no_job_is_told_of_without_its_event(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await steady(post)
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)

        assert post.mails() == []
        # Nothing is kept of checks for it either.
        assert await rows(post.app.database, "SELECT * FROM paces") == []


@pytest.mark.parametrize(
    ("lengths", "told"),
    [
        # Too few runs make no habit.
        ([2] * 9 + [40], 0),
        ([2] * 10 + [40], 1),
        # The habit, and half of it more.
        ([2] * 10 + [3], 0),
        ([2] * 10 + [3.1], 1),
        # A job that is slow from now on: five are told, then it is its habit.
        ([2] * 50 + [40] * 60, 5),
        ([2] * 10 + [40] * 60, 5),
        # One of ten is told each time.
        (([2] * 10 + [40]) * 3, 3),
        # What varies by itself may vary.
        ([2, 20, 40] * 10 + [60], 0),
    ],
)
async def test_what_is_slow(tmp_path: Path, lengths: list[float], told: int) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await put_check(post.app.database, 1, name="a", status="up")
        # The first look finds what is known of it.
        await run(post, check, USUAL, NOW - 2 * HOUR)
        await look(post)
        for number, length in enumerate(lengths[1:]):
            await run(post, check, length * MINUTE, NOW + number * HOUR)
        await look(post)

        found = "SELECT count(*) FROM notifications"
        assert await rows(post.app.database, found) == [told]


async def test_a_failing_run_is_told_as_such(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await steady(post)
        await run(post, check, 40 * MINUTE, NOW, "fail")
        await look(post)
        assert post.mails() == ["DOWN: a"]

        # Those that failed early are no habit.
        for minutes in range(1, 20):
            await run(post, check, MINUTE / 60, NOW + minutes * MINUTE, "fail")
        await run(post, check, USUAL, NOW + HOUR)
        await look(post, NOW + HOUR)
        assert post.mails() == ["DOWN: a", "UP: a"]


@pytest.mark.parametrize(
    ("events", "told"), [(SLOW, ["DOWN: a", "UP: a"]), ('["slow"]', ["SLOW: a"])]
)
async def test_what_comes_up_by_it_says_no_more_than_that(
    tmp_path: Path, events: str, told: list[str]
) -> None:
    async with posting(tmp_path, channel("Mail", events=events)) as post:
        check = await steady(post)
        await signal(post, check, "fail", NOW - HOUR)
        await look(post, NOW - HOUR)
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)

        assert post.mails() == told


async def test_overlapping_runs_are_measured_apart(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await steady(post)
        rids = [f"0c5c1a4e-8a55-5f0e-8c1e-0f4b5e7d2a{n}" for n in (10, 11)]
        await signal(post, check, "start", NOW, rids[0])
        for minutes in (10, 20, 30):
            await run(post, check, USUAL, NOW + minutes * MINUTE, rid=rids[1])
        await look(post, NOW + 30 * MINUTE)
        assert post.mails() == []

        await signal(post, check, "success", NOW + 31 * MINUTE, rids[0])
        await look(post, NOW + 31 * MINUTE)

        assert post.mails() == ["SLOW: a"]


async def test_a_check_that_gets_the_channel_is_known_from_then_on(
    tmp_path: Path,
) -> None:
    """By a crash at once after it, too; and not while it has it not."""
    async with posting(tmp_path, MAIL, PLAIN) as post:
        check = await steady(post, 2)
        [project] = post.app.synced.projects
        mail, _ = await rows(post.app.database, "SELECT code FROM channels ORDER BY id")
        managing, known = post.app.parts.managing, []
        for codes in ([mail], [], [mail]):
            used = await store.channels.codes_of_check(
                post.app.database.committed, check.id
            )
            seen = seen_channels(used)
            await managing.assign(project, check.code, codes, seen=seen)
            known.append(await rows(post.app.database, "SELECT n FROM paces"))
            await run(post, check, 40 * MINUTE, NOW)

        assert known == [[24], [], [28]]
        async with restarted(post):
            await look(post)
        assert post.mails() == ["SLOW: a"]


async def test_a_check_that_gets_the_channel_later_is_told_of_at_once(
    tmp_path: Path,
) -> None:
    """Though it is remembered that nobody was told of it, and no other check pings."""
    async with posting(tmp_path, MAIL, PLAIN) as post:
        check = await steady(post, 2)
        await look(post)
        [project] = post.app.synced.projects
        reader = post.app.database.committed
        mail, _ = await rows(post.app.database, "SELECT code FROM channels ORDER BY id")
        seen = seen_channels(await store.channels.codes_of_check(reader, check.id))
        await post.app.parts.managing.assign(project, check.code, [mail], seen=seen)
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)

        assert post.mails() == ["SLOW: a"]


async def test_what_it_did_while_it_had_not_the_channel_makes_no_run_slow(
    tmp_path: Path,
) -> None:
    """A run that began before ended meanwhile; the next began meanwhile, too."""
    async with posting(tmp_path, MAIL, PLAIN) as post:
        check, other = await steady(post), await steady(post, name="b")
        await signal(post, check, "start", NOW)
        await run(post, other, USUAL, NOW)
        await look(post, NOW + MINUTE)
        [project] = post.app.synced.projects
        mail, _ = await rows(post.app.database, "SELECT code FROM channels ORDER BY id")
        managing = post.app.parts.managing
        for codes, seen in ([], [mail]), ([mail], []):
            await managing.assign(project, check.code, codes, seen=seen_channels(seen))
            if not codes:
                await signal(post, check, "success", NOW + USUAL)
                await look(post, NOW + 5 * MINUTE)
                await signal(post, check, "start", NOW + HOUR)
        await signal(post, check, "success", NOW + HOUR + USUAL)
        await look(post, NOW + 2 * HOUR)

        assert post.mails() == []


async def test_pings_that_come_during_a_reload_are_looked_at(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await steady(post)
        rid = "0c5c1a4e-8a55-5f0e-8c1e-0f4b5e7d2a10"
        await signal(post, check, "start", NOW - 40 * MINUTE, rid)
        # What there is up to now is looked at.
        await run(post, check, USUAL, NOW - 20 * MINUTE)
        await look(post, NOW - 20 * MINUTE)
        slowness, settle = post.app.checker.slowness, post.app.database.settle
        with pytest.MonkeyPatch.context() as patch:

            async def settle_before_ping() -> None:
                await settle()
                await signal(post, check, "success", NOW, rid)

            patch.setattr(post.app.database, "settle", settle_before_ping)
            await slowness.use(is_on=True)
        await look(post)

        assert post.mails() == ["SLOW: a"]


async def test_what_a_crash_left_is_looked_at_in_parts(tmp_path: Path) -> None:
    """So that no check that is due waits for all of it."""
    async with posting(tmp_path, MAIL) as post:
        checks = [await steady(post, name=str(number)) for number in range(3)]
        await look(post)
        for check in checks:
            await run(post, check, 40 * MINUTE, NOW)
        slowness = post.app.checker.slowness
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hcl.checks.slowness.MOST_AT_A_TIME", 2)
            found = [await slowness.look_once(NOW) for _ in range(3)]

    assert found == [2, 1, 0]


@pytest.mark.parametrize("is_looked", [False, True])
async def test_a_restart_neither_loses_it_nor_tells_it_again(
    tmp_path: Path, is_looked: bool
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await steady(post)
        await look(post, NOW - MINUTE)
        await run(post, check, 40 * MINUTE, NOW)
        if is_looked:
            await look(post)

        async with restarted(post):
            await look(post, NOW + MINUTE)
            await look(post, NOW + HOUR)

        assert post.mails() == ["SLOW: a"]


async def test_a_channel_tells_of_what_ends_from_now_on(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN.replace("Plain", "Mail")) as post:
        check = await steady(post)
        await run(post, check, 40 * MINUTE, NOW - 45 * MINUTE)

        await post.use(MAIL)
        await look(post)
        assert await rows(post.app.database, "SELECT * FROM notifications") == []
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)
        assert post.mails() == ["SLOW: a"]

        # It is taken back, and brought again: what was between nobody tells.
        await post.use(channel("Mail"))
        await run(post, check, 40 * MINUTE, NOW + HOUR)
        await post.use(MAIL)
        await run(post, check, USUAL, NOW + 2 * HOUR)
        await look(post, NOW + 2 * HOUR)
        assert post.mails() == ["SLOW: a"]


async def test_hcl_that_was_away_calls_nothing_slow(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await steady(post)
        away = Absence(NOW - 20 * MINUTE, NOW - 5 * MINUTE, "suspended")
        async with post.app.database.transaction() as conn:
            await store.life.add_absence(conn, away)
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)
        assert post.mails() == []

        # Neither is a run told that a step of the clock made longer.
        await signal(post, check, "start", NOW + MINUTE)
        async with post.app.database.transaction() as conn:
            await store.paces.note_step(conn, NOW + HOUR)
        await signal(post, check, "success", NOW + HOUR + MINUTE)
        await look(post, NOW + HOUR + MINUTE)
        assert post.mails() == []

        await run(post, check, 30 * MINUTE, NOW + 2 * HOUR)
        await look(post, NOW + 2 * HOUR)
        assert post.mails() == ["SLOW: a"]


@pytest.mark.parametrize("looks_first", [False, True])
@pytest.mark.parametrize(
    ("befalls", "slow"),
    [
        (lambda times: times.run(2400), 1),
        (lambda times: times.suspend(2400), 0),
        (lambda times: times.set_wall(2400), 0),
        (lambda times: times.set_wall(-2400), 0),
    ],
)
async def test_a_suspend_and_a_step_make_no_run_slow(
    tmp_path: Path, befalls: Callable[[Times], None], slow: int, looks_first: bool
) -> None:
    """The machine sleeps while the job runs, or somebody sets the clock."""
    times = Times()
    hook = toml.webhook("Hook", slow={"url": "http://127.0.0.1:9/"}, events=["slow"])
    async with running(tmp_path, times, toml.project() + hook) as app:
        check = await put_check(app.database, 1, status="up")
        target = Target(code=check.code)
        for hours in range(12, 0, -1):
            began = app.clock.now() - hours * HOUR
            await receive(app, target, "start", began)
            await receive(app, target, "success", began + USUAL)
        await app.checker.slowness.look_once(app.clock.now() + MINUTE)

        await receive(app, target, "start", app.clock.now())
        times.run(60)
        await app.assembly.watch.look()
        befalls(times)
        if looks_first:
            await app.assembly.watch.look()
        # Else it is what waited, and comes before anybody has looked.
        await receive(app, target, "success", app.clock.now())
        await app.assembly.watch.look()
        found = await app.checker.slowness.look_once(app.clock.now() + MINUTE)

    assert found == slow


async def receive(app: App, target: Target, action: str, at: datetime) -> None:
    await app.parts.pinging.receive(target, make_ping(action=action, created=at))


async def test_in_maintenance_and_paused_nothing_is_slow(tmp_path: Path) -> None:
    window = toml.table(
        "[projects.maintenance]", name="w", schedule="50 11 * * *", length="5m"
    )
    async with posting(tmp_path, MAIL, window) as post:
        check = await steady(post)
        await run(post, check, 40 * MINUTE, NOW)
        held = await steady(post, name="b", status="paused", manual_resume=True)
        await run(post, held, 30 * MINUTE, NOW + HOUR)
        await look(post, NOW + HOUR)

        assert post.mails() == []


async def test_a_mute_and_quiet_hours_and_fold(tmp_path: Path) -> None:
    calm = channel("Mail", events=SLOW, fold='"1m"', delay='"1h"')
    hooked = channel("Quiet", events=SLOW, quiet_hours=quiet("11:00", "12:30"))
    async with posting(tmp_path, calm, hooked) as post:
        first, muted = await steady(post), await steady(post, name="b")
        quieted = await steady(post, 2, name="c")
        [project] = post.app.synced.projects
        managing = post.app.parts.managing
        await managing.mute(project, muted.code, 15 * MINUTE, NOW - 5 * MINUTE)
        for ends in (NOW - 50 * MINUTE, NOW):
            for check in (first, muted, quieted):
                await run(post, check, 9 * MINUTE, ends)
        await look(post)
        waits = await post.waiting("check_id, hold")
        assert sorted(set(waits)) == [(1, "fold"), (3, "quiet")]

        for minutes in (1, 10, 30):
            await look(post, NOW + minutes * MINUTE)

        # No delay holds what is over; in one message stands how many were slow.
        assert post.mails() == ["SLOW: a"]
        assert post.mails("Quiet") == ["SLOW: c"]
        for body in texts(post):
            assert "1 run before it was slow too." in body
        assert "not sent: the check was muted, and this is over" in await post.answers()


async def test_behind_flips_of_the_night_it_waits_and_holds_nobody_up(
    tmp_path: Path,
) -> None:
    night = channel("Mail", events=SLOW, quiet_hours=quiet("11:00", "13:00"))
    async with posting(tmp_path, night) as post:
        check = await steady(post)
        await signal(post, check, "fail", NOW)
        await signal(post, check, "success", NOW + MINUTE)
        await look(post, NOW + MINUTE)
        await run(post, check, 40 * MINUTE, NOW + 45 * MINUTE)

        async with asyncio.timeout(ENDS):
            await look(post, NOW + 45 * MINUTE)
        assert set(await post.waiting()) == {("quiet", 60)}

        await look(post, NOW + HOUR)
        assert post.mails() == ["DOWN and UP again: a", "SLOW: a"]


async def test_what_ended_before_a_mute_waits_on_for_the_end_of_quiet_hours(
    tmp_path: Path,
) -> None:
    night = channel("Mail", events=SLOW, quiet_hours=quiet("11:00", "13:00"))
    async with posting(tmp_path, night) as post:
        check = await steady(post)
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)
        [project] = post.app.synced.projects
        managing = post.app.parts.managing
        await managing.mute(project, check.code, 10 * MINUTE, NOW + MINUTE)

        await post.send(NOW + MINUTE, NOW + 11 * MINUTE)
        assert post.mails() == []
        await post.send(NOW + HOUR)
        assert post.mails() == ["SLOW: a"]


async def test_webhooks_and_groups(tmp_path: Path) -> None:
    parts = HOOK, PLAIN, MAIL, group("Hook", "Plain", "Mail", events=SLOW)
    async with posting(tmp_path, *parts) as post:
        check = await steady(post, 4)
        await run(post, check, 40 * MINUTE, NOW)
        await look(post)

        assert post.requests() == ["slow a"]
        assert (post.mails(), post.mails("Plain")) == (["SLOW: a"], [])


async def test_the_fallback_tells_it_if_it_tells_of_that(tmp_path: Path) -> None:
    url = '{ url = "http://127.0.0.1:9/" }'
    dead = channel("Hook", "webhook", events=SLOW, slow=url, fallback='"Mail"')
    async with posting(tmp_path, dead, MAIL) as post:
        check = await steady(post)
        await run(post, check, 40 * MINUTE, NOW)
        for hours in range(3):
            await look(post, NOW + hours * HOUR)

        assert post.mails() == ["SLOW: a"]


async def test_an_outage_is_told_before_many_slow_runs(tmp_path: Path) -> None:
    """However many wait: of a long backlog not all is read for the next request."""
    slow = (
        "INSERT INTO latenesses (check_id, began, ended, usual, n_pings)"
        " WITH RECURSIVE x (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < ?)"
        " SELECT 1, ? + i, ? + i + 60, 9, 0 FROM x"
    )
    waiting = (
        "INSERT INTO notifications (lateness_id, check_id, channel_id, created,"
        " next_try) SELECT id, check_id, 1, ended, ended FROM latenesses"
    )
    async with posting(tmp_path, HOOK) as post:
        now, many = NOW.timestamp(), MOST_OF_A_CHECK + 10
        check = await put_check(post.app.database, 1, name="a", status="up")
        await change(post.app.database, slow, many, now, now)
        await change(post.app.database, waiting)
        await post.fail(check, NOW + HOUR)

        await post.send(NOW + HOUR)

        assert post.requests() == ["down a", *["slow a"] * many]
