import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.checks import availability
from hcl.model import Check
from hcl.pings.arrival import Target
from hcl.pings.pruner import BATCH_LIMIT, KEEP
from tests.app import App, running_app
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_ping
from tests.clocks import a_clock
from tests.patience import ENDS
from tests.store import (
    change,
    note,
    put_check,
    put_flip,
    put_pings,
    rows,
    traced,
    writer_of,
)

# By then what was there at the end of the first day is old.
LATER = 94 * DAY.total_seconds()


async def end_first_day(app: App) -> None:
    """Let hcl have run for a day: at LATER what is there by now is old."""
    async with app.database.transaction(changes_checks=False) as conn:
        await store.life.mark(conn, 1)


async def put_log(app: App, numbers: Iterable[int], created: datetime = NOW) -> Check:
    """Put a check whose log has these numbers."""
    log = [make_ping(n=n, created=created) for n in numbers]
    check = await put_check(app.database, n_pings=log[-1].n)
    await put_pings(app.database, *((check.id, ping) for ping in log))
    return check


async def numbers(app: App, check: Check) -> list[int]:
    return await rows(
        app.database, "SELECT n FROM log WHERE check_id = ? ORDER BY n", check.id
    )


async def flip_moments(app: App, check: Check) -> list[datetime]:
    found = await store.flips.of_check(await app.database.current(), check.id)
    return [flip.created for flip in found]


async def tick_off(app: App, channel_id: int = 1) -> None:
    """Finish what a channel has waiting."""
    reader = await app.database.current()
    for notification, *_ in await store.waiting.due(reader, channel_id, NOW, 100):
        await note(app.database, notification, sent=NOW)


async def test_exactly_the_newest_pings_of_each_check_are_kept(app: App) -> None:
    app.pruner.log_limit = 10
    lasts = (1, 9, 10, 11, 25)
    stored = [await put_log(app, range(1, last + 1)) for last in lasts]

    await app.pruner.prune_once(LATER)

    for check, last in zip(stored, lasts, strict=True):
        assert await numbers(app, check) == list(range(max(1, last - 9), last + 1))


async def test_limit_counts_numbers_where_the_log_has_gaps(app: App) -> None:
    app.pruner.log_limit = 10
    check = await put_log(app, [1, 2, 50, 95, 100])

    await app.pruner.prune_once(LATER)

    assert await numbers(app, check) == [95, 100]


async def test_pruning_again_changes_nothing(app: App) -> None:
    app.pruner.log_limit = 10
    check = await put_log(app, range(1, 26))
    await app.pruner.prune_once(LATER)

    async with traced(await writer_of(app.database)) as statements:
        await app.pruner.prune_once(LATER)

    assert await numbers(app, check) == list(range(16, 26))
    assert not any("DELETE FROM pings" in sql for sql in statements)


async def test_larger_limit_brings_nothing_back_and_drops_nothing(app: App) -> None:
    app.pruner.log_limit = 10
    check = await put_log(app, range(1, 26))
    await app.pruner.prune_once(LATER)

    app.pruner.log_limit = 20
    await app.pruner.prune_once(LATER)

    assert await numbers(app, check) == list(range(16, 26))


async def test_many_pings_go_in_small_transactions(app: App) -> None:
    app.pruner.log_limit = 1
    check = await put_log(app, range(1, 2 * BATCH_LIMIT + 2))

    async with traced(await writer_of(app.database)) as statements:
        await app.pruner.prune_once(LATER)

    assert await numbers(app, check) == [2 * BATCH_LIMIT + 1]
    dropping = [sql for sql in statements if "DELETE FROM pings" in sql]
    assert len(dropping) == 3
    assert statements.count("COMMIT") == len(dropping) + 3


async def test_ping_that_comes_meanwhile_does_not_wait_for_the_end(app: App) -> None:
    app.pruner.log_limit = 1
    for _ in range(5):
        await put_log(app, range(1, 2 * BATCH_LIMIT))
    check = await put_check(app.database)
    waits = []

    async with traced(await writer_of(app.database)) as statements:
        pruning = asyncio.create_task(app.pruner.prune_once(LATER))
        while not pruning.done():
            before = statements.count("COMMIT")
            await app.parts.pinging.receive(Target(code=check.code), make_ping())
            waits.append(statements.count("COMMIT") - before)
        await pruning

    # One that was under way, its own, and one that began before it was told.
    assert max(waits) <= 3
    assert len(waits) > 5


async def test_pings_that_come_meanwhile_are_kept(app: App) -> None:
    app.pruner.log_limit = 10
    check = await put_log(app, range(1, 2 * BATCH_LIMIT + 1))

    pruning = asyncio.create_task(app.pruner.prune_once(LATER))
    for _ in range(5):
        await app.parts.pinging.receive(Target(code=check.code), make_ping())
    await pruning
    await app.pruner.prune_once(LATER)

    last = 2 * BATCH_LIMIT + 5
    assert await numbers(app, check) == list(range(last - 9, last + 1))


