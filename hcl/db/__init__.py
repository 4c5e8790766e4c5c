"""The database: opened, migrated, read, and written in transactions."""

from hcl.db.database import PATIENCE, Database, Statement, begun, write_at_once
from hcl.db.errors import DatabaseError
from hcl.db.opening import open_database, open_to_read

__all__ = [
    "PATIENCE",
    "Database",
    "DatabaseError",
    "Statement",
    "begun",
    "open_database",
    "open_to_read",
    "write_at_once",
]
