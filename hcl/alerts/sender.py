"""The loop that empties the outbox: what waits goes out, what failed is tried again."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from hcl import store
from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.alerts import delivery, groups, planning
from hcl.alerts.calm import Bundle
from hcl.alerts.composing import compose
from hcl.alerts.delivery import EndedTry, try_once
from hcl.alerts.lines import Line, Lines
from hcl.alerts.reserve import Reserve
from hcl.changes import Changes
from hcl.clock import Clock, Now
from hcl.config import ChannelConfig, Config
from hcl.counters import Counters
from hcl.db import (
    PATIENCE,
    Database,
    UnusableError,
    UnwritableError,
    despite_damage,
    tell,
)
from hcl.db.group_commit import GroupCommit

logger = logging.getLogger(__name__)

# How long a message waits at most for what pings have put off. It goes out without that
# rather than late.
_SETTLED_WITHIN = timedelta(seconds=1)


def _jitter() -> float:
    """Spread pauses a little, so that not all that failed together comes together."""
    return random.uniform(0.8, 1.2)  # noqa: S311 - no secret


class Sender:
    """Sends what the outbox holds; the channels do not wait for each other.

    `jitter` returns what each pause is multiplied by.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        alarm: Alarm,
        counters: Counters,
        changes: Changes,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._alarm = alarm
        self._counters = counters
        self._changes = changes
        self._jitter = jitter
        self._lines = Lines()
        self._reserve = Reserve()
        self._finishing = False
        # Whether the file says anything of tags; and whether what waits has to be
        # decided on anew.
        self._has_tags = self._is_stale = False
        self._starting = asyncio.Lock()
        self._ended: GroupCommit[EndedTry, None] = GroupCommit(self._note)

    async def use(
        self,
        config: Config,
        in_file: Mapping[int, ChannelConfig],
        *,
        retry: bool = False,
    ) -> None:
        """Send over these channels from now on, by the id of their row.

        `retry`: try again at once what waits after a failure: its cause may be mended.
        """
        async with self._starting:
            troubles = await store.channels.troubles(self._database.committed)
            await self._lines.use(config, in_file, troubles)
            self._has_tags = any(project.tags for project in config.projects)
            now = self._clock.now()
            # A message that is damaged is to hold up neither the others nor a start.
            with despite_damage(self._database.trouble, logger):
                await planning.plan_anew(self._database, self._lines, now, retry=retry)
        self._alarm.ring()

    def plan_anew(self) -> None:
        """Decide soon on what is put off, and on reminders: a check has other tags.

        All that waits is gone through: not where the file says nothing of any tag.
        """
        if self._has_tags:
            self._is_stale = True
            self._alarm.ring()

    async def close(self) -> None:
        """Close the transports that are open."""
        await self._lines.close()
        self._reserve.close()

    async def run(self) -> None:
        """Repeat: 1. start what is due, as far as there is room, 2. sleep."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._reserve.fill()
                now = self._clock.now()
                try:
                    await self._start(group, now)
                    until = await self._next(now)
                except UnusableError as error:
                    tell(logger, "cannot read the outbox", error)
                    until = now + PATIENCE
                await self._alarm.sleep(until, at_most=LOOK_AGAIN)

    async def send_once(self, now: datetime) -> None:
        """Try everything that is due at `now`, once."""
        async with asyncio.TaskGroup() as group:
            pending = await self._start(group, now)
            while pending:
                _, pending = await asyncio.wait(
                    pending, return_when=asyncio.FIRST_COMPLETED
                )
                pending |= await self._start(group, now)

    async def finish(self, patience: timedelta) -> None:
        """Start nothing new, and wait a while for what is under way."""
        self._finishing = True
        if under_way := self._lines.under_way():
            await asyncio.wait(under_way, timeout=patience.total_seconds())

    async def _next(self, now: datetime) -> datetime | None:
        """Return when there is something to do, if nothing happens before."""
        moments = [
            line.held_until
            for line in self._lines
            if line.held_until is not None and line.is_held(now)
        ]
        later = await store.outbox.next_after(self._database.committed, now)
        return min([*moments, *([later] if later else [])], default=None)

    async def _start(
        self, group: asyncio.TaskGroup, now: datetime
    ) -> set[asyncio.Task[None]]:
        """Start what is due, as far as each channel has room; return the tasks.

        Raises UnusableError if what one has to send cannot be read, or passed on by a
        group, after the others.
        """
        clock, started = _clock_from(now, self._clock), set()
        at = self._clock.as_set(now)
        trouble: UnusableError | None = None
        async with self._starting:
            await self._plan_what_is_stale(now)
            tries = await store.outbox.next_tries(self._database.committed)
            try:
                is_old = await groups.expand(self._database, self._lines, tries, at)
            except UnusableError as error:
                trouble, is_old = error, True
            if is_old:
                tries = await store.outbox.next_tries(self._database.committed)
            for row_id, next_try in tries.items():
                line = self._lines.get(row_id)
                if line is None or next_try > now or line.is_held(now):
                    continue
                if line.channel.settings.members:
                    continue
                ways = groups.ways_to(line, self._lines)
                try:
                    await planning.fill(self._database, line, at, ways)
                except UnusableError as error:
                    trouble = error
                    continue
                while line.queue and line.room > 0 and not self._finishing:
                    bundle = line.queue.popleft()
                    task = group.create_task(self._deliver(line, bundle, clock))
                    line.begin(bundle, task)
                    started.add(task)
        if trouble is not None:
            raise trouble
        return started

    async def _plan_what_is_stale(self, now: datetime) -> None:
        if not self._is_stale:
            return
        self._is_stale = False
        try:
            await planning.plan_anew(self._database, self._lines, now, retry=False)
        except UnwritableError as error:
            # What is ready goes out all the same.
            tell(logger, "cannot plan messages anew", error)
            self._is_stale = True

    async def _deliver(self, line: Line, bundle: Bundle, clock: Now) -> None:
        try:
            with self._reserve.lent():
                ended = await self._try(line, bundle, clock)
            if ended is not None:
                self._counters.deliveries[line.channel.kind, ended.word] += 1
                await self._tick_off(ended)
        except UnusableError as error:
            tell(logger, "cannot read what to send", error)
            await asyncio.sleep(PATIENCE.total_seconds())
        finally:
            await line.end(bundle)
            self._alarm.ring()

    async def _try(self, line: Line, bundle: Bundle, clock: Now) -> EndedTry | None:
        # It may have waited for long: pings that changed no status came meanwhile.
        message = await compose(
            await self._database.current(at_most=_SETTLED_WITHIN),
            line.config,
            bundle,
            ways=groups.leading_to(line, self._lines),
            for_people=not line.channel.settings.is_for_machines,
        )
        if message is None:
            return None
        return await try_once(line, bundle, message, clock, self._jitter, self._clock)

    async def _tick_off(self, ended: EndedTry) -> None:
        while True:
            try:
                await self._ended.submit(ended)
                return
            except UnwritableError as error:
                # It was sent: wait to write that down, rather than send it again.
                tell(logger, "cannot tick off a message", error)
                await asyncio.sleep(PATIENCE.total_seconds())

    async def _note(self, tries: Sequence[EndedTry]) -> list[None]:
        try:
            await self._write_down(tries)
        except UnwritableError as error:
            if not error.is_damage:
                raise
            # Others that wait may be: what was sent would be sent again.
            await self._write_down(tries, frees_others=False)
        # Pages say who was told, and which channel does not deliver.
        self._changes.tell()
        return [None] * len(tries)

    async def _write_down(
        self, tries: Sequence[EndedTry], *, frees_others: bool = True
    ) -> None:
        async with self._database.transaction(changes_checks=False) as conn:
            clock, rows = self._clock, self._lines.rows
            tries = [delivery.moved(t, clock.set_since(t.steps)) for t in tries]
            await delivery.write_down(conn, tries, rows, frees_others=frees_others)


def _clock_from(now: datetime, clock: Clock) -> Now:
    """Go on from `now`, in whole seconds: pauses count from the end of a try.

    A step of the clock counts from when it is taken.
    """
    begun, at = clock.monotonic(), clock.as_set(now)

    def on() -> datetime:
        return at() + timedelta(seconds=int(clock.monotonic() - begun))

    return on
