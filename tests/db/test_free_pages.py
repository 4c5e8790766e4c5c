"""Pages that are free: kept, and given back."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import hcl
from hcl.db import (
    Database,
    open_database,
    opening,
)
from tests.app import App
from tests.damage import damage
from tests.db.test_migrations import NEWEST, put_of_version
from tests.store import put_check, rows, traced, writer_of


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


async def test_database_that_never_learnt_it_opens_though_a_page_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hcl.sqlite"
    put_of_version(path, NEWEST)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO pings VALUES (1 << 32, 0, 'success', 'http', '', 'GET', '',"
            " NULL, NULL, x'00')"
        )
        connection.commit()
    damage(path, "pings")

    database = await open_database(path)

    try:
        assert await rows(database, "SELECT count(*) FROM checks") == [3]
        assert "will not shrink, since VACUUM failed" in caplog.text
    finally:
        await database.close()
