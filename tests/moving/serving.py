"""The real server on what was imported before."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2

from tests.patience import ENDS
from tests.server.process import Serve


class Served(Serve):
    """`hcl serve` in a folder whose hcl.toml was written by an import."""

    def write_config(self, channels: str, *, tables: str = "") -> None:
        """Have the config that is there listen on a port of its own."""
        path = self.folder / "hcl.toml"
        text = path.read_text()
        for old, new in (
            ('"127.0.0.1:8000"', f'"127.0.0.1:{self.port}"'),
            ('"http://127.0.0.1:8000"', f'"{self.root}"'),
        ):
            text = text.replace(old, new)
        path.write_text(text + channels + tables)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        """Ask the server for a path."""
        return httpx2.get(
            f"{self.root}{path}", trust_env=False, verify=False, **options
        )


def judged(folder: Path) -> None:
    """Wait until what may have come elsewhere is judged."""
    begun = time.monotonic()
    while read(folder, "SELECT 1 FROM moved WHERE as_of IS NOT NULL"):
        assert time.monotonic() - begun < ENDS
        time.sleep(0.05)


def read(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Read from the database as another program would."""
    uri = f"file:{folder}/hcl.sqlite?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as conn:
        return conn.execute(sql).fetchall()
