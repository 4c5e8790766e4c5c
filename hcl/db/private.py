"""Files for their owner's eyes only: a database holds keys and the output of jobs."""

import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hcl.config.rights import leave_to_owner_of
from hcl.db.errors import DatabaseError

logger = logging.getLogger(__name__)

_MODE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

# Never another's file, and never where a link leads.
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_OLD = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK

PART = ".part"


def make_private(path: Path) -> None:
    """Make an empty database, if there is none yet; close to others what is there.

    By path: a descriptor of ours would take the locks of SQLite with it.
    """
    with suppress(FileExistsError):
        fd = os.open(path, _NEW, _MODE)
        try:
            # Who may not give it away, as in some containers, keeps it.
            with suppress(PermissionError):
                leave_to_owner_of(path.parent, fd)
        finally:
            os.close(fd)
        return
    for suffix in ("", "-wal", "-shm", "-journal"):
        _close_to_others(path.with_name(path.name + suffix))


def _close_to_others(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) or not mode & _OTHERS:
            return
        path.chmod(_MODE)
    except FileNotFoundError:
        return
    except OSError as error:
        logger.warning(
            "%s: others may read it (mode %o), and that cannot be changed: %s",
            path,
            stat.S_IMODE(mode),
            error.strerror,
        )


@contextmanager
def becoming(target: Path) -> Iterator[tuple[Path, int]]:
    """Make an empty file beside `target`; at the end it takes the target's place.

    Yields its path and a descriptor. It is whole on the disk before it bears its name;
    after an exception it is gone, and the target is as it was. Raises DatabaseError if
    another process is just making the same one, and OSError.
    """
    part = target.with_name(f".{target.name}{PART}")
    fd = _created(part, target)
    try:
        yield part, fd
        os.fsync(fd)
        if not os.path.samestat(os.fstat(fd), part.lstat()):
            raise DatabaseError(f"{target}: {part.name} was replaced by somebody")
        part.replace(target)
        sync_folder(target.parent)
    except BaseException:
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                part.with_name(part.name + suffix).unlink()
        raise
    finally:
        os.close(fd)


def _created(part: Path, target: Path) -> int:
    while True:
        try:
            fd = os.open(part, _NEW, _MODE)
        except FileExistsError:
            if is_in_use(part):
                raise DatabaseError(
                    f"{target}: another process is just writing it; wait for that one"
                ) from None
            # Left by one that was killed.
            with suppress(FileNotFoundError):
                part.unlink()
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            # A share may have no locks.
            os.close(fd)
            part.unlink(missing_ok=True)
            raise
        return fd


def is_in_use(part: Path) -> bool:
    """Tell whether a process is at work on what `becoming` made."""
    try:
        fd = os.open(part, _OLD)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def sync_folder(folder: Path) -> None:
    """Have a name survive a power cut, where the file system can."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
