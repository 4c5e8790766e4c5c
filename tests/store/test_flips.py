from typing import Any, get_args

import pytest

from hcl import store
from hcl.model import Flip, Reason, Status
from tests.app import App
from tests.build import HOUR, MICROSECOND, NOW, make_ping
from tests.store import note, plan_of, put_check, put_flip, put_pings, rows, traced

STATUSES = get_args(Status)
REASONS = get_args(Reason)


async def drop(app: App, limit: int = 100, up_to: int = 1000) -> int:
    async with app.database.transaction() as conn:
        return await store.flips.drop(conn, up_to, limit)


async def finish_all(app: App) -> None:
    async with app.database.transaction() as conn:
        await conn.execute("UPDATE notifications SET next_try = NULL")


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("status", STATUSES)
async def test_flip_comes_back_as_it_was_added(
    app: App, status: Any, reason: Any
) -> None:
    check = await put_check(app.database, n_pings=7)
    flip = Flip(NOW + MICROSECOND, status, status, reason)

    async with app.database.transaction() as conn:
        before = await store.flips.add(conn, [(check, flip)])

    reader = app.database.committed
    assert before == 0
    assert await store.flips.of_check(reader, check.id) == [flip]
    assert await rows(app.database, "SELECT n_pings FROM flips") == [7]


async def test_flips_added_are_those_above_the_id_returned(app: App) -> None:
    check = await put_check(app.database)
    await put_flip(app.database, check)

    async with app.database.transaction() as conn:
        first = await store.flips.add(conn, [(check, Flip(NOW, "up", "down", ""))] * 2)
        second = await store.flips.add(conn, [(check, Flip(NOW, "down", "up", ""))])

    assert (first, second) == (1, 3)


