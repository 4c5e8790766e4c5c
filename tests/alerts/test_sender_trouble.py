"""What once went wrong: refusals, clocks that were set, backlogs, odd moments."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from hcl.alerts.calm import LONGEST_HISTORY
from hcl.alerts.delivery import GIVE_UP_AFTER, PERMANENT_STEP
from hcl.alerts.lines import PAUSES
from hcl.alerts.planning import MOST_OF_A_CHECK
from tests import toml
from tests.alerts.sending import (
    channel,
    down,
    group,
    posting,
    quiet,
    restarted,
    waiting,
)
from tests.alerts.sending import text as hooks_to
from tests.app import running_app
from tests.build import DAY, HOUR, NOW
from tests.clocks import a_clock
from tests.patience import ENDS
from tests.sinks import HttpSink
from tests.store import change, rows, traced, writer_of

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOOK, MAIL = channel("Hook", "webhook"), channel("Mail")

FLAPPED = (
    "INSERT INTO flips (check_id, created, old_status, new_status, reason, n_pings)"
    " WITH RECURSIVE x (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x WHERE i < ?)"
    " SELECT 1, ? + i, iif(i % 2, 'up', 'down'), iif(i % 2, 'down', 'up'), '', 0 FROM x"
)
WAITING = (
    "INSERT INTO notifications (flip_id, check_id, channel_id, created, next_try)"
    " SELECT id, check_id, 1, created, created FROM flips WHERE id > 1"
)


async def test_summary_that_is_refused_loses_nothing(tmp_path: Path) -> None:
    """The messages of a summary go by check, and not by their number."""
    async with posting(tmp_path, channel("Mail", fold='"1m"')) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.down("b", at=NOW + SECOND)
        await post.send(NOW + SECOND)
        await post.succeed(check, NOW + 2 * SECOND)
        post.smtp.refusals.mail = "550 go away"
        await post.send(NOW + 2 * SECOND, NOW + MINUTE)
        assert len(await post.waiting()) > 0
        post.smtp.refusals.mail = ""

        await post.send(NOW + 3 * HOUR)

        assert post.mails() == ["2 checks: 1 down, 1 up (b and a)"]
        unsent = "SELECT count(*) FROM notifications WHERE sent IS NULL"
        assert await rows(post.app.database, unsent) == [0]


async def test_webhook_hears_of_a_long_backlog_what_lasted(tmp_path: Path) -> None:
    """Of so many no more are read for each request than it takes to know the next."""
    hook = channel("Hook", "webhook", delay='"2s"')
    async with posting(tmp_path, hook) as post:
        await post.down("a")
        await change(post.app.database, FLAPPED, 3 * MOST_OF_A_CHECK, NOW.timestamp())
        # One that went down as the last that is read at first lasted for longer.
        longer = "UPDATE flips SET created = created + 9 WHERE id > ?"
        await change(post.app.database, longer, MOST_OF_A_CHECK)
        await change(post.app.database, WAITING)

        await post.send(NOW + DAY)

        assert post.requests() == ["down a", "up a"]
        assert await post.waiting() == []


async def test_fallback_hears_of_a_long_backlog_what_lasted(tmp_path: Path) -> None:
    """What is not read for the next request is not decided on, and not handed on."""
    hook = channel("Hook", "webhook", delay='"2s"', fallback='"Mail"')
    async with posting(tmp_path, hook, MAIL) as post:
        post.http.status = 500
        await post.down("a")
        await change(post.app.database, FLAPPED, 3 * MOST_OF_A_CHECK, NOW.timestamp())
        # The first one lasted.
        longer = "UPDATE flips SET created = created + 9 WHERE id > 1"
        await change(post.app.database, longer)
        await change(post.app.database, WAITING)

        await post.send(*(NOW + DAY + n * MINUTE for n in range(4)))

        told = "SELECT flip_id FROM notifications WHERE channel_id = 2"
        assert await rows(post.app.database, told) == [1]


async def test_webhook_hears_each_of_a_long_backlog_in_order(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        await post.down("a")
        await change(post.app.database, FLAPPED, 3 * MOST_OF_A_CHECK, NOW.timestamp())
        await change(post.app.database, WAITING)

        await post.send(NOW + DAY)

        assert post.requests() == ["down a", *["down a", "up a"] * 75]
        assert await post.waiting() == []


async def test_flapping_check_leaves_no_backlog_that_grows(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL) as post:
        post.smtp.refusals.mail = "451 not now"
        await post.down("a")
        await change(post.app.database, FLAPPED, 3000, NOW.timestamp())
        await change(post.app.database, WAITING)

        async with asyncio.timeout(ENDS):
            await post.send(NOW + DAY)

        waits = "SELECT count(*) FROM notifications WHERE next_try IS NOT NULL"
        assert await rows(post.app.database, waits) == [LONGEST_HISTORY]
        tried = await rows(post.app.database, "SELECT count(*) FROM tries")
        assert tried == [LONGEST_HISTORY]

        post.smtp.refusals.mail = ""
        await post.send(NOW + DAY + MINUTE)
        assert post.mails() == [f"UP after {LONGEST_HISTORY} changes: a"]


async def test_refused_message_does_not_hold_up_others(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 404
        for n in range(20):
            await post.down(f"gone {n}", 1)
        await post.send(NOW)
        post.http.status = 200
        post.clear()

        await post.down("a", 1, at=NOW + SECOND)
        await post.send(NOW + SECOND)

        assert post.requests() == ["down a"]
        again = {NOW + PAUSES[PERMANENT_STEP]}
        assert set(
            await rows(
                post.app.database,
                "SELECT next_try FROM notifications WHERE next_try IS NOT NULL",
            )
        ) == {moment.timestamp() for moment in again}


async def test_recipient_who_is_taken_later_holds_up_no_other(tmp_path: Path) -> None:
    """Whose mailbox is full is no reason to tell the others later, or by a fallback."""
    boss = "boss@example.org"
    to, fallback = ["mail@example.org", boss], toml.Raw('"Hook"')
    parts = toml.channel("Mail", "email", to=to, fallback=fallback), HOOK
    async with posting(tmp_path, *parts) as post:
        post.smtp.refusals.rcpt = {boss: "452 4.2.2 The mailbox is full"}
        for second in range(4):
            await post.down(f"check {second}", at=NOW + second * SECOND)
            await post.send(NOW + second * SECOND)
        heard = post.mails()
        await post.send(NOW + 5 * SECOND, NOW + MINUTE, NOW + 5 * MINUTE)
        waits = len(await post.waiting())
        post.smtp.refusals.rcpt = {}
        await post.send(NOW + HOUR)

        assert heard == [f"DOWN: check {second}" for second in range(4)]
        assert waits == 4
        assert post.mails() == heard
        assert sorted(post.mails("Boss")) == heard
        assert post.requests() == []


async def test_end_of_an_outage_does_not_wait_for_who_is_taken_later(
    tmp_path: Path,
) -> None:
    boss = "boss@example.org"
    mail = toml.channel("Mail", "email", to=["mail@example.org", boss])
    async with posting(tmp_path, mail) as post:
        post.smtp.refusals.rcpt = {boss: "452 4.2.2 The mailbox is full"}
        check = await post.down("a")
        await post.send(NOW, NOW + 5 * SECOND, NOW + 40 * SECOND, NOW + 4 * MINUTE)
        await post.succeed(check, NOW + 5 * MINUTE)
        await post.send(NOW + 5 * MINUTE)

        assert post.mails() == ["DOWN: a", "DOWN and UP again: a"]


async def test_what_was_refused_comes_with_the_next_that_is_taken_not_within_the_hour(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 404
        await post.down("old")
        await post.down("new")
        await post.send(NOW, NOW + 2 * HOUR)
        # By the clock, which goes on by itself.
        await change(
            post.app.database,
            "UPDATE tries SET created = created - 3601 WHERE notification_id = 1",
        )
        tomorrow = (post.app.clock.now() + DAY).timestamp()
        later = "UPDATE notifications SET next_try = ?"
        await change(post.app.database, later, tomorrow)
        post.http.status = 200
        post.clear()

        await post.down("a", at=NOW + 3 * HOUR)
        await post.send(NOW + 3 * HOUR)
        await post.send(post.app.clock.now() + MINUTE)

        assert post.requests() == ["down a", "down old"]


async def test_all_that_waits_is_not_gone_through_for_each_message(
    tmp_path: Path,
) -> None:
    """Once nothing waits that has failed: a hundred thousand reminders may."""
    async with posting(tmp_path, HOOK) as post:
        await post.down("a")
        await post.send(NOW)
        await post.down("b", at=NOW + SECOND)

        async with traced(await writer_of(post.app.database)) as statements:
            await post.send(NOW + SECOND)

        assert post.requests() == ["down a", "down b"]
        assert not [each for each in statements if "attempts > 0" in each]


async def test_what_is_refused_for_its_own_sake_is_not_tried_with_each_that_is_taken(
    tmp_path: Path,
) -> None:
    """Of so many tries the last are not kept: nobody knows when they were."""
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 404
        await post.down("old")
        await post.send(NOW)
        later = "UPDATE notifications SET attempts = 20, next_try = ?"
        tomorrow = (post.app.clock.now() + DAY).timestamp()
        await change(post.app.database, later, tomorrow)
        await change(post.app.database, "UPDATE tries SET created = created - 3601")
        post.http.status = 200
        post.clear()

        await post.down("a", at=NOW + SECOND)
        await post.send(NOW + SECOND)
        await post.send(post.app.clock.now() + MINUTE)

        assert post.requests() == ["down a"]


async def test_what_was_held_and_is_due_waits_with_what_fails_before_it(
    tmp_path: Path,
) -> None:
    """Else that is tried again at once, and without end if it is refused."""
    patient = channel("Hook", "webhook", delay='"10m"')
    async with posting(tmp_path, patient) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + 11 * MINUTE)
        await post.fail(check, NOW + 12 * MINUTE)
        post.http.status = 404
        await post.send(NOW + 12 * MINUTE)
        post.clear()

        async with asyncio.timeout(ENDS):
            await post.send(NOW + 22 * MINUTE, NOW + 23 * MINUTE)

        assert post.requests() == ["down a"]
        post.http.status = 200
        await post.send(NOW + 2 * DAY)
        assert post.requests() == ["down a", "down a", "up a", "down a"]


async def test_reminders_go_on_after_one_that_was_given_up(tmp_path: Path) -> None:
    hourly = channel("Hook", "webhook", remind_every='"1h"')
    async with posting(tmp_path, hourly) as post:
        await post.down("a")
        await post.send(NOW)
        post.http.status = 500
        await post.send(NOW + HOUR)
        await change(
            post.app.database,
            "UPDATE notifications SET attempts = 9 WHERE next_try IS NOT NULL",
        )
        post.app.clock.has_run(2 * GIVE_UP_AFTER.total_seconds())

        await post.send(NOW + 2 * HOUR)
        assert await post.waiting("reminder, hold") == [(2, "remind")]
        await change(post.app.database, "UPDATE notifications SET sent = NULL")
        async with restarted(post):
            assert await post.waiting("reminder, hold") == [(2, "remind")]
            [at] = await post.waiting("next_try")

        post.http.status = 200
        post.clear()
        await post.send(NOW + at * MINUTE + SECOND)
        assert post.requests() == ["down a"]


async def test_refusal_of_one_message_hands_on_no_other(tmp_path: Path) -> None:
    parts = channel("Hook", "webhook", fallback='"Mail"'), MAIL
    async with posting(tmp_path, *parts) as post:
        post.http.status = 500
        await post.down("a", 1)
        await post.send(NOW)
        post.http.status = 404
        await post.down("b", 1, at=NOW + MINUTE)

        await post.send(NOW + MINUTE, NOW + MINUTE)

        told = await rows(
            post.app.database,
            "SELECT handed_on FROM notifications WHERE channel_id = 1",
        )
        assert told.count(1) == len(post.mails())


async def test_channel_sends_after_the_clock_was_set_back(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 500
        await post.down("a", at=NOW + DAY)
        await post.send(NOW + DAY)
        post.http.status = 200
        post.clear()

        await post.down("b", at=NOW)
        await post.send(NOW)

        assert post.requests() == ["down b"]


async def test_fold_ends_although_the_clock_was_set_back(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", fold='"30s"')) as post:
        await post.down("a", at=NOW + 9 * DAY)
        await post.send(NOW + 9 * DAY)
        await post.down("b", at=NOW)

        await post.send(NOW, NOW + MINUTE)
        assert post.mails() == ["DOWN: b"]

        async with restarted(post):
            # Its own clock is right, and far from both.
            assert ("fold", 1) not in await post.waiting()


async def test_fold_that_is_taken_out_keeps_the_order(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", fold='"1h"')) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.use(MAIL)

        await post.succeed(check, NOW + 5 * MINUTE)
        await post.send(NOW + 5 * MINUTE, NOW + HOUR)

        assert post.mails() == ["DOWN and UP again: a"]


async def test_flip_during_a_failing_try_does_not_wait_for_hours(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status, post.http.delay = 500, 0.3
        check = await post.down("a")
        await change(post.app.database, "UPDATE notifications SET attempts = 7")
        sending = asyncio.create_task(post.send(NOW))
        await post.http.wait_for(1)

        await post.succeed(check, NOW)
        await sending
        post.http.status, post.http.delay = 200, 0.0
        await post.send(NOW + MINUTE, NOW + MINUTE)

        assert post.requests()[-2:] == ["down a", "up a"]


async def test_program_hears_of_an_outage_that_was_refused_for_minutes(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 404
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)
        post.http.status = 200
        post.clear()

        await post.send(NOW + 2 * HOUR, NOW + 2 * HOUR)

        assert post.requests() == ["down a", "up a"]


async def test_reminder_that_a_group_brought_survives_a_restart_at_night(
    tmp_path: Path,
) -> None:
    parts = (
        channel("Mail", quiet_hours=quiet("17:30", "19:00")),
        group("Mail", remind_every='"6h"'),
    )
    async with posting(tmp_path, *parts) as post:
        await post.down("a", 2)
        await post.send(NOW, NOW + 6 * HOUR)

        async with restarted(post):
            await post.send(NOW + 8 * HOUR)

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]


@pytest.mark.parametrize("count", [1, 250])
async def test_group_passes_on_all_at_once(tmp_path: Path, count: int) -> None:
    parts = channel("Mail", fold='"1m"'), group("Mail")
    async with posting(tmp_path, *parts) as post:
        for n in range(count):
            await post.down(f"{n}", 2)

        await post.send(NOW)

        handed = "SELECT count(*) FROM notifications WHERE channel_id = 1"
        assert await rows(post.app.database, handed) == [count]


async def test_failing_channel_is_probed_by_one_message_after_a_restart(
    tmp_path: Path,
) -> None:
    clock, times = a_clock()
    async with HttpSink(500) as sink:
        async with running_app(tmp_path, hooks_to([sink]), clock=clock) as app:
            for _ in range(4):
                await down(app, 1)
            await app.sender.send_once(NOW)
            assert len(sink.records) == 4
            # As after days of failing.
            await change(
                app.database,
                "UPDATE notifications SET next_try = ?",
                (NOW + DAY).timestamp(),
            )
        sink.records.clear()
        times.run(HOUR.total_seconds())

        async with running_app(tmp_path, hooks_to([sink]), clock=clock) as app:
            await app.sender.send_once(clock.now())
            assert len(sink.records) == 1

            sink.status = 200
            times.run(60)
            await down(app, 1, at=clock.now())
            await app.sender.send_once(clock.now())

            assert len(sink.records) == 1 + 5
            assert await waiting(app) == []
