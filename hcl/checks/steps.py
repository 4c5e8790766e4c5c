"""Move all that was counted by the old time along with a clock that was set."""

import logging
from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl import store
from hcl.checks.judging import Judging
from hcl.clock import Clock
from hcl.db import Database
from hcl.store.life import Absence
from hcl.words.lengths import duration

logger = logging.getLogger(__name__)

# Filed pings that are moved in one transaction, and after one step.
_AT_ONCE = 500
MOST_MOVED = 100_000

# What is older was written by another time.
LONGEST_MOVED = timedelta(days=1)

_NOTHING = timedelta(0)


class Steps:
    """Takes the steps of a clock, each with all that has to follow it.

    Flips up to `first_flip`, an id, are of an earlier run: they stay as they are.
    """

    def __init__(self, database: Database, clock: Clock, judging: Judging) -> None:
        self.first_flip = 0
        self._database = database
        self._clock = clock
        self._judging = judging

    async def follow(self, synchronised: datetime) -> bool:
        """Take the step that there is, if any; tell whether there was one.

        A step changes no length: what deadlines count from moves along, and deadlines.
        Of the history moves what was written since the wall was `synchronised` last.
        """
        step = self._clock.step
        if not step:
            return False
        since = max(synchronised, self._clock.now() - LONGEST_MOVED)
        async with self._database.transaction() as conn:
            await store.checks.shift(conn, step, since)
            await store.outbox.shift(conn, step, self._clock.now() + step)
            await self._move_history(conn, step, since)
        self._take(step)
        await self._move_logs(step, since)
        return True

    async def follow_first(self, began: datetime, *, excuses: bool) -> bool:
        """Take the step from a time that was only guessed since hcl `began`.

        Only what was written since then moves. The rest is of the right time: it is
        judged as after an absence so long, if anything `excuses`.
        """
        clock, step = self._clock, self._clock.step
        if not step:
            clock.take(step)
            return False
        before = clock.shown_as_of = clock.now()
        async with self._database.transaction() as conn:
            await store.checks.shift_written(conn, step, began)
            await store.outbox.shift(conn, step, before + step, began)
            await self._move_history(conn, step, began)
            if step < _NOTHING:
                await store.checks.cut_to(conn, before + step)
        self._take(step)
        if step > _NOTHING and excuses:
            away = Absence(before, before + step, "clock")
            await self._judging.judge(away, written_since=began + step)
        await self._judging.renew(began + step)
        clock.shown_as_of = None
        await self._move_logs(step, began)
        return True

    def _take(self, step: timedelta) -> None:
        """Let the wall count, after a commit, and before anybody else gets a turn."""
        self._clock.take(step)
        if self._judging.counted is not None:
            self._judging.counted += step
        logger.warning(
            "the clock was set %s by %s: deadlines, and what waits, have moved along",
            "forward" if step > _NOTHING else "back",
            duration(abs(step), units=2),
        )

    async def _move_history(
        self, conn: Connection, step: timedelta, since: datetime
    ) -> None:
        await store.flips.shift(conn, step, since, self.first_flip)
        await store.pings.shift_inbox(conn, step, since)

    async def _move_logs(self, step: timedelta, since: datetime) -> None:
        """Move the filed pings that were written since a moment, the newest of them."""
        last, left = 0, MOST_MOVED
        while left > 0:
            ids = await store.pings.came_since(
                self._database.committed, since, last, _AT_ONCE
            )
            if not ids:
                return
            last = ids[-1]
            for check_id in ids:
                async with self._database.transaction(changes_checks=False) as conn:
                    left -= await store.pings.shift_log(
                        conn, check_id, step, since, min(left, _AT_ONCE)
                    )
