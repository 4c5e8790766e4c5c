"""The loop that keeps copies of the database: made, read once, and too many deleted."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from hcl import store
from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.changes import Changes
from hcl.clock import Clock
from hcl.config import BackupConfig
from hcl.db import (
    PATIENCE,
    Contents,
    Database,
    DatabaseError,
    StoppedError,
    UnusableError,
    back_up,
    copies,
    tell,
)
from hcl.model import Announcement
from hcl.server.announcer import TELL_AGAIN
from hcl.server.mounts import Mounts, UnmountedError
from hcl.store.backups import Kept
from hcl.words.lengths import duration, in_seconds
from hcl.words.lengths import every as often
from hcl.words.lines import counted, one_line
from hcl.words.moments import moment
from hcl.words.sizes import size

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How long the end waits for a copy that is being made, which stops between two slices.
_END_PATIENCE = 1.0

# Pings go first.
_NICE = 10


class Keeping:
    """Makes copies of the database when they are due; tells when there is none.

    `sender` is rung when there is something to tell, and `changes` are told of it.
    """

    def __init__(
        self,
        database: Database,
        path: Path,
        config: BackupConfig,
        *,
        clock: Clock,
        alarm: Alarm,
        sender: Alarm,
        changes: Changes,
    ) -> None:
        self._database = database
        self._changes = changes
        # What is open, wherever a link leads later.
        self._path = Path(os.path.realpath(path))
        self._config = config
        self._clock = clock
        self._alarm = alarm
        self._sender = sender
        # Whoever has mended something restarts hcl, or reloads it.
        self._retries = True
        # As they are written down, or would be if the database could be written.
        self._kept: dict[Path, Kept] = {}
        # A disk that does not answer holds up no other.
        self._under_way: set[Path] = set()
        self._copying: set[asyncio.Future[Contents]] = set()
        self._stops = threading.Event()
        self._mounts = Mounts()
        # The zone of moments in messages.
        self.home = "UTC"

    def use(self, config: BackupConfig) -> None:
        """Keep copies by these settings from now on; what failed is tried at once."""
        self._config = config
        self._retries = True
        self._alarm.ring()

    async def run(self) -> None:
        """Repeat: 1. begin the copies that are due, 2. sleep until the next is."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        until = await self._begin(group)
                    except UnusableError as error:
                        tell(logger, "cannot see to the backups", error)
                        until = self._clock.now() + PATIENCE
                    await self._alarm.sleep(until, at_most=LOOK_AGAIN)
        finally:
            self._stops.set()
            if self._copying:
                ended, _ = await asyncio.wait(self._copying, timeout=_END_PATIENCE)
                for copying in ended:
                    # Nobody else asks what became of it.
                    copying.exception()

    async def _begin(self, group: asyncio.TaskGroup) -> datetime | None:
        """Begin the copies that are due now; return when the next one is."""
        nexts = []
        config, now = self._config, self._clock.now()
        retries, self._retries = self._retries, False
        for folder in config.folders:
            kept = self._kept.get(folder)
            if kept is None:
                kept = await store.backups.of(self._database.committed, folder)
                self._kept[folder] = kept = kept or Kept(since=now)
                self._note_disk(folder)
            if folder in self._under_way:
                continue
            due = kept.due(config.every, now)
            if due <= now or (retries and kept.problem):
                self._under_way.add(folder)
                group.create_task(self._keep(folder, config))
            else:
                nexts.append(due)
        return min(nexts, default=None)

    async def _keep(self, folder: Path, config: BackupConfig) -> None:
        target = folder / copies.name_of(self._path, self._clock.now())
        begun = time.monotonic()
        stops = self._stops.is_set
        copying: asyncio.Future[Contents] | None = None
        try:
            await self._identify()
            copying = in_thread(lambda: self._copy(target, stops))
            self._copying.add(copying)
            await self._wait_for(copying, target, f"{target}: is not written", config)
            contents = await copying
            took = timedelta(seconds=time.monotonic() - begun)
            await self._made(target, contents, took)
            await self._tidy(target, config)
        except StoppedError:
            return
        except DatabaseError as error:
            await self._failed(target, str(error))
        except Exception as error:
            # A mistake in copying is no reason to stop watching.
            logger.exception("a backup failed")
            await self._failed(target, f"{target}: {error!r}")
        finally:
            if copying is not None and copying.done():
                self._copying.discard(copying)
            self._under_way.discard(folder)
            self._alarm.ring()

    async def _wait_for(
        self, work: asyncio.Future[T], target: Path, what: str, config: BackupConfig
    ) -> None:
        """Wait until work on a disk has ended; tell people if it takes too long."""
        while not work.done():
            await asyncio.wait([work], timeout=config.every.total_seconds())
            if not work.done():
                after = duration(config.every)
                await self._failed(target, f"{what} after {after}: is its disk there?")

    def _note_disk(self, folder: Path) -> None:
        def look() -> None:
            with suppress(UnmountedError):
                self._mounts.look(folder)

        # Where no thread can be had, the first copy sees to it.
        with suppress(RuntimeError):
            in_thread(look)

    def _copy(self, target: Path, stops: Callable[[], bool]) -> Contents:
        try:
            self._mounts.look(target.parent)
        except UnmountedError as error:
            raise DatabaseError(str(error)) from error
        return back_up(self._path, target, stops)

    async def _identify(self) -> None:
        """Have the copies be known as this database's, see `copies.tidy`."""
        try:
            if not await store.backups.is_identified(self._database.committed):
                async with self._database.transaction(changes_checks=False) as conn:
                    await store.backups.identify(conn)
        except UnusableError as error:
            # It is copied all the same.
            tell(logger, "cannot give the backups a name", error)

    async def _made(self, target: Path, contents: Contents, took: timedelta) -> None:
        pings, length = counted(contents.pings, "ping"), in_seconds(took)
        said = f"{size(contents.size)}, {pings}, in {length}"
        logger.info("backed up to %s: %s", target, said)
        before = self._kept[target.parent]
        kept = Kept(
            since=before.since,
            name=target.name,
            made=self._clock.now(),
            size=contents.size,
            seconds=took.total_seconds(),
            pings=contents.pings,
        )
        await self._note(
            target.parent, kept, _works_again(target, before, kept, self.home)
        )

    async def _failed(self, target: Path, problem: str) -> None:
        folder, now = target.parent, self._clock.now()
        before = self._kept[folder]
        if problem != before.problem:
            logger.error("no backup: %s", problem)
        # A clock that was ahead is not waited for.
        is_told = before.told is not None and abs(now - before.told) < TELL_AGAIN
        told = before.told if is_told else now
        kept = replace(before, problem=problem, tried=now, told=told)
        every, home = self._config.every, self.home
        news = None if is_told else _no_backup(folder, kept, every, now, home)
        await self._note(folder, kept, news)

    async def _note(
        self, folder: Path, kept: Kept, announcement: Announcement | None
    ) -> None:
        """Write down how copies fare, and what is told; it counts at once."""
        self._kept[folder] = kept
        try:
            async with self._database.transaction(changes_checks=False) as conn:
                await store.backups.put(conn, folder, kept)
                if announcement is not None:
                    id_ = await store.announcements.add(conn, announcement)
                    now = self._clock.now()
                    await store.notifications.add_for_announcement(conn, id_, now)
        except UnusableError as error:
            # Nobody is told by that: the next failure is to be.
            self._kept[folder] = replace(kept, told=None)
            tell(logger, "cannot write down how the backups fare", error)
        if announcement is not None:
            self._sender.ring()
            self._changes.tell()

    async def _tidy(self, newest: Path, config: BackupConfig) -> None:
        folder, name, now = newest.parent, newest.name, self._clock.now()
        path, keep = self._path, config.keep
        try:
            work = in_thread(lambda: copies.tidy(folder, path, name, keep, now))
            # No other copy is made there before it has ended.
            await self._wait_for(
                work, newest, f"{folder}: old copies are not deleted", config
            )
            await work
        except OSError as error:
            logger.warning("%s: cannot be tidied: %s", folder, error.strerror)
        except RuntimeError as error:
            # No thread can be had just now.
            logger.warning("%s: cannot be tidied: %s", folder, error)


