"""What can go wrong with the database: with all of it, or for now."""

import sqlite3

# Whatever SQLite may say. What is no UnusableError comes of a mistake in hcl, or of a
# broken file: no loop goes on after it.
SQLError = sqlite3.Error


class DatabaseError(Exception):
    """The database cannot be used at all; the text says why."""


class UnusableError(SQLError):
    """The database cannot be used now, and may be later; the text says why."""


class UnwritableError(UnusableError):
    """Nothing can be written: the disk is full, another program holds the lock, …."""


class UnreadableError(UnusableError):
    """What is committed cannot be read."""
