"""Put a copy in the place of a database, and set aside what was there."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hcl.config.rights import leave_to_owner_of
from hcl.db.copying import Contents, Empty, copy, rehearse, writing
from hcl.db.errors import DatabaseError
from hcl.db.lock import held
from hcl.db.opening import newest_schema
from hcl.db.private import becoming, sync_folder

# The setting that tells the server of a restore until it has told people.
RESTORED = "restored"

# The setting that tells whose turn it is to serve, of two machines.
EPOCH = "epoch"

# What is said of a message that waited in a copy.
NOT_SENT = "not sent: it waited in a copy that was restored"

_COLUMNS = "PRAGMA table_info(notifications)"

_NEVER_SEND = (
    "UPDATE notifications SET next_try = NULL, answer = :answer"
    " WHERE next_try IS NOT NULL"
)
_UNLESS_HELD = (
    " AND NOT (attempts = 0"
    " AND (hold = 'remind' OR (hold = 'mute' AND next_try > :now)))"
)

_SIDE_FILES = ("", "-wal", "-shm")

# What Litestream keeps beside a database: by that it would take another one for it.
_LEDGER = ".{}-litestream"

# Files by their names before and after.
Moved = list[tuple[Path, Path]]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: `as_of` is the last moment that the copy knows of.

    None: it knows of none. So many messages that waited in it are `not_sent`; `aside`
    is what the database before is called now, None: there was none.
    """

    contents: Contents
    as_of: float | None
    not_sent: int
    aside: Path | None


def restore(file: Path, database: Path, config: Path, now: datetime) -> Restored:
    """Put a copy of `file` in the place of the `database` that no server is using.

    Either all of it is done, or nothing. Raises DatabaseError.
    """
    _look_at(file, database)
    with held(database, config, restores=True) as note_served:
        with _left_as_it_is(file):
            contents = rehearse(file)
        if contents.schema > newest_schema():
            raise DatabaseError(
                f"{file}: made by a newer hcl (schema {contents.schema}): run that one"
            )
        with moving_back() as moved:
            as_of, not_sent = _put_in_place(file, database, now, moved)
        note_served()
    return Restored(contents, as_of, not_sent, aside_of(_real(database), moved))


def _put_in_place(
    file: Path, database: Path, now: datetime, moved: Moved
) -> tuple[float | None, int]:
    """Copy, mark, look at the copy, and exchange; note in `moved` what was set aside.

    Returns of when it is, and how many messages are not sent.
    """
    real = _real(database)
    with writing(database), becoming(real) as (part, fd):
        with _left_as_it_is(file):
            copy(file, Empty(part, fd, database, rests=False))
        leave_to_owner_of(owned_like(real), fd)
        marked = mark_as_copy(part, file.name, now)
        _keep_turn(real, part)
        rehearse(part, shown=database)
        os.fsync(fd)
        move_aside(real, now, moved)
    return marked


def owned_like(real: Path) -> Path:
    """Name what has the owner that a database is to have: it itself, or its folder."""
    return real if real.exists() else real.parent


@contextmanager
def _left_as_it_is(file: Path) -> Iterator[None]:
    """Remove the files beside a plain copy that reading it through SQLite makes."""
    wal, shm = _beside(file, "-wal"), _beside(file, "-shm")
    had = wal.exists() or shm.exists()
    try:
        yield
    finally:
        with suppress(OSError):
            if not had and not wal.stat().st_size:
                wal.unlink()
                shm.unlink()


def _look_at(file: Path, database: Path) -> None:
    if not file.exists():
        raise DatabaseError(f"{file}: there is no such file")
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "no file"
        raise DatabaseError(f"{file}: is {kind}: name a copy that `hcl backup` made")
    if database.exists() and file.samefile(database):
        raise DatabaseError(f"{file}: is the database itself")
    if not os.access(file, os.R_OK):
        raise DatabaseError(f"{file}: cannot be read: Permission denied")
    if not file.stat().st_size:
        raise DatabaseError(f"{file}: is empty: it is no copy of a database")


