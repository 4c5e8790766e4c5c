"""Look at a database before anything is written to it: is it one that hcl can use?"""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from hcl.db.errors import explain

_MAGIC = b"SQLite format 3\0"
_HEADER = 100

# Where the header has user_version: four bytes, big-endian.
_VERSION = slice(60, 64)

# The tables that each version has had.
OURS = {"projects", "checks", "channels", "flips"}


def examine(path: Path, newest: int) -> str:
    """Return why hcl cannot use a database, and what to do; "" if it can.

    `newest` is the version of the schema that this hcl knows. Nothing is written; no
    connection of this process may be open, since closing the file drops its locks.
    """
    header = b""
    with suppress(FileNotFoundError), path.open("rb") as file:
        header = file.read(_HEADER)
    if not header:
        return ""
    wal, shm = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    had = [name for name in (wal, shm) if name.exists()]
    if header.startswith(_MAGIC) and len(header) == _HEADER and wal not in had:
        # What is read through SQLite leaves files behind.
        version = int.from_bytes(header[_VERSION], "big")
        if version > newest:
            return _newer(path, version, newest)
    problem = _ask(path, newest)
    if problem and wal not in had:
        _tidy(wal, shm, had)
    return problem


def _ask(path: Path, newest: int) -> str:
    # Never immutable: SQLite would then leave out what is in the WAL.
    uri = f"file:{quote(bytes(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as probe:
            [version] = probe.execute("PRAGMA user_version").fetchone()
            if version > newest:
                return _newer(path, version, newest)
            rows = probe.execute("SELECT name FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        return explain(error)
    tables = {name for [name] in rows}
    if version == 0 and not tables:
        return ""
    if version == 0 or not tables >= OURS:
        return (
            "a database of another program already exists there: let database.path name"
            " another file"
        )
    return ""


def _newer(path: Path, version: int, newest: int) -> str:
    return (
        f"made by a newer hcl (schema {version}): run that one, or go back by"
        f" {path.name}.schema-{newest} as docs/upgrading.md says"
    )


def _tidy(wal: Path, shm: Path, had: list[Path]) -> None:
    """Remove what reading left, unless another program has begun to write."""
    with suppress(OSError):
        if not wal.stat().st_size:
            wal.unlink()
            if shm not in had:
                shm.unlink()
