"""What kill -9 would leave of the app's database, taken while the app goes on."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aiosqlite import Connection

from tests.app import App
from tests.store import writer_of

NAMES = ("hcl.sqlite", "hcl.sqlite-wal")


async def crash(app: App, folder: Path, writer: Connection | None = None) -> Path:
    """Copy the database to a new folder as it is now.

    With the connection that writes, got before, maybe amid a transaction; else between
    two.
    """
    copy = partial(_copy, app.config.database.path.parent, folder)
    writer = writer or await writer_of(app.database)
    # In the thread that writes, so that no file changes meanwhile.
    await writer._execute(copy)  # type: ignore[no-untyped-call]  # it has no types
    return folder


@asynccontextmanager
async def crashes(app: App, folder: Path) -> AsyncIterator[list[Path]]:
    """Collect folders with the database as it is before each statement that writes."""
    source, taken = app.config.database.path.parent, list[Path]()

    def take(statement: str) -> None:
        if statement.startswith("PRAGMA"):
            return
        target = folder / str(len(taken))
        _copy(source, target)
        taken.append(target)

    writer = await writer_of(app.database)
    await writer.set_trace_callback(take)
    try:
        yield taken
    finally:
        # mypy takes the callback for one that cannot be taken away.
        await writer.set_trace_callback(None)  # type: ignore[arg-type]


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in NAMES:
        shutil.copy(source / name, target / name)
