"""Groups: what comes to one is told by its channels."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from hcl import store
from hcl.alerts.groups import leading_to
from hcl.alerts.lines import Lines
from hcl.db import UnwritableError
from tests.alerts.sending import Post, channel, group, posting, quiet, restarted, tag
from tests.build import HOUR, NOW
from tests.store import rows, writer_of

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MAIL, HOOK = channel("Mail"), channel("Hook", "webhook")


async def failing(post: Post) -> list[int]:
    return await rows(
        post.app.database, "SELECT id FROM channels WHERE failing_since NOTNULL"
    )


async def test_group_has_its_channels_tell(tmp_path: Path) -> None:
    async with posting(tmp_path, group("Mail", "Hook"), MAIL, HOOK) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        assert post.mails() == ["DOWN: a", "UP: a"]
        assert post.requests() == ["down a", "up a"]
        assert (await post.answers()).count("handed to 2 of its 2 channels") == 2
        assert await post.waiting() == []


async def test_channel_that_is_reached_twice_tells_once(tmp_path: Path) -> None:
    other = channel("Both", "group", channels='["Mail", "Hook"]')
    async with posting(tmp_path, group("Mail"), MAIL, HOOK, other) as post:
        await post.down("a", 1, 2, 4)

        await post.send(NOW, NOW + MINUTE)

        assert post.mails() == ["DOWN: a"]
        assert post.requests() == ["down a"]
        reason = "have it already, or do not tell of this"
        told = {answer for answer in await post.answers() if "hand" in answer}
        assert told == {
            f"nothing to hand on: its channels {reason}",
            f"handed to 1 of its 2 channels; the others {reason}",
        }


async def test_channels_whose_messages_may_come_to_one_are_known(
    tmp_path: Path,
) -> None:
    last, first = channel("Last"), channel("First", fallback='"All"')
    parts = channel("Mail"), last, group("Mail", "Last"), first, channel("Other")
    async with posting(tmp_path, *parts) as post:
        lines = Lines()
        await lines.use(post.app.config, post.app.synced.channels)

        assert [sorted(leading_to(line, lines)) for line in lines] == [
            [1, 3, 4],
            [2, 3, 4],
            [3, 4],
            [4],
            [5],
        ]


async def test_flip_that_a_group_does_not_want_is_not_told(tmp_path: Path) -> None:
    async with posting(tmp_path, group("Mail", events='["down"]'), MAIL) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        assert post.mails() == ["DOWN: a"]


async def test_flip_that_a_member_does_not_want_is_not_told_by_it(
    tmp_path: Path,
) -> None:
    members = MAIL, channel("Hook", "webhook", events='["up"]')
    async with posting(tmp_path, group("Mail", "Hook"), *members) as post:
        check = await post.down("a")
        await post.send(NOW)
        await post.succeed(check, NOW + MINUTE)
        await post.send(NOW + MINUTE)

        assert post.mails() == ["DOWN: a", "UP: a"]
        assert post.requests() == ["up a"]


async def test_group_has_a_delay_of_its_own(tmp_path: Path) -> None:
    async with posting(tmp_path, group("Mail", delay='"10m"'), MAIL, HOOK) as post:
        short = await post.down("a", 1, 3)
        await post.down("b", 1)
        await post.send(NOW)
        await post.succeed(short, NOW + MINUTE)

        await post.send(*(NOW + n * MINUTE for n in (1, 9, 10, 11)))

        assert post.mails() == ["DOWN: b"]
        assert post.requests() == ["down a", "up a"]


async def test_group_and_member_have_quiet_hours(tmp_path: Path) -> None:
    parts = (
        group("Mail", "Hook", quiet_hours=quiet("11:00", "13:00")),
        channel("Mail", quiet_hours=quiet("12:30", "14:00")),
        HOOK,
    )
    async with posting(tmp_path, *parts) as post:
        for name in "ab":
            await post.down(name)

        await post.send(NOW)
        assert (post.mails(), post.requests()) == ([], [])

        await post.send(NOW + HOUR)
        assert post.mails() == []
        assert [unquote(request) for request in post.requests()] == [
            "down 2 checks: a, b"
        ]

        await post.send(NOW + 2 * HOUR)
        assert post.mails() == ["2 checks: 2 down (a and b)"]


async def test_members_fold(tmp_path: Path) -> None:
    parts = group("Mail", "Hook"), channel("Mail", fold='"1m"'), HOOK
    async with posting(tmp_path, *parts) as post:
        for name in "abc":
            await post.down(name)

        await post.send(NOW, NOW + MINUTE)

        assert post.mails() == ["3 checks: 3 down (a, b and c)"]
        assert len(post.requests()) == 3


async def test_group_reminds(tmp_path: Path) -> None:
    async with posting(
        tmp_path, group("Mail", "Hook", remind_every='"1h"'), MAIL, HOOK
    ) as post:
        check = await post.down("a")

        await post.send(NOW, NOW + HOUR, NOW + 2 * HOUR)
        assert post.mails() == ["DOWN: a", "STILL DOWN: a", "STILL DOWN: a"]
        assert post.requests() == ["down a"] * 3

        await post.succeed(check, NOW + 2 * HOUR)
        await post.send(NOW + 3 * HOUR)
        assert post.mails()[3:] == ["UP: a"]
        assert await post.waiting() == []


async def test_member_reminds_of_what_came_by_its_group(tmp_path: Path) -> None:
    mail = channel("Mail", remind_every='"1h"')
    async with posting(tmp_path, group("Mail"), mail, HOOK) as post:
        check = await post.down("a")
        await post.send(NOW, NOW + HOUR)
        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]

        async with post.app.database.transaction() as conn:
            await store.channels.assign(conn, check.id, [3])
        await post.send(NOW + 2 * HOUR)

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]


async def test_group_that_reminds_more_often_than_its_member_is_heard(
    tmp_path: Path,
) -> None:
    parts = (
        group("Mail", "Hook", remind_every='"10m"'),
        channel("Mail", remind_every='"1h"'),
        HOOK,
    )
    async with posting(tmp_path, *parts) as post:
        await post.down("a")

        await post.send(*(NOW + n * 10 * MINUTE for n in range(6)))

        assert post.requests() == ["down a"] * 6
        assert post.mails() == ["DOWN: a"] + ["STILL DOWN: a"] * 5


@pytest.mark.parametrize("every", ["1h", "2h"])
async def test_member_that_reminds_too_does_so_once(tmp_path: Path, every: str) -> None:
    parts = (
        group("Mail", "Hook", remind_every='"1h"'),
        channel("Mail", remind_every=f'"{every}"'),
        channel("Hook", "webhook", remind_every=f'"{every}"'),
    )
    async with posting(tmp_path, *parts) as post:
        await post.down("a")
        # It takes a moment until they are sent.
        moments = [NOW + n * HOUR + s * SECOND for n in range(5) for s in (0, 5)]

        await post.send(*moments)

        assert post.mails() == ["DOWN: a"] + ["STILL DOWN: a"] * 4
        assert post.requests() == ["down a"] * 5


async def test_check_that_has_a_group_and_its_channel_reminds_once(
    tmp_path: Path,
) -> None:
    parts = group("Mail", "Hook"), MAIL, HOOK, tag("nag", remind_every='"1h"')
    async with posting(tmp_path, *parts) as post:
        await post.down("a", 1, 2, 3, tags="nag")

        await post.send(*(NOW + n * HOUR + MINUTE * bool(n) for n in range(4)))

        assert post.mails() == ["DOWN: a"] + ["STILL DOWN: a"] * 3
        assert post.requests() == ["down a"] * 4


async def test_fallback_of_a_member_is_reminded_as_often_as_the_group(
    tmp_path: Path,
) -> None:
    hook = channel("Hook", "webhook", fallback='"Mail"')
    parts = group("Hook", remind_every='"1h"'), hook, MAIL
    async with posting(tmp_path, *parts) as post:
        post.http.status = 500
        await post.down("a")

        # It fails again and again: the third time its fallback has to tell.
        await post.send(*(NOW + n * 10 * MINUTE for n in range(32)))

        assert post.mails() == ["DOWN: a"] + ["STILL DOWN: a"] * 5


async def test_reminders_of_a_group_go_on_after_a_restart(tmp_path: Path) -> None:
    parts = group("Mail", remind_every='"1h"'), MAIL
    async with posting(tmp_path, *parts) as post:
        await post.down("a")
        await post.send(NOW)

        async with restarted(post):
            assert await post.waiting("channel_id, hold, reminder") == [
                (1, "remind", 1)
            ]


async def test_those_tell_that_are_in_the_group_when_it_is_due(tmp_path: Path) -> None:
    before = group("Mail", delay='"10m"'), MAIL, HOOK
    async with posting(tmp_path, *before) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(group("Hook", delay='"10m"'), MAIL, HOOK)
        await post.send(NOW + 10 * MINUTE)

        assert (post.mails(), post.requests()) == ([], ["down a"])


async def test_member_that_left_the_group_does_not_remind(tmp_path: Path) -> None:
    mail = channel("Mail", remind_every='"1h"')
    async with posting(tmp_path, group("Mail", "Hook"), mail, HOOK) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(group("Hook"), mail, HOOK)
        [minutes] = await post.waiting("next_try")
        await post.send(NOW + (minutes + 1) * MINUTE)

        assert post.mails() == ["DOWN: a"]


async def test_member_that_fails_has_its_fallback(tmp_path: Path) -> None:
    hook = channel("Hook", "webhook", fallback='"Mail"')
    async with posting(tmp_path, group("Hook"), hook, MAIL) as post:
        post.http.status = 410
        await post.down("a")

        await post.send(NOW)

        assert post.mails() == ["DOWN: a"]
        assert await failing(post) == [2]


async def test_group_taken_out_of_the_file_gives_up_what_it_held(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, group("Mail", delay='"10m"'), MAIL) as post:
        await post.down("a")
        await post.send(NOW)

        await post.use(MAIL)
        await post.send(NOW + HOUR)

        assert post.mails() == []
        assert await post.answers() == ["the channel was taken out"]


async def test_what_a_group_cannot_pass_on_is_tried_again_soon(tmp_path: Path) -> None:
    async with posting(tmp_path, MAIL, group("Mail")) as post:
        await post.down("a", 2)
        writer = await writer_of(post.app.database)
        await writer.execute("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")

            # The loop waits for a while then, and not until somebody calls it.
            with pytest.raises(ExceptionGroup) as raised:
                await post.send(NOW)

        [error] = raised.value.exceptions
        assert isinstance(error, UnwritableError)
        await post.send(NOW)
        assert len(post.mails()) == 1


async def test_many_checks_of_a_group_are_told_of(tmp_path: Path) -> None:
    async with posting(tmp_path, group("Hook"), MAIL, HOOK) as post:
        for n in range(110):
            await post.down(f"{n}")

        await post.send(NOW)

        assert sorted(post.requests()) == sorted(f"down {n}" for n in range(110))
        assert await failing(post) == []
        assert await post.waiting() == []


async def test_many_checks_of_a_group_whose_members_want_nothing_do_not_stay(
    tmp_path: Path,
) -> None:
    members = channel("Mail", events='["up"]')
    async with posting(tmp_path, group("Mail"), members) as post:
        for n in range(110):
            await post.down(f"{n}")

        await post.send(NOW)

        assert await post.waiting() == []
        assert await failing(post) == []
