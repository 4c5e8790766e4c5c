"""Reminders, delays, quiet hours and folding, from the flip to the receiver."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.alerts.lines import PAUSES
from hcl.checks import spec
from hcl.model import Check
from tests.alerts.sending import Post, channel, posting, quiet, restarted, tag
from tests.build import DAY, HOUR, NOW
from tests.patience import ENDS
from tests.store import change, pragma, put_check, rows, traced, writer_of

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
HOURLY = channel("Mail", remind_every='"1h"')
PLAIN = channel("Mail")
DELAY = channel("Mail", delay='"10m"')
FOLD = channel("Mail", fold='"1m"')
# NOW is noon.
NOON = channel("Mail", quiet_hours=quiet("11:00", "13:00"))


async def pause(post: Post, check_id: int, at: float = 0) -> None:
    await managed(post, check_id, "pause", at)


async def managed(post: Post, check_id: int, what: str, at: float = 0) -> None:
    """Pause, resume or delete a check, as the API does."""
    check = await store.checks.by_id(post.app.database.committed, check_id)
    assert check is not None
    managing = post.app.parts.managing
    project = post.app.synced.projects[0]
    now = NOW + at * MINUTE
    if what == "delete":
        await managing.delete(project, check.code)
    elif what == "pause":
        await managing.pause(project, check.code, now)
    else:
        await managing.resume(project, check.code, now)


async def assign(post: Post, check_id: int, *channel_ids: int) -> None:
    async with post.app.database.transaction() as conn:
        await store.channels.assign(conn, check_id, channel_ids)


# Reminders


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

        now = post.app.clock.timestamp()
        [ahead] = await rows(
            post.app.database,
            "SELECT next_try - ? FROM notifications WHERE next_try NOTNULL",
            now,
        )
        assert 3500 < ahead <= 3600


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

        now = post.app.clock.timestamp()
        [ahead] = await rows(
            post.app.database,
            "SELECT next_try - ? FROM notifications WHERE next_try NOTNULL",
            now,
        )
        assert ahead <= 600


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


async def edit(post: Post, check: Check, minutes: float, **fields: Any) -> None:
    """Change fields of a check so many minutes after NOW, as the API does."""
    project = post.app.synced.projects[0]
    now = NOW + minutes * MINUTE
    await post.app.parts.managing.update(project, check.code, spec.parse(fields), now)


async def test_a_tag_that_a_check_gets_while_it_is_down_has_its_say(
    tmp_path: Path,
) -> None:
    # What tells when they were sent is the clock.
    sent = "UPDATE notifications SET sent = created WHERE sent NOTNULL"
    async with posting(tmp_path, PLAIN, tag("prod", remind_every='"10m"')) as post:
        check = await post.down("db")
        await post.send(NOW)
        await change(post.app.database, sent)
        assert await post.waiting() == []

        await edit(post, check, 4, tags="prod")
        await post.send(NOW + 4 * MINUTE)
        assert await post.waiting() == [("remind", 10)]
        await post.send(NOW + 10 * MINUTE)
        await change(post.app.database, sent)
        # Other tags that say nothing of it change nothing.
        await edit(post, check, 14, tags="prod web")
        await post.send(NOW + 14 * MINUTE)
        assert await post.waiting() == [("remind", 20)]
        await edit(post, check, 15, tags="web")
        await post.send(NOW + 15 * MINUTE)

        assert await post.waiting() == []
        assert post.mails() == ["DOWN: db", "STILL DOWN: db"]


async def test_tags_of_which_the_file_says_nothing_cost_nothing(tmp_path: Path) -> None:
    """Scripts may change those of thousands of checks, and thousands may wait."""
    async with posting(tmp_path, PLAIN) as post:
        check = await post.down("db")
        await post.send(NOW)
        await edit(post, check, 1, tags="prod")

        async with traced(await writer_of(post.app.database)) as statements:
            await post.send(NOW + MINUTE)

        assert statements == []


async def test_what_is_ready_goes_out_while_nothing_can_be_planned_by_new_tags(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, PLAIN, tag("prod", remind_every='"10m"')) as post:
        check = await post.down("db")
        await post.send(NOW)
        await edit(post, check, 1, tags="prod")
        other = await post.down("web", at=NOW + MINUTE)
        await pragma(post.app.database, "query_only = ON")

        sending = asyncio.create_task(post.send(NOW + MINUTE))
        await post.smtp.wait_for(2)
        sending.cancel()
        await asyncio.wait([sending])
        await pragma(post.app.database, "query_only = OFF")

        assert post.mails() == ["DOWN: db", "DOWN: web"]
        await change(post.app.database, f"DELETE FROM checks WHERE id = {other.id}")
        await post.send(NOW + 2 * MINUTE)
        assert await post.waiting("check_id, hold") == [(check.id, "remind")]


async def test_a_tag_that_is_urgent_lets_go_what_is_held_for_the_night(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, NOON, tag("prod", urgent="true")) as post:
        check, other = await post.down("db"), await post.down("web")
        await post.send(NOW)
        assert post.mails() == []

        await edit(post, check, 1, tags="prod")
        await post.send(NOW + MINUTE)

        assert post.mails() == ["DOWN: db"]
        assert await post.waiting("check_id") == [other.id]


async def test_reminders_of_several_checks_fold(tmp_path: Path) -> None:
    async with posting(
        tmp_path, channel("Mail", fold='"1m"', remind_every='"1h"')
    ) as post:
        for name in "abc":
            await post.down(name)

        await post.send(NOW, NOW + MINUTE, NOW + HOUR + MINUTE)
        await post.send(NOW + HOUR + 2 * MINUTE)

        assert post.mails() == ["3 checks: 3 down", "3 checks: 3 still down"]


# The delay


async def test_outage_is_told_when_the_delay_is_over(tmp_path: Path) -> None:
    async with posting(tmp_path, DELAY) as post:
        await post.down("a")

        await post.send(NOW, NOW + 10 * MINUTE - SECOND)
        assert post.mails() == []
        assert await post.waiting() == [("delay", 10)]

        await post.send(NOW + 10 * MINUTE)
        assert post.mails() == ["DOWN: a"]


async def test_short_outage_is_not_told_at_all(tmp_path: Path) -> None:
    async with posting(tmp_path, DELAY) as post:
        check = await post.down("a")
        await post.send(NOW)

        await post.succeed(check, NOW + 9 * MINUTE)
        await post.send(*(NOW + n * MINUTE for n in (9, 10, 60)))

        assert post.mails() == []
        assert set(await post.answers()) == {
            "not sent: it was down for less than the delay"
        }


async def test_up_follows_an_outage_that_was_told(tmp_path: Path) -> None:
    async with posting(tmp_path, DELAY) as post:
        check = await post.down("a")
        await post.send(NOW, NOW + 10 * MINUTE)

        await post.succeed(check, NOW + 11 * MINUTE)
        await post.send(NOW + 11 * MINUTE)

        assert post.mails() == ["DOWN: a", "UP: a"]


async def test_second_outage_is_told_after_a_delay_of_its_own(tmp_path: Path) -> None:
    async with posting(tmp_path, DELAY) as post:
        check = await post.down("a")
        await post.succeed(check, NOW + 8 * MINUTE)
        await post.fail(check, NOW + 9 * MINUTE)

        await post.send(*(NOW + n * MINUTE for n in (9, 10, 18)))
        assert post.mails() == []

        await post.send(NOW + 19 * MINUTE)
        assert post.mails() == ["DOWN: a"]
        await post.succeed(check, NOW + 20 * MINUTE)
        await post.send(NOW + 20 * MINUTE)
        assert post.mails() == ["DOWN: a", "UP: a"]


@pytest.mark.parametrize(("minutes", "told"), [(9, []), (30, ["DOWN and UP again: a"])])
@pytest.mark.parametrize("waits_for", ["night", "server"])
async def test_outage_longer_than_the_delay_is_told_where_no_up_is_told(
    tmp_path: Path, waits_for: str, minutes: int, told: list[str]
) -> None:
    """It may be over by the end of quiet hours, or when the receiver is there again."""
    hours = quiet("11:00", "13:00") if waits_for == "night" else quiet("01:00", "02:00")
    mail = channel("Mail", events='["down"]', delay='"10m"', quiet_hours=hours)
    async with posting(tmp_path, mail) as post:
        if waits_for == "server":
            post.smtp.refusals.mail = "451 not now"
            await post.down("b", at=NOW - HOUR)
            await post.send(NOW)
        check = await post.down("a")
        # The server is held in between, so that nothing of this check is tried.
        await post.send(NOW, NOW + SECOND)
        await post.succeed(check, NOW + minutes * MINUTE)
        post.smtp.refusals.mail = ""

        await post.send(NOW + 2 * HOUR)

        assert [mail for mail in post.mails() if mail.endswith("a")] == told


@pytest.mark.parametrize("what", ["pause", "delete"])
async def test_outage_that_was_paused_in_the_delay_is_not_told(
    tmp_path: Path, what: str
) -> None:
    async with posting(tmp_path, DELAY) as post:
        check = await post.down("a")
        await post.send(NOW)

        await managed(post, check.id, what, 5)
        await post.send(NOW + 10 * MINUTE, NOW + HOUR)

        assert post.mails() == []
        assert await post.waiting() == []


async def test_check_paused_and_resumed_in_the_delay_is_not_told_of(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, DELAY) as post:
        check = await post.down("a")
        await post.send(NOW)
        await managed(post, check.id, "pause", 5)
        await managed(post, check.id, "resume", 6)
        await post.succeed(check, NOW + 7 * MINUTE)

        await post.send(NOW + 10 * MINUTE)

        assert post.mails() == []
        assert await post.waiting() == []


async def test_delay_goes_on_while_hcl_is_off(tmp_path: Path) -> None:
    async with posting(tmp_path, DELAY) as post:
        await post.down("a")
        await post.send(NOW)

        async with restarted(post):
            await post.send(NOW + 9 * MINUTE)
            assert post.mails() == []
            # Opening had it looked at again, by the clock of today.
            await post.send(NOW + 10 * MINUTE)

            assert post.mails() == ["DOWN: a"]


async def test_reload_without_the_delay_tells_at_once(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", delay='"365d"')) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(PLAIN)
        [(_, minutes)] = await post.waiting()
        await post.send(NOW + (minutes + 1) * MINUTE)

        assert post.mails() == ["DOWN: a"]


async def test_tag_has_no_delay(tmp_path: Path) -> None:
    async with posting(tmp_path, DELAY, tag("prod", delay='"0s"')) as post:
        await post.down("a")
        await post.down("b", tags="prod")

        await post.send(NOW)

        assert post.mails() == ["DOWN: b"]


async def test_webhook_with_a_delay_hears_no_short_outage(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Hook", "webhook", delay='"10m"')) as post:
        check = await post.down("a")
        await post.succeed(check, NOW + MINUTE)
        await post.fail(check, NOW + 2 * MINUTE)
        await post.send(*(NOW + n * MINUTE for n in range(2, 14)))
        await post.succeed(check, NOW + 14 * MINUTE)

        await post.send(NOW + 14 * MINUTE)

        assert post.requests() == ["down a", "up a"]


async def test_reminders_count_from_when_it_was_told(tmp_path: Path) -> None:
    async with posting(
        tmp_path, channel("Mail", delay='"10m"', remind_every='"1h"')
    ) as post:
        await post.down("a")

        await post.send(NOW, NOW + 10 * MINUTE)

        assert await post.waiting() == [("remind", 70)]


# Quiet hours


async def test_what_happens_in_quiet_hours_is_told_after_them(tmp_path: Path) -> None:
    async with posting(tmp_path, NOON) as post:
        flapping = await post.down("a")
        await post.down("b")
        await post.send(NOW)
        await post.succeed(flapping, NOW + 10 * MINUTE)
        await post.send(NOW + 10 * MINUTE, NOW + HOUR - SECOND)
        assert post.mails() == []
        assert await post.waiting() == [("quiet", 60)] * 3

        await post.send(NOW + HOUR)

        assert post.mails() == ["2 checks: 1 down, 1 up"]
        assert await post.waiting() == []


async def test_one_check_is_told_of_in_words_of_its_own(tmp_path: Path) -> None:
    async with posting(tmp_path, NOON) as post:
        check = await post.down("a")
        await post.succeed(check, NOW + MINUTE)

        await post.send(NOW + MINUTE, NOW + HOUR)

        assert post.mails() == ["DOWN and UP again: a"]


async def test_urgent_ones_do_not_wait(tmp_path: Path) -> None:
    async with posting(tmp_path, NOON, tag("prod", urgent="true")) as post:
        await post.down("a")
        await post.down("b", tags="prod")

        await post.send(NOW)

        assert post.mails() == ["DOWN: b"]


async def test_tag_has_quiet_hours_of_its_own(tmp_path: Path) -> None:
    hours = tag("dev", quiet_hours=quiet("13:00", "16:00", "Europe/Riga"))
    async with posting(tmp_path, PLAIN, hours) as post:
        await post.down("a")
        await post.down("b", tags="dev")

        # 12:00 is 15:00 in Riga in summer.
        await post.send(NOW, NOW + HOUR)

        assert post.mails() == ["DOWN: a", "DOWN: b"]


@pytest.mark.parametrize("again", [False, True], ids=["reloaded", "restarted"])
async def test_quiet_hours_that_are_no_more_hold_nothing_back(
    tmp_path: Path, again: bool
) -> None:
    async with posting(tmp_path, NOON) as post:
        await post.down("a")
        await post.down("b")
        await post.send(NOW)
        # Later than any clock may be that the test runs by.
        await change(post.app.database, "UPDATE notifications SET next_try = 9e9")

        if again:
            async with restarted(post, PLAIN):
                [(_, minutes), _] = await post.waiting()
                await post.send(NOW + (minutes + 1) * MINUTE)
        else:
            await post.use(PLAIN)
            [(_, minutes), _] = await post.waiting()
            await post.send(NOW + (minutes + 1) * MINUTE)

        assert post.mails() == ["2 checks: 2 down"]


async def test_quiet_hours_last_over_a_restart(tmp_path: Path) -> None:
    async with posting(tmp_path, NOON) as post:
        await post.down("a")
        await post.send(NOW)

        async with restarted(post):
            await post.send(NOW + MINUTE)
            assert post.mails() == []
            assert await post.waiting() == [("quiet", 60)]

            await post.send(NOW + HOUR)
            assert post.mails() == ["DOWN: a"]


@pytest.mark.parametrize("what", ["pause", "delete", "reassign"])
async def test_what_is_held_outlives_all_but_its_check(
    tmp_path: Path, what: str
) -> None:
    async with posting(tmp_path, NOON, channel("Other")) as post:
        check = await post.down("a")
        await post.send(NOW)

        if what == "reassign":
            await assign(post, check.id, 2)
        else:
            await managed(post, check.id, what)
        await post.send(NOW + HOUR)

        said = {"delete": [], "pause": ["DOWN and paused: a"]}
        assert post.mails() == said.get(what, ["DOWN: a"])
        assert await post.waiting() == []


async def test_summary_leaves_out_a_check_that_was_deleted(tmp_path: Path) -> None:
    async with posting(tmp_path, NOON) as post:
        gone = await post.down("a")
        for name in "bc":
            await post.down(name)
        await post.send(NOW)

        await managed(post, gone.id, "delete")
        await post.send(NOW + HOUR)

        assert post.mails() == ["2 checks: 2 down"]


async def test_message_that_failed_is_not_tried_in_quiet_hours(tmp_path: Path) -> None:
    hours = quiet("12:01", "13:00")
    async with posting(tmp_path, channel("Mail", quiet_hours=hours)) as post:
        post.smtp.refusals.data = "451 not now"
        await post.down("a")
        await post.send(NOW, NOW + PAUSES[0])
        assert await post.waiting("attempts") == [2]
        post.smtp.refusals.data = ""

        await post.send(*(NOW + n * MINUTE for n in range(1, 60)))
        assert post.mails() == []
        assert await post.waiting() == [("quiet", 60)]

        await post.send(NOW + HOUR)
        assert post.mails() == ["DOWN: a"]


async def test_messages_that_wait_behind_others_keep_quiet_hours(
    tmp_path: Path,
) -> None:
    """Of ten, eight are tried at once, and fail; then it is quiet."""
    hours = quiet("12:01", "13:00")
    async with posting(tmp_path, channel("Mail", quiet_hours=hours)) as post:
        post.smtp.refusals.data = "451 not now"
        for n in range(10):
            await post.down(f"{n}")
        await post.send(NOW + 59 * SECOND)
        post.smtp.refusals.data = ""

        await post.send(NOW + 66 * SECOND)
        assert post.mails() == []

        await post.send(NOW + HOUR)
        assert post.mails() == ["10 checks: 10 down"]


# Folding


async def test_flips_within_a_window_are_one_message(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        for n in range(50):
            at = NOW + n * SECOND
            await post.down(f"{n}", at=at)
            await post.send(at)
        assert post.mails() == []

        await post.send(NOW + MINUTE)

        assert post.mails() == ["50 checks: 50 down"]
        assert await post.waiting() == []
        found = await rows(post.app.database, "SELECT count(*) FROM tries")
        assert found == [50]


async def test_window_counts_from_its_first_flip(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        for seconds in (0, 59, 60):
            await post.down(f"{seconds}", at=NOW + seconds * SECOND)
            await post.send(NOW + seconds * SECOND)

        assert post.mails() == ["2 checks: 2 down"]
        assert await post.waiting() == [("fold", 2)]
        await post.send(NOW + 2 * MINUTE)
        assert post.mails()[1:] == ["DOWN: 60"]


async def test_down_and_up_in_a_window_are_told_together(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + SECOND)
        await post.send(NOW + SECOND)

        await post.send(NOW + MINUTE)

        assert post.mails() == ["DOWN and UP again: a"]


async def test_urgent_and_quiet_ones_fold_by_themselves(tmp_path: Path) -> None:
    hours = channel("Mail", fold='"1m"', quiet_hours=quiet("11:00", "13:00"))
    async with posting(tmp_path, hours, tag("prod", urgent="true")) as post:
        for name, tags in (("a", ""), ("b", "prod"), ("c", ""), ("d", "prod")):
            await post.down(name, tags=tags)

        await post.send(NOW, NOW + MINUTE)
        assert post.mails() == ["2 checks: 2 down"]

        await post.send(NOW + HOUR)
        assert post.mails() == ["2 checks: 2 down"] * 2


async def test_window_goes_on_over_a_restart(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        await post.down("a")
        await post.send(NOW)

        async with restarted(post):
            await post.down("b", at=NOW + SECOND)
            await post.send(NOW + SECOND)
            assert post.mails() == []
            await post.send(NOW + MINUTE)

            assert post.mails() == ["2 checks: 2 down"]


async def test_webhook_that_folds_gets_one_request(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Hook", "webhook", fold='"1m"')) as post:
        for name in "ab":
            await post.down(name)

        await post.send(NOW, NOW + MINUTE)

        assert post.requests() == ["down 2%20checks%3A%20a%2C%20b"]


async def test_more_checks_than_a_summary_holds_are_told_in_several(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, FOLD) as post:
        for n in range(130):
            await post.down(f"{n}")

        await post.send(NOW, NOW + MINUTE)

        assert sorted(post.mails()) == ["100 checks: 100 down", "30 checks: 30 down"]
        assert await post.waiting() == []


async def test_summary_that_fails_is_sent_again_with_what_is_new_of_its_checks(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, FOLD) as post:
        post.smtp.refusals.data = "451 not now"
        one, _ = [await post.down(name) for name in "ab"]
        await post.send(NOW, NOW + MINUTE)
        await post.succeed(one, NOW + MINUTE + SECOND)
        post.smtp.refusals.data = ""

        await post.send(*(NOW + MINUTE + n * SECOND for n in (1, 5, 6)))

        assert post.mails() == ["2 checks: 1 down, 1 up"]
        assert await post.waiting() == []


# The flips of one check that could not be delivered


async def test_people_get_one_message_of_flips_that_could_not_be_delivered(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, PLAIN, channel("Hook", "webhook")) as post:
        post.smtp.refusals.data = "451 not now"
        post.http.status = 500
        check = await post.down("a", 1, 2)
        await post.send(NOW)
        await post.succeed(check, NOW + SECOND)
        post.smtp.refusals.data = ""
        post.http.status = 200
        post.clear()

        await post.send(*(NOW + n * SECOND for n in range(5, 9)))

        assert post.mails() == ["DOWN and UP again: a"]
        assert post.requests() == ["down a", "up a"]
        assert await post.waiting() == []


async def test_check_behind_others_that_comes_back_is_told_of_once(
    tmp_path: Path,
) -> None:
    """Of ten, eight are tried at once, and fail; then the last comes back."""
    async with posting(tmp_path, PLAIN) as post:
        post.smtp.refusals.data = "451 not now"
        every = [await post.down(f"{n}") for n in range(10)]
        await post.send(NOW)
        assert await post.waiting("attempts") == [1] * 8 + [0] * 2
        post.smtp.refusals.data = ""

        await post.succeed(every[-1], NOW + SECOND)
        await post.send(NOW + 5 * SECOND, NOW + 6 * SECOND)

        about = [subject for subject in post.mails() if subject.endswith(": 9")]
        assert about == ["DOWN and UP again: 9"]


async def test_reminder_behind_others_is_not_sent_once_it_is_over(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOURLY) as post:
        every = [await post.down(f"{n}") for n in range(10)]
        await post.send(NOW)
        post.smtp.refusals.data = "451 not now"
        await post.send(NOW + HOUR)
        post.smtp.refusals.data = ""
        post.clear()

        await post.succeed(every[-1], NOW + HOUR + SECOND)
        await post.send(*(NOW + HOUR + n * SECOND for n in (5, 6)))

        about = [subject for subject in post.mails() if subject.endswith(": 9")]
        assert about == ["UP: 9"]


async def test_many_flips_are_told_in_one_message(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        post.smtp.refusals.data = "451 not now"
        check = await post.down("a")
        await post.send(NOW)
        for n in range(1, 6):
            flip = post.fail if n % 2 == 0 else post.succeed
            await flip(check, NOW + n * SECOND)
        post.smtp.refusals.data = ""

        await post.send(NOW + 6 * SECOND)

        assert post.mails() == ["UP after 6 changes: a"]


# The loop


CALM = (
    channel("Late", delay='"1h"', remind_every='"1h"'),
    channel("Night", quiet_hours=quiet("00:01", "00:00")),
    channel("Fold", fold='"1h"'),
    channel("Group", "group", channels='["Late", "Fold"]', delay='"1h"'),
    channel("Hook", "webhook", remind_every='"1h"'),
    channel("Mail"),
)


async def test_loop_does_not_spin_while_messages_are_held_or_fail(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, *CALM) as post:
        post.smtp.refusals.data = "451 not now"
        loop = asyncio.create_task(post.app.sender.run())
        every = [
            await put_check(post.app.database, *range(1, 7), status="up", name=f"{n}")
            for n in range(10)
        ]
        for check in every:
            await post.fail(check, NOW)
        # All webhooks, and what begins meanwhile.
        await post.http.wait_for(10)
        async with asyncio.timeout(ENDS):
            while await _statements_in(post, 0.2) >= 20:
                pass

        assert await _statements_in(post, 0.4) < 20
        loop.cancel()
        await asyncio.wait([loop])


async def _statements_in(post: Post, seconds: float) -> int:
    async with traced(post.app.database.committed) as statements:
        await asyncio.sleep(seconds)
    return len(statements)
