from typing import Any

import pytest

from hcl import store
from hcl.model import Ping
from tests.app import App
from tests.build import FULL_PING, HOUR, NOW, make_ping
from tests.store import change, plan_of, put_check, put_pings, rows, traced, writer_of


async def receive(app: App, check_id: int, *log: Ping) -> None:
    received = [(check_id, ping) for ping in log]
    await put_pings(app.database, *received, filed=False)


async def file_all(app: App, log_limit: int = 1000) -> None:
    async with app.database.transaction() as conn:
        last = await store.inbox.last_id(conn)
        ids = await store.inbox.by_log(conn, last)
        for part in store.inbox.parts(ids, 1000):
            await conn.executemany(*store.inbox.filing(part, log_limit))


async def filed(app: App) -> list[Any]:
    return await rows(app.database, "SELECT check_id, n FROM pings ORDER BY 1, 2")


def numbered(*numbers: int) -> list[Ping]:
    return [make_ping(n=n, body=b"%d" % n) for n in numbers]


@pytest.mark.parametrize(
    "ping", [FULL_PING, make_ping(n=1), FULL_PING._replace(exitstatus=0)]
)
async def test_ping_in_the_inbox_is_in_the_log_as_it_was_added(
    app: App, ping: Ping
) -> None:
    check = await put_check(app.database)

    await receive(app, check.id, ping)

    reader = app.database.committed
    assert await rows(app.database, "SELECT * FROM pings") == []
    assert await store.pings.by_n(reader, check.id, 1) == ping
    assert await store.pings.by_n(reader, check.id, 2) is None
    assert await store.pings.by_n(reader, check.id + 1, 1) is None


@pytest.mark.parametrize(
    "ping", [FULL_PING, make_ping(n=1), FULL_PING._replace(exitstatus=0)]
)
async def test_filed_ping_is_in_the_log_as_it_was_added(app: App, ping: Ping) -> None:
    check = await put_check(app.database)
    await receive(app, check.id, ping)

    await file_all(app)
    await change(app.database, "DELETE FROM inbox")

    assert await store.pings.by_n(app.database.committed, check.id, 1) == ping


async def test_ping_that_is_filed_and_not_dropped_yet_is_in_the_log_once(
    app: App,
) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    await receive(app, check.id, *numbered(1, 2))
    await file_all(app)
    await receive(app, check.id, *numbered(3))
    # A number alone makes no two pings the same.
    await receive(app, other.id, *numbered(1))

    found = await store.pings.newest(app.database.committed, check.id, 9)

    assert [ping.n for ping in found] == [3, 2, 1]
    assert await rows(app.database, "SELECT count(*) FROM inbox") == [4]
    assert await rows(app.database, "SELECT check_id, n FROM log ORDER BY 1, 2") == [
        (check.id, 1),
        (check.id, 2),
        (check.id, 3),
        (other.id, 1),
    ]


async def test_log_is_in_order_wherever_its_pings_are(app: App) -> None:
    check = await put_check(app.database, n_pings=4)
    moments = [NOW, NOW - HOUR, NOW + HOUR, NOW]
    log = [make_ping(n=n, created=at) for n, at in enumerate(moments, 1)]
    await receive(app, check.id, *log[:2])
    await file_all(app)
    await receive(app, check.id, *log[2:])

    reader = app.database.committed

    assert await store.pings.newest(reader, check.id, 9) == log[::-1]
    assert await store.pings.newest(reader, check.id, 1) == [log[3]]
    assert await store.pings.signals_before(reader, check.id, 4, NOW) == [
        log[0],
        log[2],
    ]


async def test_filing_again_changes_nothing(app: App) -> None:
    check = await put_check(app.database, n_pings=3)
    await receive(app, check.id, *numbered(1, 2, 3))

    for _ in range(2):
        await file_all(app)

    assert await filed(app) == [(check.id, n) for n in (1, 2, 3)]


async def test_what_is_over_the_limit_is_not_filed(app: App) -> None:
    check, other = [await put_check(app.database, n_pings=n) for n in (5, 2)]
    await receive(app, check.id, *numbered(1, 2, 3, 4, 5))
    await receive(app, other.id, *numbered(1, 2))

    await file_all(app, log_limit=2)

    assert await filed(app) == [
        (check.id, 4),
        (check.id, 5),
        (other.id, 1),
        (other.id, 2),
    ]


