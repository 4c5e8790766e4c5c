"""One server a database: the lock beside it, and whether one may be made."""

import fcntl
import logging
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from hcl.db.errors import CURE_OF_LOCKS, NO_LOCKS, DatabaseError

logger = logging.getLogger(__name__)

SUFFIX = ".lock"

# Stands in the lock behind the pid until there is a database that it tells of.
_STARTS = b" starts\n"

_LONGEST = 64

_LOCKS = Path("/proc/locks")

# struct flock of fcntl(2), and where SQLite locks a file that it has open: sqlite3's
# os.h. Whoever has a WAL open holds a lock there all the time.
_FLOCK = "hhqqi"
_SQLITES = 0x40000000, 512


@contextmanager
def held(
    path: Path, config: Path, *, new: bool = False, restores: bool = False
) -> Iterator[Callable[[], None]]:
    """Hold the lock of the database at `path`, which stays when the process has ended.

    A database that is not there yet may be made if it is to lie beside the `config` and
    none has lain there, or with `new`; or one that `restores` takes its place, which
    nobody may have open then. What is yielded is to be called once it is open:
    the lock tells from then on that there is one. Raises DatabaseError.
    """
    real = Path(os.path.realpath(path))
    lock = real.with_name(real.name + SUFFIX)
    try:
        is_there = _is_there(path, real)
        if not (is_there or new or restores or _is_beside(real, config)):
            raise DatabaseError(_not_there(path, f"and not beside {config.name}"))
        fd, was_served = _locked(path, lock)
    except OSError as error:
        raise DatabaseError(f"{path}: {_why(error)}") from error
    try:
        if was_served and not (is_there or new or restores):
            raise DatabaseError(_not_there(path, f"but {lock.name} of an earlier one"))
        if is_there and restores:
            _refuse_used(path, real)
        if is_there:
            _write(fd, b"\n")
        elif not restores:
            logger.warning("%s: there is no database, a new one is made", path)
        yield partial(_write, fd, b"\n")
    finally:
        # A start that came to nothing leaves nothing.
        if not _was_served(fd) and not real.exists():
            lock.unlink(missing_ok=True)
        os.close(fd)


def why_none_is_made(path: Path, config: Path) -> str:
    """Say why `held` would refuse to begin where no database is.

    "": it would make one, or there is one; or that cannot be looked at from here.
    """
    real = Path(os.path.realpath(path))
    lock = real.with_name(real.name + SUFFIX)
    try:
        if _is_there(path, real):
            return ""
        if not _is_beside(real, config):
            return _not_there(path, f"and not beside {config.name}")
        if lock.exists() and _is_of_served(lock.read_bytes()):
            return _not_there(path, f"but {lock.name} of an earlier one")
    except DatabaseError as error:
        return str(error)
    except OSError:
        pass
    return ""


def _is_beside(real: Path, config: Path) -> bool:
    return real.parent == Path(os.path.realpath(config.parent))


def _not_there(path: Path, besides: str) -> str:
    return (
        f"{path}: there is no database, {besides}: mount its disk, put it back, or have"
        " a new one made by `hcl serve --new`"
    )


def _refuse_used(path: Path, real: Path) -> None:
    """Raise DatabaseError if another program has the database open.

    Litestream would go on with the file that is moved away, and write its log into the
    new one's. No connection of this process may be open, whose locks would go.
    """
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, *_SQLITES, 0)
    try:
        with real.open("rb+") as file:
            found = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        # A file system without locks; or what cannot be read is told better later.
        return
    kind, *_, pid = found
    if kind == fcntl.F_UNLCK:
        return
    who = f"process {pid}" if pid > 0 else "a process elsewhere"
    with suppress(OSError):
        who += f" ({Path(f'/proc/{pid}/comm').read_text().strip()})"
    raise DatabaseError(
        f"{path}: another program has it open, {who}: stop that one first"
    )


def _is_there(path: Path, real: Path) -> bool:
    """Tell whether a database is there, if empty; an empty file is as good as none."""
    if not real.parent.is_dir():
        raise DatabaseError(
            f"{path}: there is no folder {real.parent}: make it, or mount its disk"
        )
    try:
        size = real.stat().st_size
    except FileNotFoundError:
        return False
    if not real.is_file():
        kind = "a folder" if real.is_dir() else "no file"
        raise DatabaseError(f"{path}: is {kind}: let database.path name a file")
    return size > 0


def _locked(path: Path, lock: Path) -> tuple[int, bool]:
    """Open and lock the lock file; tell whether a database was served with it."""
    while True:
        fd, was_served = _open(path, lock)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Else it was deleted before it was locked: the next one would not see it.
            if os.path.samestat(os.fstat(fd), os.stat(lock)):
                with suppress(PermissionError):
                    os.fchmod(fd, 0o600)
                was_served |= _was_served(fd)
                _write(fd, b"\n" if was_served else _STARTS)
                return fd, was_served
        except FileNotFoundError:
            pass
        except BlockingIOError as error:
            pid = os.pread(fd, _LONGEST, 0).decode("ascii", "replace").split()[:1]
            os.close(fd)
            raise _taken(path, "".join(pid)) from error
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _write(fd: int, rest: bytes) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"%d%s" % (os.getpid(), rest), 0)


def _was_served(fd: int) -> bool:
    """Tell whether a lock is of a server that had its database open."""
    return _is_of_served(os.pread(fd, _LONGEST, 0))


def _is_of_served(text: bytes) -> bool:
    return text.strip().isdigit()


def _open(path: Path, lock: Path) -> tuple[int, bool]:
    flags, was_served = os.O_RDWR | os.O_NOFOLLOW, False
    with suppress(FileNotFoundError):
        try:
            return os.open(lock, flags), False
        except PermissionError:
            if not _LOCKS.exists():
                # Where all of /proc is hidden but processes, nobody tells who holds it.
                raise
            _drop_left_over(path, lock)
            # Which nobody can read now.
            was_served = True
    with suppress(FileExistsError):
        return os.open(lock, flags | os.O_CREAT | os.O_EXCL, 0o600), was_served
    return _open(path, lock)


def _drop_left_over(path: Path, lock: Path) -> None:
    """Delete the lock of another user, unless one of their processes holds it."""
    inode = lock.stat().st_ino
    for line in _LOCKS.read_text().splitlines():
        # 1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF
        words = line.split()
        if "FLOCK" in words and f":{inode} " in line:
            raise _taken(path, words[4])
    lock.unlink()


def _taken(path: Path, pid: str) -> DatabaseError:
    return DatabaseError(
        f"{path}: another hcl serves it, process {pid or '?'}: one server a database;"
        " stop that one first"
    )


def _why(error: OSError) -> str:
    if error.errno in NO_LOCKS:
        return f"it cannot be locked: {error.strerror}: {CURE_OF_LOCKS}"
    name = Path(os.fsdecode(error.filename)).name if error.filename else "its lock"
    return (
        f"{name} cannot be written: {error.strerror}: hcl needs a folder that it can"
        " write, on a disk with room"
    )
