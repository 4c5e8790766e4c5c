"""The loop that keeps the database small: old pings, flips and notifications go."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from hcl import store
from hcl.alarm import Alarm
from hcl.clock import Clock
from hcl.db import Database, UnusableError, tell

logger = logging.getLogger(__name__)

# Flips, and what was sent of them, are kept for three months, as Healthchecks does: for
# so many days that hcl runs.
KEEP = timedelta(days=93)

# How often it looks without being called.
INTERVAL = timedelta(hours=1)

_DAY = 86_400

# Rows that go in one transaction: no ping waits for more.
BATCH_LIMIT = 500


class Pruner:
    """Deletes what is no longer kept, in transactions so small that no ping waits."""

    def __init__(
        self, database: Database, *, clock: Clock, alarm: Alarm, log_limit: int
    ) -> None:
        self.log_limit = log_limit
        self._database = database
        self._clock = clock
        self._alarm = alarm

    async def run(self) -> None:
        """Repeat: 1. sleep until called, or an hour, 2. delete what is too much."""
        while True:
            await self._alarm.sleep(self._clock.now() + INTERVAL)
            try:
                await self.prune_once(self._clock.ran)
            except UnusableError as error:
                tell(logger, "cannot prune", error)

    async def prune_once(self, ran: float) -> None:
        """Delete pings over the log limit, and what is old of flips and messages.

        Then give back the room, if it is much. `ran` is for how many seconds hcl has
        run: stamps tell no age, since a clock may be set by a year.
        """
        reader = await self._database.current()
        for check_id, up_to in await store.pings.checks_over(reader, self.log_limit):
            await self._repeat(
                partial(store.pings.drop, check_id=check_id, up_to=up_to)
            )
        day = int(ran // _DAY) - KEEP.days
        marked = await store.life.marked(reader, day)
        up_to = marked.notification
        kept = await store.outages.last_messages(reader, up_to)
        await self._repeat(partial(store.notifications.drop, up_to=up_to, kept=kept))
        await self._repeat(store.latenesses.drop)
        await self._drop_flips(marked.flip)
        if marked.announcement:
            await self._repeat(
                partial(store.announcements.drop, up_to=marked.announcement)
            )
        if await store.life.has_outlived(reader, day):
            async with self._database.transaction(changes_checks=False) as conn:
                await store.life.forget(conn, day)
        await self._database.release()

    async def _drop_flips(self, up_to: int) -> None:
        """Delete old flips: many of them stay, and looking at each takes its time."""
        last: int | None = 0
        while last is not None:
            after = last
            async with self._database.transaction(changes_checks=False) as conn:
                last = await store.flips.reach(conn, after, up_to, BATCH_LIMIT)
                await store.flips.drop(conn, up_to, BATCH_LIMIT, after=after, last=last)

    async def _repeat(self, drop: Callable[..., Awaitable[int]]) -> None:
        dropped = BATCH_LIMIT
        while dropped >= BATCH_LIMIT:
            async with self._database.transaction(changes_checks=False) as conn:
                dropped = await drop(conn, limit=BATCH_LIMIT)
