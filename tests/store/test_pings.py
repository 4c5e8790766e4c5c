from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, get_args

import pytest
from aiosqlite import Connection

from hcl import store
from hcl.model import Action, Ping
from hcl.store.pings import Wanted
from tests.app import App
from tests.build import FULL_PING, HOUR, NOW, make_ping
from tests.store import plan_of, put_check, put_pings, rows


async def add(app: App, check_id: int, *log: Ping) -> None:
    await put_pings(app.database, *((check_id, ping) for ping in log))


async def add_numbers(app: App, check_id: int, last: int) -> None:
    await add(app, check_id, *(make_ping(n=n) for n in range(1, last + 1)))


async def numbers(app: App, check_id: int) -> list[int]:
    return await rows(
        app.database, "SELECT n FROM pings WHERE check_id = ? ORDER BY n", check_id
    )


@pytest.mark.parametrize(
    "ping", [FULL_PING, make_ping(n=1), FULL_PING._replace(exitstatus=0)]
)
async def test_ping_comes_back_as_it_was_added(app: App, ping: Ping) -> None:
    check = await put_check(app.database)

    await add(app, check.id, ping)

    reader = app.database.committed
    assert await store.pings.by_n(reader, check.id, 1) == ping
    assert await store.pings.by_n(reader, check.id, 2) is None
    assert await store.pings.by_n(reader, check.id + 1, 1) is None


@pytest.mark.parametrize("action", get_args(Action))
async def test_every_action_can_be_kept(app: App, action: Any) -> None:
    check = await put_check(app.database)

    await add(app, check.id, make_ping(n=1, action=action))

    found = await store.pings.by_n(app.database.committed, check.id, 1)
    assert found is not None
    assert found.action == action


