"""The database: opened, migrated, read, and written in transactions."""

from hcl.db import copies
from hcl.db.copying import Contents, StoppedError, back_up, rehearse
from hcl.db.database import PATIENCE, Database, Statement, begun, write_at_once
from hcl.db.errors import (
    DatabaseError,
    SQLError,
    UnreadableError,
    UnusableError,
    UnwritableError,
    despite_damage,
    explain,
    is_damage,
    tell,
)
from hcl.db.gaps import Gaps, readable
from hcl.db.lock import held, why_none_is_made
from hcl.db.opening import (
    SQLITE_VERSION,
    open_database,
    open_to_read,
    open_to_rehearse,
    write_beside,
)
from hcl.db.private import becoming, sync_folder
from hcl.db.restoring import (
    EPOCH,
    RESTORED,
    Restored,
    aside_of,
    mark_as_copy,
    move_aside,
    moving_back,
    owned_like,
    restore,
)

__all__ = [
    "PATIENCE",
    "Contents",
    "Database",
    "EPOCH",
    "RESTORED",
    "SQLITE_VERSION",
    "DatabaseError",
    "Gaps",
    "Restored",
    "SQLError",
    "Statement",
    "StoppedError",
    "UnreadableError",
    "UnusableError",
    "UnwritableError",
    "back_up",
    "becoming",
    "begun",
    "copies",
    "despite_damage",
    "explain",
    "held",
    "is_damage",
    "open_database",
    "open_to_read",
    "open_to_rehearse",
    "readable",
    "rehearse",
    "aside_of",
    "mark_as_copy",
    "move_aside",
    "moving_back",
    "owned_like",
    "restore",
    "sync_folder",
    "tell",
    "why_none_is_made",
    "write_beside",
    "write_at_once",
]
