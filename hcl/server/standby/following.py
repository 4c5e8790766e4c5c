"""A copy of another machine's database: looked at, followed, prepared to be served."""

import asyncio
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from datetime import datetime
from glob import escape
from pathlib import Path

from hcl import store
from hcl.config import Config
from hcl.db import DatabaseError, SQLError, open_to_read
from hcl.server.standby import litestream
from hcl.words.moments import moment

logger = logging.getLogger(__name__)

# A server leaves a sign of life each minute: a replica that has no new one for so many
# seconds stands still.
STANDS_AFTER = 240.0

# Where Litestream has up to which transaction it has brought a copy, in hex.
_TXID = "-txid"
_LAID_BESIDE = (
    "",
    "-wal",
    "-shm",
    _TXID,
    f"{_TXID}.tmp",
    ".tmp",
    ".tmp-wal",
    ".tmp-shm",
)

_LOOK_EVERY = 30.0
_AGAIN = 10.0

# So often it is asked, while a copy stands still, whether the replica has more; and for
# how long that is waited for, in seconds.
_ASK_EVERY = 600.0
_PATIENCE = 60.0

# After what was brought anew could not be used, so long passes before that is done once
# more, in seconds. And for how long it may take: it may be much, and to no avail.
_ANEW_EVERY = 6 * 3600.0
_LONGEST = 2 * 3600.0

# Where all is brought anew: by turns, since a copy that was may have to be so again.
_ANEW = (".anew", ".anew2")

# How often it is looked whether a copy is there that is brought anew, in seconds.
_TICK = 1.0

_FIRST = asyncio.FIRST_COMPLETED


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


def _beside(copy: Path, suffix: str) -> Path:
    return copy.with_name(copy.name + suffix)


def _reached(copy: Path) -> int:
    """Return up to which transaction a copy has come; 0: that is not known."""
    with suppress(OSError, ValueError):
        return int(_beside(copy, _TXID).read_text("ascii"), 16)
    return 0


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


