"""Move all that was counted by the old time along with a clock that was set."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl import store
from hcl.checks.away.guessing import Guessing
from hcl.checks.away.judging import Judging
from hcl.clock import STEP, Clock
from hcl.db import Database, UnusableError, despite_damage, tell
from hcl.store.life import Absence, Sign
from hcl.store.pings import Unfixed
from hcl.words.lengths import duration

logger = logging.getLogger(__name__)

# Logs that are moved in one transaction, lest a ping waits; and filed pings after one
# step.
_AT_ONCE = 3
MOST_MOVED = 100_000

# What is older was written by another time.
LONGEST_MOVED = timedelta(days=1)

_NOTHING = timedelta(0)


class Steps:
    """Takes the steps of a clock, each with all that has to follow it.

    Flips up to `fixed_flip`, an id, were written by a clock that was right, or in an
    earlier run: they stay as they are. `file` takes what was received to the logs.
    `is_taken_up`: all that a step moves is being written: whoever is cancelled while
    that is committed cannot tell whether it was.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        judging: Judging,
        file: Callable[[], Awaitable[None]],
    ) -> None:
        self.fixed_flip = 0
        self.is_taken_up = False
        self._database = database
        self._clock = clock
        self._judging = judging
        self._file = file
        # The last step; since when what it moved was written, by the time now; and when
        # it was taken, by the boot clock.
        self._step, self._since, self._taken = _NOTHING, clock.now(), clock.boot()
        # What is left to do of it: the logs to move, the first ones first, and how many
        # pings of them at most.
        self._left: tuple[timedelta, Sequence[Unfixed], int] = _NOTHING, (), 0

    async def follow(self, synchronised: datetime, sign: Callable[[], Sign]) -> bool:
        """Take the step that there is, if any; tell whether there was one.

        A step changes no length: what deadlines count from moves along, and deadlines.
        Of the history moves what was written since the wall was `synchronised` last. A
        `sign` of life is left by the new time with it. To be followed by `finish`.
        """
        step = self._clock.step
        if not step:
            return False
        # What the last one left is of the time before that.
        await self.finish()
        is_undone = self._undoes_last(step)
        since = max(synchronised, self._clock.now() - LONGEST_MOVED)
        if is_undone:
            # What the last one moved goes back, whatever the wall was said to be.
            since = self._since
        await self._file()

        async def move(conn: Connection) -> None:
            await store.fixed.shift(conn, step, since)
            await store.windows.shift(conn, step)
            await store.latenesses.shift(conn, step)
            await store.paces.note_step(conn, self._clock.now() + step)
            await store.outbox.shift(conn, step, self._clock.now() + step)
            await self._move_history(conn, step, sign)

        logs = await self._move(move, None if is_undone else since)
        self._take(step)
        # A step that undoes one is over with it: what comes next undoes neither.
        self._step = timedelta(0) if is_undone else step
        self._since, self._taken = since + step, self._clock.boot()
        self._left = step, logs, MOST_MOVED
        return True

    def _undoes_last(self, step: timedelta) -> bool:
        is_recent = self._clock.boot() - self._taken <= LONGEST_MOVED.total_seconds()
        return is_recent and abs(step + self._step) <= timedelta(seconds=STEP)

    async def follow_first(
        self,
        guessing: Guessing,
        sign: Callable[[], Sign],
        *,
        is_right: bool,
        is_wrong: bool,
    ) -> Absence | None:
        """Take the step from a time that was only guessed.

        The wall `is_right`, or `is_wrong`; or it never was known to be either.

        Only what was written since then moves, and what waits if it is a step back.
        The rest is of the right time: it is to be judged as after an absence so long,
        which is returned, and kept with the step. None: there is none. To be followed
        by `finish`.
        """
        step, began = self._clock.step, guessing.began
        windows = guessing.moves_windows(is_wrong=is_wrong)
        if not step:
            await self._follow_none(guessing, windows, is_wrong=is_wrong)
            return None
        before = self._clock.now()
        away = Absence(before, before + step, "clock") if step > _NOTHING else None
        await self._file()

        async def move(conn: Connection) -> None:
            await _move_states(conn, step, began, is_right=is_right)
            await store.paces.note_step(conn, before + step)
            # Back, what waits would else wait for as much longer; and for good, once a
            # later step moves all of it on.
            written = began if step > _NOTHING else None
            await store.outbox.shift(conn, step, before + step, written)
            await store.windows.shift_first(conn, windows, step, began)
            await store.life.forget_guess(conn)
            await self._move_history(conn, step, sign)
            if away is not None:
                await store.life.add_absence(conn, away)
            else:
                await store.fixed.cut_to(conn, before + step)
                await store.fixed.owe_deadlines(conn)

        logs = await self._move(move, began)
        self._take(step)
        guessing.doubt_lengths(step, is_wrong=is_wrong)
        self._left = step, logs, MOST_MOVED
        return away

    async def _follow_none(
        self, guessing: Guessing, windows: timedelta, *, is_wrong: bool
    ) -> None:
        """Let a wall count that shows what was guessed."""
        async with self._database.transaction() as conn:
            await store.windows.shift_first(conn, windows, _NOTHING, guessing.began)
            await store.life.forget_guess(conn)
        self._clock.take(_NOTHING)
        guessing.doubt_lengths(_NOTHING, is_wrong=is_wrong)

    async def finish(self) -> bool:
        """Move the logs that a step left; tell whether there were any.

        A few logs at a time, up to as many pings as are worth it. Raises
        UnwritableError; what is left then is moved at the next call.
        """
        step, logs, most = self._left
        are_any = bool(logs)
        while logs and most > 0:
            with despite_damage(self._database.trouble, logger):
                async with self._database.transaction(changes_checks=False) as conn:
                    moved = [
                        await store.pings.shift_log(conn, step, log)
                        for log in logs[:_AT_ONCE]
                    ]
                most -= sum(moved)
            logs = logs[_AT_ONCE:]
            self._left = step, logs, most
        self._left = _NOTHING, (), 0
        return are_any

    def _take(self, step: timedelta) -> None:
        """Let the wall count, after a commit, and before anybody else gets a turn."""
        self._clock.take(step)
        self.is_taken_up = False
        if self._judging.counted is not None:
            self._judging.counted += step
        logger.warning(
            "the clock was set %s by %s: deadlines, and what waits, have moved along",
            "forward" if step > _NOTHING else "back",
            duration(timedelta(seconds=round(abs(step.total_seconds()))), units=2),
        )

    async def _move(
        self, move: Callable[[Connection], Awaitable[None]], since: datetime | None
    ) -> Sequence[Unfixed]:
        """Fix what was written before a moment, and move in the same transaction.

        `since` None: it has been fixed. Return the logs to be moved then: none, if one
        is damaged; what deadlines count from moves all the same.
        """
        self.is_taken_up = True
        try:
            async with self._database.transaction() as conn:
                if since is not None:
                    await store.fixed.fix(conn, since)
                    await self._fix_flips(conn, since)
                await move(conn)
                return await store.pings.unfixed(conn)
        except UnusableError as error:
            if not error.is_damage:
                self.is_taken_up = False
                raise
            tell(logger, "no log moves along with the clock", error)
        async with self._database.transaction() as conn:
            # Also what a step that is undone now has moved.
            await store.fixed.fix_all(conn)
            if since is not None:
                await self._fix_flips(conn, since)
            await move(conn)
            return ()

    async def _fix_flips(self, conn: Connection, since: datetime) -> None:
        """Let what was written before a moment be as it is, whatever comes."""
        self.fixed_flip = await store.flips.last_before(conn, since, self.fixed_flip)

    async def _move_history(
        self, conn: Connection, step: timedelta, sign: Callable[[], Sign]
    ) -> None:
        left = sign()
        await store.life.leave(conn, replace(left, moment=left.moment + step))
        await store.flips.shift(conn, step, self.fixed_flip)
        await store.pings.shift_inbox(conn, step)


async def _move_states(
    conn: Connection, step: timedelta, began: datetime, *, is_right: bool
) -> None:
    """Move what became of checks since a moment; what was before stays before it.

    To a wall that is behind, and not known to be right, it is a step like others, which
    changes no length: starts without the time, however many, put nothing off.
    """
    if step < _NOTHING and not is_right:
        await store.fixed.shift(conn, step, began)
        await store.latenesses.shift(conn, step)
        return
    if step < _NOTHING:
        await store.fixed.cut_to(conn, began + step, began)
    await store.fixed.shift_written(conn, step, began)
    await store.latenesses.shift(conn, step, began)
