"""Copy a database in slices while it is written to; look whether a copy is whole."""

import ctypes
import errno
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hcl.config.rights import may_exist
from hcl.db.errors import (
    CURE_OF_LOCKS,
    NO_LOCKS,
    DatabaseError,
    code_of,
    explain,
)
from hcl.db.examining import OURS
from hcl.db.private import becoming

# Pages that are copied at a time: 256 kB, so that the disk never has much of it to
# write before what pings write.
_SLICE = 64

# So many seconds it rests after a slice at most, and else for as long as that took.
_LONGEST_REST = 0.05

# So many seconds another program's lock on what is copied is waited for.
_LOCK_PATIENCE = 3.0

# Bytes that stay free where the copy is, and on the disk of the database itself, where
# pings need them.
_SPARE = 1_000_000
_SPARE_FOR_PINGS = 32_000_000

# What hcl may write to under systemd stands in its units.
_READ_ONLY = "see how it is mounted; under systemd make the units anew (`hcl systemd`)"

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

# So many steps of SQLite's machine go by between two looks whether to stop.
_LOOK_EVERY = 100_000


class StoppedError(DatabaseError):
    """It was asked to stop; nothing is left behind."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds: `schema` is its version, `size` is in bytes.

    `newest` is when its newest ping came, in unix seconds, None: there is none.
    """

    schema: int
    size: int
    checks: int
    pings: int
    newest: float | None


def _never() -> bool:
    return False


def back_up(source: Path, target: Path, stops: Callable[[], bool] = _never) -> Contents:
    """Copy a database that may be in use, look at the copy, then give it its name.

    It is as of one moment, whatever is written meanwhile, which does not wait for it.
    `target` is replaced in one step, or not at all. Raises DatabaseError, and
    StoppedError once `stops` is True.
    """
    with writing(target), becoming(target) as (part, fd):
        copy(source, Empty(part, fd, target), stops)
        return rehearse(part, stops, shown=target)


def set_aside(source: Path, target: Path) -> None:
    """Copy a database that nobody writes to just now, as it is, damaged or not.

    `target` is replaced in one step, or not at all. Raises DatabaseError.
    """
    with writing(target), becoming(target) as (part, fd):
        copy(source, Empty(part, fd, target, rests=False))


@dataclass(frozen=True, slots=True)
class Empty:
    """An empty file to copy into, with a descriptor; `shown` is what it is to be.

    `rests`: pings come meanwhile, for which there is to be time, and room.
    """

    path: Path
    fd: int
    shown: Path
    rests: bool = True


def copy(source: Path, into: Empty, stops: Callable[[], bool] = _never) -> None:
    """Copy a database into an empty file.

    Raises DatabaseError, if the source cannot be read or is no database of hcl's.
    """
    if not may_exist(source):
        raise DatabaseError(f"{source}: there is no database")
    with _told_as(source):
        origin = sqlite3.connect(
            f"file:{quote(bytes(source))}?mode=ro{_immutable(source)}",
            uri=True,
            isolation_level=None,
            timeout=_LOCK_PATIENCE,
        )
        with closing(origin):
            # What is read in a transaction stays as it is. Without it each commit of a
            # ping would have the copy begin anew, and it might never end.
            origin.execute("BEGIN")
            _look_at_origin(origin, source)
            _look_for_room(_size_of(origin), source, into)
            _copy_pages(origin, into, _Pace(into, stops))


def _look_at_origin(origin: sqlite3.Connection, source: Path) -> None:
    rows = origin.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    if not {name for [name] in rows} >= OURS:
        raise DatabaseError(f"{source}: is no database of hcl's")


def _size_of(conn: sqlite3.Connection) -> int:
    [pages] = conn.execute("PRAGMA page_count").fetchone()
    [size] = conn.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


def _look_for_room(size: int, source: Path, into: Empty) -> None:
    disk = os.fstatvfs(into.fd)
    free = disk.f_bavail * disk.f_frsize
    spare = _SPARE
    if into.rests and os.fstat(into.fd).st_dev == source.stat().st_dev:
        spare = max(_SPARE_FOR_PINGS, size // 10)
    if free < size + spare:
        raise DatabaseError(
            f"{into.shown.parent}: the copy needs {_megabytes(size + spare)} of room,"
            f" and {_megabytes(free)} are free: make room, or keep fewer copies"
        )


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"


class _Pace:
    """Goes easy on disk and processor, which pings need: called after each slice."""

    def __init__(self, into: Empty, stops: Callable[[], bool]) -> None:
        self._into = into
        self._stops = stops
        self._begun = time.monotonic()

    def __call__(self, _status: int, remaining: int, _total: int) -> None:
        if self._stops():
            raise StoppedError("stopped")
        if self._into.rests:
            _write_out(self._into.fd)
            took = time.monotonic() - self._begun
            if remaining:
                time.sleep(min(took, _LONGEST_REST))
            self._begun = time.monotonic()


def _write_out(fd: int) -> None:
    """Have the disk take what was written to a file, and nothing else.

    A sync proper has it empty its own cache, and the file system write its journal:
    each ping that is committed waits for that, for three times as long at the worst.
    """
    if _sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), _WRITE_AND_WAIT):
        os.fdatasync(fd)


