"""The database: read from it, write to it in transactions."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiosqlite import Connection

from hcl.db.errors import (
    UnreadableError,
    UnwritableError,
    is_of_the_file,
    tell,
    unusable,
)
from hcl.db.lock import SUFFIX
from hcl.db.trouble import Trouble
from hcl.model import Check

logger = logging.getLogger(__name__)

# How long a loop waits before it tries again on a database that cannot be written.
PATIENCE = timedelta(seconds=10)


# So many free pages (40 MB) are kept for what comes, or a quarter of all; so many are
# given back in one transaction.
_SPARE_PAGES = 10_000
_RELEASE_AT_ONCE = 250

# So many milliseconds another program's lock is waited for; once it lasts so long, only
# so few more, lest those who wait for their turn wait for one another too: each ping is
# answered within five seconds.
LOCK_PATIENCE = 3000
_SHORT_PATIENCE = 200

# Pages of the log after which a commit copies them into the database: few as long as
# many wait for each commit; else many, since a page that has changed a hundred times is
# copied once, and an SD card lives so many bytes.
_LONG_LOG = 1000
_SHORT_LOG = 125
# So many are many, and for so many seconds since then.
_MANY_WAIT = 8
_STAYS_BUSY = 60.0

# PRAGMA synchronous: in WAL mode the disk is synced by checkpoints alone.
_NORMAL = 1

# SQL, and the parameters of each time that it runs.
Statement = tuple[str, Iterable[Sequence[object] | dict[str, object]]]


class Reader(Connection):
    """A connection whose statements raise UnreadableError.

    Those of the connection that writes have their errors told by `Database.turn`.
    """

    trouble = Trouble()

    # All that aiosqlite's connections and cursors do goes through it: its minor version
    # is pinned.
    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except sqlite3.DatabaseError as error:
            if not is_of_the_file(error):
                raise
            raise unusable(UnreadableError, error, self.trouble) from error


def _identity(of: os.stat_result) -> tuple[int, int]:
    return of.st_dev, of.st_ino


class OpenFiles:
    """The files of a database that are open: those that its path named then.

    What is committed into a file that was deleted, or moved away, is lost; who opens a
    database without the -shm of others writes over what they commit; and where its lock
    is gone, a second server may have begun.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        real = os.path.realpath(path)
        # By its configured name: a link may come to name another.
        names = [str(path), f"{real}-wal", f"{real}-shm"]
        if os.path.exists(lock := f"{real}{SUFFIX}"):
            names.append(lock)
        # Bytes, and no more than is compared: it is looked at for each commit.
        self._files = [(os.fsencode(name), _identity(os.stat(name))) for name in names]

    def loss(self) -> str:
        """Say what has become of them; "" if they are where they were."""
        try:
            for name, opened in self._files:
                if _identity(os.stat(name)) != opened:
                    return self._lost(name, "was replaced")
        except FileNotFoundError:
            return self._lost(name, "was deleted or moved away")
        except OSError as error:
            return self._lost(name, f"is gone ({error.strerror})")
        return ""

    def _lost(self, path: bytes, fate: str) -> str:
        name = os.path.basename(os.fsdecode(path))
        cure = "Put the right file there, and start hcl again"
        if name.endswith(("-shm", SUFFIX)):
            # Which a start makes anew.
            cure = "Start hcl again, and let nobody delete it"
        return (
            f"{self._path}: {name} {fate} while hcl served it; what came"
            f" since was refused. {cure}"
        )