async def test_newest_pings_come_first_with_a_taste_of_their_bodies(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    log = [
        make_ping(n=1, body=b"one"),
        make_ping(n=2, created=NOW - HOUR, body=b""),
        FULL_PING._replace(n=3, body=b"\x00three"),
    ]
    await add(app, check.id, *log)
    await add(app, other.id, make_ping(n=4))

    found = await store.pings.newest(app.database.committed, check.id, 2)

    assert found == [log[2]._replace(body=b"\x00"), log[1]]
    assert len(await store.pings.newest(app.database.committed, check.id, 9)) == 3


async def test_signals_before_a_ping_come_oldest_first(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    actions: list[Action] = ["start", "success", "log", "fail", "ign", "start", "fail"]
    log = [
        make_ping(n=n, action=action, created=NOW + n * HOUR, body=b"body")
        for n, action in enumerate(actions, start=1)
    ]
    await add(app, check.id, *log)
    await add(app, other.id, *log)

    found = await store.pings.signals_before(
        app.database.committed, check.id, 7, NOW + timedelta(hours=2)
    )

    assert found == [log[i]._replace(body=b"") for i in (1, 3, 5)]


async def test_checks_over_the_limit_tell_what_to_drop(app: App) -> None:
    exact, over, pruned = [
        await put_check(app.database, n_pings=n) for n in (10, 12, 12)
    ]
    await put_check(app.database)
    await add_numbers(app, exact.id, 10)
    await add_numbers(app, over.id, 12)
    await add(app, pruned.id, *(make_ping(n=n) for n in range(3, 13)))

    found = await store.pings.checks_over(app.database.committed, 10)

    assert found == [(over.id, 2)]


async def test_dropping_takes_the_oldest_of_one_check(app: App) -> None:
    check, other = [await put_check(app.database) for _ in range(2)]
    await add_numbers(app, check.id, 9)
    await add_numbers(app, other.id, 9)

    async with app.database.transaction() as conn:
        dropped = [await store.pings.drop(conn, check.id, 5, 3) for _ in range(3)]

    assert dropped == [3, 2, 0]
    assert await numbers(app, check.id) == [6, 7, 8, 9]
    assert len(await numbers(app, other.id)) == 9


async def test_highest_id_counts_pings_of_deleted_checks(app: App) -> None:
    reader = app.database.committed
    assert await store.pings.highest_id(reader) is None

    await put_check(app.database, n_pings=3)
    await put_check(app.database, n_pings=4)
    assert await store.pings.highest_id(reader) == 7

    async with app.database.transaction() as conn:
        await store.pings.count_deleted(conn, 10)
        await store.pings.count_deleted(conn, 0)
        await store.pings.count_deleted(conn, 2**40)
    assert await store.pings.highest_id(reader) == 2**40 + 17


async def test_hot_statements_use_indexes(app: App) -> None:
    database = app.database
    check = await put_check(database, n_pings=20)
    await add_numbers(app, check.id, 20)

    checks_over = await plan_of(
        database, lambda conn: store.pings.checks_over(conn, 10)
    )
    newest = await plan_of(database, lambda conn: store.pings.newest(conn, 1, 10))

    assert "SEARCH pings USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in checks_over
    assert "SCAN pings" not in checks_over
    assert "SEARCH pings USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in newest
    # Only what is not filed yet is sorted, and it is little.
    assert newest.count("TEMP B-TREE") == 1
    assert newest.index("SCAN inbox") < newest.index("TEMP B-TREE")


async def test_numbers_are_those_that_are_asked_for(app: App) -> None:
    check = await put_check(app.database)
    other = await put_check(app.database)
    log = [
        make_ping(n=n, created=NOW + n * HOUR, action=action, body=body)
        for n, action, body in (
            (1, "start", b""),
            (2, "success", b"Disk OK"),
            (3, "fail", b"\0disk full"),
        )
    ]
    await put_pings(app.database, *((check.id, ping) for ping in log[:2]))
    await put_pings(app.database, (check.id, log[2]), filed=False)
    await put_pings(app.database, (other.id, log[0]))

    for wanted, found in (
        (Wanted(), [3, 2, 1]),
        (Wanted(below=3), [2, 1]),
        (Wanted(actions=("fail", "start")), [3, 1]),
        (Wanted(since=NOW + 2 * HOUR, until=NOW + 3 * HOUR), [2]),
        (Wanted(text="DISK"), [3, 2]),
        (Wanted(text="disk full"), [3]),
        (Wanted(text="%"), []),
    ):
        assert (
            await store.pings.numbers(app.database.committed, check.id, wanted, 9)
            == found
        )
    assert await store.pings.numbers(app.database.committed, check.id, Wanted(), 2) == [
        3,
        2,
    ]


async def test_pages_of_numbers_are_read_from_their_place(app: App) -> None:
    plan = await plan_of(
        app.database, lambda conn: store.pings.numbers(conn, 1, Wanted(below=500), 100)
    )

    assert "SEARCH pings USING INTEGER PRIMARY KEY" in plan


async def test_excerpts_are_cut_and_know_the_size(app: App) -> None:
    check = await put_check(app.database)
    log = [make_ping(n=n, body=b"0123456789") for n in (1, 2, 3)]
    log.append(make_ping(n=4, scheme="email", body=b"0123456789"))
    await put_pings(app.database, *((check.id, ping) for ping in log))

    found = await store.excerpts.of_check(
        app.database.committed, check.id, [2, 4, 9], 3
    )

    assert [(e.ping.n, e.ping.body, e.size) for e in found] == [
        (4, b"0123456789", 10),
        (2, b"012", 10),
    ]


@pytest.mark.parametrize(
    "read",
    [
        lambda conn: store.excerpts.of_check(conn, 1, [2, 4], 100),
        lambda conn: store.pings.newest(conn, 1, 100),
        lambda conn: store.pings.by_n(conn, 1, 2),
        lambda conn: store.pings.oldest(conn, 1),
        lambda conn: store.pings.last_signals(conn, 1, 100),
        lambda conn: store.pings.last_outcome(conn, 1, NOW),
        lambda conn: store.pings.signals_before(conn, 1, 5, NOW),
        lambda conn: store.pings.signals_of(conn, [1, 2], 9),
        lambda conn: store.pings.outcomes(conn, [1, 2], 9),
    ],
)
async def test_of_all_pings_that_there_are_only_some_are_read(
    app: App, read: Callable[[Connection], Awaitable[object]]
) -> None:
    # By what is filed: there may be millions, and a gigabyte of them.
    plan = await plan_of(app.database, read)

    assert "SEARCH p" in plan
    assert "SCAN p" not in plan


async def test_excerpts_are_of_the_log_and_of_what_is_not_filed_yet(app: App) -> None:
    check, other = await put_check(app.database), await put_check(app.database)
    log = [make_ping(n=n, body=b"%d" % n) for n in (1, 2, 3)]
    await put_pings(app.database, *((check.id, ping) for ping in log[:2]))
    await put_pings(app.database, *((check.id, p) for p in log[1:]), filed=False)
    await put_pings(app.database, (other.id, log[2]), filed=False)

    found = await store.excerpts.of_check(
        app.database.committed, check.id, [1, 2, 3], 9
    )

    # While the filer is at work the second is in both.
    assert [(e.ping.n, e.ping.body) for e in found] == [(3, b"3"), (2, b"2"), (1, b"1")]


async def test_last_signals_come_oldest_first(app: App) -> None:
    check = await put_check(app.database)
    for n, action in enumerate(("start", "success", "log", "fail"), 1):
        await put_pings(app.database, (check.id, make_ping(n=n, action=action)))

    found = await store.pings.last_signals(app.database.committed, check.id, 2)

    assert [ping.n for ping in found] == [2, 4]


async def test_clear_leaves_no_gap_in_the_inbox(app: App) -> None:
    check, other = await put_check(app.database), await put_check(app.database)
    for owner in (check, other, check):
        await put_pings(
            app.database, (owner.id, make_ping(n=1, body=b"x")), filed=False
        )

    async with app.database.transaction() as conn:
        await store.pings.clear(conn, check.id)

    assert await store.pings.oldest(app.database.committed, check.id) is None
    assert await store.pings.oldest(app.database.committed, other.id) == NOW
    assert await rows(
        app.database, "SELECT id, check_id, body FROM inbox ORDER BY id"
    ) == [
        (1, 0, b""),
        (2, other.id, b"x"),
        (3, 0, b""),
    ]
