"""SQLite without threads: aiosqlite's interface, and a gate for faults."""

import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from aiosqlite import Connection

from hcl.db import Database, opening
from hcl.db.database import Reader
from hcl.db.private import make_private

# What a disk that cannot be written does not hinder.
_READING = ("SELECT", "WITH", "PRAGMA")


class Crash(BaseException):
    """The process was killed here: nothing of what it does from now on happens."""


class Gate:
    """What every statement passes; it may end the process, or refuse the statement.

    `on_flips` is called after each commit that may have written flips, or that checks
    are late.
    """

    def __init__(self, on_flips: Callable[[], None]) -> None:
        self.on_flips = on_flips
        self._has_flips = False
        self.is_dead = False
        # What a write raises: the disk's fault.
        self.refusal: Callable[[], sqlite3.OperationalError] | None = None
        # Is asked before and after each statement, with the SQL: it may raise Crash.
        self.before: Callable[[str], None] | None = None
        self.after: Callable[[str], None] | None = None

    def enter(self, sql: str) -> None:
        if self.is_dead:
            raise Crash
        if self.refusal is not None and not sql.startswith(_READING):
            raise self.refusal()
        if self.before is not None:
            self.before(sql)

    def leave(self, sql: str) -> None:
        if self.after is not None:
            self.after(sql)
        if "INTO flips" in sql or "INTO latenesses" in sql:
            self._has_flips = True
        elif self._has_flips and sql == "COMMIT":
            self._has_flips = False
            self.on_flips()


class Raw(sqlite3.Connection):
    """A connection of SQLite whose statements pass a gate."""

    gate: Gate | None = None

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if self.gate is None:
            return super().execute(sql, *parameters)
        self.gate.enter(sql)
        cursor = super().execute(sql, *parameters)
        self.gate.leave(sql)
        return cursor

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if self.gate is None:
            return super().executemany(sql, *parameters)
        self.gate.enter(sql)
        cursor = super().executemany(sql, *parameters)
        self.gate.leave(sql)
        return cursor


class Inline(Connection):
    """What aiosqlite does in a thread, done at once."""

    def __init__(self, connector: Any, iter_chunk_size: int) -> None:
        super().__init__(partial(connector, factory=Raw), iter_chunk_size)

    def __await__(self) -> Any:
        return self._connect().__await__()

    async def _connect(self) -> Connection:
        self._connection = self._connector()
        return self

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._connection is None:
            raise ValueError("no active connection")
        return fn(*args, **kwargs)

    async def close(self) -> None:
        self.stop()

    def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class InlineReader(Reader, Inline):
    """The connection that reads, whose errors hcl tells in its own words."""


async def open_inline(path: Path, gate: Gate) -> Database:
    """Open a database as hcl does, but inline; its statements pass the gate."""
    make_private(path)
    writer = await opening._connect(Inline, path, "off")
    await opening._migrate(writer, path)
    reader = await opening._connect(InlineReader, path, "off")
    database = await opening._opened(path, writer, reader)
    for connection in (writer, reader):
        raw = connection._conn
        assert isinstance(raw, Raw)
        raw.gate = gate
    return database


def wal_of(path: Path) -> Path:
    """Return where SQLite keeps what is not in the database yet."""
    return path.with_name(f"{path.name}-wal")


def copy(path: Path, to: Path) -> None:
    """Copy a database as it lies on the disk now."""
    to.parent.mkdir(exist_ok=True)
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, to.with_name(to.name + suffix))


def torn(before: bytes, after: bytes, share: float) -> bytes:
    """Return a WAL of whose newest part only a share was written."""
    # Both begin alike: of two halves the first that differs has the place.
    start, end = 0, min(len(before), len(after))
    while start < end:
        middle = (start + end + 1) // 2
        if before[start:middle] == after[start:middle]:
            start = middle
        else:
            end = middle - 1
    cut = start + int((len(after) - start) * share)
    return after[:cut] + before[cut:]
