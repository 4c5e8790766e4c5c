"""The copy that is set aside before the schema changes: one of each state."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_SLICE = 1 << 20

# What SQLite writes otherwise into the header of a copy: whether there is a WAL, how
# often the file and its schema have changed, and by which SQLite. See fileformat2.html.
_OF_THE_FILE = (slice(18, 20), slice(24, 28), slice(40, 44), slice(92, 100))


def aside_path(path: Path, version: int) -> Path:
    """Return where a database is set aside before its schema changes."""
    return path.with_name(f"{path.name}.schema-{version}")


def set_aside_before(path: Path, newest: int) -> int | None:
    """Return the schema of which the database stands aside as it is; None: of none.

    A migration that fails is tried again by each start, and a database that is copied
    each time wears out a card. No connection of this process may be open: the file is
    read past SQLite, whose locks would go. Raises sqlite3.Error.
    """
    if not any(aside_path(path, old).is_file() for old in range(1, newest)):
        return None
    # For reading: who opens it to write copies all of the WAL at the end.
    uri = f"file:{quote(bytes(path))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        [version] = connection.execute("PRAGMA user_version").fetchone()
    copy = aside_path(path, version)
    if not 0 < version < newest or not copy.is_file():
        return None
    with closing(sqlite3.connect(path)) as connection:
        # What a start that was killed has left there belongs into the file.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return version if _is_alike(path, copy) else None


def _is_alike(path: Path, copy: Path) -> bool:
    """Tell whether a copy holds what a database does, page by page."""
    wal = path.with_name(f"{path.name}-wal")
    try:
        if wal.exists() and wal.stat().st_size:
            # Another program has it open.
            return False
        if path.stat().st_size != copy.stat().st_size:
            return False
        with path.open("rb") as ours, copy.open("rb") as its:
            if _bare(ours.read(_SLICE)) != _bare(its.read(_SLICE)):
                return False
            while part := ours.read(_SLICE):
                if part != its.read(_SLICE):
                    return False
    except OSError:
        return False
    return True


def _bare(begin: bytes) -> bytes:
    """Leave out of a file's beginning what differs between a database and its copy."""
    left = bytearray(begin)
    for place in _OF_THE_FILE:
        left[place] = bytes(place.stop - place.start)
    return bytes(left)