async def test_pings_of_a_deleted_check_are_neither_filed_nor_counted(
    app: App,
) -> None:
    check, gone = [await put_check(app.database) for _ in range(2)]
    for each in (gone, check):
        await receive(app, each.id, *numbered(1))
    await change(app.database, "DELETE FROM checks WHERE id = ?", gone.id)

    await file_all(app)

    assert await filed(app) == [(check.id, 1)]
    uncounted = await store.inbox.uncounted(app.database.committed, 0, 9)
    assert [check_id for _, check_id, _ in uncounted] == [check.id]


async def test_uncounted_are_those_above_the_state_in_the_order_they_came(
    app: App,
) -> None:
    one, two = [await put_check(app.database, n_pings=n) for n in (1, 0)]
    await receive(app, one.id, *numbered(1, 2))
    await receive(app, two.id, FULL_PING)
    await receive(app, one.id, *numbered(3))

    found = await store.inbox.uncounted(app.database.committed, 0, 9)

    assert found == [
        (2, one.id, make_ping(n=2)),
        (3, two.id, FULL_PING._replace(body=b"")),
        (4, one.id, make_ping(n=3)),
    ]
    assert await store.inbox.uncounted(app.database.committed, 0, 2) == found[:2]
    assert await store.inbox.uncounted(app.database.committed, 3, 9) == found[2:]


async def test_pings_are_listed_by_check_and_number_up_to_one(app: App) -> None:
    assert await store.inbox.last_id(app.database.committed) == 0
    for check_id, n in ((2, 1), (1, 1), (2, 2), (1, 2)):
        await receive(app, check_id, *numbered(n))

    reader = app.database.committed

    assert await store.inbox.last_id(reader) == 4
    assert await store.inbox.by_log(reader, 4) == "[2,4,1,3]"
    assert await store.inbox.by_log(reader, 3) == "[2,1,3]"
    assert await store.inbox.by_log(reader, 0) == "[]"


def test_ids_are_filed_in_parts_and_not_read_before() -> None:
    assert list(store.inbox.parts("[2,4,1,3,15]", 2)) == ["[2,4]", "[1,3]", "[15]"]
    assert list(store.inbox.parts("[2,4,1]", 3)) == ["[2,4,1]"]
    assert list(store.inbox.parts("[2,-4,1,3,-15,-6]", 2)) == [
        *("[2]", "[4]", "[1,3]", "[15]", "[6]")
    ]
    assert list(store.inbox.parts("[]", 3)) == []


async def test_dropping_takes_the_oldest_up_to_one(app: App) -> None:
    await receive(app, 1, *numbered(1, 2, 3, 4, 5))

    async with app.database.transaction() as conn:
        dropping = store.inbox.dropping(4, 3)
        dropped = [(await conn.executemany(*dropping)).rowcount for _ in range(3)]

    assert dropped == [3, 1, 0]
    assert await rows(app.database, "SELECT n FROM inbox") == [5]


async def test_hot_statements_use_indexes(app: App) -> None:
    database = app.database
    check = await put_check(database, n_pings=20)
    await receive(app, check.id, *numbered(*range(1, 20)))

    uncounted = await plan_of(database, lambda conn: store.inbox.uncounted(conn, 0, 9))
    async with traced(await writer_of(database)) as statements:
        await file_all(app)
    [filing] = [sql for sql in statements if "INTO pings" in sql]
    steps = await rows(database, f"EXPLAIN QUERY PLAN {filing}")
    file = "\n".join(step[3] for step in steps)

    by_n = await plan_of(database, lambda conn: store.pings.by_n(conn, check.id, 1))
    assert "SEARCH pings USING INTEGER PRIMARY KEY (rowid=?)" in by_n
    assert "SCAN p" not in by_n
    assert "SEARCH i USING INTEGER PRIMARY KEY (rowid=?)" in file
    assert "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)" in file
    assert "SEARCH s USING INTEGER PRIMARY KEY (rowid=?)" in uncounted
    assert "TEMP B-TREE" not in uncounted
