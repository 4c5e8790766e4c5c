"""Reminders, from the flip to the receiver."""

import asyncio
from pathlib import Path

import pytest

from hcl.alerts.lines import PAUSES
from tests.alerts.calm import (
    HOURLY,
    MINUTE,
    PLAIN,
    assign,
    managed,
)
from tests.alerts.sending import Post, channel, posting, quiet, restarted, tag
from tests.build import DAY, HOUR, NOW
from tests.store import change, rows


async def test_reminders_come_as_long_as_the_check_is_down(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY) as post:
        check = await post.down("a")

        await post.send(*(NOW + n * HOUR / 2 for n in range(5)))
        assert post.mails() == ["DOWN: a", "STILL DOWN: a", "STILL DOWN: a"]
        assert await post.waiting() == [("remind", 180)]

        await post.succeed(check, NOW + 2.5 * HOUR)
        await post.send(*(NOW + n * HOUR / 2 for n in range(5, 10)))
        assert post.mails()[3:] == ["UP: a"]
        assert await post.waiting() == []


async def test_reminder_tells_how_long_it_has_been_down(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY) as post:
        await post.down("a")

        await post.send(NOW, NOW + HOUR)

        body = post.smtp.records[1].message.get_body(("plain",))
        assert body is not None
        assert "is STILL DOWN" in body.get_content()
        ids = [record.message["Message-ID"] for record in post.smtp.records]
        assert post.smtp.records[1].message["In-Reply-To"] == ids[0] != ids[1]


async def test_reminders_come_on_a_webhook_too(tmp_path: Path) -> None:
    hook = channel("Hook", "webhook", remind_every='"1h"')
    async with posting(tmp_path, hook) as post:
        await post.down("a")

        await post.send(NOW, NOW + HOUR, NOW + 2 * HOUR)

        assert post.requests() == ["down a"] * 3


@pytest.mark.parametrize("what", ["up", "pause", "reassign", "delete", "flip"])
@pytest.mark.parametrize("again", [False, True], ids=["running", "restarted"])
async def test_reminder_is_dropped_when_there_is_nothing_to_remind_of(
    tmp_path: Path, what: str, again: bool
) -> None:
    async with posting(tmp_path, HOURLY, channel("Other")) as post:
        check = await post.down("a")
        await post.send(NOW)
        match what:
            case "up":
                await post.succeed(check, NOW + MINUTE)
            case "pause" | "delete":
                await managed(post, check.id, what)
            case "reassign":
                await assign(post, check.id, 2)
            case "flip":
                await post.succeed(check, NOW + MINUTE)
                await post.fail(check, NOW + 2 * MINUTE)
        await post.send(NOW + 3 * MINUTE)
        post.clear()

        if again:
            async with restarted(post):
                await post.send(NOW + HOUR)
        else:
            await post.send(NOW + HOUR)

        assert post.mails() == []


async def test_outage_after_a_pause_has_reminders_of_its_own(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY) as post:
        check = await post.down("a")
        await post.send(NOW)
        await managed(post, check.id, "pause", 10)
        await managed(post, check.id, "resume", 20)
        await post.fail(check, NOW + 30 * MINUTE)

        await post.send(NOW + 30 * MINUTE, NOW + HOUR)
        assert post.mails() == ["DOWN: a", "DOWN: a"]

        await post.send(NOW + 90 * MINUTE)
        assert post.mails() == ["DOWN: a", "DOWN: a", "STILL DOWN: a"]
        assert await post.waiting() == [("remind", 150)]


async def test_reminder_that_fails_is_tried_again_and_the_next_follows_it(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOURLY) as post:
        await post.down("a")
        await post.send(NOW)
        post.smtp.refusals.data = "451 not now"
        await post.send(NOW + HOUR)
        assert await post.waiting("reminder, attempts") == [(1, 1)]

        post.smtp.refusals.data = ""
        await post.send(NOW + HOUR + PAUSES[0])

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
        assert await post.waiting("reminder, next_try") == [
            (2, pytest.approx(120, 0.01))
        ]


async def test_reminders_go_on_after_a_restart(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY) as post:
        await post.down("a")
        await post.send(NOW, NOW + HOUR)
        # What tells when they were sent is the clock.
        await change(
            post.app.database,
            "UPDATE notifications SET sent = created WHERE sent NOTNULL",
        )
        post.clear()

        async with restarted(post):
            assert await post.waiting("reminder") == [2]
            await change(
                post.app.database,
                "UPDATE notifications SET next_try = ? WHERE next_try NOTNULL",
                (NOW + 2 * HOUR).timestamp(),
            )
            await post.send(NOW + 2 * HOUR)

            assert post.mails() == ["STILL DOWN: a"]
            assert await post.waiting("reminder, next_try") == [(3, 180)]


async def last_sent_minutes_before_the_next(post: Post) -> float:
    """Return how long after the last message its reminder comes."""
    [(gap)] = await rows(
        post.app.database,
        "SELECT next_try - (SELECT max(sent) FROM notifications) FROM notifications"
        " WHERE next_try NOTNULL",
    )
    return round(float(gap) / 60, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [(PLAIN, HOURLY), (HOURLY, channel("Mail", remind_every='"20m"'))],
    ids=["added", "shortened"],
)
async def test_reload_reckons_with_the_reminders_of_now(
    tmp_path: Path, before: str, after: str
) -> None:
    async with posting(tmp_path, before) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(after)

        length = 60 if after == HOURLY else 20
        assert await last_sent_minutes_before_the_next(post) == length


