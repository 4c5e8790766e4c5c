"""Tell what a file or an address is that something is to be moved from."""

from datetime import datetime
from pathlib import Path

from hcl.moving.moved import MovingError, Source

_SQLITE = b"SQLite format 3\x00"

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


def open_file(path: Path, as_of: datetime | None = None) -> Source:
    """Open what lies in a file. Raises MovingError."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise MovingError(f"{path}: cannot be read: {error.strerror}") from error
    # Imported here: one of them is enough.
    if head.startswith(_SQLITE):
        from hcl.moving.healthchecks import Healthchecks

        return Healthchecks(path, as_of)
    if head.lstrip().startswith(b"{"):
        from hcl.moving.exported import Exported

        return Exported(path, as_of)
    if not head:
        raise MovingError(f"{path}: is empty; {_HINT}")
    for beginning, what in _OTHERS:
        if head.startswith(beginning):
            raise MovingError(f"{path}: is {what}; {_HINT}")
    raise MovingError(f"{path}: is not what can be moved; {_HINT}")
