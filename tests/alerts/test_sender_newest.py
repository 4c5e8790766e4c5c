"""What a message tells of a check is the newest, though pings have put it off."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from hcl.model import Check
from tests.alerts.sending import Post, channel, posting, quiet
from tests.build import HOUR, NOW
from tests.store import pragma, rows

MAIL = channel("Mail")
REMINDED = channel("Mail", remind_every='"1h"')
# NOW is noon.
NOON = channel("Mail", quiet_hours=quiet("11:00", "13:00"))
GROUP = channel("All", "group", channels='["Mail"]', delay='"1h"')

OLD = "failure at 2026-06-15 12:00:00 UTC", "1"
NEW = "failure at 2026-06-15 12:40:00 UTC", "3"


def told(post: Post) -> tuple[str, str]:
    """Return the last ping and the count of pings that the last mail tells."""
    body = post.smtp.records[-1].message.get_body(("plain",))
    assert body is not None
    lines = (line.partition(":") for line in body.get_content().splitlines())
    facts = {label: text.strip() for label, _, text in lines}
    return facts["Last ping"].partition(",")[0], facts["Total pings"]


async def fail_quietly(post: Post, check: Check) -> None:
    """Let a check that is down fail two times more: no status changes by that."""
    for part in (1 / 3, 2 / 3):
        await post.fail(check, NOW + part * HOUR)
    # They are put off, or there is nothing to test.
    assert await rows(post.app.database, "SELECT n_pings FROM check_states") == [1]


async def test_reminder_tells_the_newest_ping_and_count(tmp_path: Path) -> None:
    async with posting(tmp_path, REMINDED) as post:
        check = await post.down("a")
        await post.send(NOW)
        assert told(post) == OLD

        await fail_quietly(post, check)
        await post.send(NOW + HOUR)

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
        assert told(post) == NEW


@pytest.mark.parametrize(
    "parts",
    [
        (channel("Mail", delay='"1h"'),),
        (NOON,),
        (channel("Mail", fold='"1h"'),),
        (GROUP, MAIL),
    ],
    ids=["delay", "quiet hours", "fold", "group"],
)
async def test_message_that_waited_tells_the_newest_count(
    tmp_path: Path, parts: Sequence[str]
) -> None:
    async with posting(tmp_path, *parts) as post:
        check = await post.down("a")
        await post.send(NOW)

        await fail_quietly(post, check)
        await post.send(NOW + HOUR)

        assert post.mails() == ["DOWN: a"]
        # The ping is that of the flip, as it was.
        assert told(post) == (OLD[0], NEW[1])


async def test_message_that_is_tried_again_tells_the_newest_count(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, MAIL) as post:
        check = await post.down("a")
        post.smtp.refusals.data = "451 later"
        await post.send(NOW)
        post.smtp.refusals.data = ""
        post.clear()

        await fail_quietly(post, check)
        await post.send(NOW + HOUR)

        assert told(post) == (OLD[0], NEW[1])


async def test_reminder_goes_out_while_the_database_cannot_be_written(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, REMINDED) as post:
        check = await post.down("a")
        await post.send(NOW)
        await fail_quietly(post, check)
        await pragma(post.app.database, "query_only = ON")

        sending = asyncio.create_task(post.send(NOW + HOUR))
        await post.smtp.wait_for(2, timeout=2)

        # It is sent, but not ticked off: that is tried again and again.
        sending.cancel()
        await asyncio.wait([sending])
        await pragma(post.app.database, "query_only = OFF")
        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
        assert told(post) == OLD


async def test_reminder_does_not_wait_long_for_others_that_write(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, REMINDED) as post:
        check = await post.down("a")
        await post.send(NOW)
        await fail_quietly(post, check)

        async with post.app.database.turn():
            sending = asyncio.create_task(post.send(NOW + HOUR))
            await post.smtp.wait_for(2, timeout=5)
        await sending

        assert post.mails() == ["DOWN: a", "STILL DOWN: a"]
        assert told(post) == OLD
