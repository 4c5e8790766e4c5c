"""The loop that takes pings from the inbox to their checks' logs."""

import asyncio
import json
import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from hcl import memory, store
from hcl.alarm import Alarm
from hcl.clock import Clock
from hcl.db import (
    PATIENCE,
    Database,
    UnusableError,
    despite_damage,
    tell,
    write_at_once,
)
from hcl.model import Ping

logger = logging.getLogger(__name__)

# How long a ping lies in the inbox at most: hours, or a minute once so many have
# come, or less once there are so many, or so many bytes of bodies. The more pings of a
# check are filed together, the more share a page, and an SD card lives so many bytes.
FILE_AT_LATEST = timedelta(hours=3)
MANY_PINGS = 10_000
FILE_AFTER = timedelta(minutes=1)
FILE_PINGS = 250_000
FILE_BYTES = 16_000_000

# Pings that go in one transaction: no ping waits for more. To drop them from the inbox
# is quicker, but where they have bodies.
BATCH_LIMIT = 140
DROP_LIMIT = 250

# So many pings, of so many bytes, are dropped at once if no other has come meanwhile.
CLEAR_LIMIT = 20_000
CLEAR_BYTES = 1_000_000

# After so many parts that damaged pages keep from it the rest is left as it is: each
# takes a millisecond, and there is no end of them where all is damaged.
MOST_REFUSED = 2000


def _no_pulse() -> None:
    """Do nothing."""


class Filer:
    """Files pings in transactions so small that no ping waits for long.

    None of them is synced: a power cut undoes the last ones, in order, and what lies in
    the inbox is filed again.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        alarm: Alarm,
        pruner: Alarm,
        log_limit: int,
    ) -> None:
        self.log_limit = log_limit
        self._database = database
        self._clock = clock
        self._alarm = alarm
        self._pruner = pruner
        self._pings = self._bytes = 0
        # When filing is due; None: the inbox is empty. It may not be at the start.
        self._filing = asyncio.Lock()
        self._due: datetime | None = self._clock.now() + FILE_AFTER

    def note(self, pings: Sequence[tuple[int, Ping]]) -> None:
        """Take note of pings that the inbox has got."""
        if not pings:
            return
        were_many = self._pings >= MANY_PINGS
        self._pings += len(pings)
        self._bytes += sum(len(ping.body) for _, ping in pings)
        if self._due is None:
            self._file_within(FILE_AT_LATEST)
        if self._pings >= MANY_PINGS and not were_many:
            self._file_within(FILE_AFTER)
        if self._is_full:
            self._alarm.ring()

    def _file_within(self, length: timedelta) -> None:
        due = self._clock.now() + length
        if self._due is None or due < self._due:
            self._due = due
            self._alarm.ring(due)

    @property
    def _is_full(self) -> bool:
        return self._pings >= FILE_PINGS or self._bytes >= FILE_BYTES

    async def run(self) -> None:
        """Repeat: 1. file if that is due, 2. sleep until it is, or until called."""
        while True:
            now = self._clock.now()
            if self._due is not None:
                # The clock may have been set back.
                self._due = min(self._due, now + FILE_AT_LATEST)
            if self._due is not None and (self._due <= now or self._is_full):
                try:
                    await self.file_once()
                except UnusableError as error:
                    tell(logger, "cannot file pings", error)
                    self._due = now + PATIENCE
            await self._alarm.sleep(self._due)

    async def file_once(self, pulse: Callable[[], None] = _no_pulse) -> None:
        """File what is in the inbox now; call `pulse` after each few pings."""
        # Of two at once each would drop what only the other has filed.
        async with self._filing:
            await self._file_once(pulse)

    async def file_what_it_can(self, pulse: Callable[[], None] = _no_pulse) -> None:
        """Do as `file_once`, if a damaged page does not keep from it."""
        with despite_damage(self._database.trouble, logger):
            await self.file_once(pulse)

    async def _file_once(self, pulse: Callable[[], None]) -> None:
        self._due = None
        is_light = self._bytes <= CLEAR_BYTES
        self._pings = self._bytes = 0
        # Looked up before the states are saved, so that they count all up to it: a ping
        # that comes between would be dropped here and counted nowhere.
        last = await store.inbox.last_id(self._database.committed)
        await self._database.settle()
        ids = await store.inbox.by_log(self._database.committed, last)
        if last >= MANY_PINGS:
            # To sort them took some megabytes, and to file them takes a while.
            await memory.give_back_apart()
        filed, left, refused = 0, list[int](), 0
        for part in store.inbox.parts(ids, BATCH_LIMIT):
            kept = await self._file(part) if refused < MOST_REFUSED else [part]
            refused += len(kept)
            for some in kept:
                left += json.loads(some)
            filed += part.count(",") + 1
            pulse()
        filed -= len(left)
        del ids
        if left:
            self._file_within(FILE_AT_LATEST)
        at_once = is_light and 0 < filed <= CLEAR_LIMIT and not left
        if not (at_once and await self._clear(last)):
            await self._drop(last, filed, left)
        if filed:
            self._pruner.ring()
        if filed >= MANY_PINGS:
            await memory.give_back_apart()

    async def _file(self, part: str) -> list[str]:
        """File some; return those that damaged pages keep from it, of each check alone.

        They stay in the inbox: what others have received is filed all the same.
        """
        if await self._is_filed(part):
            return []
        each = await store.inbox.by_check(self._database.committed, part)
        return [ids for ids in each if ids == part or not await self._is_filed(ids)]

    async def _is_filed(self, ids: str) -> bool:
        """File some; return False if a damaged page keeps from it."""
        try:
            await self._database.write_lazily(store.inbox.filing(ids, self.log_limit))
        except UnusableError as error:
            if not error.is_damage:
                raise
            tell(logger, "cannot file pings", error)
            return False
        return True

    async def _drop(self, last: int, filed: int, left: list[int]) -> None:
        if filed and left:
            await self._drop_all_but(last, sorted(left))
            return
        # So many and no more: an empty inbox gives its ids again.
        for _ in range(0, filed, DROP_LIMIT):
            await self._database.write_lazily(store.inbox.dropping(last, DROP_LIMIT))

    async def _drop_all_but(self, last: int, left: Sequence[int]) -> None:
        """Drop what was filed, but for those that stay, by their ids in order."""
        up_to = 0
        while up_to < last:
            after, reader = up_to, self._database.committed
            up_to, count = await store.inbox.reach(reader, after, last, DROP_LIMIT)
            but = left[bisect_right(left, after) : bisect_right(left, up_to)]
            if count > len(but):
                statement = store.inbox.dropping_but(after, up_to, but)
                await self._database.write_lazily(statement)

    async def _clear(self, last: int) -> bool:
        """Empty the inbox, unless a ping has come after the last that was filed."""
        async with self._database.turn() as conn:
            if await store.inbox.last_id(conn) != last:
                return False
            await write_at_once(conn, store.inbox.clearing(), is_lazy=True)
            return True
