"""Being late as an event: who is told when, once, and what comes after."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.checks import editing, spec
from hcl.checks.spec import CheckSpec
from hcl.model import Check, Run
from hcl.pings.arrival import Target
from tests import toml
from tests.alerts.sending import (
    Post,
    channel,
    group,
    ping,
    posting,
    quiet,
    restarted,
)
from tests.build import DAY, HOUR, NOW, make_ping
from tests.patience import ENDS
from tests.store import put_check, rows

MINUTE = timedelta(minutes=1)
LATE = '["down", "up", "late"]'
MAIL = channel("Mail", events=LATE)
PLAIN = channel("Plain")
URL = '{ url = "@HTTP@hook/$STATUS/$NAME" }'
HOOK = channel("Hook", "webhook", events=LATE, late=URL)


async def up(post: Post, *channel_ids: int, **values: Any) -> Check:
    """Put a check that is due at NOW, and goes down an hour later."""
    stored = {
        "name": "a",
        "status": "up",
        "n_pings": 1,
        "last_ping": NOW - DAY,
        "alert_after": NOW + HOUR,
    }
    check = await put_check(
        post.app.database, *(channel_ids or (1,)), **stored | values
    )
    # As a ping or an edit does.
    async with post.app.database.transaction() as conn:
        await store.checks.look_again(conn, [check])
    return check


async def look(post: Post, minutes: float) -> None:
    """Have the checker look, and what is due sent, so many minutes after NOW."""
    now = NOW + minutes * MINUTE
    await post.app.checker.check_once(now)
    await post.send(now)


def text(record: Any) -> str:
    """Return the plain text of a mail."""
    return str(record.message.get_body(("plain",)).get_content())


async def look_at(post: Post) -> list[Any]:
    [at] = await rows(post.app.database, "SELECT look_at FROM check_states")
    return [(at - NOW.timestamp()) / 60]


async def test_it_is_told_once_when_grace_begins(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL, PLAIN) as post:
        await up(post, 1, 2)
        assert await look_at(post) == [0]

        await look(post, -1)
        assert post.mails() == []
        for minutes in (0, 1, 30, 59):
            await look(post, minutes)
        assert post.mails() == ["LATE: a"]
        assert await look_at(post) == [60]

        await look(post, 60)
        assert post.mails() == ["LATE: a", "DOWN: a"]
        assert post.mails("Plain") == ["DOWN: a"]
        # What the API shows of changes has nothing of it.
        assert await rows(post.app.database, "SELECT new_status FROM flips") == ["down"]


async def test_words_of_a_mail(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        await look(post, 20)
        await post.succeed(check, NOW + 32 * MINUTE)
        await post.send(NOW + 32 * MINUTE)

        late, over = map(text, post.smtp.records)

    assert "a is late: no ping since 2026-06-15 12:00:00 UTC" in late
    assert "Status:       late since 2026-06-15 12:00:00 UTC" in late
    assert post.mails() == ["LATE: a", "UP: a"]
    assert "It was late by 32 minutes." in over


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(-10, "That was in time, but told late."), (10, "It was late by 10 minutes.")],
)
async def test_a_ping_that_is_told_late_ends_it(
    tmp_path: Path, minutes: float, said: str
) -> None:
    """It pinged before it was late, or after, by its own time."""
    async with posting(tmp_path, MAIL) as post:
        now = post.app.clock.now()
        since = now - 30 * MINUTE
        check = await up(post, last_ping=since - DAY, alert_after=since + HOUR)
        await post.app.checker.check_once(now)
        await post.send(now)
        late = make_ping(created=since + minutes * MINUTE)
        target = Target(code=check.code, is_late=True)

        await post.app.parts.pinging.receive(target, late)
        await post.send(post.app.clock.now())

        assert post.mails() == ["LATE: a", "UP: a"]
        assert said in text(post.smtp.records[-1])
        created = "SELECT created FROM notifications ORDER BY id"
        late_at, over_at = await rows(post.app.database, created)
        assert late_at <= over_at


@pytest.mark.parametrize("status", ["new", "paused"])
@pytest.mark.parametrize("finer", [{}, {"max_run": HOUR}], ids=str)
async def test_what_is_told_of_days_ago_makes_nobody_late(
    tmp_path: Path, finer: dict[str, Any], status: str
) -> None:
    """Others follow it, and the deadline is put off until then."""
    nothing = {"status": status, "n_pings": 0, "last_ping": None, "alert_after": None}
    async with posting(tmp_path, MAIL) as post:
        check = await up(post, **nothing, **finer)
        target = Target(code=check.code, is_late=True)

        for hours in (72, 48, 1):
            now = post.app.clock.now()
            late = make_ping(created=now - hours * HOUR)
            await post.app.parts.pinging.receive(target, late)
            await post.app.checker.check_once(post.app.clock.now())
            await post.send(post.app.clock.now())

        assert post.mails() == []


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        # Nobody is told of what was not late.
        (-1, []),
        (5, ["LATE: a", "UP: a"]),
    ],
)
async def test_a_ping_ends_it(tmp_path: Path, minutes: int, told: list[str]) -> None:
    async with posting(tmp_path, MAIL, PLAIN) as post:
        check = await up(post, 1, 2)
        if minutes > 0:
            await look(post, 0)
        at = NOW + minutes * MINUTE

        await post.succeed(check, at)
        await look(post, minutes)
        await look(post, 60)

        assert post.mails() == told
        assert post.mails("Plain") == []
        # The next time it is told again.
        await look(post, minutes + 24 * 60)
        assert post.mails() == [*told, "LATE: a"]


async def test_after_a_fail_or_an_outage_the_usual_is_told(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        await look(post, 0)
        await post.fail(check, NOW + MINUTE)
        await look(post, 1)
        await post.succeed(check, NOW + 2 * MINUTE)
        await look(post, 2)

        assert post.mails() == ["LATE: a", "DOWN: a", "UP: a"]


async def test_one_that_hears_of_nothing_else_hears_its_end(tmp_path: Path) -> None:
    only = channel("Mail", events='["late"]')
    async with posting(tmp_path, only) as post:
        check = await up(post)
        await look(post, 0)
        await post.succeed(check, NOW + 5 * MINUTE)
        await look(post, 5)
        # After an outage there is none.
        await look(post, 5 + 24 * 60)
        await look(post, 5 + 25 * 60)
        await post.succeed(check, NOW + 27 * HOUR)
        await look(post, 27 * 60)

        assert post.mails() == ["LATE: a", "UP: a", "LATE: a"]


@pytest.mark.parametrize("ended", ["down", "failed", "paused", "edited"])
async def test_what_ended_without_a_ping_is_not_ended_by_a_later_run(
    tmp_path: Path, ended: str
) -> None:
    """While a run is open a check is late as well, and nobody is told."""
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        await look(post, 0)
        if ended == "down":
            await look(post, 60)
        elif ended == "failed":
            await ping(post.app, check, "fail", NOW + 50 * MINUTE)
        else:
            [project] = post.app.synced.projects
            managing = post.app.parts.managing
            if ended == "paused":
                await managing.pause(project, check.code, NOW + MINUTE)
            longer = CheckSpec(timeout=2 * DAY)
            await managing.update(project, check.code, longer, NOW + MINUTE)
        await post.succeed(check, NOW + 70 * MINUTE)
        await look(post, 70)
        post.clear()

        await ping(post.app, check, "start", NOW + 80 * MINUTE)
        await look(post, 80)
        await post.succeed(check, NOW + 90 * MINUTE)
        await look(post, 90)

        assert post.mails() == []


async def test_what_waits_of_one_that_was_paused_is_not_told_in_a_later_run(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, channel("Mail", events=LATE, delay='"2h"')) as post:
        check = await up(post)
        await look(post, 0)
        [project] = post.app.synced.projects
        await post.app.parts.managing.pause(project, check.code, NOW + MINUTE)
        await post.succeed(check, NOW + 70 * MINUTE)
        await ping(post.app, check, "start", NOW + 100 * MINUTE)

        await look(post, 100)
        await look(post, 120)

        assert post.mails() == []


async def test_a_restart_tells_it_no_second_time(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        await look(post, 0)

        async with restarted(post):
            await look(post, 1)
            await post.succeed(check, NOW + 2 * MINUTE)
            await look(post, 2)

        assert post.mails() == ["LATE: a", "UP: a"]


@pytest.mark.parametrize(("minutes", "told"), [(9, []), (11, ["LATE: a", "UP: a"])])
async def test_a_delay_holds_it(tmp_path: Path, minutes: int, told: list[str]) -> None:
    async with posting(tmp_path, channel("Mail", events=LATE, delay='"10m"')) as post:
        check = await up(post)
        await look(post, 0)
        assert await post.waiting() == [("delay", 10)]
        await look(post, min(minutes, 10))

        await post.succeed(check, NOW + minutes * MINUTE)
        await look(post, minutes)

        assert post.mails() == told
        assert await post.waiting() == []


async def test_quiet_hours_drop_what_is_over_by_their_end(tmp_path: Path) -> None:
    hours = quiet("11:00", "12:30")
    async with posting(
        tmp_path, channel("Mail", events=LATE, quiet_hours=hours)
    ) as post:
        first, second = await up(post), await up(post, name="b")
        await look(post, 0)
        assert post.mails() == []
        await post.succeed(first, NOW + MINUTE)
        await look(post, 1)
        await look(post, 30)

        assert post.mails() == ["LATE: b"]
        assert second.name == "b"


@pytest.mark.parametrize("fold", [{}, {"fold": '"1m"'}], ids=str)
async def test_behind_flips_of_the_night_it_waits_and_holds_nobody_up(
    tmp_path: Path, fold: dict[str, str]
) -> None:
    hours = quiet("11:00", "12:30")
    night = channel("Mail", events=LATE, quiet_hours=hours, **fold)
    async with posting(tmp_path, night, PLAIN) as post:
        check = await up(post, timeout=10 * MINUTE)
        await post.fail(check, NOW)
        await look(post, 0)
        await post.succeed(check, NOW + MINUTE)
        await look(post, 1)
        await post.down("b", 2, at=NOW + 12 * MINUTE)

        async with asyncio.timeout(ENDS):
            await look(post, 12)
        assert post.mails() == []
        assert set(await post.waiting()) == {("quiet", 30)}
        assert post.mails("Plain") == ["DOWN: b"]

        await look(post, 30)
        assert post.mails() == ["DOWN and UP again: a", "LATE: a"]


@pytest.mark.parametrize("refusal", ["550 go away", "451 not now"])
async def test_it_waits_with_flips_that_fail_and_comes_after_them(
    tmp_path: Path, refusal: str
) -> None:
    gathered = channel("Mail", events=LATE, fold='"20m"')
    async with posting(tmp_path, gathered) as post:
        check = await up(post, timeout=10 * MINUTE, grace=9 * HOUR)
        await post.fail(check, NOW)
        await look(post, 0)
        await post.succeed(check, NOW + 2 * MINUTE)
        await look(post, 12)
        post.smtp.refusals.mail = refusal
        async with asyncio.timeout(ENDS):
            await look(post, 20)
        assert set(await post.waiting("attempts, lateness_id")) == {(1, None), (0, 1)}

        post.smtp.refusals.mail = ""
        await look(post, 90)
        await look(post, 110)
        assert post.mails() == ["DOWN and UP again: a", "LATE: a"]
        assert await post.waiting() == []


async def test_several_are_one_message_with_fold(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", events=LATE, fold='"1m"')) as post:
        await up(post)
        await up(post, name="b")
        await look(post, 0)
        await look(post, 1)

        assert post.mails() == ["2 checks: 2 late (a and b)"]


@pytest.mark.parametrize(
    "values",
    [
        {"status": "paused", "alert_after": None},
        {"status": "new", "last_ping": None, "alert_after": None},
        # It is at work.
        {"last_start": NOW - MINUTE, "alert_after": NOW + HOUR - MINUTE},
    ],
)
async def test_some_are_not_told_to_be_late(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    async with posting(tmp_path, MAIL) as post:
        await up(post, **values)

        for minutes in (0, 5, 30):
            await look(post, minutes)

        assert post.mails() == []


async def test_a_mute_ends_and_what_is_late_still_is_told(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        [project] = post.app.synced.projects
        managing = post.app.parts.managing
        await managing.mute(project, check.code, 15 * MINUTE, NOW - 5 * MINUTE)
        await look(post, 0)
        assert await post.waiting() == [("mute", 10)]
        await look(post, 10)

        assert post.mails() == ["LATE: a"]


async def test_what_is_late_time_and_again_within_a_mute_leaves_no_backlog(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post, timeout=10 * MINUTE)
        await look(post, 0)
        [project] = post.app.synced.projects
        await post.app.parts.managing.mute(project, check.code, 9 * HOUR, NOW)
        for minutes in range(5, 100, 20):
            await post.succeed(check, NOW + minutes * MINUTE)
            await look(post, minutes)
            await look(post, minutes + 11)

        # That it is late no more, as people know, and that it is late again.
        assert await post.waiting("lateness_id, is_end") == [(1, 1), (6, 0)]


async def test_webhooks_have_a_request_of_their_own(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        check = await up(post)
        await look(post, 0)
        await post.succeed(check, NOW + MINUTE)
        await look(post, 1)

        assert post.requests() == ["late a", "up a"]


async def test_an_end_without_a_request_does_not_say_that_a_channel_delivers(
    tmp_path: Path,
) -> None:
    hook = toml.webhook(
        "Hook",
        down="@HTTP@hook/$STATUS/$NAME",
        events=["down", "late"],
        late=toml.Raw(URL),
    )
    async with posting(tmp_path, hook) as post:
        check = await up(post, 1)
        await look(post, 0)
        post.http.status = 500
        await post.down("b", at=NOW)
        for minutes in (1, 2, 3, 5):
            await post.send(NOW + minutes * MINUTE)
        await post.succeed(check, NOW + 6 * MINUTE)
        await post.send(NOW + 7 * MINUTE)

        assert "nothing to send" in await post.answers()
        [(failing, error)] = await rows(
            post.app.database, "SELECT failing_since, last_error FROM channels"
        )
        assert failing is not None
        assert error == "HTTP 500 from 127.0.0.1"


@pytest.mark.parametrize("by_group", [False, True])
async def test_its_end_that_cannot_be_delivered_is_handed_on(
    tmp_path: Path, by_group: bool
) -> None:
    fallback = '"All"' if by_group else '"Mail"'
    hook = channel("Hook", "webhook", events=LATE, late=URL, fallback=fallback)
    async with posting(tmp_path, hook, MAIL, group("Mail", events=LATE)) as post:
        check = await up(post, 1)
        await look(post, 0)
        post.http.status = 410
        await post.succeed(check, NOW + MINUTE)
        await look(post, 1)
        await look(post, 2)

        assert post.requests() == ["late a", "up a"]
        assert post.mails() == ["UP: a"]


async def test_a_group_hands_it_to_those_that_tell_of_it(tmp_path: Path) -> None:
    parts = MAIL, PLAIN, group("Mail", "Plain", events=LATE)
    async with posting(tmp_path, *parts) as post:
        check = await up(post, 3)
        await look(post, 0)
        await post.succeed(check, NOW + MINUTE)
        await look(post, 1)

        assert post.mails() == ["LATE: a", "UP: a"]
        assert post.mails("Plain") == []


async def test_a_channel_that_comes_to_tell_of_it_is_looked_for(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail")) as post:
        await up(post)
        assert await look_at(post) == [60]

        await post.use(MAIL)

        assert await look_at(post) == [0]
        await post.use(channel("Mail"))
        await look(post, 0)
        assert post.mails() == []


@pytest.mark.parametrize("how", ["assigned", "reloaded"])
async def test_a_channel_that_comes_to_tell_of_it_wakes_the_checker(
    tmp_path: Path, how: str
) -> None:
    """It looks each minute by itself: a grace may be over by then."""
    first = channel("Mail") if how == "reloaded" else MAIL
    async with posting(tmp_path, first, PLAIN) as post:
        check, far = await up(post, 1 if how == "reloaded" else 2), NOW + 10_000 * DAY
        checker = post.app.alarms["checker"]
        # What the start has rung.
        checker.ring()
        await checker.sleep(far)
        asleep = asyncio.create_task(checker.sleep(far))
        await asyncio.sleep(0)

        if how == "reloaded":
            await post.use(MAIL, PLAIN)
        else:
            project, *_ = post.app.synced.projects
            codes = [channel.id for channel in post.app.synced.channels.values()]
            seen = editing.seen_channels(codes[1:])
            managing = post.app.parts.managing
            await managing.assign(project, check.code, codes, seen=seen)

        async with asyncio.timeout(ENDS):
            await asleep


async def test_in_maintenance_it_is_told_at_the_end(tmp_path: Path) -> None:
    window = toml.table(
        "[projects.maintenance]", name="w", schedule="10 11 * * *", length="1h"
    )
    async with posting(tmp_path, MAIL, window) as post:
        await up(post)
        await post.app.parts.maintenance.reckon()
        await look(post, 0)
        await look(post, 9)
        assert post.mails() == []

        await look(post, 10)

        assert post.mails() == ["LATE: a"]


async def test_in_a_window_that_is_ended_by_hand_it_is_told_then(
    tmp_path: Path,
) -> None:
    """Another window puts off still that it goes down, as long as before."""
    now = datetime.now(UTC)
    schedule = f"{now + 70 * MINUTE:%M %H} * * *"
    window = toml.table(
        "[projects.maintenance]", name="w", schedule=schedule, length="1h"
    )
    async with posting(tmp_path, MAIL, window) as post:
        maintenance = post.app.parts.maintenance
        check = await up(post, last_ping=now - DAY, alert_after=now + 80 * MINUTE)
        opened = await maintenance.open(check.project_id, HOUR, now)
        await maintenance.reckon()
        await post.app.checker.check_once(now + 21 * MINUTE)

        await maintenance.end(check.project_id, opened.id, now + 25 * MINUTE)
        await maintenance.reckon()
        await post.app.checker.check_once(now + 25 * MINUTE)
        await post.send(now + 25 * MINUTE)

        assert post.mails() == ["LATE: a"]


async def test_at_the_end_of_the_window_in_which_it_came_not_of_the_next(
    tmp_path: Path,
) -> None:
    windows = (
        toml.table("[projects.maintenance]", name=name, schedule=at, length=length)
        for name, at, length in (
            ("v", "50 11 * * *", "20m"),
            ("w", "30 12 * * *", "1h"),
        )
    )
    async with posting(tmp_path, MAIL, *windows) as post:
        await up(post)
        await post.app.parts.maintenance.reckon()
        await look(post, 0)
        assert await look_at(post) == [10]

        await look(post, 10)

        assert post.mails() == ["LATE: a"]
        assert await look_at(post) == [150]


@pytest.mark.parametrize("finer", [{}, {"down_after": 2, "max_run": 3 * HOUR}], ids=str)
@pytest.mark.parametrize("starts", [(-2,), (-2, 3), (1,), (1, 3)])
async def test_what_nobody_was_told_while_runs_were_open_is_told_after_them(
    tmp_path: Path, starts: tuple[int, ...], finer: dict[str, Any]
) -> None:
    """It was late before it failed in a window, and is late still."""
    # A lateness that began in the window is told at its end.
    opens, told = ("59 11 * * *", 59) if starts[0] < 0 else ("2 12 * * *", 5)
    window = toml.table("[projects.maintenance]", name="w", schedule=opens, length="1h")
    async with posting(tmp_path, MAIL, window) as post:
        check = await up(post, **finer)
        await post.app.parts.maintenance.reckon()
        for minutes in starts:
            await ping(post.app, check, "start", NOW + minutes * MINUTE)
            await look(post, max(minutes, 0))
        await look(post, 4)
        await post.fail(check, NOW + 5 * MINUTE)
        if told > 5:
            await look(post, told - 1)
        before = post.mails()

        await look(post, told)

        assert (before, post.mails()) == ([], ["LATE: a"])


async def test_what_pinged_late_is_late_again_soon(tmp_path: Path) -> None:
    """Its grace is longer than its period: it is looked at when it is late again."""
    async with posting(tmp_path, MAIL) as post:
        ten = {"timeout": 10 * MINUTE, "last_ping": NOW - 10 * MINUTE}
        check = await up(post, **ten)
        await look(post, 0)
        await post.succeed(check, NOW + 5 * MINUTE)
        await look(post, 5)

        await look(post, 15)

        assert post.mails() == ["LATE: a", "UP: a", "LATE: a"]


async def test_messages_name_the_event(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        await look(post, 0)
        await post.succeed(check, NOW + MINUTE)
        await look(post, 1)

        found = await store.tries.of_check(post.app.database.committed, check.id, 9)

        assert [(r.event, r.outcome) for r in found] == [
            ("up", "sent"),
            ("late", "sent"),
        ]


async def test_what_is_late_before_its_first_run_had_to_end_is_looked_for(
    tmp_path: Path,
) -> None:
    began = NOW - MINUTE
    async with posting(tmp_path, MAIL) as post:
        check = await up(
            post,
            status="new",
            last_ping=None,
            last_start=began,
            open_runs=(Run(began, None),),
            max_run=DAY + HOUR / 2,
            alert_after=began + DAY + HOUR / 2,
        )
        await post.succeed(check, NOW)

        assert await look_at(post) == [24 * 60]


async def edit(post: Post, check: Check, minutes: float, **fields: Any) -> None:
    """Change fields of a check so many minutes after NOW, as the API does."""
    project = post.app.synced.projects[0]
    now = NOW + minutes * MINUTE
    await post.app.parts.managing.update(project, check.code, spec.parse(fields), now)


@pytest.mark.parametrize(
    "fields", [{}, {"tags": "b"}, {"grace": 7200, "timeout": 80_000}]
)
@pytest.mark.parametrize("lasts", ["a failure", "an absence"])
async def test_an_edit_ends_no_lateness_that_lasts_though_no_ping_is_overdue(
    tmp_path: Path, lasts: str, fields: dict[str, Any]
) -> None:
    """A failure that does not call it down does not end it, nor does an absence."""
    async with posting(tmp_path, MAIL) as post:
        check = await up(post, down_after=3)
        await look(post, 0)
        if lasts == "a failure":
            await post.fail(check, NOW + 10 * MINUTE)
        else:
            async with post.app.database.transaction() as conn:
                [check] = await store.checks.by_ids(conn, [check.id])
                excused = check._replace(
                    counted_from=NOW + 10 * MINUTE,
                    excused=1,
                    alert_after=NOW + 10 * MINUTE + DAY + HOUR,
                )
                await store.checks.save(conn, excused)

        await edit(post, check, 20, **fields)
        for minutes in (20, 1400, 1455):
            await look(post, minutes)
        assert post.mails() == ["LATE: a"]
        await post.succeed(check, NOW + 1456 * MINUTE)
        await look(post, 1456)

        assert post.mails() == ["LATE: a", "UP: a"]


async def test_what_an_edit_gives_more_time_is_late_again_by_that(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await up(post)
        await look(post, 0)

        await edit(post, check, 20, timeout=86_400 + 7200)
        for minutes in (20, 119, 120, 130):
            await look(post, minutes)
        await post.succeed(check, NOW + 140 * MINUTE)
        await look(post, 140)

        assert post.mails() == ["LATE: a", "LATE: a", "UP: a"]
