"""Checks that are muted: who is told when, from the flip to the receiver."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.model import Check
from tests.alerts.sending import (
    Post,
    channel,
    group,
    posting,
    quiet,
    restarted,
)
from tests.build import DAY, HOUR, NOW
from tests.store import put_check, rows

MINUTE = timedelta(minutes=1)
PLAIN = channel("Mail")
HOURLY = channel("Mail", remind_every='"1h"')
HOOK = channel("Hook", "webhook")
END = NOW + HOUR


async def mute(
    post: Post, check: Check, at: float = 0, length: timedelta = HOUR
) -> None:
    """Mute a check so many minutes after NOW."""
    managing, [project] = post.app.parts.managing, post.app.synced.projects
    await managing.mute(project, check.code, length, NOW + at * MINUTE)


async def up(post: Post, name: str = "a", *channel_ids: int, **values: Any) -> Check:
    stored = {"name": name, "status": "up"} | values
    return await put_check(post.app.database, *(channel_ids or (1,)), **stored)


async def test_outage_that_began_muted_is_told_at_the_end(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await up(post)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)

        await post.send(NOW + MINUTE, NOW + 59 * MINUTE)
        assert post.mails() == []
        assert await post.waiting() == [("mute", 60)]

        await post.send(END)
        assert post.mails() == ["DOWN: a"]
        await post.succeed(check, END + MINUTE)
        await post.send(END + MINUTE)
        assert post.mails() == ["DOWN: a", "UP: a"]


@pytest.mark.parametrize("hook", [False, True])
async def test_outage_that_was_over_before_the_end_is_not_told(
    tmp_path: Path, hook: bool
) -> None:
    async with posting(tmp_path, HOOK if hook else PLAIN) as post:
        check = await up(post)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)
        await post.succeed(check, NOW + 2 * MINUTE)

        await post.send(NOW + 2 * MINUTE, END, END + DAY)

        assert post.mails() == post.requests() == []
        assert await post.waiting() == []
        assert set(await post.answers()) == {
            "not sent: the check was muted, and this is over"
        }


async def test_end_of_an_outage_that_was_told_before_is_told_at_the_end(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await post.down("a")
        await post.send(NOW)
        await mute(post, check)
        await post.succeed(check, NOW + MINUTE)

        await post.send(NOW + MINUTE)
        assert post.mails() == ["DOWN: a"]
        await post.send(END)
        assert post.mails() == ["DOWN: a", "UP: a"]


async def test_who_was_told_before_is_told_at_the_end_that_it_is_still_down(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, PLAIN, HOOK) as post:
        check = await post.down("a", 1, 2)
        await post.send(NOW)
        await mute(post, check, 1, HOUR - MINUTE)

        await post.send(NOW + 59 * MINUTE)
        assert post.mails() == ["DOWN: a"]
        await post.send(END, END + DAY)

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
        # A lamp is red already.
        assert post.requests() == ["down a"]
        assert await post.waiting() == []


async def test_down_again_is_told_with_what_was_before(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await post.down("a")
        await post.send(NOW)
        await mute(post, check)
        await post.succeed(check, NOW + MINUTE)
        await post.fail(check, NOW + 2 * MINUTE)

        await post.send(NOW + 2 * MINUTE, END)

        assert post.mails() == ["DOWN: a", "UP and DOWN again: a"]


async def test_message_that_waits_when_a_check_is_muted_waits_on(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await post.down("a")
        await mute(post, check)
        other = await post.down("b")

        await post.send(NOW)
        assert post.mails() == ["DOWN: b"]
        await post.send(END)
        assert post.mails() == ["DOWN: b", "DOWN: a"]
        assert other.id != check.id


async def test_reminders_stop_and_go_on(tmp_path: Path) -> None:
    async with posting(tmp_path, HOURLY) as post:
        check = await post.down("a")
        await post.send(NOW)
        await mute(post, check, 30, 2 * HOUR)

        await post.send(*(NOW + n * HOUR / 2 for n in range(5)))
        assert post.mails() == ["DOWN: a"]
        await post.send(NOW + 2.5 * HOUR)
        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
        await post.send(NOW + 3.5 * HOUR)
        assert post.mails() == ["DOWN: a", "STILL DOWN: a", "STILL DOWN: a"]


async def test_mute_that_is_ended_tells_at_once(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await up(post)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        await mute(post, check, 2, timedelta(0))
        await post.send(NOW + 2 * MINUTE)

        assert post.mails() == ["DOWN: a"]


@pytest.mark.parametrize(
    ("length", "told"), [(10 * MINUTE, NOW + 12 * MINUTE), (DAY, NOW + DAY)]
)
async def test_another_mute_takes_the_place_of_the_first(
    tmp_path: Path, length: timedelta, told: Any
) -> None:
    async with posting(tmp_path, HOURLY) as post:
        check = await up(post)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)
        at = 2 if length < HOUR else 0

        await mute(post, check, at, length)

        await post.send(told - MINUTE)
        assert post.mails() == []
        await post.send(told)
        assert post.mails() == ["DOWN: a"]


@pytest.mark.parametrize("sooner", [timedelta(0), MINUTE])
async def test_what_comes_sooner_than_was_said_is_of_then(
    tmp_path: Path, sooner: timedelta
) -> None:
    """It is not dated in the future, nor tried for a year if its channel fails."""
    async with posting(tmp_path, PLAIN) as post:
        check = await post.down("a")
        await post.send(NOW)
        await mute(post, check, 1, 365 * DAY)

        await mute(post, check, 2, sooner)

        [(made, ran)] = await rows(
            post.app.database,
            "SELECT max(created), max(ran) - (SELECT max(ran) FROM life)"
            " FROM notifications",
        )
        assert made == (NOW + 2 * MINUTE + sooner).timestamp()
        assert ran == pytest.approx(sooner.total_seconds())


async def test_delay_counts_at_the_end(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", delay='"10m"')) as post:
        long, short = await up(post, "long"), await up(post, "short")
        await mute(post, long)
        await mute(post, short)
        await post.fail(long, NOW + MINUTE)
        await post.fail(short, NOW + 59 * MINUTE)

        await post.send(NOW + 59 * MINUTE, END)
        assert post.mails() == ["DOWN: long"]
        assert await post.waiting() == [("delay", 69)]
        await post.send(NOW + 69 * MINUTE)
        assert post.mails() == ["DOWN: long", "DOWN: short"]


async def test_quiet_hours_count_at_the_end(tmp_path: Path) -> None:
    mail = channel("Mail", quiet_hours=quiet("12:30", "14:00"))
    async with posting(tmp_path, mail) as post:
        check = await up(post)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)

        await post.send(NOW + MINUTE, END)
        assert post.mails() == []
        assert await post.waiting() == [("quiet", 120)]
        await post.send(NOW + 2 * HOUR)
        assert post.mails() == ["DOWN: a"]


@pytest.mark.parametrize("is_ended", [False, True])
async def test_outage_that_was_over_before_the_mute_waits_for_the_end_of_quiet_hours(
    tmp_path: Path, is_ended: bool
) -> None:
    mail = channel("Mail", quiet_hours=quiet("11:00", "12:30"))
    async with posting(tmp_path, mail) as post:
        check = await post.down("a")
        await post.succeed(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        await mute(post, check, 2, HOUR - 2 * MINUTE)
        # Of this one nobody need hear.
        await post.fail(check, NOW + 3 * MINUTE)
        await post.succeed(check, NOW + 4 * MINUTE)
        await post.send(NOW + 4 * MINUTE)
        if is_ended:
            await mute(post, check, 5, timedelta(0))
        await post.send(*(NOW + n * MINUTE for n in (5, 29, 30, 59)))
        assert len(post.mails()) == is_ended

        await post.send(END)
        assert post.mails() == ["DOWN and UP again: a"]
        assert await post.waiting() == []


async def test_fold_gathers_at_the_end_and_leaves_the_muted_out(tmp_path: Path) -> None:
    async with posting(tmp_path, channel("Mail", fold='"1m"')) as post:
        one, two = await up(post, "one"), await up(post, "two")
        other = await up(post, "other")
        await post.fail(other, NOW)
        await post.fail(one, NOW)
        await post.send(NOW)
        await mute(post, one)
        await mute(post, two)
        await post.fail(two, NOW + MINUTE)

        await post.send(NOW + MINUTE)
        assert post.mails() == ["DOWN: other"]
        await post.send(END, END + MINUTE)
        assert post.mails() == ["DOWN: other", "2 checks: 2 down (one and two)"]


async def test_group_tells_at_the_end_through_its_channels(tmp_path: Path) -> None:
    async with posting(tmp_path, group("Mail", "Hook"), PLAIN, HOOK) as post:
        check, told = await up(post, "a"), await post.down("b")
        await post.send(NOW)
        for muted in (check, told):
            await mute(post, muted)
        await post.fail(check, NOW + MINUTE)
        post.clear()

        await post.send(NOW + MINUTE, NOW + 59 * MINUTE)
        assert post.mails() == post.requests() == []
        await post.send(END)
        assert sorted(post.mails()) == ["DOWN: a", "STILL DOWN: b"]
        # A lamp is red already.
        assert post.requests() == ["down a"]
        assert await post.waiting() == []


@pytest.mark.parametrize("group_is_quiet", [False, True])
async def test_of_a_group_nobody_hears_the_end_who_did_not_hear_the_begin(
    tmp_path: Path, group_is_quiet: bool
) -> None:
    """The group had passed on that it is down; the end comes to it in the mute."""
    hours = {"quiet_hours": quiet("12:30", "13:30")} if group_is_quiet else {}
    other = channel("Other", delay='"10m"')
    async with posting(tmp_path, group("Mail", "Other", **hours), PLAIN, other) as post:
        check = await post.down("a")
        await post.send(NOW)
        await mute(post, check)
        await post.succeed(check, NOW + 40 * MINUTE)

        await post.send(NOW + 40 * MINUTE, END, END + HOUR)

        assert post.mails() == ["DOWN: a", "UP: a"]
        assert post.mails("Other") == []
        assert await post.waiting() == []


async def test_fallback_steps_in_at_the_end_and_not_before(tmp_path: Path) -> None:
    hook = channel("Hook", "webhook", fallback='"Mail"')
    async with posting(tmp_path, hook, PLAIN) as post:
        post.http.status = 410
        check, other = await post.down("a"), await up(post, "b")
        await post.send(NOW)
        assert post.mails() == ["DOWN: a"]
        await mute(post, check)
        await mute(post, other)
        await post.fail(other, NOW + MINUTE)
        await post.succeed(check, NOW + MINUTE)

        await post.send(NOW + MINUTE, NOW + 59 * MINUTE)
        assert post.mails() == ["DOWN: a"]
        await post.send(END)

        assert post.mails() == ["DOWN: a", "DOWN: b"]


async def test_end_is_told_by_who_was_told_though_it_waits_for_another_too(
    tmp_path: Path,
) -> None:
    """What the other could not deliver came at night, and then the check was muted."""
    hook = channel("Hook", "webhook", fallback='"Mail"')
    mail = channel("Mail", quiet_hours=quiet("12:01", "12:30"))
    async with posting(tmp_path, hook, mail) as post:
        post.http.status = 500
        check = await post.down("a", 1, 2)
        await post.send(*(NOW + n * MINUTE for n in (0.5, 0.7, 1.5)))
        assert post.mails() == ["DOWN: a"]
        assert ("quiet", 30) in await post.waiting()
        await mute(post, check, 2, HOUR - 2 * MINUTE)
        await post.succeed(check, NOW + 3 * MINUTE)
        post.http.status = 200

        await post.send(NOW + 3 * MINUTE, NOW + 40 * MINUTE, END)

        assert post.mails() == ["DOWN: a", "UP: a"]


@pytest.mark.parametrize("tries", [1, 2])
async def test_what_failed_before_the_mute_goes_on_at_the_end(
    tmp_path: Path, tries: int
) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 500
        check = await post.down("a")
        await post.send(*(NOW, NOW + MINUTE)[:tries])
        await mute(post, check, 1)
        await post.succeed(check, NOW + 2 * MINUTE)
        post.http.status = 200
        post.clear()

        await post.send(NOW + 2 * MINUTE)
        assert post.requests() == []
        await post.send(END + MINUTE)
        # It may have heard that it is down.
        assert post.requests() == ["down a", "up a"]


async def test_what_fails_at_the_end_is_tried_again(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK) as post:
        post.http.status = 500
        told = await post.down("a")
        await post.send(NOW)
        await mute(post, told)
        await post.succeed(told, NOW + MINUTE)
        check = await up(post, "b")
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)
        post.clear()

        await post.send(END, END + MINUTE)
        post.http.status = 200
        post.clear()
        await post.send(END + 10 * MINUTE, END + 20 * MINUTE)

        assert sorted(post.requests()) == ["down a", "down b", "up a"]
        assert await post.waiting() == []


async def test_restart_keeps_a_mute_and_what_waits_for_its_end(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        told, check = await post.down("told"), await up(post, "new")
        await post.send(NOW)
        await mute(post, told)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        async with restarted(post):
            await post.send(NOW + 2 * MINUTE)
            assert post.mails() == ["DOWN: told"]
            await post.send(END)
            assert sorted(post.mails()[1:]) == ["DOWN: new", "STILL DOWN: told"]


async def test_paused_while_muted_is_not_told(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await up(post)
        await mute(post, check)
        await post.fail(check, NOW + MINUTE)
        [project] = post.app.synced.projects
        await post.app.parts.managing.pause(project, check.code, NOW + 2 * MINUTE)

        await post.send(NOW + 2 * MINUTE, END)

        assert post.mails() == []
        assert await post.waiting() == []


async def test_check_that_flaps_leaves_no_backlog(tmp_path: Path) -> None:
    hook = channel("Hook", "webhook")
    async with posting(tmp_path, channel("Mail"), hook) as post:
        check = await post.down("a", 1, 2)
        await post.send(NOW)
        await mute(post, check, 0, 30 * DAY)
        for n in range(1, 11):
            await post.succeed(check, NOW + (2 * n) * MINUTE)
            await post.send(NOW + (2 * n) * MINUTE)
            await post.fail(check, NOW + (2 * n + 1) * MINUTE)
            await post.send(NOW + (2 * n + 1) * MINUTE)

        # That the first lasts or its end, since people know of it, and the begin of the
        # last.
        waits = await post.waiting("channel_id, flip_id")
        assert sorted(waits) == [(1, 1), (1, 2), (1, 21), (2, 2), (2, 21)]

        post.clear()
        await post.send(NOW + 30 * DAY)
        assert post.mails() == ["UP and DOWN again: a"]
        assert post.requests() == ["up a", "down a"]


async def test_mute_of_months_gives_nothing_up(tmp_path: Path) -> None:
    async with posting(tmp_path, PLAIN) as post:
        check = await up(post)
        await mute(post, check, length=60 * DAY)
        await post.fail(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        [(ran, wait)] = await rows(
            post.app.database, "SELECT ran, next_try - created FROM notifications"
        )
        assert ran >= wait - 1 > 59 * DAY.total_seconds()
