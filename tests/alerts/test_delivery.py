"""One try, and what is written down of it."""

import asyncio
import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.alerts import transports
from hcl.alerts.composing import compose
from hcl.alerts.delivery import (
    GIVE_UP_AFTER,
    GIVE_UP_TRIES,
    PERMANENT_STEP,
    EndedTry,
    reminders_after,
    try_once,
    write_down,
)
from hcl.alerts.lines import PAUSES, Line
from hcl.alerts.sender import Sender
from hcl.counters import Counters
from hcl.store.waiting import Waiting
from tests.alerts.planned import row
from tests.alerts.sending import Post, channel, posting
from tests.build import DAY, HOUR, NOW
from tests.store import change, rows

SECOND = timedelta(seconds=1)
HOOK = channel("Hook", "webhook", fallback='"Mail"')
MAIL = channel("Mail", remind_every='"1h"')


def line_of(post: Post, row_id: int = 1) -> Line:
    return Line(row_id, post.app.config, post.app.synced.channels[row_id])


async def due(post: Post, channel_id: int = 1) -> list[Waiting]:
    return await store.waiting.due(post.app.database.committed, channel_id, NOW, 99)


async def try_of(
    post: Post, line: Line, *bundle: Waiting, jitter: float = 1.0
) -> EndedTry:
    """Try to send a bundle, at NOW."""
    message = await compose(post.app.database.committed, line.config, bundle)
    assert message is not None
    return await try_once(
        line, bundle, message, lambda: NOW, lambda: jitter, post.app.clock
    )


async def written(post: Post, *tries: EndedTry) -> None:
    async with post.app.database.transaction() as conn:
        ids = {channel.id: row for row, channel in post.app.synced.channels.items()}
        await write_down(conn, tries, ids)


