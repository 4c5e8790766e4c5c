"""Break pages of a database file, as a bad card does."""

import sqlite3
from contextlib import closing
from pathlib import Path


def damage(path: Path, table: str) -> None:
    """Overwrite the root page of a table, and of the tables and indexes beside it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = connection.execute("PRAGMA page_size").fetchone()
        roots = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE tbl_name = ? AND rootpage",
            (table,),
        ).fetchall()
    with path.open("r+b") as file:
        for [root] in roots:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)


def damage_where(path: Path, text: bytes) -> None:
    """Overwrite the pages that hold a text, and no others."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [size] = connection.execute("PRAGMA page_size").fetchone()
    data = path.read_bytes()
    pages = [at for at in range(0, len(data), size) if text in data[at : at + size]]
    with path.open("r+b") as file:
        for at in pages:
            file.seek(at)
            file.write(b"\xff" * size)
