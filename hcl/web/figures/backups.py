"""How the copies that hcl keeps fare, for the pages."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hcl import store
from hcl.store.backups import Kept
from hcl.web.parts import Parts


@dataclass(frozen=True, slots=True)
class Backup:
    """Copies in a folder: how they fare, when the next is due, whether one is missing.

    `kept` None: hcl has not looked yet.
    """

    folder: Path
    kept: Kept | None
    due: datetime | None = None
    is_overdue: bool = False


async def all_of(parts: Parts, now: datetime) -> list[Backup]:
    """Return how copies fare in each folder that the config names."""
    # It is asked while the database cannot be written, too.
    conn, config = parts.database.committed, parts.config.backup
    found = []
    for folder in config.folders:
        kept = await store.backups.of(conn, folder)
        if kept is None:
            found.append(Backup(folder, None))
        else:
            due = kept.due(config.every, now)
            late = kept.is_overdue(config.every, now)
            found.append(Backup(folder, kept, due, late))
    return found


async def overdue(parts: Parts, now: datetime) -> list[Backup]:
    """Return those of which a copy is missing, or whose last try failed."""
    return [
        backup
        for backup in await all_of(parts, now)
        if backup.kept and (backup.is_overdue or backup.kept.problem)
    ]