async def test_check_deleted_meanwhile_harms_nobody(app: App) -> None:
    app.pruner.log_limit = 1
    every = [await put_log(app, range(1, BATCH_LIMIT * 2)) for _ in range(3)]

    pruning = asyncio.create_task(app.pruner.prune_once(LATER))
    await change(app.database, "DELETE FROM checks WHERE id = ?", every[-1].id)
    await pruning

    assert [await numbers(app, check) for check in every] == [
        [2 * BATCH_LIMIT - 1],
        [2 * BATCH_LIMIT - 1],
        [],
    ]


async def test_flips_are_kept_for_93_days(app: App) -> None:
    check = await put_check(app.database)
    oldest = NOW - timedelta(days=93)
    last = oldest - MICROSECOND
    for created in (oldest - 99 * DAY, last - MICROSECOND, last):
        await put_flip(app.database, check, created)
    await end_first_day(app)
    for created in (oldest, NOW):
        await put_flip(app.database, check, created)

    await app.pruner.prune_once(LATER - 1)
    before = await flip_moments(app, check)
    await app.pruner.prune_once(LATER)

    assert timedelta(days=93) == KEEP
    assert len(before) == 5
    # The last one before them tells what was until then.
    assert await flip_moments(app, check) == [NOW, oldest, last]


async def test_check_that_is_never_down_stays_known_for_longer_than_its_log(
    app: App,
) -> None:
    check = await put_log(app, [1, 2], created=NOW - HOUR)
    begin = NOW - 200 * DAY
    await put_flip(app.database, check, begin, "new", "up")
    await put_flip(app.database, await put_check(app.database))
    await end_first_day(app)

    await app.pruner.prune_once(LATER)

    known = await store.flips.of_check(app.database.committed, check.id)
    months = availability.by_month(known[::-1], "up", NOW - HOUR, NOW)
    assert sum((month.up for month in months), timedelta(0)) == 200 * DAY


async def test_old_flips_stay_as_long_as_pings_of_their_time_are_kept(app: App) -> None:
    app.pruner.log_limit = 2
    start = NOW - 200 * DAY
    check = await put_log(app, [1, 2], created=start)
    for n, created in enumerate((start - MICROSECOND, start, start + DAY)):
        await put_flip(app.database, check._replace(n_pings=n), created)
    await end_first_day(app)

    await app.pruner.prune_once(LATER)
    assert await flip_moments(app, check) == [start + DAY, start]

    # When later pings have pushed them out of the log, the flips go with them, but
    # for the last one.
    await change(app.database, "UPDATE check_states SET n_pings = 4")
    await put_pings(app.database, *((check.id, make_ping(n=n)) for n in (3, 4)))
    await app.pruner.prune_once(LATER)
    assert await numbers(app, check) == [3, 4]
    assert await flip_moments(app, check) == [start + DAY]


