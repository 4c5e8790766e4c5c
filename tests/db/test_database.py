import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from contextlib import AbstractAsyncContextManager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosqlite import Connection

import hcl
from hcl import store
from hcl.db import (
    Database,
    DatabaseError,
    UnreadableError,
    UnwritableError,
    open_database,
    open_to_read,
    opening,
)
from hcl.db.group_commit import BATCH_LIMIT, GroupCommit
from tests.app import App
from tests.db.test_migrations import NEWEST
from tests.patience import ENDS
from tests.store import pragma, put_check, rows, traced, writer_of

Use = Callable[[Database], AbstractAsyncContextManager[Connection]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path / "hcl.sqlite")
    try:
        yield database
    finally:
        await database.close()


async def names(database: Database) -> list[str]:
    return await rows(database, "SELECT name FROM settings ORDER BY name")


async def put_two(database: Database) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        await store.settings.put(conn, "b", "2")


async def put_and_run(database: Database, sql: str) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        await conn.execute(sql)


async def put_and_raise(database: Database, error: type[BaseException]) -> None:
    async with database.transaction() as conn:
        await store.settings.put(conn, "a", "1")
        raise error


class CancelledAt:
    """Run a coroutine, and cancel the task when it waits for the nth time."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], *times: int) -> None:
        self.waits = 0
        self._coroutine = coroutine
        self._times = times

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        try:
            while True:
                if error is None:
                    future = self._coroutine.send(None)
                else:
                    future = self._coroutine.throw(error)
                self.waits += 1
                if self.waits in self._times:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()
                try:
                    error = None
                    yield future
                except BaseException as caught:  # noqa: BLE001 - handed on
                    error = caught
        except StopIteration:
            return


async def run_cancelled(coroutine: Coroutine[Any, Any, None], *times: int) -> int:
    """Cancel a coroutine at its nth waits; return how often it waited."""
    steps = CancelledAt(coroutine, *times)

    async def run() -> None:
        await steps

    async with asyncio.timeout(ENDS):
        task = asyncio.create_task(run())
        await asyncio.wait([task])
    assert task.cancelled() == (steps.waits >= times[0])
    return steps.waits


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


@pytest.mark.parametrize(("synchronous", "level"), [("full", 2), ("normal", 1)])
async def test_connections_are_set_up_as_asked(
    tmp_path: Path, synchronous: str, level: int
) -> None:
    database = await open_database(tmp_path / "hcl.sqlite", synchronous)
    found = []
    try:
        for connection in (await writer_of(database), database.committed):
            for pragma in ("journal_mode", "synchronous", "foreign_keys"):
                [row] = await connection.execute_fetchall(f"PRAGMA {pragma}")
                found.append(row[0])
    finally:
        await database.close()

    assert found == ["wal", level, 1] * 2


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hcl.sqlite"
    schemas = []
    for name in ("a", "b"):
        database = await open_database(path)
        async with database.transaction() as conn:
            await store.settings.put(conn, name, "1")
        schemas.append(await rows(database, "SELECT sql FROM sqlite_schema"))
        found = await names(database)
        await database.close()

    assert schemas[0] == schemas[1]
    assert found == ["a", "b"]
    assert os.listdir(tmp_path) == ["hcl.sqlite"]


async def test_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "hcl.sqlite"
    path.touch()

    database = await open_database(path)

    assert await names(database) == []
    await database.close()


async def test_database_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hcl.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")

    with pytest.raises(DatabaseError) as caught:
        await open_database(path)

    assert str(caught.value) == (
        f"{path}: made by a newer hcl (schema 999): run that one, or go back by"
        f" hcl.sqlite.schema-{NEWEST} as docs/upgrading.md says"
    )


def refusal(path: Path) -> str:
    """Fail to open a database as a process does, up to the end of its threads."""
    # Others, of pytest itself, do not end.
    before = set(threading.enumerate())
    with pytest.raises(DatabaseError) as caught:
        asyncio.run(open_database(path))
    for thread in set(threading.enumerate()) - before:
        thread.join(ENDS)
    return str(caught.value)


def not_a_database(folder: Path) -> Path:
    path = folder / "hcl.sqlite"
    path.write_text("This is no database, but a text that is long enough. " * 100)
    return path


def of_another_program(folder: Path) -> Path:
    path = folder / "hcl.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE checks (id)")
        connection.execute("CREATE TABLE pings (id)")
    return path


def in_no_folder(folder: Path) -> Path:
    return folder / "missing" / "hcl.sqlite"


def below_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file" / "hcl.sqlite"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (not_a_database, "file is not a database"),
        (of_another_program, "already exists"),
        (in_no_folder, "unable to open database file"),
        (below_a_file, "unable to open database file"),
        (Path, "unable to open database file"),  # the folder itself
    ],
)
def test_path_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, make: Any, problem: str
) -> None:
    path = make(tmp_path)

    told = refusal(path)

    assert told.startswith(f"{path}: ")
    assert problem in told
    assert "\n" not in told


def test_path_that_cannot_be_opened_leaves_no_thread_to_complain(
    tmp_path: Path,
) -> None:
    # pytest fails a test whose threads raise.
    for _ in range(20):
        refusal(in_no_folder(tmp_path))


def test_database_of_another_program_is_left_as_it_was(tmp_path: Path) -> None:
    path = of_another_program(tmp_path)

    refusal(path)

    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("checks",), ("pings",)]


def open_with_next_hcl(
    folder: Path, migration: str
) -> subprocess.CompletedProcess[str]:
    """Open folder's database in a process whose hcl has one more migration."""
    code = folder / "next"
    shutil.copytree(
        Path(hcl.__file__).parent,
        code / "hcl",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (code / "hcl" / "db/migrations" / "9000_next.sql").write_text(migration)
    script = (
        "import asyncio, pathlib, sys; from hcl.db import open_database\n"
        "async def main():\n"
        "    await (await open_database(pathlib.Path(sys.argv[1]))).close()\n"
        "asyncio.run(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(folder / "hcl.sqlite")],
        cwd=code,
        capture_output=True,
        text=True,
        timeout=30,
    )


def version_and_names(path: Path) -> tuple[int, list[str]]:
    with closing(sqlite3.connect(path)) as connection:
        [version] = connection.execute("PRAGMA user_version").fetchone()
        found = connection.execute("SELECT name FROM settings ORDER BY name")
        return version, [row[0] for row in found]


async def test_older_database_is_set_aside_and_migrated(
    tmp_path: Path, database: Database
) -> None:
    # It stays open, so that these rows are in the WAL and nowhere else.
    await put_two(database)
    [version] = await rows(database, "PRAGMA user_version")

    done = open_with_next_hcl(
        tmp_path, "INSERT INTO settings VALUES ('c', 'x;y');  -- a comment; with more\n"
    )

    assert done.returncode == 0, done.stderr
    assert version_and_names(tmp_path / "hcl.sqlite") == (9000, ["a", "b", "c"])
    aside = tmp_path / f"hcl.sqlite.schema-{version}"
    assert version_and_names(aside) == (version, ["a", "b"])
    with pytest.raises(DatabaseError, match="made by a newer hcl"):
        await open_database(tmp_path / "hcl.sqlite")


async def test_migration_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, database: Database
) -> None:
    await put_two(database)
    [version] = await rows(database, "PRAGMA user_version")

    done = open_with_next_hcl(
        tmp_path, "DELETE FROM settings; INSERT INTO no_such_table VALUES (1);"
    )

    assert done.returncode != 0
    assert "no_such_table" in done.stderr.splitlines()[-1]
    assert version_and_names(tmp_path / "hcl.sqlite") == (version, ["a", "b"])