async def test_flips_of_a_check_come_newest_first(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    for hours in (0, 1, 2):
        await put_flip(app.database, check, NOW + hours * HOUR)
    await put_flip(app.database, other)

    found = await store.flips.of_check(app.database.committed, check.id)

    assert [flip.created for flip in found] == [NOW + n * HOUR for n in (2, 1, 0)]


async def test_newest_flip_was_written_last_whatever_the_clock_said(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    moments = [NOW + hours * HOUR for hours in (-2, 2, -1, 9999)]
    for at in moments[:-1]:
        await put_flip(app.database, check, at)
        await put_flip(app.database, other, moments[-1])
    reader, since = app.database.committed, NOW - 2 * HOUR
    ids = [check.id, other.id]

    newest = await store.flips.of_check(reader, check.id)
    within = await store.flips.of_check(reader, check.id, None, NOW.timestamp())
    lately = await store.flips.lately(reader, ids, since, 99)
    fewer = await store.flips.lately(reader, ids, since, 3)

    assert [flip.created for flip in newest] == moments[2::-1]
    assert [flip.created for flip in within] == [moments[2], moments[0]]
    assert [at for at, *_ in lately[check.id]] == [m.timestamp() for m in moments[:3]]
    assert fewer[check.id] == [(moments[2].timestamp(), "new", "down")]
    assert await store.flips.down_since(reader, check.id, 9) == moments[2]


async def test_who_flaps_takes_no_flips_from_others(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    await put_flip(app.database, other, NOW, "up", "down")
    await put_flip(app.database, other, NOW + HOUR, "down", "up")
    for hours in range(2, 8, 2):
        await put_flip(app.database, check, NOW + hours * HOUR, "up", "down")
        await put_flip(app.database, check, NOW + (hours + 1) * HOUR, "down", "up")

    found = await store.flips.lately(
        app.database.committed, [check.id, other.id], NOW, 6
    )

    statuses = {id_: [turn[1:] for turn in turns] for id_, turns in found.items()}
    assert statuses[other.id] == [("up", "down"), ("down", "up")]
    # Of the time before those that are read nothing is known.
    assert statuses[check.id] == [("new", "up"), ("up", "down"), ("down", "up")]


async def test_flips_of_one_moment_come_last_one_first(app: App) -> None:
    check = await put_check(app.database)
    await put_flip(app.database, check, NOW, "new", "up")
    await put_flip(app.database, check, NOW, "up", "down")

    found = await store.flips.of_check(app.database.committed, check.id)

    assert [flip.new_status for flip in found] == ["down", "up"]


async def test_start_is_included_and_end_is_not(app: App) -> None:
    check = await put_check(app.database)
    moments = [NOW - MICROSECOND, NOW, NOW + HOUR - MICROSECOND, NOW + HOUR]
    for moment in moments:
        await put_flip(app.database, check, moment)
    start, end = NOW.timestamp(), (NOW + HOUR).timestamp()
    reader = app.database.committed

    within = await store.flips.of_check(reader, check.id, start, end)
    since = await store.flips.of_check(reader, check.id, start)
    until = await store.flips.of_check(reader, check.id, None, end)
    of_epoch = await store.flips.of_check(reader, check.id, 0, 0)

    assert [flip.created for flip in within] == moments[2:0:-1]
    assert [flip.created for flip in since] == moments[:0:-1]
    assert [flip.created for flip in until] == moments[2::-1]
    assert of_epoch == []


async def test_oldest_flips_are_dropped_first(app: App) -> None:
    check = await put_check(app.database)
    # By the clock the second one is the newest of all.
    for hours in (3, -9, 1, 0):
        await put_flip(app.database, check, NOW - hours * HOUR)

    dropped = [await drop(app, 2, up_to=3) for _ in range(3)]

    assert dropped == [2, 0, 0]
    assert [
        f.created for f in await store.flips.of_check(app.database.committed, check.id)
    ] == [
        NOW,
        NOW - HOUR,
    ]


async def test_last_flip_before_the_moment_stays_for_each_check(app: App) -> None:
    every = [await put_check(app.database) for _ in range(3)]
    for check, count in zip(every, (1, 2, 3), strict=True):
        for _ in range(count):
            await put_flip(app.database, check, NOW - 9 * HOUR)

    assert [await drop(app), await drop(app)] == [3, 0]

    assert await rows(app.database, "SELECT id FROM flips ORDER BY id") == [1, 3, 6]


async def test_flips_to_drop_are_found_by_indexes(app: App) -> None:
    check = await put_check(app.database)
    for _ in range(9):
        await put_flip(app.database, check)

    async with app.database.transaction() as conn, traced(conn) as statements:
        await store.flips.drop(conn, 9, 1)
    sql = f"EXPLAIN QUERY PLAN {statements[-1]}"
    plan = [row[3] for row in await rows(app.database, sql)]

    assert "SEARCH f USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
    # Both bounds in one.
    [later] = [line for line in plan if "later" in line]
    assert "flips_written (check_id=? AND id>? AND id<?)" in later
    assert not any("TEMP B-TREE" in line or line.startswith("SCAN") for line in plan)


async def test_flips_as_young_as_a_kept_ping_stay(app: App) -> None:
    check = await put_check(app.database, n_pings=9)
    log = [make_ping(n=n, created=NOW - (10 - n) * HOUR) for n in (8, 9)]
    await put_pings(app.database, *((check.id, ping) for ping in log))
    oldest = log[0].created
    for n, created in enumerate(
        (oldest - MICROSECOND, oldest, NOW - 2 * MICROSECOND), start=7
    ):
        await put_flip(app.database, check._replace(n_pings=n), created)

    assert await drop(app) == 1

    assert [
        f.created for f in await store.flips.of_check(app.database.committed, check.id)
    ] == [
        NOW - 2 * MICROSECOND,
        oldest,
    ]


async def test_flips_with_an_unfinished_notification_stay(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check, NOW - 2 * HOUR)
    [(done, *_)] = await store.waiting.due(app.database.committed, 1, NOW, 9)
    await note(app.database, done, sent=NOW)
    later = await put_flip(app.database, check, NOW - HOUR)

    assert await drop(app) == 0

    await finish_all(app)
    assert await drop(app) == 1
    left = await rows(app.database, "SELECT DISTINCT flip_id FROM notifications")
    assert left == [later]


async def test_outage_began_with_the_last_flip_to_down(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    statuses = ("down", "up", "down", "paused", "new", "down", "up")
    ids = [
        await put_flip(app.database, check, NOW + n * HOUR, "new", status)
        for n, status in enumerate(statuses)
    ]
    await put_flip(app.database, other, NOW + 9 * HOUR)
    reader = app.database.committed

    found = [await store.flips.down_since(reader, check.id, id_) for id_ in ids]

    assert found == [NOW + n * HOUR for n in (0, 0, 2, 2, 2, 5, 5)]


async def test_begin_of_an_outage_may_not_be_known(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    await put_flip(app.database, other)
    flip_id = await put_flip(app.database, check, NOW, "down", "up")

    assert (
        await store.flips.down_since(app.database.committed, check.id, flip_id) is None
    )


async def test_begin_of_an_outage_is_found_by_an_index(app: App) -> None:
    check = await put_check(app.database)
    for _ in range(9):
        await put_flip(app.database, check)

    plan = await plan_of(
        app.database, lambda conn: store.flips.down_since(conn, check.id, 9)
    )

    assert "SEARCH l USING INDEX flips_written (check_id=? AND id<?)" in plan
    assert "SCAN" not in plan


async def test_log_of_flips_goes_by_their_pings_not_by_the_clock(app: App) -> None:
    check = await put_check(app.database)
    for n, at in ((0, NOW), (3, NOW - HOUR), (3, NOW + HOUR), (9, NOW)):
        await put_flip(app.database, check._replace(n_pings=n), at)
    reader = app.database.committed

    whole = await store.flips.logged(reader, check.id, 9)
    before = await store.flips.logged(reader, check.id, 9, before=(3, whole[1].id))
    early = await store.flips.logged(reader, check.id, 9, until=NOW)
    late = await store.flips.logged(reader, check.id, 1, since=NOW)

    assert [(found.n_pings, found.flip.created) for found in whole] == [
        (9, NOW),
        (3, NOW + HOUR),
        (3, NOW - HOUR),
        (0, NOW),
    ]
    assert before == whole[2:]
    assert early == [whole[2]]
    assert late == whole[:1]