def mark_as_copy(copy_: Path, name: str, now: datetime) -> tuple[float | None, int]:
    """Have what waits in a copy never be sent, and the server tell of it.

    It may have been sent since the copy was made; but not what waits for the end of a
    mute that lasts. Reminders are planned anew at each start. `name` is what the copy
    was made of, `now` when it was put in place. Returns the last moment that the copy
    knows of (None: of none), and how many messages that is. Nobody else may have it
    open.
    """
    # Columns that every version has had, but for `hold`.
    with closing(sqlite3.connect(copy_)) as conn, conn:
        as_of = _last_known(conn)
        columns = {name for _, name, *_ in conn.execute(_COLUMNS)}
        rows = conn.execute(
            _NEVER_SEND + (_UNLESS_HELD if "hold" in columns else "") + " RETURNING id",
            {"answer": NOT_SENT, "now": now.timestamp()},
        ).fetchall()
        mark = {
            # What is no UTF-8 in it could be told nobody.
            "file": os.fsencode(name).decode(errors="replace"),
            "restored": now.timestamp(),
            "as_of": as_of,
            "not_sent": [row[0] for row in rows],
        }
        conn.execute(
            "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
            (RESTORED, json.dumps(mark)),
        )
    return as_of, len(rows)


def _keep_turn(before: Path, part: Path) -> None:
    """Have a copy be of the epoch of the database before, if that is newer.

    Else the machine whose turn it is would take itself for one that was passed.
    """
    found = "SELECT value FROM settings WHERE name = ?"
    # One that is lost or damaged has none to tell: the fence has to be raised then.
    if not before.exists():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(before)) as conn:
        epoch = conn.execute(found, (EPOCH,)).fetchone()
        if epoch is None:
            return
        with closing(sqlite3.connect(part)) as copy_, copy_:
            own = copy_.execute(found, (EPOCH,)).fetchone()
            if own is None or int(own[0]) < int(epoch[0]):
                copy_.execute(
                    "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
                    (EPOCH, epoch[0]),
                )


def _last_known(conn: sqlite3.Connection) -> float | None:
    tables = {name for [name] in conn.execute("SELECT name FROM sqlite_master")}
    moments = []
    for table, sql in (
        ("life", "SELECT max(moment) FROM life"),
        ("inbox", "SELECT max(created) FROM inbox"),
        ("check_states", "SELECT max(last_ping) FROM check_states"),
    ):
        if table in tables:
            moments += [at for [at] in conn.execute(sql) if at is not None]
    return max(moments, default=None)


@contextmanager
def moving_back() -> Iterator[Moved]:
    """Give what is moved meanwhile, and noted, its name again after an exception."""
    moved: Moved = []
    try:
        yield moved
    except BaseException:
        for before, after in reversed(moved):
            after.rename(before)
        raise


def move_aside(real: Path, now: datetime, moved: Moved) -> None:
    """Give the database another name, with its WAL, before another takes its place.

    Each file is noted in `moved`. Raises DatabaseError.
    """
    aside = _beside(real, f".before-{now:%Y%m%dT%H%M%SZ}")
    if aside.exists() and real.exists():
        raise DatabaseError(f"{aside}: is there already: move it away")
    # Best in one file: what is killed between two renames has them apart. What is
    # damaged cannot be, and keeps its WAL.
    if real.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(real)) as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in _SIDE_FILES:
        before, after = _beside(real, suffix), _beside(aside, suffix)
        with suppress(FileNotFoundError):
            before.rename(after)
            moved.append((before, after))
    ledger = real.with_name(_LEDGER.format(real.name))
    with suppress(FileNotFoundError):
        after = ledger.with_name(_LEDGER.format(aside.name))
        ledger.rename(after)
        moved.append((ledger, after))
    sync_folder(real.parent)


def aside_of(real: Path, moved: Moved) -> Path | None:
    """Return what a database that was moved aside is called now; None: there was none.

    Of one that was moved before a kill there may be but a WAL left.
    """
    return dict(moved).get(real)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
