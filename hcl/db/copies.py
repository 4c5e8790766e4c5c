"""The copies in a folder: what they are called, and which are too many."""

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from hcl.db.examining import OURS
from hcl.db.private import PART, is_in_use

_FORM = "%Y%m%dT%H%M%SZ"

# The setting by which the copies of one database are told from those of another.
IDENTITY = "identity"

# What bears a later moment than this was made by a clock that was wrong.
_AHEAD = timedelta(days=1)


def name_of(database: Path, now: datetime) -> str:
    """Name a copy: `hcl-20261128T142042Z.sqlite` of `hcl.sqlite`."""
    return f"{database.stem}-{now.astimezone(UTC):{_FORM}}.sqlite"


def made_at(database: Path, name: str) -> datetime | None:
    """Return when a copy was made, by its name; None: it is no copy of this one."""
    form = rf"{re.escape(database.stem)}-(\d{{8}}T\d{{6}}Z)\.sqlite"
    match = re.fullmatch(form, name)
    if match is None:
        return None
    with suppress(ValueError):
        return datetime.strptime(match[1], _FORM).replace(tzinfo=UTC)
    return None


def too_many(
    database: Path, names: Iterable[str], newest: str, keep: int, now: datetime
) -> list[str]:
    """Return those to delete, the oldest first, so that `keep` are left.

    `newest` was just made and stays, whatever the clock said before. What bears a
    moment that is still to come counts as the oldest.
    """
    dated = [(made_at(database, name), name) for name in names if name != newest]
    ours = [(made, name) for made, name in dated if made is not None]
    ours.sort(key=lambda copy: (copy[0] <= now + _AHEAD, copy))
    return [name for _, name in ours[: max(0, len(ours) + 1 - keep)]]


def tidy(
    folder: Path, database: Path, newest: str, keep: int, now: datetime
) -> list[str]:
    """Delete the copies that are too many, and what killed backups left; name them.

    Two servers may share a folder, and their copies bear such names alike: those of the
    other stay. Raises OSError.
    """
    names = [file.name for file in folder.iterdir()]
    gone = too_many(database, names, newest, keep, now)
    if gone:
        known = (identity_of(folder / newest), "")
        dated = [name for name in names if made_at(database, name) is not None]
        ours = [name for name in dated if identity_of(folder / name) in known]
        gone = too_many(database, ours, newest, keep, now)
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    for name in names:
        whole = name.removeprefix(".").removesuffix(PART)
        is_part = name == f".{whole}{PART}" and made_at(database, whole) is not None
        if is_part and not is_in_use(folder / name):
            (folder / name).unlink(missing_ok=True)
    return gone


def identity_of(copy: Path) -> str:
    """Return of which database a copy is; "": it does not say, or cannot be read."""
    uri = f"file:{quote(bytes(copy))}?mode=ro&immutable=1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as conn:
        found = "SELECT value FROM settings WHERE name = ?"
        return str((conn.execute(found, (IDENTITY,)).fetchone() or ("",))[0])
    return ""


def is_of_another_program(file: Path) -> bool:
    """Tell whether a file that nobody writes to is a database, and none of hcl's.

    False: it is one, or empty, or so damaged that it cannot be told.
    """
    uri = f"file:{quote(bytes(file))}?mode=ro&immutable=1"
    with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as conn:
        rows = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return file.stat().st_size > 0 and not {name for [name] in rows} >= OURS
    return False