class Writing:
    """What a group commits: each item is a setting; some items are troublesome."""

    def __init__(self, database: Database) -> None:
        self.batches: list[list[str]] = []
        self.group: GroupCommit[str, str] = GroupCommit(self._write)
        self._database = database

    async def _write(self, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        async with self._database.transaction() as conn:
            for item in items:
                await store.settings.put(conn, item, "1")
            for item in items:
                if item.startswith("bad"):
                    raise ValueError(item)
                if item.startswith("twin"):
                    await conn.execute("INSERT INTO settings VALUES (?, '')", (item,))
        return [item.upper() for item in items]


@pytest.fixture
def writing(database: Database) -> Writing:
    return Writing(database)


async def submit_all(writing: Writing, items: Sequence[str]) -> list[Any]:
    async with asyncio.timeout(ENDS):
        return await asyncio.gather(
            *(writing.group.submit(item) for item in items), return_exceptions=True
        )


async def test_many_items_share_few_transactions(
    database: Database, writing: Writing
) -> None:
    items = [f"item{n:04}" for n in range(2 * BATCH_LIMIT + 1)]

    async with traced(await writer_of(database)) as statements:
        results = await submit_all(writing, items)

    assert results == [item.upper() for item in items]
    assert await names(database) == items
    assert statements.count("COMMIT") == 3
    assert max(map(len, writing.batches)) <= BATCH_LIMIT
    assert [item for batch in writing.batches for item in batch] == items


async def test_result_comes_after_the_commit(
    database: Database, writing: Writing
) -> None:
    await writing.group.submit("a")

    assert await names(database) == ["a"]


async def test_items_that_come_during_a_commit_share_the_next(
    database: Database, writing: Writing
) -> None:
    async with database.transaction():
        first = writing.group.submit("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        rest = [writing.group.submit(name) for name in "bcd"]
        await asyncio.sleep(0)
        assert not any(task.done() for task in (first, *rest))

    async with asyncio.timeout(ENDS):
        await asyncio.gather(first, *rest)
    assert writing.batches == [["a"], ["b", "c", "d"]]


@pytest.mark.parametrize(
    ("name", "error"), [("bad", ValueError), ("twin", sqlite3.IntegrityError)]
)
async def test_failing_item_does_not_take_the_others_down(
    database: Database, writing: Writing, name: str, error: type[Exception]
) -> None:
    results = await submit_all(writing, ["a", f"{name}1", "b", f"{name}2", "c"])

    assert [type(result) for result in results] == [str, error, str, error, str]
    assert await names(database) == ["a", "b", "c"]


async def test_item_on_a_damaged_page_does_not_take_the_others_down(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(items: Sequence[str]) -> list[str]:
        if "bad" in items:
            raise UnwritableError("malformed", code=sqlite3.SQLITE_CORRUPT)
        return [item.upper() for item in items]

    group = GroupCommit[str, str](write)

    async with asyncio.timeout(ENDS):
        results = await asyncio.gather(
            *map(group.submit, ["a", "bad", "b"]), return_exceptions=True
        )

    assert [str(result) for result in results] == ["A", "malformed", "B"]
    assert caplog.messages == []


async def test_single_failing_item_fails_and_the_next_one_does_not(
    database: Database, writing: Writing
) -> None:
    with pytest.raises(ValueError, match="bad"):
        await writing.group.submit("bad")

    assert await writing.group.submit("a") == "A"
    assert writing.batches == [["bad"], ["a"]]


async def test_cancelled_submitter_harms_nobody(
    database: Database, writing: Writing
) -> None:
    tasks = [writing.group.submit(name) for name in "abc"]
    await asyncio.sleep(0)

    tasks[1].cancel()
    async with asyncio.timeout(ENDS):
        await asyncio.wait(tasks)

    assert tasks[1].cancelled()
    assert (await tasks[0], await tasks[2]) == ("A", "C")
    # A caller that is cancelled takes nothing back.
    assert await names(database) == ["a", "b", "c"]
    assert await writing.group.submit("d") == "D"


@pytest.mark.parametrize("item", ["a", "bad"])
async def test_item_whose_only_submitter_is_cancelled_leaves_a_group_that_works(
    database: Database, writing: Writing, item: str
) -> None:
    task = writing.group.submit(item)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    async with asyncio.timeout(ENDS):
        assert await writing.group.submit("b") == "B"


async def test_full_disk_reaches_every_waiter_and_works_again_after(
    database: Database, writing: Writing
) -> None:
    items = [f"{n:04}" + "x" * 4000 for n in range(50)]
    [limit] = await rows(database, "PRAGMA page_count")
    await pragma(database, f"max_page_count = {limit + 10}")

    results = await submit_all(writing, items)

    assert {type(result) for result in results} == {UnwritableError}
    assert {str(result) for result in results} == {"database or disk is full"}
    assert await names(database) == []
    assert len(writing.batches) == 1

    await pragma(database, "max_page_count = 100000")
    assert await submit_all(writing, items) == [item.upper() for item in items]
    assert await names(database) == items


async def test_database_locked_by_another_program_is_told_and_works_again_after(
    tmp_path: Path, database: Database, writing: Writing
) -> None:
    await pragma(database, "busy_timeout = 10")
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")

        results = await submit_all(writing, ["a", "b"])

    assert [str(result) for result in results] == ["database is locked"] * 2
    assert await writing.group.submit("c") == "C"
    assert await names(database) == ["c"]


async def fill_and_empty(database: Database, rows_: int) -> None:
    """Leave free pages: of each row one."""
    async with database.transaction() as conn:
        await conn.execute("CREATE TABLE IF NOT EXISTS heap (data BLOB)")
        await conn.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            " WHERE i < ?) INSERT INTO heap SELECT zeroblob(4000) FROM n",
            (rows_,),
        )
    async with database.transaction() as conn:
        await conn.execute("DELETE FROM heap")


async def pages(database: Database) -> tuple[int, int]:
    [free] = await rows(database, "PRAGMA freelist_count")
    [total] = await rows(database, "PRAGMA page_count")
    return free, total


async def test_pages_that_are_freed_are_not_written(database: Database) -> None:
    writer = await writer_of(database)
    await writer.execute("CREATE TABLE freed (id INTEGER PRIMARY KEY, body BLOB)")
    await writer.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 800)"
        " INSERT INTO freed SELECT i, zeroblob(1000) FROM n"
    )
    await writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    await writer.execute("DELETE FROM freed WHERE id > 10")

    ((_, written, _),) = await writer.execute_fetchall("PRAGMA wal_checkpoint")
    # Of about 200.
    assert written < 50


