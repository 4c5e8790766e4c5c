import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from hcl.alerts.calm import Bundle
from hcl.alerts.lines import CONCURRENCY, LONGEST_HOLD, PAUSES, Line, Lines
from hcl.alerts.transports import DeliveryError
from hcl.config import Calm
from tests import toml
from tests.alerts.planned import row
from tests.alerts.sending import Post, channel, posting, tag
from tests.app import App
from tests.build import HOUR, NOW

MINUTE = timedelta(minutes=1)


def line_of(app: App, row_id: int = 1) -> Line:
    return Line(row_id, app.config, app.synced.channels[row_id])


async def nothing() -> None:
    pass


def begin(line: Line, *check_ids: int) -> Bundle:
    bundle = tuple(row(id_, check_id=id_) for id_ in check_ids)
    line.begin(bundle, asyncio.create_task(nothing()))
    return bundle


async def test_line_that_works_has_room_for_several_messages(app: App) -> None:
    line = line_of(app)
    assert line.room == CONCURRENCY

    bundles = [begin(line, 1), begin(line, 2, 3, 4)]
    assert line.room == CONCURRENCY - 2
    assert set(line.under_way) == {1, 2, 3, 4}

    await line.end(bundles[1])
    assert (line.room, set(line.under_way)) == (CONCURRENCY - 1, {1})


async def test_line_that_failed_has_room_for_one(app: App) -> None:
    line = line_of(app)
    bundles = [begin(line, n) for n in range(3)]

    line.note_failure(NOW)
    assert line.room < 0

    for bundle in bundles:
        await line.end(bundle)
    assert line.room == 1

    line.note_success()
    assert line.room == CONCURRENCY


async def test_line_is_held_longer_with_each_failure_but_not_for_long(
    app: App,
) -> None:
    line, now = line_of(app), NOW
    for n in range(20):
        line.note_failure(now)

        pause = min(PAUSES[min(n, len(PAUSES) - 1)], LONGEST_HOLD)
        assert line.held_until == now + pause
        assert line.is_held(now + pause / 2)
        assert not line.is_held(now + pause)
        now += pause
    assert line.failures == 20


async def test_failures_at_one_time_count_once(app: App) -> None:
    line = line_of(app)

    for _ in range(CONCURRENCY):
        line.note_failure(NOW)

    assert (line.failures, line.held_until) == (1, NOW + PAUSES[0])


async def test_success_opens_the_line(app: App) -> None:
    line = line_of(app)
    line.note_failure(NOW)

    line.note_success()

    assert (line.failures, line.is_held(NOW)) == (0, False)


async def test_other_settings_open_the_line_and_forget_what_was_planned(
    app: App,
) -> None:
    line = line_of(app)
    line.note_failure(NOW)
    line.queue.append((row(1),))

    line.take(app.config, app.synced.channels[2])

    assert (line.failures, line.is_held(NOW), len(line.queue)) == (0, False, 0)
    assert line.channel.name == "Hook B"


async def test_transport_is_kept_and_made_anew_for_other_settings(app: App) -> None:
    line = line_of(app)
    first = line.transport
    assert line.transport is first

    bundle = begin(line, 1)
    line.take(app.config, app.synced.channels[2])
    second = line.transport

    assert second is not first
    await line.end(bundle)
    await line.close()


async def test_what_is_under_way_is_known_while_old_transports_are_closed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    await lines.use(app.config, app.synced.channels)
    first, second = lines
    closing, closed = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        closing.set()
        await closed.wait()

    monkeypatch.setattr(first.transport, "aclose", slowly)
    bundle = begin(second, 7)
    using = asyncio.create_task(lines.use(app.config, app.synced.channels))
    await closing.wait()

    known = list(lines), lines.under_way()

    assert known == ([first, second], [second.under_way[7]])
    closed.set()
    await using
    await second.end(bundle)


async def test_group_has_no_transport(tmp_path: Path) -> None:
    parts = channel("Mail"), channel("All", "group", channels='["Mail"]')
    async with posting(tmp_path, *parts) as post:
        with pytest.raises(DeliveryError, match="kind group"):
            _ = line_of(post.app, 2).transport


async def test_tags_are_those_of_the_channels_project(tmp_path: Path) -> None:
    other = toml.project("Other", "other")
    parts = (
        channel("Mail", delay='"1h"'),
        tag("prod", delay='"1m"'),
        other,
        channel("Mail", delay='"1h"'),
        tag("prod", delay='"2m"'),
    )
    async with posting(tmp_path, *parts) as post:
        assert of_both(post, "prod") == [Calm(delay=MINUTE), Calm(delay=2 * MINUTE)]
        assert of_both(post, "dev") == [Calm(delay=HOUR)] * 2


def of_both(post: Post, *tags: str) -> list[Calm]:
    return [line_of(post.app, n).calm_of(tags) for n in (1, 2)]
