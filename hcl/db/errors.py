"""What can go wrong with the database as a whole."""


class DatabaseError(Exception):
    """The database cannot be used at all; the text says why."""