class Follower:
    """Keeps a copy of the other machine's database up to date, until it is stopped."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._copy = copy_of(config.database.path)
        # Where Litestream writes it: there, or beside it, if it was brought anew.
        self._place = self._copy
        self._stop = asyncio.Event()
        # When the other server was there last, by its clock, and since when that is so.
        self._seen: datetime | None = None
        self._moved: float | None = None
        self._stands = False
        # Up to which transaction the copy has come, and when the replica is asked next.
        self._reached = 0
        self._asks_at = 0.0

    async def run(self) -> None:
        """Repeat: 1. have Litestream follow, 2. look whether it brings anything.

        Raises ReplicaError, LitestreamError.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        # What it writes holds keys and the output of jobs.
        os.umask(0o077)
        for suffix in _ANEW:
            remove(_beside(self._copy, suffix))
        while not self._stop.is_set():
            process: Process | None = await self._start()
            try:
                while process is not None:
                    process = await self._watch(process)
            finally:
                self._settle()

    async def _start(self) -> Process:
        copy = self._copy
        if not (copy.exists() and _reached(copy)):
            # It could not go on from there.
            remove(copy)
        logger.info("following the replica into %s", copy)
        return await self._follow(copy)

    def _settle(self) -> None:
        """Have the copy's own place alone be left, once Litestream has ended."""
        place, self._place = self._place, self._copy
        if place != self._copy:
            with suppress(FileNotFoundError):
                _beside(place, _TXID).replace(_beside(self._copy, _TXID))
            remove(place)

    def _move_to(self, anew: Path) -> None:
        """Have the copy be what Litestream brings anew, and goes on to write there."""
        old, self._place = self._place, anew
        link = _beside(anew, ".link")
        link.unlink(missing_ok=True)
        link.hardlink_to(anew)
        link.replace(self._copy)
        for suffix in ("-wal", "-shm"):
            _beside(self._copy, suffix).unlink(missing_ok=True)
        # At least so far, should nobody settle it.
        _beside(self._copy, _TXID).write_text(_beside(anew, _TXID).read_text("ascii"))
        if old != self._copy:
            remove(old)

    async def _follow(self, into: Path) -> Process:
        follow, database = self._config.standby.follow, self._config.database.path
        command = litestream.restore(follow, database, into, "-f")
        return await asyncio.create_subprocess_exec(
            *command, stdout=sys.stderr, stderr=None
        )

    async def _watch(self, process: Process) -> Process | None:
        """Watch until Litestream ends, or is to, and end it.

        Return another that has brought all anew, and goes on; None: there is none.
        """
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            while not stopped.done():
                done, _ = await asyncio.wait(
                    [ended, stopped], timeout=_LOOK_EVERY, return_when=_FIRST
                )
                if stopped in done:
                    break
                await self.look_once(time.monotonic())
                if ended in done:
                    logger.error("Litestream ended by itself; it is started again")
                if await self._is_left_behind(stopped, has_ended=ended in done):
                    after = await self._bring(stopped)
                    if after is not None:
                        return after
                if ended in done:
                    await asyncio.wait([stopped], timeout=_AGAIN)
                    break
        finally:
            ended.cancel()
            stopped.cancel()
            await _end(process)
        return None

    async def _is_left_behind(
        self, stopped: asyncio.Task[bool], *, has_ended: bool
    ) -> bool:
        """Tell whether the replica has what Litestream does not bring.

        It keeps each change for a day: who was off for longer lacks some, and
        Litestream waits for those without a word. And it ends where it is to go on from
        what is ahead of the replica's last snapshot of all, as after most restarts.
        """
        before, self._reached = self._reached, _reached(self._place)
        stands = self._stands and self._reached == before
        if not (stands or has_ended) or not self._reached:
            return False
        if time.monotonic() < self._asks_at:
            return False
        newest = await self._newest(stopped)
        if not has_ended:
            self._asks_at = time.monotonic() + _ASK_EVERY
        return newest > self._reached or (has_ended and newest == self._reached)

    async def _newest(self, stopped: asyncio.Task[bool]) -> int:
        """Return the last transaction that the replica has; 0: it does not say."""
        follow, database = self._config.standby.follow, self._config.database.path
        command = litestream.listing(follow, database)
        try:
            asked = await asyncio.create_subprocess_exec(
                *command, stdout=PIPE, stderr=DEVNULL
            )
        except OSError as error:
            logger.warning("cannot ask whether the replica has more: %s", error)
            return 0
        told = asyncio.create_task(asked.communicate())
        # A share that is away does not hold up the end.
        await asyncio.wait([told, stopped], timeout=_PATIENCE, return_when=_FIRST)
        if not told.done():
            told.cancel()
            with suppress(ProcessLookupError):
                asked.kill()
            return 0
        listed, _ = told.result()
        return litestream.newest(listed.decode("utf-8", "replace"))

    async def _bring(self, stopped: asyncio.Task[bool]) -> Process | None:
        """Have Litestream bring all of the replica beside the copy, and go on there.

        Return it once all is here and is the copy; None: what it brings is of no use.
        """
        logger.warning("the copy cannot go on: all of the replica is brought anew")
        is_first = self._place != _beside(self._copy, _ANEW[0])
        anew = _beside(self._copy, _ANEW[0 if is_first else 1])
        # Litestream would go on with what is left of before.
        remove(anew)
        process = await self._follow(anew)
        try:
            if await self._is_brought(anew, process, stopped):
                self._move_to(anew)
                return process
        except BaseException:
            await _end(process)
            raise
        await _end(process)
        remove(anew)
        return None

    async def _is_brought(
        self, anew: Path, process: Process, stopped: asyncio.Task[bool]
    ) -> bool:
        """Wait until all is here; tell whether it is, and is no older than the copy."""
        end = time.monotonic() + _LONGEST
        ended = asyncio.create_task(process.wait())
        try:
            while not _beside(anew, _TXID).exists():
                if ended.done() or stopped.done():
                    return False
                if time.monotonic() > end:
                    self._asks_at = end + _ANEW_EVERY
                    return False
                await asyncio.wait([ended, stopped], timeout=_TICK, return_when=_FIRST)
        finally:
            ended.cancel()
        try:
            _, epoch = await look(anew, self._config)
            _, before = await look(self._copy, self._config)
            problem = "the replica is older"
        except ReplicaError as error:
            epoch, before, problem = 0, 1, str(error)
        if epoch >= before and _reached(anew) >= self._reached:
            return True
        logger.warning("the copy stays, though it cannot go on: %s", problem)
        self._asks_at = time.monotonic() + _ANEW_EVERY
        return False

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
