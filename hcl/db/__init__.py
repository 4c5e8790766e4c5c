"""The database: opened, migrated, read, and written in transactions."""

from hcl.db.database import PATIENCE, Database, Statement, begun, write_at_once
from hcl.db.errors import (
    DatabaseError,
    SQLError,
    UnreadableError,
    UnusableError,
    UnwritableError,
    explain,
    tell,
)
from hcl.db.lock import held
from hcl.db.opening import (
    SQLITE_VERSION,
    open_database,
    open_to_read,
    open_to_rehearse,
    write_beside,
)

__all__ = [
    "PATIENCE",
    "Database",
    "SQLITE_VERSION",
    "DatabaseError",
    "SQLError",
    "Statement",
    "UnreadableError",
    "UnusableError",
    "UnwritableError",
    "begun",
    "explain",
    "held",
    "open_database",
    "open_to_read",
    "open_to_rehearse",
    "tell",
    "write_beside",
    "write_at_once",
]