class Database:
    """A connection that writes, one transaction at a time, and one that reads.

    `committed` reads what is committed: without what is put off, see `put_off`.
    `edition` counts the commits that may have changed checks, so that who remembers
    checks can tell when to forget them. `is_writable` is False after a write that
    failed, until one does not; `on_recovery` is called then, if somebody has had to
    read without what is put off. `lost` is set, and `loss` says why, once the path no
    longer names the files that are open: nothing can be written any more.
    """

    def __init__(self, writer: Connection, reader: Reader, files: OpenFiles) -> None:
        self.committed: Connection = reader
        self.edition = 0
        self.is_writable = True
        self.lost = asyncio.Event()
        self.loss = ""
        self.trouble = reader.trouble = Trouble()
        self.on_recovery: Callable[[], None] = lambda: None
        self._was_read_behind = False
        self._files = files
        self._is_locked = False
        self._busy_until = 0.0
        self._is_busy = False
        self._writer = writer
        self._lock = asyncio.Lock()
        self._closed = False
        self._settle: Callable[[Connection], Awaitable[None]] = _nothing
        self._lighten: Callable[[], Awaitable[None]] = _nothing
        self._renew: Callable[[Sequence[Check]], None] = _ignored

    def put_off(
        self,
        settle: Callable[[Connection], Awaitable[None]],
        lighten: Callable[[], Awaitable[None]] | None = None,
        renew: Callable[[Sequence[Check]], None] | None = None,
    ) -> None:
        """Have `settle` write what its owner puts off, before others read or write it.

        It is called with the writing connection, in a turn; before that turn `lighten`
        writes most of it in turns of its own, if it is much. `renew` is told how checks
        fare now that others have changed, see `transaction`, in the turn that did.
        """
        self._settle = settle
        self._lighten = lighten or _nothing
        self._renew = renew or _ignored

    async def settle(self) -> None:
        """Commit all that was put off.

        Raises UnwritableError.
        """
        await self._lighten()
        async with self.turn() as conn:
            await self._settle(conn)

    async def current(self, at_most: timedelta | None = None) -> Connection:
        """Return the reader, after all that was put off is committed.

        If the database cannot be written, or not within `at_most`, it is read as it was
        before.
        """
        seconds = None if at_most is None else at_most.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self.settle()
        except UnwritableError as error:
            self._was_read_behind = True
            tell(logger, "read without the last pings", error)
        except TimeoutError:
            self._was_read_behind = True
            self.trouble.tell(
                logger, "read without the last pings", "others write for too long"
            )
        return self.committed

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Connection]:
        """Hold the writing connection, with no transaction open yet.

        Waits for the turn before. Raises UnwritableError where a statement finds that
        the database cannot be written.
        """
        async with self._lock:
            if self._closed:
                raise UnwritableError("the database is closed")
            if self.loss:
                raise UnwritableError(self.loss, self.trouble)
            changes = self._writer.total_changes
            try:
                yield self._writer
            except sqlite3.DatabaseError as error:
                if not is_of_the_file(error):
                    raise
                self.is_writable = False
                said = unusable(UnwritableError, error, self.trouble)
                await self._note_lock(said.code == sqlite3.SQLITE_BUSY)
                raise said from error
            if self._writer.total_changes != changes:
                # Before anybody is told that it is written.
                self._look_at_files()
                self.is_writable = True
                self.trouble.written()
                await self._note_lock(False)
                if self._was_read_behind:
                    # What was made of it may be kept somewhere.
                    self._was_read_behind = False
                    self.on_recovery()

    def _look_at_files(self) -> None:
        if loss := self._files.loss():
            self.give_up(loss)
            raise UnwritableError(self.loss, self.trouble)

    def give_up(self, loss: str) -> None:
        """Write nothing any more, for a reason that whoever stops for it tells."""
        self.loss = loss
        self.is_writable = False
        self.trouble.is_told = True
        self.lost.set()

    async def _note_lock(self, is_locked: bool) -> None:
        """Wait for others less, once one has held its lock for long."""
        if is_locked != self._is_locked:
            self._is_locked = is_locked
            patience = _SHORT_PATIENCE if is_locked else LOCK_PATIENCE
            await self._writer.execute(f"PRAGMA busy_timeout = {patience}")

    async def expect(self, waiting: int) -> None:
        """Keep the log short, in a turn, if so many wait for what it commits."""
        now = asyncio.get_running_loop().time()
        if waiting >= _MANY_WAIT:
            self._busy_until = now + _STAYS_BUSY
        is_busy = now < self._busy_until
        if is_busy != self._is_busy:
            self._is_busy = is_busy
            pages = _SHORT_LOG if is_busy else _LONG_LOG
            await self._writer.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    @asynccontextmanager
    async def transaction(
        self, *, changes_checks: bool = True, changed: Sequence[Check] | None = None
    ) -> AsyncIterator[Connection]:
        """Hold the writing connection; commit at the end, roll back on any exception.

        Waits for the turn before. `changes_checks` False: it reads and writes nothing
        that may be put off, and what others remember of checks stays true. `changed`
        holds, at the end, those checks that fare otherwise than before, and of checks
        nothing else is changed: what others remember of the rest stays true. None: any
        may be changed. Raises UnwritableError.
        """
        if changes_checks:
            await self._lighten()
        async with self.turn() as conn:
            if changes_checks:
                await self._settle(conn)
            try:
                async with begun(conn):
                    yield conn
                    # Before the commit, lest a cancelled caller leaves it out.
                    if changed is None:
                        self.edition += changes_checks
                    else:
                        self._renew(changed)
            except BaseException:
                # Whether it was committed is not known.
                self.edition += changed is not None
                raise

    async def write_lazily(self, statement: Statement) -> None:
        """Commit a statement that a power cut may undo, in a turn of its own.

        Nothing that is committed later is ever there without it. As with a transaction
        that changes no checks, it touches nothing that may be put off. Raises
        UnwritableError.
        """
        async with self.turn() as conn:
            await write_at_once(conn, statement, is_lazy=True)

    async def release(self) -> None:
        """Give free pages back to the file system, if there are many.

        A few at a time, so that no ping waits for long.
        """
        ((free,),) = await self.committed.execute_fetchall("PRAGMA freelist_count")
        ((pages,),) = await self.committed.execute_fetchall("PRAGMA page_count")
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
                if not self.loss:
                    await self._settle(self._writer)
            except sqlite3.DatabaseError as error:
                if not is_of_the_file(error):
                    raise
                self.trouble.tell(logger, "cannot be written at the end", str(error))
            finally:
                await self.committed.close()
                await self._writer.close()


async def _nothing(*_: Connection) -> None:
    pass


def _ignored(_: Sequence[Check]) -> None:
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


async def write_at_once(
    conn: Connection, statement: Statement, *, is_lazy: bool = False
) -> None:
    """Run a statement in a transaction of its own, in a turn.

    It takes one hop to the connection's thread, where `begun` takes one a statement.
    `is_lazy`: the disk is not synced; the next commit that does syncs both, in order.
    """

    def write() -> None:
        raw = conn._conn
        if not is_lazy:
            write_with(raw)
            return
        ((level,),) = raw.execute("PRAGMA synchronous")
        raw.execute(f"PRAGMA synchronous = {min(level, _NORMAL)}")
        try:
            write_with(raw)
        finally:
            raw.execute(f"PRAGMA synchronous = {level}")

    def write_with(raw: sqlite3.Connection) -> None:
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
