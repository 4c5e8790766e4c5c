"""Databases that are opened, refused, set aside and migrated."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import hcl
from hcl import store
from hcl.db import (
    Database,
    DatabaseError,
    open_database,
)
from tests.db.test_migrations import NEWEST, put_of_version
from tests.db.writing import names, put_two
from tests.patience import ENDS
from tests.store import rows, writer_of


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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_root_leaves_a_new_database_to_whose_its_folder_is(
    tmp_path: Path,
) -> None:
    os.chown(tmp_path, 12345, 23456)

    database = await open_database(tmp_path / "hcl.sqlite")
    owners = {(name, os.stat(tmp_path / name).st_uid) for name in os.listdir(tmp_path)}
    await database.close()

    names = ("hcl.sqlite", "hcl.sqlite-wal", "hcl.sqlite-shm")
    assert owners == {(name, 12345) for name in names}


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
        dirs_exist_ok=True,
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


def test_migration_that_fails_again_makes_no_copy_anew(tmp_path: Path) -> None:
    """By each start that systemd tries a card would take all of the database."""
    path = tmp_path / "hcl.sqlite"
    put_of_version(path, 3)
    aside = tmp_path / "hcl.sqlite.schema-5"
    fails = "DELETE FROM settings; INSERT INTO no_such_table VALUES (1);"
    put_setting(path, "a")
    open_with_next_hcl(tmp_path, fails)
    # From then on the schema is that of the migration before the one that fails.
    open_with_next_hcl(tmp_path, fails)
    made = aside.stat()

    done = open_with_next_hcl(tmp_path, fails)

    assert "no_such_table" in done.stderr.splitlines()[-1]
    assert (aside.stat().st_ino, aside.stat().st_mtime_ns) == (
        made.st_ino,
        made.st_mtime_ns,
    )
    put_setting(path, "b")

    open_with_next_hcl(tmp_path, fails)

    assert version_and_names(aside) == (5, ["a", "b"])


def put_setting(path: Path, name: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO settings VALUES (?, '')", (name,))
        connection.commit()
