"""What the file says of tags that a check gets while it is down."""

import asyncio
from pathlib import Path

from tests.alerts.calm import (
    MINUTE,
    NOON,
    PLAIN,
    edit,
)
from tests.alerts.sending import posting, tag
from tests.build import NOW
from tests.store import change, pragma, traced, writer_of


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