@pytest.mark.parametrize(("checks_a_kib", "kept"), [(16, 2000), (1, 2003)])
async def test_more_pages_are_kept_where_there_are_more_checks(
    app: App, monkeypatch: pytest.MonkeyPatch, checks_a_kib: int, kept: int
) -> None:
    monkeypatch.setattr(opening, "_CHECKS_A_KIB", checks_a_kib)
    for _ in range(3):
        await put_check(app.database)
    writer = await writer_of(app.database)

    await opening._keep_pages(writer)

    ((cache,),) = await writer.execute_fetchall("PRAGMA cache_size")
    assert cache == -kept


async def test_many_free_pages_are_given_back_a_few_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hcl.db.database._SPARE_PAGES", 100)
    monkeypatch.setattr("hcl.db.database._RELEASE_AT_ONCE", 50)
    await fill_and_empty(database, 400)
    before, total = await pages(database)

    async with traced(await writer_of(database)) as statements:
        await database.release()

    free, left = await pages(database)
    assert before >= 400
    assert 50 < free <= max(100, total // 4)
    assert total - left == before - free
    assert len(statements) == (before - free) // 50


async def test_few_free_pages_are_kept(database: Database) -> None:
    await fill_and_empty(database, 400)
    before = await pages(database)

    async with traced(await writer_of(database)) as statements:
        await database.release()

    assert statements == []
    assert await pages(database) == before


async def test_database_of_the_first_schema_learns_to_give_pages_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hcl.sqlite"
    schema = Path(hcl.__file__).parent / "db/migrations" / "0001_start.sql"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema.read_text() + "PRAGMA user_version = 1;")
        connection.execute(
            "INSERT INTO projects VALUES (1, 'c', 'Home', 'k', 'b', 9, 1)"
        )
        connection.execute(
            "INSERT INTO checks SELECT 1, 1, 'c', 'u', 'b', '', '', '', '', 'simple',"
            " 60, 60, '', '', '', 0, '', '', '', 0, 0, 0, 0"
        )
        connection.executemany(
            "INSERT INTO pings VALUES (1, ?, 0, 'success', 'http', '', 'GET', '', NULL,"
            " NULL, x'00')",
            [(1,), (2,)],
        )
        connection.commit()

    database = await open_database(path)

    try:
        assert await rows(database, "PRAGMA auto_vacuum") == [2]
        assert await rows(database, "SELECT check_id, n FROM log") == [(1, 1), (1, 2)]
        async with database.transaction() as conn:
            await conn.execute("DELETE FROM checks")
        assert await rows(database, "SELECT n FROM pings") == []
    finally:
        await database.close()


async def test_database_whose_upgrade_was_cut_off_learns_to_give_pages_back(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hcl.sqlite"
    folder = Path(hcl.__file__).parent / "db/migrations"
    with closing(sqlite3.connect(path)) as connection:
        for number, file in enumerate(sorted(folder.glob("*.sql")), 1):
            sql = file.read_text()
            connection.executescript(f"{sql}; PRAGMA user_version = {number}")

    for _ in range(2):
        database = await open_database(path)
        [mode] = await rows(database, "PRAGMA auto_vacuum")
        await database.close()

    assert mode == 2


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
    with pytest.raises(DatabaseError, match="unable to open database file"):
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
