"""Quiet hours, from the flip to the receiver."""

from pathlib import Path

import pytest

from hcl.alerts.lines import PAUSES
from tests.alerts.calm import MINUTE, NOON, PLAIN, SECOND, assign, managed
from tests.alerts.sending import channel, posting, quiet, restarted, tag
from tests.build import HOUR, NOW
from tests.store import change


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

        assert post.mails() == ["2 checks: 1 down, 1 up (b and a)"]
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

        assert post.mails() == ["2 checks: 2 down (a and b)"]


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

        assert post.mails() == ["2 checks: 2 down (b and c)"]


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
        assert post.mails() == ["10 checks: 10 down (0, 1, 2 and 7 more)"]
