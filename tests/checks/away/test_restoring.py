"""What becomes of messages that waited in a copy, from its mark to the receivers."""

from datetime import timedelta
from pathlib import Path

import pytest

from hcl.checks.away.restoring import of_restore
from hcl.db import mark_as_copy
from hcl.db.restoring import NOT_SENT
from hcl.store.restored import Restore
from tests.alerts.sending import Post, channel, posting, restarted
from tests.build import HOUR, NOW
from tests.checks.away.watching import due_soon, look, running
from tests.clocks import Times
from tests.store import put_check, rows

MINUTE = timedelta(minutes=1)


async def not_sent(post: Post) -> int:
    """Make a copy of the database, ten minutes later; count what is not sent of it."""
    await post.app.database.settle()
    now = NOW + 10 * MINUTE
    return mark_as_copy(post.folder / "hcl.sqlite", "copy.sqlite", now)[1]


@pytest.mark.parametrize(
    ("count", "checks", "told"),
    [
        (1, [(1, "a")], "1 message that waited in it, of a, was not sent: it is old"),
        (2, [(1, "a")], "2 messages that waited in it, of a, were not sent: they are"),
        (1, [], "1 message that waited in it was not sent: it is old"),
    ],
)
def test_what_is_not_sent_is_told(
    count: int, checks: list[tuple[int, str]], told: str
) -> None:
    restore = Restore("copy.sqlite", NOW, None, tuple(range(count)))

    [_, line] = of_restore(1, restore, count, checks, NOW).story

    assert line.startswith(told)


async def test_what_waits_for_the_end_of_a_mute_that_lasts_waits_on(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, channel("Mail")) as post:
        managing, [project] = post.app.parts.managing, post.app.synced.projects
        for name, length in (("over", MINUTE), ("muted", HOUR)):
            check = await put_check(post.app.database, 1, name=name, status="up")
            await managing.mute(project, check.code, length, NOW)
            await post.fail(check, NOW)
        await post.send(NOW)

        assert await not_sent(post) == 1

        async with restarted(post):
            await post.send(NOW + 59 * MINUTE)
            assert post.mails() == []
            await post.send(NOW + HOUR)
            assert post.mails() == ["DOWN: muted"]


async def test_reminder_that_is_planned_is_no_message_that_was_not_sent(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, channel("Mail", remind_every='"1h"')) as post:
        await post.down("a")
        await post.send(NOW)
        assert await post.waiting() == [("remind", 60)]

        assert await not_sent(post) == 0

        async with restarted(post):
            reminder, restore = await post.waiting("reminder, announcement_id")
            assert (reminder, restore) == ((1, None), (0, 1))
            assert NOT_SENT not in await post.answers()


@pytest.mark.parametrize(
    ("off", "told"),
    [
        (1, "it was not there: it goes on from a copy of its database"),
        (5 * 3600, "it was not running"),
    ],
)
async def test_a_start_that_is_killed_leaves_it_known_that_it_was_a_copy(
    tmp_path: Path, off: float, told: str
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        await due_soon(app)
    times.run(3600)
    mark_as_copy(tmp_path / "hcl.sqlite", "copy.sqlite", NOW + HOUR)
    for _ in range(2):
        async with running(tmp_path, times):
            # It has told of the copy, and is killed before it judges.
            pass
        times.run(off)

    async with running(tmp_path, times) as app:
        await look(app)

        sql = "SELECT story FROM announcements WHERE kind = 'absence'"
        [story] = await rows(app.database, sql)
        assert told in story