def in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Run what waits for a disk, at a low priority, in a thread that holds up nobody.

    A disk that does not answer does not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def succeed(result: T) -> None:
        if not future.done():
            future.set_result(result)

    def fail(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    def run() -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        # The loop may have ended when it is done.
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(fail, error)
        else:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(succeed, result)

    threading.Thread(target=run, name="backup", daemon=True).start()
    return future


def _no_backup(
    folder: Path, kept: Kept, every: timedelta, now: datetime, home: str
) -> Announcement:
    last = f"The last good copy there is {kept.name}, of {_when(kept, home)}."
    return Announcement(
        None,
        now,
        "backup",
        "hcl cannot back up its database",
        (
            f"{one_line(kept.problem)}.",
            last if kept.made else f"There is no copy in {folder} yet.",
            f"hcl goes on, and tries again by itself; a copy is due {often(every)}.",
        ),
    )


def _works_again(
    target: Path, before: Kept, kept: Kept, home: str
) -> Announcement | None:
    if not before.problem or before.told is None or kept.made is None:
        return None
    made = f"{target} was made at {_when(kept, home)}, and could be read."
    subject = "hcl backs up its database again"
    return Announcement(None, kept.made, "backup", subject, (made,))


def _when(kept: Kept, home: str) -> str:
    return moment(kept.made, home=home) if kept.made else "never"
