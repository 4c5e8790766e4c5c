"""Delays of a channel, from the flip to the receiver."""

from pathlib import Path

import pytest

from tests.alerts.calm import DELAY, MINUTE, PLAIN, SECOND, managed
from tests.alerts.sending import channel, posting, quiet, restarted, tag
from tests.build import HOUR, NOW


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
