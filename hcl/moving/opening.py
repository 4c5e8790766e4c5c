"""Tell what a file or an address is that something is to be moved from."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hcl.moving.moved import MovingError, Source

_SQLITE = b"SQLite format 3\x00"

# Of so many bytes it takes some seconds to see that a database is whole.
_LARGE = 100_000_000

# How files begin that people take for what can be moved, and what they are.
_OTHERS = (
    (b"PGDMP", "a dump of PostgreSQL"),
    (b"--\n-- PostgreSQL database", "a dump of PostgreSQL"),
    (b"-- MySQL dump", "a dump of MySQL"),
    (b"-- MariaDB dump", "a dump of MariaDB"),
    (b"/*M!", "a dump of MariaDB"),
    (b"\x1f\x8b", "compressed: unpack it first"),
    (b"\xfd7zXZ", "compressed: unpack it first"),
    (b"(\xb5/\xfd", "compressed: unpack it first"),
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
    (b"\x00" * 16, "full of zeros"),
)

_HINT = (
    "hcl import takes the SQLite database of a Healthchecks, what `hcl export` writes,"
    " or a server's URL with --api-key"
)


def open_file(path: Path, as_of: datetime | None, say: Callable[[str], None]) -> Source:
    """Open what lies in a file; `say` hears what takes long. Raises MovingError."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise MovingError(f"{path}: cannot be read: {error.strerror}") from error
    # Imported here: one of them is enough.
    if head.startswith(_SQLITE):
        from hcl.moving.healthchecks.database import Healthchecks

        if path.stat().st_size > _LARGE:
            say(f"{path} is looked at first")
        return Healthchecks(path, as_of)
    if head.lstrip().startswith(b"{"):
        from hcl.moving.exported import Exported

        return Exported(path.open("rb"), str(path), as_of, say)
    if not head:
        raise MovingError(f"{path}: is empty; {_HINT}")
    for beginning, what in _OTHERS:
        if head.startswith(beginning):
            raise MovingError(f"{path}: is {what}; {_HINT}")
    raise MovingError(f"{path}: is not what can be moved; {_HINT}")
