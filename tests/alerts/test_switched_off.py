"""Channels that are switched off in the file while they have something to send."""

import asyncio
from pathlib import Path

import pytest

from tests import toml
from tests.alerts.sending import channel, group, posting, quiet, restarted
from tests.build import DAY, HOUR, NOW
from tests.patience import ENDS
from tests.sinks import HttpSink
from tests.store import change, put_check, rows

OFF = {"enabled": "false"}
GIVEN_UP = "the channel was switched off"
DEAD = "http://127.0.0.1:9/"


async def test_what_it_held_is_given_up(tmp_path: Path) -> None:
    hours = {"quiet_hours": quiet("11:00", "18:00")}
    kept = channel("Kept", **hours)
    async with posting(tmp_path, channel("Mail", **hours), kept) as post:
        await post.down("a", 1, 2)
        await post.send(NOW)

        await post.use(channel("Mail", **hours, **OFF), kept)
        await post.send(NOW + 6 * HOUR)
        await post.use(channel("Mail", **hours), kept)
        await post.send(NOW + 7 * HOUR)

        assert (post.mails(), post.mails("Kept")) == ([], ["DOWN: a"])
        assert GIVEN_UP in await post.answers()


@pytest.mark.parametrize("keys", [OFF, {"events": '["up", "server"]'}], ids=str)
async def test_it_reminds_no_more(tmp_path: Path, keys: dict[str, str]) -> None:
    hourly = {"remind_every": '"1h"'}
    async with posting(tmp_path, channel("Mail", **hourly)) as post:
        await post.down("a")
        await post.send(NOW)
        assert await post.waiting() == [("remind", 60)]

        await post.use(channel("Mail", **hourly, **keys))
        assert await post.waiting() == []

        async with restarted(post, channel("Mail", **hourly, **keys)) as again:
            assert await again.waiting() == []


async def test_a_group_that_is_reminds_no_more_and_its_channels_do(
    tmp_path: Path,
) -> None:
    mails = channel("Mail"), channel("Own", remind_every='"2h"')
    hourly = group("Mail", remind_every='"1h"')
    async with posting(tmp_path, *mails, hourly) as post:
        await post.down("a", 2, 3)
        await post.send(NOW)
        assert sorted(await post.waiting()) == [("remind", 60), ("remind", 120)]

        await post.use(*mails, group("Mail", remind_every='"1h"', **OFF))
        assert len(await post.waiting()) == 1


async def test_it_does_not_fail_any_more(tmp_path: Path) -> None:
    hook = toml.webhook("Hook", down=DEAD)
    async with posting(tmp_path, hook) as post:
        await post.down("a")
        await post.send(*(NOW + n * HOUR for n in range(3)))
        failing = "SELECT failing_since IS NULL, failures FROM channels"
        assert await rows(post.app.database, failing) == [(0, 3)]

        await post.use(toml.webhook("Hook", down=DEAD, enabled=toml.Raw("false")))

        assert await rows(post.app.database, failing) == [(1, 0)]
        assert await post.waiting() == []


async def test_a_fallback_that_was_tells_what_still_waits_once_it_is_on(
    tmp_path: Path,
) -> None:
    hook = toml.webhook("Hook", down=DEAD, fallback="Mail")
    async with posting(tmp_path, hook, channel("Mail", **OFF)) as post:
        await post.down("a", 1)
        await post.send(*(NOW + n * HOUR for n in range(3)))
        assert post.mails() == []

        await post.use(hook, channel("Mail"))
        # A reload gives the channel three tries of its own again.
        await change(post.app.database, "UPDATE notifications SET next_try = 0")
        await post.send(NOW + 9 * HOUR)
        await post.send(NOW + 9 * HOUR)
        assert post.mails() == ["DOWN: a"]


async def test_a_report_does_not_go_over_it(tmp_path: Path) -> None:
    report = '[[projects.reports]]\nevery = "day"\nat = "12:00"\n'
    report += 'channels = ["Mail", "Own"]\n'
    parts = channel("Mail"), channel("Own", **OFF), report
    async with posting(tmp_path, *parts) as post:
        reporter = post.app.assembly.reporter
        await reporter.send_once(NOW - HOUR)
        await reporter.send_once(NOW)
        await post.send(NOW)

        assert len(post.mails()) == 1
        assert post.mails("Own") == []


async def test_a_reminder_of_one_that_is_taken_out_while_it_sends_waits_for_nothing(
    tmp_path: Path,
) -> None:
    async with HttpSink(delay=0.3) as sink:
        hook = toml.webhook("Hook", down=sink.url, remind_every=toml.Raw('"1h"'))
        async with posting(tmp_path, hook, channel("Mail")) as post:
            await post.down("a", 1)
            sending = asyncio.create_task(post.send(NOW))
            await sink.wait_for(1)

            await post.use(channel("Mail"))
            async with asyncio.timeout(ENDS):
                await sending

            assert await post.waiting() == []


async def test_it_does_not_say_that_a_check_is_late_no_more(tmp_path: Path) -> None:
    late = {"events": '["late", "down", "up"]'}
    async with posting(tmp_path, channel("Mail", **late)) as post:
        check = await put_check(post.app.database, 1, name="a", status="up")
        await post.succeed(check, NOW - DAY)
        await post.app.checker.check_once(NOW)
        await post.send(NOW)
        assert post.mails() == ["LATE: a"]

        await post.use(channel("Mail", **late, **OFF))
        await post.succeed(check, NOW + HOUR / 2)
        await post.send(NOW + HOUR / 2)

        assert post.mails() == ["LATE: a"]


@pytest.mark.parametrize("keys", [OFF, {"events": '["up", "server"]'}], ids=str)
async def test_at_the_end_of_a_mute_it_does_not_say_what_is_down_still(
    tmp_path: Path, keys: dict[str, str]
) -> None:
    async with posting(tmp_path, channel("Mail")) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.use(channel("Mail", **keys))
        [project] = post.app.synced.projects
        await post.app.parts.managing.mute(project, check.code, 4 * HOUR, NOW + HOUR)
        await post.send(NOW + 5 * HOUR)

        assert post.mails() == ["DOWN: a"]