async def seconds_to_the_next(post: Post) -> float:
    """Return for how long the one message that waits does, by the clock as it is."""
    [seconds] = await rows(
        post.app.database,
        "SELECT next_try - ? FROM notifications WHERE next_try NOTNULL",
        post.app.clock.timestamp(),
    )
    return float(seconds)


async def test_reminder_does_not_wait_for_a_clock_that_was_ahead(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOURLY) as post:
        await post.down("a")
        await post.send(NOW)
        year = 365 * DAY.total_seconds()
        await change(
            post.app.database,
            "UPDATE notifications SET sent = sent + ?, next_try = next_try + ?",
            year,
            year,
        )

        await post.use(HOURLY)

        assert 3500 < await seconds_to_the_next(post) <= 3600


async def test_starts_do_not_put_off_the_reminder_of_a_clock_that_was_ahead(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOURLY) as post:
        await post.down("a")
        await post.send(NOW)
        await change(post.app.database, "UPDATE notifications SET sent = sent + 864000")
        await change(
            post.app.database,
            "UPDATE notifications SET next_try = ? + 600 WHERE next_try NOTNULL",
            post.app.clock.timestamp(),
        )

        await post.use(HOURLY)
        await post.use(HOURLY)

        assert await seconds_to_the_next(post) <= 600


async def test_reminder_that_is_overdue_by_new_settings_comes_once_and_now(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, PLAIN) as post:
        await post.down("a")
        await post.send(NOW)
        await change(
            post.app.database,
            "UPDATE notifications SET sent = sent - 864000",
        )
        post.clear()

        await post.use(HOURLY)
        await post.use(HOURLY)
        assert await post.waiting("reminder") == [1]
        await post.send(NOW + 9999 * DAY)

        assert post.mails() == ["STILL DOWN: a"]


@pytest.mark.parametrize("after", [PLAIN, channel("Mail", remind_every='"0s"')])
async def test_reload_without_reminders_drops_them(tmp_path: Path, after: str) -> None:
    async with posting(tmp_path, HOURLY) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(after)
        assert await post.waiting() == []

        await post.use(HOURLY)
        assert await post.waiting("hold, reminder") == [("remind", 1)]


async def test_reload_drops_a_reminder_that_was_held_for_the_night(
    tmp_path: Path,
) -> None:
    hours = quiet("12:30", "14:00")
    async with posting(
        tmp_path, channel("Mail", remind_every='"1h"', quiet_hours=hours)
    ) as post:
        await post.down("a")
        await post.send(NOW, NOW + HOUR)
        assert await post.waiting() == [("quiet", 120)]

        await post.use(channel("Mail", quiet_hours=hours))
        await post.send(NOW + 2 * HOUR)

        assert post.mails() == ["DOWN: a"]


async def test_reminders_come_back_with_their_channel(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY, channel("Other")) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(channel("Other"))
        assert await post.waiting() == []
        await post.use(HOURLY, channel("Other"))

        assert await post.waiting("channel_id, hold") == [(1, "remind")]


async def test_reminders_come_back_with_the_check(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY, channel("Other")) as post:
        check = await post.down("a")
        await post.send(NOW)
        await assign(post, check.id, 2)
        await post.send(NOW + HOUR)
        assert post.mails() == ["DOWN: a"]

        await assign(post, check.id, 1)
        await post.use(HOURLY, channel("Other"))

        assert await post.waiting("channel_id, hold") == [(1, "remind")]


async def test_reload_while_a_reminder_is_under_way_does_not_send_it_twice(
    tmp_path: Path,
) -> None:
    hook = channel("Hook", "webhook", remind_every='"1h"')
    async with posting(tmp_path, hook) as post:
        await post.down("a")
        await post.send(NOW)
        await change(post.app.database, "UPDATE notifications SET sent = created")
        post.http.delay = 0.2
        sending = asyncio.create_task(post.send(NOW + HOUR))
        await post.http.wait_for(2)

        await post.use(hook)
        await sending

        # Only the second one waits, for an hour.
        assert await post.waiting("reminder") == [2]


async def test_tags_have_reminders_of_their_own(tmp_path: Path) -> None:
    parts = HOURLY, tag("prod", remind_every='"10m"'), tag("dev", remind_every='"0s"')
    async with posting(tmp_path, *parts) as post:
        for name, tags in (("a", ""), ("b", "x prod"), ("c", "dev")):
            await post.down(name, tags=tags)

        await post.send(NOW)

        # They are written as both are sent at once.
        assert sorted(await post.waiting()) == [("remind", 10), ("remind", 60)]


async def test_reminders_of_several_checks_fold(tmp_path: Path) -> None:
    async with posting(
        tmp_path, channel("Mail", fold='"1m"', remind_every='"1h"')
    ) as post:
        for name in "abc":
            await post.down(name)

        await post.send(NOW, NOW + MINUTE, NOW + HOUR + MINUTE)
        await post.send(NOW + HOUR + 2 * MINUTE)

        assert post.mails() == [
            "3 checks: 3 down (a, b and c)",
            "3 checks: 3 still down (a, b and c)",
        ]
