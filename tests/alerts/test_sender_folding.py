"""Flips that are told together, from each of them to the receiver."""

import asyncio
from pathlib import Path

from tests.alerts.calm import (
    FOLD,
    HOURLY,
    MINUTE,
    PLAIN,
    SECOND,
)
from tests.alerts.sending import (
    Post,
    channel,
    posting,
    quiet,
    quiet_now,
    restarted,
    tag,
)
from tests.build import HOUR, NOW
from tests.patience import ENDS
from tests.store import put_check, rows, traced


async def test_flips_within_a_window_are_one_message(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        for n in range(50):
            at = NOW + n * SECOND
            await post.down(f"{n}", at=at)
            await post.send(at)
        assert post.mails() == []

        await post.send(NOW + MINUTE)

        assert post.mails() == ["50 checks: 50 down (0, 1, 2 and 47 more)"]
        assert await post.waiting() == []
        found = await rows(post.app.database, "SELECT count(*) FROM tries")
        assert found == [50]


async def test_window_counts_from_its_first_flip(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        for seconds in (0, 59, 60):
            await post.down(f"{seconds}", at=NOW + seconds * SECOND)
            await post.send(NOW + seconds * SECOND)

        assert post.mails() == ["2 checks: 2 down (0 and 59)"]
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
        assert post.mails() == ["2 checks: 2 down (b and d)"]

        await post.send(NOW + HOUR)
        assert post.mails() == [
            "2 checks: 2 down (b and d)",
            "2 checks: 2 down (a and c)",
        ]


async def test_window_goes_on_over_a_restart(tmp_path: Path) -> None:
    async with posting(tmp_path, FOLD) as post:
        await post.down("a")
        await post.send(NOW)

        async with restarted(post):
            await post.down("b", at=NOW + SECOND)
            await post.send(NOW + SECOND)
            assert post.mails() == []
            await post.send(NOW + MINUTE)

            assert post.mails() == ["2 checks: 2 down (a and b)"]


async def test_reload_with_a_shorter_window_keeps_the_order_of_flips(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, channel("Mail", fold='"1h"')) as post:
        now = post.app.clock.now()
        check = await post.down("a", at=now)
        await post.send(now)

        await post.use(FOLD)
        for at in (now + SECOND, now + 2 * MINUTE):
            await post.succeed(check, at)
            await post.send(at)

        assert post.mails() == ["DOWN and UP again: a"]
        assert await post.waiting() == []


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

        assert sorted(post.mails()) == [
            "100 checks: 100 down (0, 1, 2 and 97 more)",
            "30 checks: 30 down (100, 101, 102 and 27 more)",
        ]
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

        assert post.mails() == ["2 checks: 1 down, 1 up (b and a)"]
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
    channel("Night", quiet_hours=quiet_now()),
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