def _no_sync_file_range(*_: object) -> int:
    return -1


# Linux's alone, and not in Python; see sync_file_range(2).
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", _no_sync_file_range)
_WRITE_AND_WAIT = 7


def _copy_pages(origin: sqlite3.Connection, into: Empty, pace: _Pace) -> None:
    # Damage that is met is the origin's.
    with writing(into.shown, unless=_DAMAGE):
        with closing(sqlite3.connect(into.path, isolation_level=None)) as target:
            # Nobody else sees it before it is whole and synced.
            target.execute("PRAGMA journal_mode = OFF")
            target.execute("PRAGMA synchronous = OFF")
            origin.backup(target, pages=_SLICE, progress=pace)
        with closing(sqlite3.connect(into.path, isolation_level=None)) as target:
            # One file, which can be read from a disk that cannot be written.
            target.execute("PRAGMA journal_mode = DELETE")


def rehearse(
    path: Path, stops: Callable[[], bool] = _never, *, shown: Path | None = None
) -> Contents:
    """Read a copy as a restore would; return what it holds.

    Nothing is written. `shown` is what errors call it. Raises DatabaseError if it is
    damaged, or none of hcl's.
    """
    shown = shown or path
    with _told_as(shown):
        uri = f"file:{quote(bytes(path))}?mode=ro{_immutable(path)}"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as conn:
            conn.set_progress_handler(lambda: int(stops()), _LOOK_EVERY)
            conn.execute("BEGIN")
            _look_at_origin(conn, shown)
            [said] = conn.execute("PRAGMA integrity_check(1)").fetchone()
            if said != "ok":
                raise DatabaseError(f"{shown}: is damaged: {' '.join(said.split())}")
            return _contents(conn)


def _immutable(path: Path) -> str:
    """Return what has SQLite read a file that stands alone on a disk for reading.

    A plain copy says that it has a WAL, for which SQLite makes files beside it. With a
    WAL there it has to be read: never then.
    """
    # SQLite has the WAL beside the file itself, whatever link leads there.
    real = Path(os.path.realpath(path))
    wal = real.with_name(f"{real.name}-wal")
    return "" if may_exist(wal) or os.access(real.parent, os.W_OK) else "&immutable=1"


def _contents(conn: sqlite3.Connection) -> Contents:
    [schema] = conn.execute("PRAGMA user_version").fetchone()
    [checks] = conn.execute("SELECT count(*) FROM checks").fetchone()
    tables = {name for [name] in conn.execute("SELECT name FROM sqlite_master")}
    log = "log" if "log" in tables else "pings"
    [pings] = conn.execute(f"SELECT count(*) FROM {log}").fetchone()  # noqa: S608 - one of two
    [newest] = conn.execute("SELECT max(last_ping) FROM check_states").fetchone()
    if "inbox" in tables:
        last = conn.execute("SELECT created FROM inbox ORDER BY id DESC LIMIT 1")
        # Of two stamps the later one; which was written last the clock cannot tell.
        newest = max([t for [t] in last] + [newest or 0.0]) or None
    return Contents(schema, _size_of(conn), checks, pings, newest)


@contextmanager
def _told_as(path: Path) -> Iterator[None]:
    """Tell what SQLite says as of this file, which is read, in one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(path, error) from error


@contextmanager
def writing(target: Path, unless: frozenset[int] = frozenset()) -> Iterator[None]:
    """Tell what the system and SQLite say as of a file that is written, in one line.

    `unless`: those of SQLite's codes that are not the file's.
    """
    try:
        yield
    except sqlite3.Error as error:
        if code_of(error) in unless:
            raise
        raise _told(target, error) from error
    except OSError as error:
        folder = target.parent
        # Of one that may not be entered is_dir raises the same.
        if not isinstance(error, PermissionError) and not folder.is_dir():
            what = "is no folder" if folder.exists() else "there is no such folder"
            raise DatabaseError(
                f"{folder}: {what}: make it, or mount its disk"
            ) from error
        why = error.strerror
        if error.errno == errno.EROFS:
            why = f"{why}: {_READ_ONLY}"
        if error.errno in NO_LOCKS:
            why = f"{why}: {CURE_OF_LOCKS}"
        raise DatabaseError(f"{target}: cannot be written: {why}") from error


def _told(path: Path, error: sqlite3.Error) -> DatabaseError:
    if code_of(error) == sqlite3.SQLITE_INTERRUPT:
        return StoppedError("stopped")
    if code_of(error) in _DAMAGE:
        return DatabaseError(f"{path}: {error}: it is damaged, or is no database")
    return DatabaseError(f"{path}: {explain(error)}")
