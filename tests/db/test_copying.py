"""Copies of a database that is written to, and what is refused."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hcl.db import (
    DatabaseError,
    StoppedError,
    back_up,
    copies,
    open_database,
    rehearse,
)
from hcl.db.private import becoming
from tests.db.test_migrations import NEWEST
from tests.patience import ENDS

NOW = datetime(2026, 11, 28, 14, 20, 42, tzinfo=UTC)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Make a database of many slices."""
    path = tmp_path / "hcl.sqlite"

    async def make() -> None:
        await (await open_database(path, "normal")).close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO settings VALUES ('big', hex(randomblob(1000000)))"
        )
    return path


def asked(path: Path, sql: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(sql)]


def test_copy_is_as_of_one_moment_though_each_slice_sees_a_commit(
    source: Path, tmp_path: Path
) -> None:
    commits: list[str] = []
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:

        def commit() -> bool:
            # A copy that began anew at each would never end.
            assert len(commits) < 200
            commits.append(f"while it was copied {len(commits)}")
            writer.execute("INSERT INTO settings VALUES (?, '')", (commits[-1],))
            return False

        contents = back_up(source, tmp_path / "copy", commit)

    assert len(commits) > 5
    assert contents.schema == NEWEST
    assert asked(tmp_path / "copy", "SELECT name FROM settings") == ["big"]
    assert len(asked(source, "SELECT name FROM settings")) == len(commits) + 1


def test_copy_is_one_private_file_and_replaces_an_older_one(
    source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    target.touch(0o644)
    before = os.umask(0)
    try:
        back_up(source, target)
    finally:
        os.umask(before)

    assert target.stat().st_mode & 0o777 == 0o600
    assert asked(target, "PRAGMA journal_mode") == ["delete"]
    assert asked(target, "PRAGMA integrity_check") == ["ok"]
    names = {path.name for path in tmp_path.iterdir()}
    assert names - {"hcl.sqlite-wal", "hcl.sqlite-shm"} == {"copy", "hcl.sqlite"}


def test_copy_that_is_stopped_leaves_nothing(source: Path, tmp_path: Path) -> None:
    looks = iter([False, False, True])
    (tmp_path / "copy").write_text("the one before")

    with pytest.raises(StoppedError):
        back_up(source, tmp_path / "copy", lambda: next(looks))

    assert (tmp_path / "copy").read_text() == "the one before"
    assert not (tmp_path / ".copy.part").exists()


def test_two_at_once_are_told_and_what_was_killed_is_no_obstacle(
    source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    (tmp_path / ".copy.part").write_text("left by one that was killed")
    back_up(source, target)
    with becoming(target) as (part, fd):
        os.write(fd, target.read_bytes())
        with pytest.raises(DatabaseError, match="another process is just writing it"):
            back_up(source, target)
        assert part.exists()

    assert rehearse(target).schema == NEWEST


def test_link_of_somebody_else_is_not_followed(source: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "copy").symlink_to(victim)
    (tmp_path / ".copy.part").symlink_to(victim)

    back_up(source, tmp_path / "copy")

    assert victim.read_text() == "precious"
    assert not (tmp_path / "copy").is_symlink()
    assert rehearse(tmp_path / "copy").schema == NEWEST


def test_copy_of_a_damaged_database_is_not_kept(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.write_text("the good one")
    with source.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 4096)

    with pytest.raises(DatabaseError) as caught:
        back_up(source, target)

    assert "damaged" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert target.read_text() == "the good one"
    assert not (tmp_path / ".copy.part").exists()


def test_writer_is_not_held_up_by_a_copy(source: Path, tmp_path: Path) -> None:
    """Each write of another process goes on while a slice is held."""
    inside, goes_on = threading.Event(), threading.Event()

    def hold() -> bool:
        inside.set()
        assert goes_on.wait(ENDS)
        return False

    def run() -> None:
        back_up(source, tmp_path / "copy", hold)

    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(ENDS)
    with closing(sqlite3.connect(source, isolation_level=None, timeout=0)) as writer:
        # Whoever is locked out gets "database is locked" at once.
        writer.execute("INSERT INTO settings VALUES ('written', '')")
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)")
    goes_on.set()
    thread.join(ENDS)

    assert asked(tmp_path / "copy", "SELECT name FROM settings") == ["big"]


def name(days: int) -> str:
    return copies.name_of(Path("hcl.sqlite"), NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("names", "keep", "gone"),
    [
        ([name(0)], 1, []),
        ([name(0), name(2), name(1)], 2, [name(2)]),
        ([name(0), name(2), name(1)], 1, [name(2), name(1)]),
        # A clock was ahead: the one just made is not the one to go.
        ([name(0), name(-400), name(1)], 2, [name(-400)]),
        ([name(0), "hcl.sqlite", "hcl-old.sqlite", "notes.txt"], 1, []),
        ([name(0), name(3).replace("hcl-", "other-")], 1, []),
        ([name(0), "hcl-20269999T999999Z.sqlite"], 1, []),
    ],
)
def test_oldest_copies_are_too_many(
    names: list[str], keep: int, gone: list[str]
) -> None:
    told = copies.too_many(Path("/x/hcl.sqlite"), names, name(0), keep, NOW)

    assert told == gone


def test_tidying_deletes_what_killed_backups_left(tmp_path: Path) -> None:
    database = Path("hcl.sqlite")
    for file in (name(0), name(1), f".{name(2)}.part", ".mine.part"):
        (tmp_path / file).touch()
    with becoming(tmp_path / name(3)) as (part, _):
        copies.tidy(tmp_path, database, name(0), 1, NOW)
        left = {path.name for path in tmp_path.iterdir()}

    assert left == {name(0), ".mine.part", part.name}


def test_tidying_leaves_the_copies_of_another_server(tmp_path: Path) -> None:
    def put(number: int, identity: str | None) -> None:
        with closing(sqlite3.connect(tmp_path / name(number))) as conn, conn:
            conn.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT)")
            if identity:
                row = (copies.IDENTITY, identity)
                conn.execute("INSERT INTO settings VALUES (?, ?)", row)

    # Of an hourly one's copies a daily one's would soon be gone.
    for number, identity in enumerate(["ours", "theirs", "ours", "theirs", None, ""]):
        put(number, identity)
    (tmp_path / name(6)).write_text("damaged")

    gone = copies.tidy(tmp_path, Path("hcl.sqlite"), name(0), 2, NOW)

    # What does not say whose it is counts as ours, as it did before.
    assert gone == [name(6), name(5), name(4)]
    left = sorted(file.name for file in tmp_path.iterdir())
    assert left == sorted(map(name, (0, 1, 2, 3)))


def text(path: Path) -> None:
    path.write_text("no database " * 100)


def empty(path: Path) -> None:
    path.touch()


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id)")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "target"
    assert not (tmp_path / ".target.part").exists()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (text, "it is damaged, or is no database"),
        (empty, "is no database of hcl's"),
        (of_another_program, "is no database of hcl's"),
    ],
)
def test_what_is_no_database_of_hcls_is_not_copied(
    tmp_path: Path, target: Path, make: Callable[[Path], None], told: str
) -> None:
    make(tmp_path / "source")

    with pytest.raises(DatabaseError, match=told):
        back_up(tmp_path / "source", target)
