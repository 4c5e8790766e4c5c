"""A copy of another machine's database: looked at, followed, prepared to be served."""

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import datetime
from glob import escape
from pathlib import Path

from hcl import store
from hcl.config import Config
from hcl.db import DatabaseError, SQLError, open_to_read
from hcl.server import litestream
from hcl.words.moments import moment

logger = logging.getLogger(__name__)

# A server leaves a sign of life each minute: a replica that has no new one for so many
# seconds stands still.
STANDS_AFTER = 240.0

_LAID_BESIDE = ("", "-wal", "-shm", "-txid", ".tmp", ".tmp-wal", ".tmp-shm")

_LOOK_EVERY = 30.0
_AGAIN = 10.0


class ReplicaError(Exception):
    """A replica is not one of hcl's, or not of this hcl's; the text says why."""


def copy_of(database: Path) -> Path:
    """Return where the copy of the other machine's database is."""
    real = Path(os.path.realpath(database))
    return real.with_name(f"{real.name}.standby")


def remove(path: Path) -> None:
    """Remove a copy, and all that SQLite and Litestream laid beside it."""
    for suffix in _LAID_BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # What was set aside before it was brought up to date.
    for aside in path.parent.glob(f"{escape(path.name)}.schema-*"):
        aside.unlink(missing_ok=True)


async def look(path: Path, config: Config) -> tuple[datetime | None, int]:
    """Return when the server of a copy was there last, and the copy's epoch.

    Raises ReplicaError if it is of another server than hcl.toml describes.
    """
    try:
        # The other machine may not be upgraded yet.
        async with open_to_read(path, older=True) as conn:
            projects = (await store.projects.known(conn)).values()
            sign = await store.life.last(conn)
            epoch = await store.epoch.get(conn)
    except (DatabaseError, SQLError, OSError) as error:
        raise ReplicaError(f"it cannot be read: {error}") from error
    ids, names = {p.code for p in projects}, {p.name for p in projects}
    if not any(p.id in ids or p.name in names for p in config.projects):
        theirs = ", ".join(sorted(names)) or "none"
        raise ReplicaError(
            f"it is of another server: of its projects ({theirs}) {config.path.name}"
            " has none"
        )
    return (sign.moment if sign else None), epoch


class Follower:
    """Keeps a copy of the other machine's database up to date, until it is stopped."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._copy = copy_of(config.database.path)
        self._stop = asyncio.Event()
        # When the other server was there last, by its clock, and since when that is so.
        self._seen: datetime | None = None
        self._moved: float | None = None
        self._stands = False

    async def run(self) -> None:
        """Repeat: 1. have Litestream follow, 2. look whether it brings anything.

        Raises ReplicaError, LitestreamError.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        # What it writes holds keys and the output of jobs.
        os.umask(0o077)
        while not self._stop.is_set():
            process = await self._start()
            try:
                await self._watch(process)
            finally:
                with suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        database, copy = self._config.database.path, self._copy
        txid = copy.with_name(f"{copy.name}-txid")
        if not (copy.exists() and txid.exists()):
            # It could not go on from there.
            remove(copy)
        command = litestream.restore(self._config.standby.follow, database, copy, "-f")
        logger.info("following the replica into %s", copy)
        return await asyncio.create_subprocess_exec(
            *command, stdout=sys.stderr, stderr=None
        )

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            while not stopped.done():
                done, _ = await asyncio.wait(
                    [ended, stopped], timeout=_LOOK_EVERY, return_when="FIRST_COMPLETED"
                )
                if ended in done:
                    logger.error("Litestream ended by itself; it is started again")
                    await asyncio.wait([stopped], timeout=_AGAIN)
                    return
                if not done:
                    await self.look_once(time.monotonic())
        finally:
            ended.cancel()
            stopped.cancel()

    async def look_once(self, now: float) -> None:
        """Say if what the replica brings stands still. Raises ReplicaError.

        `now` are seconds by the monotonic clock: how old it says to be is by the clock
        of the other machine, which may be wrong.
        """
        if not self._copy.exists():
            return
        seen, _ = await look(self._copy, self._config)
        if self._moved is None or seen != self._seen:
            self._seen, self._moved = seen, now
        stands = now - self._moved >= STANDS_AFTER
        if stands and not self._stands:
            since = moment(seen) if seen else "ever"
            logger.warning("the other machine has not been heard of since %s", since)
        elif self._stands and not stands:
            logger.warning("the other machine is heard of again")
        self._stands = stands
