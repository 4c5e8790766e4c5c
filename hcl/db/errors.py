"""What can go wrong with the database: with all of it, or for now."""

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from hcl.db.trouble import Trouble

# Whatever SQLite may say. What is no UnusableError comes of a mistake in hcl: no loop
# goes on after it.
SQLError = sqlite3.Error

_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TO_WRITE = (
    "hcl has to be able to write the file and its folder; see who owns them, and"
    " whether the disk is mounted read-only"
)
_REPLACE = "move it away, and put back a copy (docs/upgrading.md)"

# What a file system says that has no locks, by which two programs are kept apart.
NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})
CURE_OF_LOCKS = "take a disk of this machine, or have the share mounted with locks"

# What to do, by SQLite's primary code.
_CURES = {
    sqlite3.SQLITE_BUSY: "another program holds its lock; end that one (an sqlite3"
    " shell, a backup)",
    sqlite3.SQLITE_FULL: "make room on it",
    sqlite3.SQLITE_READONLY: _TO_WRITE,
    sqlite3.SQLITE_CANTOPEN: _TO_WRITE,
    sqlite3.SQLITE_PERM: _TO_WRITE,
    sqlite3.SQLITE_IOERR: "the disk is full, or fails; the kernel's log tells more",
    sqlite3.SQLITE_CORRUPT: f"it is damaged; {_REPLACE}",
    sqlite3.SQLITE_NOTADB: f"it is damaged, or never was one; {_REPLACE}",
}


class DatabaseError(Exception):
    """The database cannot be used at all; the text says why."""


class UnusableError(SQLError):
    """The database cannot be used now, and may be later; the text says why."""

    def __init__(
        self, text: str, trouble: Trouble | None = None, code: int = 0
    ) -> None:
        """Say why; `trouble` is to be told of it, `code` is SQLite's primary one."""
        super().__init__(text)
        self.trouble = trouble
        self.code = code

    @property
    def is_damage(self) -> bool:
        """Tell whether the file is damaged, if maybe only in places."""
        return self.code in _DAMAGE


class UnwritableError(UnusableError):
    """Nothing can be written: the disk is full, another program holds the lock, …."""


class UnreadableError(UnusableError):
    """What is committed cannot be read."""


def code_of(error: SQLError) -> int:
    """Return SQLite's primary code for an error, 0 if it has none."""
    if isinstance(error, UnusableError):
        return error.code
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: SQLError) -> bool:
    """Tell whether the file is damaged, if maybe only in places."""
    return code_of(error) in _DAMAGE


def is_of_the_file(error: sqlite3.DatabaseError) -> bool:
    """Tell whether the file or the disk is to blame, and not the statement."""
    return isinstance(error, sqlite3.OperationalError) or code_of(error) in _DAMAGE


def unusable(
    kind: type[UnusableError], error: sqlite3.DatabaseError, trouble: Trouble
) -> UnusableError:
    """Say in hcl's words what SQLite says of the file."""
    said = kind(str(error), trouble, code_of(error))
    trouble.is_damage |= said.is_damage
    return said


def explain(error: SQLError) -> str:
    """Return what SQLite says, and what to do."""
    cure = _CURES.get(code_of(error))
    return f"{error}: {cure}" if cure else str(error)


@contextmanager
def despite_damage(trouble: Trouble, logger: logging.Logger) -> Iterator[None]:
    """Leave out the rest of a block that meets a damaged page, and tell of it.

    It stands around transactions, never in one: a transaction that has met such a page
    commits nothing.
    """
    try:
        yield
    except SQLError as error:
        if not is_damage(error):
            raise
        trouble.is_damage = True
        trouble.tell(logger, "the database is damaged", explain(error))


def tell(logger: logging.Logger, what: str, error: SQLError) -> None:
    """Log what cannot be done: of the file's trouble once, and then with a count."""
    if isinstance(error, UnusableError) and error.trouble is not None:
        # A lock is mostly over before anybody reads of it.
        is_locked = error.code == sqlite3.SQLITE_BUSY
        why = str(error) if is_locked else explain(error)
        error.trouble.tell(logger, what, why)
    else:
        logger.error("%s: %s", what, error)
