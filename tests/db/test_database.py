"""Transactions, readers, and what is written lazily."""

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from aiosqlite import Connection

from hcl import store
from hcl.db import (
    Database,
    DatabaseError,
    UnreadableError,
    UnwritableError,
    open_database,
    open_to_read,
)
from tests.db.writing import names, put_and_raise, put_and_run, put_two, run_cancelled
from tests.patience import ENDS
from tests.store import pragma, traced, writer_of

Use = Callable[[Database], AbstractAsyncContextManager[Connection]]


async def test_transaction_commits(database: Database) -> None:
    await put_two(database)

    assert await names(database) == ["a", "b"]


@pytest.mark.parametrize("use", [Database.turn, Database.transaction])
async def test_database_that_cannot_be_written_is_told_in_own_words(
    database: Database, use: Use
) -> None:
    await pragma(database, "query_only = ON")

    with pytest.raises(UnwritableError, match=r"^attempt to write a read") as caught:
        async with use(database) as conn:
            await store.settings.put(conn, "a", "1")

    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert not database.is_writable
    await pragma(database, "query_only = OFF")
    async with use(database) as conn:
        await store.settings.put(conn, "a", "1")
    assert database.is_writable


@pytest.mark.parametrize("use", [Database.turn, Database.transaction])
async def test_mistake_in_a_statement_stays_what_it_is(
    database: Database, use: Use
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        async with use(database) as conn:
            await conn.execute("INSERT INTO settings VALUES ('a', NULL)")
    with pytest.raises(sqlite3.ProgrammingError):
        await database.committed.execute("SELECT ?", ())

    assert database.is_writable


async def test_current_waits_for_others_that_write_as_long_as_is_asked(
    database: Database,
) -> None:
    settled = []

    async def settle(conn: Connection) -> None:
        settled.append(conn)

    database.put_off(settle)
    async with database.turn() as conn:
        for at_most in (timedelta(0), timedelta(milliseconds=10)):
            assert await database.current(at_most) is database.committed
        assert settled == []
        waiting = asyncio.create_task(database.current())
        await asyncio.sleep(0)
        assert not waiting.done()

    assert await waiting is database.committed
    assert settled == [conn]


async def test_database_that_cannot_be_read_is_told_in_own_words(
    database: Database,
) -> None:
    async with database.transaction() as conn:
        await conn.execute("DROP TABLE settings")

    with pytest.raises(UnreadableError, match=r"^no such table: settings$") as caught:
        await store.settings.get(database.committed, "a")

    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


async def test_closed_database_cannot_be_written(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "hcl.sqlite")
    await database.close()

    with pytest.raises(UnwritableError, match="closed"):
        await database.settle()


async def test_reader_sees_only_what_is_committed(database: Database) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        before = await names(database)

    assert before == []
    assert await names(database) == ["a"]


async def test_reader_cannot_write(database: Database) -> None:
    with pytest.raises(UnreadableError, match="readonly"):
        await store.settings.put(database.committed, "a", "1")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
async def test_exception_rolls_back_and_comes_through(
    database: Database, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        await put_and_raise(database, error)

    assert await names(database) == []
    await put_two(database)
    assert await names(database) == ["a", "b"]


async def test_failed_statement_rolls_back(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await put_and_run(database, "INSERT INTO settings VALUES ('a', '2')")

    assert await names(database) == []


async def test_transaction_that_sqlite_has_ended_itself_is_told(
    database: Database,
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        await put_and_run(
            database, "INSERT OR ROLLBACK INTO settings VALUES ('a', '2')"
        )

    await put_two(database)
    assert await names(database) == ["a", "b"]


async def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        await put_and_run(database, "INSERT INTO checks_channels VALUES (1, 1)")


# It waits for BEGIN, two statements and COMMIT, and once more to roll back.
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_cancelled_transaction_leaves_all_or_nothing(
    database: Database, at: int, again: bool
) -> None:
    waits = await run_cancelled(put_two(database), at, at + again)

    assert waits == at + 1
    async with asyncio.timeout(ENDS), database.transaction() as conn:
        await store.settings.put(conn, "c", "3")
    found = await names(database)
    # Once COMMIT is on its way nobody can call it back.
    assert found == (["c"] if at < 4 else ["a", "b", "c"])


async def test_transaction_waits_four_times(database: Database) -> None:
    assert await run_cancelled(put_two(database), 99) == 4


async def test_cancelled_while_waiting_for_its_turn_does_nothing(
    database: Database,
) -> None:
    async with database.transaction() as conn:
        task = asyncio.create_task(put_two(database))
        other = asyncio.create_task(put_two(database))
        await store.settings.put(conn, "c", "3")
        task.cancel()
        await asyncio.wait([task])

    async with asyncio.timeout(ENDS):
        await other
    assert task.cancelled()
    assert await names(database) == ["a", "b", "c"]


async def test_many_cancelled_at_once_leave_the_database_usable(
    database: Database,
) -> None:
    tasks = [asyncio.create_task(put_two(database)) for _ in range(20)]
    async with asyncio.timeout(ENDS):
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async with asyncio.timeout(ENDS), database.transaction() as conn:
        await store.settings.put(conn, "c", "3")

    assert await names(database) == ["a", "b", "c"]


async def test_transactions_do_not_mix(database: Database) -> None:
    async def count_up() -> None:
        async with database.transaction() as conn:
            value = int(await store.settings.get(conn, "n") or 0)
            await asyncio.sleep(0)
            await store.settings.put(conn, "n", str(value + 1))

    await asyncio.gather(*(count_up() for _ in range(50)))

    assert await store.settings.get(database.committed, "n") == "50"


async def test_database_opened_to_read_sees_what_a_server_writes(
    tmp_path: Path, database: Database
) -> None:
    await put_two(database)

    async with open_to_read(tmp_path / "hcl.sqlite") as conn:
        found = await conn.execute_fetchall("SELECT name FROM settings ORDER BY name")
        assert [row[0] for row in found] == ["a", "b"]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await conn.execute("DELETE FROM settings")

    assert await names(database) == ["a", "b"]


@pytest.mark.parametrize("name", ["no.sqlite", "no/folder", "odd name?#%41.sqlite"])
async def test_database_that_is_not_there_cannot_be_opened_to_read(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        async with open_to_read(tmp_path / name):
            pass

    assert os.listdir(tmp_path) == []


async def test_odd_path_can_be_opened_to_read(tmp_path: Path) -> None:
    path = tmp_path / "odd name?#%41.sqlite"
    await (await open_database(path)).close()

    async with open_to_read(path) as conn:
        assert await conn.execute_fetchall("SELECT * FROM settings") == []


async def test_what_is_written_lazily_is_not_synced_and_what_follows_is(
    tmp_path: Path,
) -> None:
    database = await open_database(tmp_path / "hcl.sqlite", "full")
    try:
        writer = await writer_of(database)
        async with traced(writer) as statements:
            await database.write_lazily((_PUT, [("a", "1")]))
            with pytest.raises(sqlite3.IntegrityError):
                await database.write_lazily((_PUT, [("a", "2")]))
        levels = await writer.execute_fetchall("PRAGMA synchronous")
        kept = await store.settings.get(database.committed, "a")
    finally:
        await database.close()

    ends = [s for s in statements if s in ("COMMIT", "ROLLBACK") or "=" in s]
    assert ends == [
        *["PRAGMA synchronous = 1", "COMMIT", "PRAGMA synchronous = 2"],
        *["PRAGMA synchronous = 1", "ROLLBACK", "PRAGMA synchronous = 2"],
    ]
    assert [tuple(level) for level in levels] == [(2,)]
    assert kept == "1"


_PUT = "INSERT INTO settings (name, value) VALUES (?, ?)"