async def test_old_flips_stay_until_their_notifications_are_finished(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    flip_id = await put_flip(app.database, check, NOW - 100 * DAY)
    await tick_off(app, 1)
    await put_flip(app.database, check, NOW - 99 * DAY)
    await end_first_day(app)

    await app.pruner.prune_once(LATER)
    assert len(await flip_moments(app, check)) == 2
    waiting = f"SELECT channel_id FROM notifications WHERE flip_id = {flip_id}"
    assert await rows(app.database, waiting) == [2]

    await tick_off(app, 1)
    await tick_off(app, 2)
    await put_flip(app.database, check, NOW)
    await app.pruner.prune_once(LATER)
    assert await flip_moments(app, check) == [NOW, NOW - 99 * DAY]
    assert await rows(app.database, waiting) == []


async def test_only_old_finished_notifications_go(app: App) -> None:
    moments = (NOW - KEEP - MICROSECOND, NOW - KEEP, NOW - HOUR)
    for number, created in enumerate(moments * 2):
        if number == 3:
            await end_first_day(app)
        check = await put_check(app.database, 1)
        # Its log reaches back, so that flips stay.
        await put_pings(app.database, (check.id, make_ping(n=1, created=created)))
        await put_flip(app.database, check, created)
    reader = await app.database.current()
    waiting = await store.waiting.due(reader, 1, NOW, 9)
    for notification, *_ in (waiting[0], *waiting[4:]):
        await note(app.database, notification, sent=NOW)

    await app.pruner.prune_once(LATER)

    left = await rows(app.database, "SELECT id FROM notifications ORDER BY id")
    assert left == [2, 3, 4, 5, 6]
    assert len(await rows(app.database, "SELECT id FROM flips")) == 6


async def test_last_messages_of_an_outage_stay_while_it_lasts(app: App) -> None:
    check = await put_check(app.database, 1, status="down")
    await put_flip(app.database, check)
    await tick_off(app)
    async with app.database.transaction() as conn:
        [[told, *_]] = await store.notifications.last_told(conn)
        for _ in range(3):
            await store.notifications.add_reminders(conn, [(told, NOW)], NOW)
    await tick_off(app)
    await end_first_day(app)

    await app.pruner.prune_once(LATER)

    reader = await app.database.current()
    [[last, *_]] = await store.notifications.last_told(reader)
    assert await rows(app.database, "SELECT id FROM notifications") == [last.id]

    await put_flip(app.database, check, NOW + DAY, "down", "up")
    await app.pruner.prune_once(LATER)
    assert last.id not in await rows(app.database, "SELECT id FROM notifications")


async def test_many_old_rows_go_in_small_transactions(app: App) -> None:
    number = BATCH_LIMIT + 1
    check = await put_check(app.database, 1)
    flip = await put_flip(app.database, check, NOW - 100 * DAY)
    copy: dict[str, Any] = {
        "flips": "check_id, created, old_status, new_status, reason, n_pings",
        "notifications": "flip_id, check_id, channel_id, created",
    }
    for table, columns in copy.items():
        for _ in range(number - 1):
            await change(
                app.database,
                f"INSERT INTO {table} ({columns})"
                f" SELECT {columns} FROM {table} WHERE id = {flip}",
            )
    await tick_off(app)
    await change(app.database, "DELETE FROM marks")
    await end_first_day(app)

    async with traced(await writer_of(app.database)) as statements:
        await app.pruner.prune_once(LATER)

    assert await rows(app.database, "SELECT id FROM flips") == [number]
    assert await rows(app.database, "SELECT id FROM notifications") == []
    # Two each for notifications and for flips, one for latenesses, none for pings.
    assert statements.count("COMMIT") == 5


async def test_many_old_rows_that_stay_are_looked_at_in_small_transactions(
    app: App,
) -> None:
    check = await put_check(app.database, n_pings=2)
    # Its log reaches back, as that of a job that runs once a day does for years.
    await put_pings(app.database, (check.id, make_ping(n=1, created=NOW - 999 * DAY)))
    await put_flip(app.database, check, NOW - 900 * DAY)
    columns = "check_id, created, old_status, new_status, reason, n_pings"
    copy = f"INSERT INTO flips ({columns}) SELECT {columns} FROM flips WHERE id = 1"
    for _ in range(BATCH_LIMIT):
        await change(app.database, copy)
    await change(app.database, "DELETE FROM marks")
    await end_first_day(app)

    async with traced(await writer_of(app.database)) as statements:
        await app.pruner.prune_once(LATER)

    assert len(await rows(app.database, "SELECT id FROM flips")) == BATCH_LIMIT + 1
    looks = [sql for sql in statements if "DELETE FROM flips" in sql]
    assert len(looks) == 2
    assert f"f.id > {BATCH_LIMIT} " in looks[1]


@pytest.mark.parametrize("step", [-365, -1, 0, 1, 365])
async def test_age_is_counted_in_days_that_hcl_ran_whatever_the_clock_says(
    tmp_path: Path, step: int
) -> None:
    clock, times = a_clock()

    async def run(app: App, days: int) -> list[int]:
        """Let days pass; return the flips that are kept then."""
        for _ in range(days):
            times.run(DAY.total_seconds())
            await app.assembly.watch.look()
        await app.pruner.prune_once(clock.ran)
        return await rows(app.database, "SELECT id FROM flips ORDER BY id")

    async with running_app(tmp_path, clock=clock) as app:
        check = await put_check(app.database)
        for _ in range(2):
            await put_flip(app.database, check, clock.now())
        times.set_wall(step * DAY.total_seconds())
        after_a_day = await run(app, 1)
        await put_flip(app.database, check, clock.now())
        after_93_days = await run(app, 92)
        after_94_days = await run(app, 1)
        after_95_days = await run(app, 1)
        marks = await rows(app.database, "SELECT min(day), max(day) FROM marks")

    # Of the old ones the last is kept.
    assert (after_a_day, after_93_days) == ([1, 2], [1, 2, 3])
    assert (after_94_days, after_95_days) == ([2, 3], [3])
    assert marks == [(2, 95)]


async def test_nothing_is_old_that_was_there_before_hcl_counted_days(app: App) -> None:
    check = await put_check(app.database)
    for days in (999, 998, 0):
        await put_flip(app.database, check, NOW - days * DAY)
    await change(app.database, "DELETE FROM marks")

    await app.pruner.prune_once(LATER)

    assert len(await flip_moments(app, check)) == 3


async def test_loop_prunes_when_it_is_called(app: App) -> None:
    app.pruner.log_limit = 10
    check = await put_log(app, range(1, 26))
    loop = asyncio.create_task(app.pruner.run())
    await asyncio.sleep(0)

    async with (
        traced(await writer_of(app.database)) as statements,
        asyncio.timeout(ENDS),
    ):
        app.alarms["pruner"].ring()
        while not any("DELETE FROM flips" in sql for sql in statements):
            # Whoever gets the lock next has let the pruner have it before.
            await put_check(app.database)

    loop.cancel()
    await asyncio.wait([loop])
    assert await numbers(app, check) == list(range(16, 26))
