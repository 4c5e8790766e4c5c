"""Channels that fail, and those that step in for them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hcl.alerts.lines import CONCURRENCY, FAILED_AFTER, LONGEST_HOLD, PAUSES
from tests.alerts.sending import Post, channel, posting, quiet, restarted, tag
from tests.build import HOUR, NOW
from tests.patience import ENDS
from tests.store import pragma, rows, traced

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOOK = channel("Hook", "webhook", fallback='"Mail"')
MAIL = channel("Mail")
# What each failed try waits for.
TRIES = [sum(PAUSES[:n], timedelta(0)) for n in range(9)]


def bodies(post: Post) -> list[str]:
    texts = (record.message.get_body(("plain",)) for record in post.smtp.records)
    return [text.get_content() for text in texts if text is not None]


async def failing(post: Post) -> list[bool]:
    """Tell which channels count as failing."""
    return [
        bool(value)
        for value in await rows(
            post.app.database, "SELECT failing_since NOTNULL FROM channels ORDER BY id"
        )
    ]


async def test_fallback_steps_in_at_once_when_a_message_is_refused(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 410
        await post.down("a")

        await post.send(NOW)

        assert post.mails() == ["DOWN: a"]
        [body] = bodies(post)
        told = " ".join(body.split())
        assert (
            "The channel Hook could not deliver this: HTTP 410 from 127.0.0.1." in told
        )
        assert await failing(post) == [True, False]
        assert await post.waiting("channel_id, next_try") == [(1, 60)]


async def test_fallback_steps_in_after_the_third_failed_try(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        await post.down("a")

        for n in range(FAILED_AFTER - 1):
            await post.send(NOW + TRIES[n])
            assert (post.mails(), await failing(post)) == ([], [False, False])
        await post.send(NOW + TRIES[2])

        assert post.mails() == ["DOWN: a"]
        assert await failing(post) == [True, False]
        # Once: what fails is tried on, and not told of again.
        await post.send(NOW + TRIES[3], NOW + TRIES[4])
        assert post.mails() == ["DOWN: a"]
        assert len(post.requests()) == 5


async def test_failing_channel_hands_on_all_that_it_owes_each_once(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        check = await post.down("a")
        await post.send(*(NOW + at for at in TRIES[:3]))
        await post.down("b", at=NOW + TRIES[2])
        await post.succeed(check, NOW + TRIES[2])

        # The next try of any message tells that it still fails.
        for n in range(1, 10):
            await post.send(NOW + TRIES[2] + n * LONGEST_HOLD)

        assert sorted(post.mails()) == ["DOWN: a", "DOWN: b", "UP: a"]


async def test_channel_that_recovers_delivers_what_it_owes(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 404
        check = await post.down("a")
        other = await post.down("b")
        await post.send(NOW)
        assert sorted(post.mails()) == ["DOWN: a", "DOWN: b"]
        post.http.status = 200
        post.clear()

        await post.send(NOW + HOUR)
        assert sorted(post.requests()) == ["down a", "down b"]
        assert await failing(post) == [False, False]
        assert await post.waiting() == []

        # From then on nothing goes another way.
        for each in (check, other):
            await post.succeed(each, NOW + 2 * HOUR)
        await post.send(NOW + 2 * HOUR)
        assert sorted(post.requests()[2:]) == ["up a", "up b"]
        assert post.mails() == []


async def test_short_trouble_is_nobody_elses_matter(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 503
        await post.down("a")
        await post.send(NOW, NOW + TRIES[1])
        post.http.status = 200

        await post.send(NOW + TRIES[2])

        assert post.requests() == ["down a"] * 3
        assert post.mails() == []
        assert await failing(post) == [False, False]


async def test_channel_without_a_fallback_is_marked_as_failing(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Hook", "webhook"), MAIL) as post:
        post.http.status = 410
        await post.down("a")

        await post.send(NOW)

        assert await failing(post) == [True, False]
        assert post.mails() == []


async def test_fallback_that_fails_has_one_of_its_own(tmp_path: Path) -> None:
    parts = (
        HOOK,
        channel("Mail", fallback='"Last"'),
        channel("Last", "webhook"),
    )
    async with posting(tmp_path, *parts) as post:
        last_works = 200
        post.smtp.refusals.mail = "550 go away"
        post.http.status = 404
        await post.down("a")
        await post.send(NOW)
        # Both webhooks live in one sink: the last one fails too, for now.
        assert post.requests("Last") == ["down a"]
        assert await failing(post) == [True, True, True]

        post.http.status = last_works
        await post.send(NOW + HOUR)

        assert post.requests("Last") == ["down a", "down a"]
        assert await post.waiting("channel_id") == [2]


async def test_fallback_keeps_its_own_quiet_hours(tmp_path: Path) -> None:
    mail = channel("Mail", quiet_hours=quiet("11:00", "13:00"), delay='"30m"')
    async with posting(tmp_path, HOOK, mail) as post:
        post.http.status = 410
        for name in "ab":
            await post.down(name)

        await post.send(NOW)
        assert post.mails() == []

        await post.send(NOW + HOUR)
        # Which of them was refused first is chance.
        [subject] = post.mails()
        named = ("(a and b)", "(b and a)")
        assert subject in [f"2 checks: 2 down {names}" for names in named]
        [body] = bodies(post)
        assert " ".join(body.split()).count("could not deliver this") == 1


async def test_check_that_uses_the_fallback_too_is_told_of_at_once_by_it(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK, channel("Mail", remind_every='"1h"')) as post:
        post.http.status = 410
        check = await post.down("a", 1, 2)
        await post.send(NOW)
        assert set(post.mails()) == {"DOWN: a"}

        await post.succeed(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        assert set(post.mails()) == {"DOWN: a", "UP: a"}
        assert post.mails()[-1] == "UP: a"


async def test_delay_of_the_fallback_still_counts_for_its_own_message(
    tmp_path: Path,
) -> None:
    mail = channel("Mail", delay='"10m"', remind_every='"1h"')
    async with posting(tmp_path, HOOK, mail) as post:
        post.http.status = 410
        await post.down("a", 1, 2)
        await post.send(NOW)
        assert post.mails() == ["DOWN: a"]

        await post.send(NOW + 10 * MINUTE, NOW + 70 * MINUTE)

        # And so its reminders come.
        assert post.mails() == ["DOWN: a", "DOWN: a", "STILL DOWN: a"]


async def test_what_comes_while_a_try_fails_is_not_handed_on_before_its_delay(
    tmp_path: Path,
) -> None:
    """Nobody has decided yet whether it is to be told."""
    hook = channel("Hook", "webhook", fallback='"Mail"', delay='"10m"')
    async with posting(tmp_path, hook, MAIL) as post:
        post.http.status = 500
        await post.down("a", at=NOW - 10 * MINUTE)
        await post.send(NOW, NOW + TRIES[1])
        post.http.delay = 0.3
        third = asyncio.create_task(post.send(NOW + TRIES[2]))
        await post.http.wait_for(3)
        check = await post.down("b", at=NOW + TRIES[2] + SECOND)
        await third
        post.http.delay = 0.0
        await post.succeed(check, NOW + TRIES[2] + MINUTE)

        await post.send(*(NOW + TRIES[2] + n * MINUTE for n in range(1, 20)))

        assert post.mails() == ["DOWN: a"]


async def test_what_is_over_before_its_delay_while_a_try_fails_is_not_handed_on(
    tmp_path: Path,
) -> None:
    """It waits no more, since its check has flipped, but nobody has decided on that."""
    hook = channel("Hook", "webhook", fallback='"Mail"', delay='"10m"')
    async with posting(tmp_path, hook, MAIL) as post:
        post.http.status = 500
        await post.down("a", at=NOW - 10 * MINUTE)
        check = await post.down("b", at=NOW - MINUTE)
        await post.send(NOW, NOW + TRIES[1])
        # It ends a second after the flip: tries are timed in whole ones.
        post.http.delay = 1.1
        third = asyncio.create_task(post.send(NOW + TRIES[2]))
        await post.http.wait_for(3)
        await post.succeed(check, NOW + TRIES[2] + SECOND)
        await third
        post.http.delay = 0.0

        await post.send(*(NOW + TRIES[2] + n * MINUTE for n in range(1, 20)))

        assert post.mails() == ["DOWN: a"]


async def test_message_late_from_elsewhere_does_not_undo_what_came_after_it(
    tmp_path: Path,
) -> None:
    """The end of an outage waits at the fallback when its begin is handed on."""
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        check = await post.down("a", 1, 2)
        await post.send(NOW, NOW + TRIES[1])
        assert post.mails() == ["DOWN: a"]
        post.smtp.refusals.data = "451 not now"
        await post.succeed(check, NOW + TRIES[2] - SECOND)
        await post.send(NOW + TRIES[2] - SECOND, NOW + TRIES[2])
        assert await post.waiting("channel_id, flip_id") == [
            (1, 1),
            (1, 2),
            (2, 2),
            (2, 1),
            (2, 2),
        ]
        post.smtp.refusals.data = ""

        await post.send(NOW + TRIES[2] + MINUTE)

        assert post.mails()[1:] == ["DOWN and UP again: a"]


async def test_reminder_that_cannot_be_delivered_is_handed_on(tmp_path: Path) -> None:
    hook = channel("Hook", "webhook", fallback='"Mail"', remind_every='"1h"')
    async with posting(tmp_path, hook, MAIL) as post:
        check = await post.down("a")
        await post.send(NOW)
        post.http.status = 410

        await post.send(NOW + HOUR)
        assert post.mails() == ["STILL DOWN: a"]

        await post.succeed(check, NOW + HOUR + MINUTE)
        await post.send(NOW + HOUR + 2 * MINUTE)
        assert post.mails() == ["STILL DOWN: a", "UP: a"]


async def test_fallback_that_is_a_group_has_all_its_channels_tell(
    tmp_path: Path,
) -> None:
    parts = (
        channel("Hook", "webhook", fallback='"All"'),
        channel("All", "group", channels='["Mail", "Other"]'),
        MAIL,
        channel("Other"),
    )
    async with posting(tmp_path, *parts) as post:
        post.http.status = 410
        await post.down("a")

        await post.send(NOW)

        assert post.mails() == post.mails("Other") == ["DOWN: a"]
        assert all("could not deliver this" in body for body in bodies(post))


async def test_fallback_added_later_gets_what_fails_from_then_on(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, channel("Hook", "webhook"), MAIL) as post:
        post.http.status = 410
        await post.down("a")
        await post.send(NOW)

        await post.use(HOOK, MAIL)
        await post.send(NOW + HOUR)

        assert post.mails() == ["DOWN: a"]


async def test_failing_channel_goes_on_failing_after_a_restart(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        await post.down("a")
        await post.send(*(NOW + at for at in TRIES[:3]))

        async with restarted(post):
            assert await failing(post) == [True, False]
            await post.send(NOW + TRIES[3])

            assert await failing(post) == [True, False]
            assert post.mails() == ["DOWN: a"]


async def test_failures_before_and_after_a_restart_count_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        await post.down("a")
        await post.send(NOW)
        await post.down("b", at=NOW + MINUTE)
        await post.send(NOW + MINUTE)

        async with restarted(post):
            await post.down("c", at=NOW + HOUR)
            await post.send(NOW + HOUR)
            assert await failing(post) == [True, False]

        async with restarted(post):
            post.http.status = 200
            await post.send(NOW + 2 * HOUR)

    levels = [r.levelname for r in caplog.records if "does not deliver" in r.message]
    assert levels == ["ERROR"]
    assert sorted(post.mails()) == ["DOWN: a", "DOWN: b", "DOWN: c"]


async def test_many_messages_are_handed_on_once_each(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        for n in range(40):
            await post.down(f"{n}")

        await post.send(*(NOW + n * LONGEST_HOLD for n in range(4)))

        assert sorted(post.mails()) == sorted(f"DOWN: {n}" for n in range(40))
        assert len(post.requests()) < 2 * CONCURRENCY


@pytest.mark.parametrize("channel_ids", [(3,), (1, 3), (2, 3), (1, 2, 3)])
async def test_others_are_sent_while_the_database_cannot_be_written(
    tmp_path: Path, channel_ids: tuple[int, ...]
) -> None:
    """A full disk: what is ready goes out, though some has to be put off."""
    parts = (
        channel("Late", delay='"1h"'),
        channel("All", "group", channels='["Late"]'),
        MAIL,
    )
    async with posting(tmp_path, *parts) as post:
        await post.down("a", *channel_ids, at=datetime.now(UTC))
        await pragma(post.app.database, "query_only = ON")
        loop = asyncio.create_task(post.app.sender.run())
        try:
            await post.smtp.wait_for(1)
        finally:
            loop.cancel()
            await asyncio.wait([loop])
            await pragma(post.app.database, "query_only = OFF")

        assert post.mails() == ["DOWN: a"]
        # It was not ticked off, so it is sent again.
        await post.send(datetime.now(UTC))
        assert post.mails() == ["DOWN: a"] * 2


async def test_message_that_is_ready_goes_out_while_others_cannot_be_put_off(
    tmp_path: Path,
) -> None:
    mail, at_once = channel("Mail", delay='"1h"'), tag("prod", delay='"0s"')
    async with posting(tmp_path, mail, at_once) as post:
        await post.down("a", at=datetime.now(UTC))
        await post.down("b", at=datetime.now(UTC), tags="prod")
        await pragma(post.app.database, "query_only = ON")
        loop = asyncio.create_task(post.app.sender.run())

        await post.smtp.wait_for(1)

        loop.cancel()
        await asyncio.wait([loop])
        await pragma(post.app.database, "query_only = OFF")
        assert post.mails() == ["DOWN: b"]


async def test_loop_does_not_spin_while_nothing_can_be_put_off(tmp_path: Path) -> None:
    parts = channel("Late", delay='"1h"'), channel("All", "group", channels='["Late"]')
    async with posting(tmp_path, *parts) as post:
        await post.down("a", 1, 2, at=datetime.now(UTC))
        await pragma(post.app.database, "query_only = ON")

        async with traced(post.app.database.committed) as statements:
            loop = asyncio.create_task(post.app.sender.run())
            await asyncio.sleep(0.3)

        loop.cancel()
        await asyncio.wait([loop])
        await pragma(post.app.database, "query_only = OFF")
        assert len(statements) < 20


async def test_finish_waits_for_a_summary_that_is_under_way(tmp_path: Path) -> None:
    parts = channel("Hook", "webhook", fold='"1m"'), MAIL
    async with posting(tmp_path, *parts) as post:
        for n in range(130):
            await post.down(f"{n}")
        await post.send(NOW)
        post.http.delay = 0.2
        sending = asyncio.create_task(post.send(NOW + MINUTE))
        await post.http.wait_for(1)

        await post.app.sender.finish(5 * SECOND)

        async with asyncio.timeout(ENDS):
            await sending
        told = 130 - len(await post.waiting())
        assert told == {1: 100, 2: 130}[len(post.requests())]
