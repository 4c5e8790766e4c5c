"""Open the database: make it, migrate it, set it aside before."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import aiosqlite
from aiosqlite import Connection

from hcl.config.rights import why_not
from hcl.db import migrations
from hcl.db.aside import aside_path, set_aside_before
from hcl.db.copying import set_aside
from hcl.db.database import LOCK_PATIENCE, Database, OpenFiles, Reader, begun
from hcl.db.errors import DatabaseError, explain, is_of_the_file
from hcl.db.examining import examine
from hcl.db.private import make_private

logger = logging.getLogger(__name__)

_Kind = TypeVar("_Kind", bound=Connection)

SQLITE_VERSION = sqlite3.sqlite_version

# The WAL is cut to this many bytes once it is in the database.
_PRAGMAS = (
    # Before anything is written, or only VACUUM can set it.
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "foreign_keys = ON",
    "journal_size_limit = 16777216",
    # Some builds of SQLite, Debian's for one, write zeros over each page that is freed.
    "secure_delete = FAST",
)

# The pages that a connection keeps in memory, in KiB, if it has come across as many.
# The system keeps them too, so that few are enough; but what is written of very many
# checks is written in no order, and each page that is not kept costs a ping.
_CACHE = 2000
_MOST_CACHE = 8000
_CHECKS_A_KIB = 16

# The statements that a connection keeps prepared: pings need a dozen, and each takes
# some 5 kB.
_STATEMENTS = 32

# As aiosqlite has it.
_ROWS_AT_ONCE = 64

# What PRAGMA auto_vacuum says when it is set.
_INCREMENTAL = 2


async def open_database(path: Path, synchronous: str = "full") -> Database:
    """Open and migrate the database at `path`; make it if there is none.

    `synchronous` is "full" (a commit survives a power cut) or "normal" (it survives a
    crash of the process). One that hcl cannot use is left as it was. Raises
    DatabaseError.
    """
    # SQLite has the WAL beside the file itself, whatever link leads there.
    real = Path(os.path.realpath(path))  # noqa: ASYNC240 - nothing else runs yet
    try:
        if problem := examine(real, newest_schema()):
            raise DatabaseError(f"{path}: {problem}")
        make_private(real)
        aside = await asyncio.to_thread(set_aside_before, real, newest_schema())
        writer = await _connect(Connection, real, synchronous)
        try:
            await _migrate(writer, real, aside)
            await _keep_pages(writer)
            reader = await _connect(Reader, real, synchronous)
        except BaseException:
            await writer.close()
            raise
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: {explain(error)}") from error
    except OSError as error:
        raise DatabaseError(
            f"{path}: unable to open database file: {error.strerror}"
        ) from error
    return await _opened(path, writer, reader)


async def _opened(path: Path, writer: Connection, reader: Reader) -> Database:
    try:
        await reader.execute("PRAGMA query_only = ON")
        # Else there may be no WAL yet.
        await reader.execute_fetchall("SELECT 1 FROM sqlite_master")
        return Database(writer, reader, OpenFiles(path))
    except (sqlite3.Error, OSError) as error:
        await reader.close()
        await writer.close()
        raise DatabaseError(f"{path}: {error}") from error


@asynccontextmanager
async def open_to_read(path: Path, *, older: bool = False) -> AsyncIterator[Connection]:
    """Open a database of this hcl only to read from it, while a server may run.

    Or one that an `older` hcl has made, where what is read has been the same since.
    Raises DatabaseError.
    """
    uri = f"file:{quote(bytes(path))}?mode=ro"
    try:
        # aiosqlite leaves a thread behind when it cannot connect: ask before.
        with closing(sqlite3.connect(uri, uri=True)) as probe:
            [version] = probe.execute("PRAGMA user_version").fetchone()
        if version > newest_schema():
            raise DatabaseError(
                f"{path}: made by a newer hcl (schema {version}): run that one"
            )
        if version < newest_schema() and not older:
            raise DatabaseError(f"{path}: not of this version; start `hcl serve` first")
        async with aiosqlite.connect(uri, uri=True) as connection:
            yield connection
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: {_why_unread(error, path)}") from error


def _why_unread(error: sqlite3.Error, path: Path) -> str:
    """Say why a database cannot be read: it is not there, or whose it is."""
    try:
        path.stat()
        by_effective = os.access in os.supports_effective_ids
        denied = not os.access(path, os.R_OK, effective_ids=by_effective)
    except FileNotFoundError:
        return "there is no database: start hcl, or mount the disk that it is on"
    except OSError as problem:
        denied = isinstance(problem, PermissionError)
    return f"{error}: {why_not(PermissionError(), path)}" if denied else str(error)


@asynccontextmanager
async def write_beside(path: Path) -> AsyncIterator[Connection]:
    """Hold a transaction on a database of this hcl, while a server may run on it.

    For what that server does not remember. Raises DatabaseError.
    """
    async with open_to_read(path):
        # It is there, and of this version.
        pass
    try:
        async with (
            aiosqlite.connect(
                path, isolation_level=None, timeout=LOCK_PATIENCE / 1000
            ) as connection,
            begun(connection),
        ):
            yield connection
    except sqlite3.Error as error:
        raise DatabaseError(f"{path}: {explain(error)}") from error


@asynccontextmanager
async def open_to_rehearse(
    path: Path, tables: Iterable[str]
) -> AsyncIterator[Connection]:
    """Open a database as `open_to_read` does, with tables that can be written.

    They are copies, which are forgotten at the end.
    """
    async with open_to_read(path) as connection:
        await connection.execute("PRAGMA temp_store = MEMORY")
        for table in tables:
            ((sql,),) = await connection.execute_fetchall(
                "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?",
                (table,),
            )
            # Who names a table without its database means the temporary one.
            await connection.execute(
                sql.replace("CREATE TABLE", "CREATE TEMP TABLE", 1)
            )
            await connection.execute(
                f"INSERT INTO temp.{table} SELECT * FROM main.{table}"  # noqa: S608 - a name of ours
            )
        yield connection


async def _connect(kind: type[_Kind], path: Path, synchronous: str) -> _Kind:
    # aiosqlite leaves a thread behind when it cannot connect: ask before.
    sqlite3.connect(path).close()
    # Without isolation_level=None sqlite3 opens transactions of its own.
    connect = partial(
        sqlite3.connect,
        path,
        isolation_level=None,
        timeout=LOCK_PATIENCE / 1000,
        cached_statements=_STATEMENTS,
    )
    connection = kind(connect, _ROWS_AT_ONCE)
    await connection
    try:
        await _spill_beside(connection, path)
        for pragma in (
            *_PRAGMAS,
            f"synchronous = {synchronous.upper()}",
            f"cache_size = -{_CACHE}",
        ):
            await connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _spill_beside(connection: Connection, path: Path) -> None:
    """Have what SQLite cannot keep in memory go beside the database, not to /tmp.

    There is to be room for it anyway, and whoever is told of a full disk looks there. A
    full /tmp, or one that may not be written, would let hcl neither start nor delete.
    """
    folder = str(path.parent.absolute())
    quoted = folder.replace("'", "''")
    # Some builds have no such pragma, which does nothing then. What cannot be written
    # is told by what is written next; and SQL is UTF-8, where a path may be none.
    with suppress(sqlite3.OperationalError, UnicodeEncodeError):
        # It is one for the whole process, and not to be set while others work.
        rows = await connection.execute_fetchall("PRAGMA temp_store_directory")
        if [*rows] != [(folder,)]:
            await connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")


async def _keep_pages(writer: Connection) -> None:
    """Have the writing connection keep more pages, the more checks there are."""
    rows = await writer.execute_fetchall("SELECT count(*) FROM checks")
    kept = min(_CACHE + int(next(iter(rows))[0]) // _CHECKS_A_KIB, _MOST_CACHE)
    await writer.execute(f"PRAGMA cache_size = -{kept}")


async def _migrate(
    connection: Connection, path: Path, aside: int | None = None
) -> None:
    """Run the migrations that the database lacks, each in one transaction.

    `aside` is the schema of which the database stands aside already, as it is.
    References are checked at the end: a table that is made anew is dropped in between,
    and what refers to it would go with it.
    """
    steps = _steps()
    ((version,),) = await connection.execute_fetchall("PRAGMA user_version")
    missing = [(number, file) for number, file in steps if number > version]
    if missing and version > 0 and version != aside:
        await _set_aside(path, aside_path(path, version))
    await connection.execute("PRAGMA foreign_keys = OFF")
    for number, file in missing:
        sql = file.read_text("utf-8")
        try:
            await connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;"
            )
        except BaseException:
            await connection.rollback()
            raise
    await connection.execute("PRAGMA foreign_keys = ON")
    if missing:
        await _look_at_references(connection, path)
    ((mode,),) = await connection.execute_fetchall("PRAGMA auto_vacuum")
    if mode != _INCREMENTAL:
        await _vacuum(connection, path)


async def _look_at_references(connection: Connection, path: Path) -> None:
    try:
        if await connection.execute_fetchall("PRAGMA foreign_key_check"):
            logger.error("%s: has rows that refer to others that are gone", path)
    except sqlite3.DatabaseError as error:
        # All is migrated, and what can be served is served.
        if not is_of_the_file(error):
            raise
        logger.error("%s: not all of it can be read: %s", path, explain(error))


def newest_schema() -> int:
    """Return the version of the schema that this hcl brings a database to."""
    return _steps()[-1][0]


def _steps() -> list[tuple[int, Path]]:
    """Return the migrations, each with its number, in order."""
    # By their path: importlib.resources would take 1.6 MB of memory.
    folder = Path(migrations.__file__).parent
    return sorted((int(file.name.split("_")[0]), file) for file in folder.glob("*.sql"))


async def _vacuum(connection: Connection, path: Path) -> None:
    """Have a database that was made without auto_vacuum learn it."""
    try:
        await connection.execute("VACUUM")
    except sqlite3.DatabaseError as error:
        # A damaged page of some log keeps nobody from being watched.
        if not is_of_the_file(error):
            raise
        logger.warning("%s: will not shrink, since VACUUM failed: %s", path, error)


async def _set_aside(path: Path, target: Path) -> None:
    # SQLite's backup, since a plain copy would miss what is still in the WAL.
    logger.info("copying the database to %s before its schema changes", target)
    await asyncio.to_thread(set_aside, path, target)