async def test_try_tells_what_became_of_it(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        await post.down("a")
        line = line_of(post)

        sent = await try_of(post, line, *await due(post))
        post.http.status = 500
        failed = await try_of(post, line, *await due(post))
        await line.close()

    assert (sent.word, failed.word) == ("sent", "failed")
    assert sent.outcome.answer == "HTTP 200"
    assert failed.outcome.answer == "HTTP 500 from 127.0.0.1"
    assert 0 < sent.outcome.seconds < 5
    assert failed.outcome.next_try == NOW + PAUSES[0]
    assert not failed.is_failing


async def test_libraries_are_loaded_once_there_are_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        await post.down("a")
        line, due_now = line_of(post), await due(post)
        # As in a process that has sent nothing yet.
        monkeypatch.setattr(transports, "_loaded", set())
        monkeypatch.delitem(sys.modules, "hcl.alerts.transports.webhook", False)
        with no_descriptors() as limit:
            asyncio.get_running_loop().call_later(0.05, limit.close)

            sent = await try_of(post, line, *due_now)

        await line.close()

    assert (sent.word, sent.outcome.answer) == ("sent", "HTTP 200")


@contextmanager
def no_descriptors() -> Iterator[ExitStack]:
    """Let this process open no more files; the stack's end lets it again."""
    free = os.dup(0)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # The lowest that is free, and so all that are.
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        yield stack


async def test_pauses_have_a_jitter(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        await post.down("a")
        line = line_of(post)

        tries = [
            await try_of(post, line, *await due(post), jitter=jitter)
            for jitter in (0.8, 1.2)
        ]
        await line.close()

    pauses = [ended.outcome.next_try for ended in tries]
    assert pauses == [NOW + 0.8 * PAUSES[0], NOW + 1.2 * PAUSES[0]]


async def test_pauses_of_the_sender_differ_a_little(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        for n in range(8):
            await post.down(f"{n}")
        app = post.app
        sender = Sender(
            app.database,
            clock=app.clock,
            alarm=app.alarms["sender"],
            counters=Counters(),
            changes=app.parts.changes,
        )
        await sender.use(app.config, app.synced.channels)

        await sender.send_once(NOW)
        await sender.close()

        pauses = [60 * minutes for minutes in await post.waiting("next_try")]
    assert len(set(pauses)) > 1
    # A second may have passed.
    assert all(4 <= pause <= 7 for pause in pauses)


@pytest.mark.parametrize("attempts", [0, 3, 7, 99])
@pytest.mark.parametrize("status", [500, 410])
async def test_pauses_grow(tmp_path: Path, attempts: int, status: int) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = status
        await post.down("a")
        await change(
            post.app.database, "UPDATE notifications SET attempts = ?", attempts
        )
        line = line_of(post)

        ended = await try_of(post, line, *await due(post))
        await line.close()

    step = max(attempts, PERMANENT_STEP if status == 410 else 0)
    assert ended.outcome.next_try == NOW + PAUSES[min(step, len(PAUSES) - 1)]
    assert ended.is_failing == (status == 410 or attempts >= 2)


async def put_old(post: Post, attempts: int, id_: int = 1) -> None:
    ran = post.app.clock.ran - (GIVE_UP_AFTER + SECOND).total_seconds()
    await change(
        post.app.database,
        "UPDATE notifications SET attempts = ?, ran = ? WHERE id = ?",
        attempts,
        ran,
        id_,
    )


@pytest.mark.parametrize(
    ("attempts", "word"), [(0, "failed"), (GIVE_UP_TRIES - 1, "given_up")]
)
async def test_old_message_is_given_up_after_some_tries(
    tmp_path: Path, attempts: int, word: str
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        post.http.status = 500
        await post.down("a")
        await put_old(post, attempts)
        line = line_of(post)

        ended = await try_of(post, line, *await due(post))
        await line.close()

        assert ended.word == word


async def test_new_message_is_not_given_up_with_an_old_one_of_its_check(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, MAIL) as post:
        post.smtp.refusals.data = "451 not now"
        check = await post.down("a")
        await put_old(post, 30)
        await post.succeed(check, NOW)
        await post.send(NOW)
        post.smtp.refusals.data = ""

        await post.send(NOW + HOUR, NOW + 25 * HOUR)

        assert len(post.mails()) == 1
        assert post.mails()[0].startswith(("UP", "DOWN and UP"))


async def test_new_messages_are_not_given_up_with_an_old_one_of_a_summary(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, channel("Mail", fold='"1m"')) as post:
        for name in "ab":
            await post.down(name)
        await post.send(NOW)
        await put_old(post, 30)
        post.smtp.refusals.data = "451 not now"
        await post.send(NOW + 60 * SECOND)
        post.smtp.refusals.data = ""

        await post.send(NOW + HOUR, NOW + 25 * HOUR)

        assert "DOWN: b" in post.mails() or "2 checks: 2 down (a and b)" in post.mails()


# What is written down


async def tries_at_once(post: Post, *statuses: int) -> list[EndedTry]:
    """Let a webhook answer so to the messages of a check each, at the same time."""
    line, tries = line_of(post), []
    for number in range(len(statuses)):
        await post.down(f"{number}")
    for status, waiting in zip(statuses, await due(post), strict=True):
        post.http.status = status
        tries.append(await try_of(post, line, waiting))
    await line.close()
    return tries


async def handed_on(post: Post) -> list[int]:
    return [row.notification.flip_id for row in await due(post, 2)]


async def test_refusal_is_handed_on_whatever_else_is_written_with_it(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        await written(post, *await tries_at_once(post, 404, 500))

        assert await handed_on(post) == [1]
        found = await rows(post.app.database, "SELECT failing_since FROM channels")
        assert found[0] is not None


async def test_refusal_is_handed_on_although_another_message_arrived(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        await written(post, *await tries_at_once(post, 404, 200))

        assert await handed_on(post) == [1]
        found = await rows(post.app.database, "SELECT failing_since FROM channels")
        assert found == [None, None]


async def test_message_that_arrived_is_not_handed_on_with_one_that_did_not(
    tmp_path: Path,
) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        await written(post, *await tries_at_once(post, 200, 404))

        assert await handed_on(post) == [2]


async def test_success_frees_what_waits_in_the_commit_of_its_tick(
    tmp_path: Path,
) -> None:
    """Who is killed after the tick finds a channel that delivers, and frees none."""
    async with posting(tmp_path, HOOK, MAIL) as post:
        await post.down("a")
        await post.down("b")
        first, _ = await due(post)
        line, begun = line_of(post), post.app.clock.now()
        line.note_failure(NOW)
        await change(
            post.app.database,
            "UPDATE notifications SET next_try = ? WHERE id > 1",
            (begun + DAY).timestamp(),
        )

        await written(post, await try_of(post, line, first))

        [at] = await rows(
            post.app.database,
            "SELECT next_try FROM notifications WHERE next_try NOTNULL",
        )
        assert begun.timestamp() <= at < (begun + HOUR).timestamp()
        await line.close()


async def test_how_a_channel_fares_is_told_by_the_last_try(tmp_path: Path) -> None:
    async with posting(tmp_path, HOOK, MAIL) as post:
        await written(post, *await tries_at_once(post, 200, 404))

        assert await rows(
            post.app.database,
            "SELECT last_error, failing_since NOTNULL FROM channels",
        ) == [("HTTP 404 from 127.0.0.1", 1), ("", 0)]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({}, [NOW + HOUR]),
        ({"reminder": 3}, [NOW + HOUR]),
        ({"new_status": "up"}, []),
        ({"notice": "The channel A could not deliver this."}, []),
    ],
)
async def test_reminders_follow_own_messages_of_outages(
    tmp_path: Path, what: dict[str, Any], expected: list[Any]
) -> None:
    async with posting(tmp_path, MAIL) as post:
        waiting = row(1, **what)

        found = reminders_after(line_of(post), [waiting], NOW)

        assert found == tuple((waiting.notification, at) for at in expected)


async def test_log_names_the_check_or_counts_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hcl.alerts.delivery")
    async with posting(tmp_path, channel("Mail", fold='"1m"')) as post:
        for name in ("a", ""):
            await post.down(name)
        await post.send(NOW, NOW + 60 * SECOND)
        await post.down("", at=NOW + HOUR)
        await post.send(NOW + HOUR, NOW + HOUR + 60 * SECOND)

    told = [r.getMessage() for r in caplog.records if r.name == "hcl.alerts.delivery"]
    assert [text.split(":")[1] for text in told] == [
        " a summary of 2 checks over Mail",
        " check 3 down over Mail",
    ]


async def test_log_says_in_words_when_a_message_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with posting(tmp_path, MAIL) as post:
        await post.down("a")
        post.smtp.refusals.mail = "450 later"
        await post.send(NOW)

    [told] = [r.getMessage() for r in caplog.records if "next try" in r.getMessage()]
    assert re.match(r"failed, next try in [0-9]+ s: a down over Mail: ", told)
