"""The database: open it, migrate it, read from it, write to it in transactions."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import quote

import aiosqlite
from aiosqlite import Connection

logger = logging.getLogger(__name__)

# How long a loop waits before it tries again on a database that cannot be written.
PATIENCE = timedelta(seconds=10)

# The WAL is cut to this many bytes once it is in the database.
_PRAGMAS = (
    # Before anything is written, or only VACUUM can set it.
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "foreign_keys = ON",
    "journal_size_limit = 16777216",
)

# The pages that a connection keeps in memory, in KiB, if it has come across as many.
# The writer's hold much of a full inbox, which is not filed in its own order.
_READER_CACHE = 2000
_WRITER_CACHE = 8000

# What PRAGMA auto_vacuum says when it is set.
_INCREMENTAL = 2

# So many free pages (40 MB) are kept for what comes, or a quarter of all; so many are
# given back in one transaction.
_SPARE_PAGES = 10_000
_RELEASE_AT_ONCE = 250

# SQL, and the parameters of each time that it runs.
Statement = tuple[str, Iterable[Sequence[object]]]


class DatabaseError(Exception):
    """The database cannot be used at all; the text says why."""


class Database:
    """A connection that writes, one transaction at a time, and one that reads.

    `reader` sees what is committed: without what is put off, see `put_off`. `edition`
    counts the commits that may have changed checks, so that who remembers checks can
    tell when to forget them. `is_writable` is False after a write that failed, until
    one does not.
    """

    def __init__(self, writer: Connection, reader: Connection) -> None:
        self.reader = reader
        self.edition = 0
        self.is_writable = True
        self._writer = writer
        self._lock = asyncio.Lock()
        self._closed = False
        self._settle: Callable[[Connection], Awaitable[None]] = _nothing

    def put_off(self, settle: Callable[[Connection], Awaitable[None]]) -> None:
        """Have `settle` write what its owner puts off, before others read or write it.

        It is called with the writing connection, in a turn of its own.
        """
        self._settle = settle

    async def settle(self) -> None:
        """Commit all that was put off.

        Raises sqlite3.OperationalError if the database cannot be written.
        """
        async with self.turn() as conn:
            await self._settle(conn)

    async def settled(self) -> Connection:
        """Return the reader, after all that was put off is committed.

        If the database cannot be written, it is read as it was before.
        """
        try:
            await self.settle()
        except sqlite3.OperationalError as error:
            logger.error("read without the last pings: %s", error)
        return self.reader

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Connection]:
        """Hold the writing connection, with no transaction open yet.

        Waits for the turn before.
        """
        async with self._lock:
            if self._closed:
                raise sqlite3.OperationalError("the database is closed")
            changes = self._writer.total_changes
            try:
                yield self._writer
            except sqlite3.OperationalError:
                self.is_writable = False
                raise
            if self._writer.total_changes != changes:
                self.is_writable = True

    @asynccontextmanager
    async def transaction(
        self, *, changes_checks: bool = True
    ) -> AsyncIterator[Connection]:
        """Hold the writing connection; commit at the end, roll back on any exception.

        Waits for the turn before. `changes_checks` False: it reads and writes nothing
        that may be put off, and what others remember of checks stays true. Raises
        sqlite3.OperationalError if the database cannot be written.
        """
        async with self.turn() as conn:
            if changes_checks:
                await self._settle(conn)
            async with begun(conn):
                yield conn
                # Before the commit, lest a cancelled caller leaves it out.
                self.edition += changes_checks

    async def release(self) -> None:
        """Give free pages back to the file system, if there are many.

        A few at a time, so that no ping waits for long.
        """
        ((free,),) = await self.reader.execute_fetchall("PRAGMA freelist_count")
        ((pages,),) = await self.reader.execute_fetchall("PRAGMA page_count")
        spare = max(_SPARE_PAGES, pages // 4)
        for _ in range(spare, free, _RELEASE_AT_ONCE):
            async with self.turn() as conn:
                # Which is a transaction of its own; execute would end it too soon.
                await conn.executescript(
                    f"PRAGMA incremental_vacuum({_RELEASE_AT_ONCE})"
                )

    async def close(self) -> None:
        """Settle, and close both connections, after the turn that is under way.

        Each keeps its thread, and so the process, alive.
        """
        async with self._lock:
            self._closed = True
            try:
                await self._settle(self._writer)
            except sqlite3.OperationalError as error:
                logger.error("cannot be written at the end: %s", error)
            finally:
                await self.reader.close()
                await self._writer.close()


async def _nothing(_conn: Connection) -> None:
    pass


@asynccontextmanager
async def begun(conn: Connection) -> AsyncIterator[None]:
    """Begin a transaction in a turn; commit, or roll back on any exception."""
    try:
        await conn.execute("BEGIN IMMEDIATE")
        yield
        await conn.execute("COMMIT")
    except BaseException:
        # A cancelled caller must not leave a transaction open; its statements are
        # queued before this one.
        await conn.rollback()
        raise


async def write_at_once(conn: Connection, statement: Statement) -> None:
    """Run a statement in a transaction of its own, in a turn.

    It takes one hop to the connection's thread, where `begun` takes one a statement.
    """

    def write() -> None:
        raw = conn._conn
        try:
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(*statement)
            raw.execute("COMMIT")
        except BaseException:
            raw.rollback()
            raise

    # aiosqlite hands out neither its connection nor its thread: its minor version is
    # pinned.
    await conn._execute(write)  # type: ignore[no-untyped-call]


async def open_database(path: Path, synchronous: str = "full") -> Database:
    """Open and migrate the database at `path`; make it if there is none.

    `synchronous` is "full" (a commit survives a power cut) or "normal" (it survives a
    crash of the process). Raises DatabaseError.
    """
    try:
        writer = await _connect(path, synchronous, _WRITER_CACHE)
        try:
            await _migrate(writer, path)
            reader = await _connect(path, synchronous, _READER_CACHE)
        except BaseException:
            await writer.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise DatabaseError(f"{path}: {error}") from error
    await reader.execute("PRAGMA query_only = ON")
    return Database(writer, reader)


@asynccontextmanager
async def open_to_read(path: Path) -> AsyncIterator[Connection]:
    """Open a database of this hcl only to read from it, while a server may run.

    Raises DatabaseError.
    """
    uri = f"file:{quote(str(path))}?mode=ro"
    try:
        # aiosqlite leaves a thread behind when it cannot connect: ask before.
        with closing(sqlite3.connect(uri, uri=True)) as probe:
            [version] = probe.execute("PRAGMA user_version").fetchone()
        if version != _steps()[-1][0]:
            raise DatabaseError(f"{path}: not of this version; start `hcl serve` first")
        async with aiosqlite.connect(uri, uri=True) as connection:
            yield connection
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: {error}") from error


async def _connect(path: Path, synchronous: str, cache: int) -> Connection:
    _make_private(path)
    # aiosqlite leaves a thread behind when it cannot connect: ask before.
    sqlite3.connect(path).close()
    # Without isolation_level=None sqlite3 opens transactions of its own.
    connection = await aiosqlite.connect(path, isolation_level=None)
    try:
        for pragma in (
            *_PRAGMAS,
            f"synchronous = {synchronous.upper()}",
            f"cache_size = -{cache}",
        ):
            await connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        await connection.close()
        raise
    return connection


def _make_private(path: Path) -> None:
    """Make an empty file that only its owner may read, if there is none yet.

    It will hold keys and the output of jobs; SQLite gives its WAL the same mode.
    """
    if path.parent.is_dir() and not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


async def _migrate(connection: Connection, path: Path) -> None:
    """Run the migrations that the database lacks, each in one transaction."""
    steps = _steps()
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    if version > steps[-1][0]:
        raise DatabaseError(f"{path}: made by a newer hcl (schema {version})")
    missing = [(number, file) for number, file in steps if number > version]
    if missing and version > 0:
        await _set_aside(connection, path.with_name(f"{path.name}.schema-{version}"))
    for number, file in missing:
        sql = file.read_text("utf-8")
        try:
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;"
            )
        except BaseException:
            await connection.rollback()
            raise
    ((mode,),) = await connection.execute_fetchall("PRAGMA auto_vacuum")
    if mode != _INCREMENTAL:
        await _vacuum(connection, path)


def _steps() -> list[tuple[int, Traversable]]:
    """Return the migrations, each with its number, in order."""
    return sorted(
        (int(file.name.split("_")[0]), file)
        for file in resources.files("hcl.migrations").iterdir()
        if file.name.endswith(".sql")
    )


async def _vacuum(connection: Connection, path: Path) -> None:
    """Have a database that was made without auto_vacuum learn it."""
    try:
        await connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        logger.warning("%s: will not shrink, since VACUUM failed: %s", path, error)


async def _set_aside(connection: Connection, target: Path) -> None:
    # SQLite's backup, since a plain copy would miss what is still in the WAL.
    logger.info("copying the database to %s before its schema changes", target)
    _make_private(target)
    async with aiosqlite.connect(target) as copy:
        await connection.backup(copy)
