"""The loop that empties the outbox: what waits goes out, what failed is tried again."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hcl import store
from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.alerts import calm, delivery
from hcl.alerts.calm import Bundle
from hcl.alerts.composing import compose
from hcl.alerts.delivery import Attempt, Clock, reminders_after, try_once
from hcl.alerts.lines import Line
from hcl.config import ChannelConfig, Config, GroupSettings
from hcl.counters import Counters
from hcl.db import PATIENCE, Database, UnusableError, UnwritableError
from hcl.db.group_commit import GroupCommit
from hcl.model import Waiting
from hcl.store.outbox import Outcome

logger = logging.getLogger(__name__)

# Checks whose messages are read and planned at a time.
_READ_AT_ONCE = 100

# How long a plan holds: what is ready for longer, behind others, is planned anew.
_FRESH = timedelta(seconds=1)

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
        alarm: Alarm,
        counters: Counters,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._database = database
        self._alarm = alarm
        self._counters = counters
        self._jitter = jitter
        self._lines: dict[int, Line] = {}
        # The rows of the channels in the file, by their id there.
        self._rows: dict[str, int] = {}
        # Taken out of the file, with messages under way.
        self._removed: dict[int, Line] = {}
        self._finishing = False
        self._starting = asyncio.Lock()
        self._attempts: GroupCommit[Attempt, None] = GroupCommit(self._note)

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
            before = self._removed | self._lines
            self._lines = {}
            for channel_id, channel in in_file.items():
                line = before.pop(channel_id, None)
                if line is None:
                    line = Line(channel_id, config, channel)
                else:
                    await line.use(config, channel)
                self._lines[channel_id] = line
            for line in before.values():
                # What it has under way closes it at its end.
                await line.use(line.config, line.channel)
            self._removed = {i: line for i, line in before.items() if line.under_way}
            self._rows = {channel.id: row for row, channel in in_file.items()}
            await self._plan_anew(datetime.now(UTC), retry)
        self._alarm.ring()

    async def _plan_anew(self, now: datetime, retry: bool) -> None:
        """Decide anew on what is put off, and on reminders: the settings may differ."""
        async with self._database.transaction(changes_checks=False) as conn:
            if retry:
                await store.outbox.retry(conn, now)
            under_way = [
                (row_id, check_id)
                for row_id, line in self._lines.items()
                for check_id in line.under_way
            ]
            await store.notifications.drop_reminders(conn, under_way)
            await store.outbox.look_again(conn, now)
            told = await store.notifications.last_told(conn)
            await store.notifications.add_reminders(
                conn,
                [
                    (notification, max(now, sent + every))
                    for notification, tags, sent in told
                    if (line := self._lines.get(notification.channel_id))
                    and (every := line.calm_of(tags).remind_every)
                ],
            )

    async def _retry(self, channel_id: int) -> None:
        """Try again what waits of a channel after a failure."""
        async with self._database.transaction(changes_checks=False) as conn:
            await store.outbox.retry(conn, datetime.now(UTC), channel_id)
        self._alarm.ring()

    async def close(self) -> None:
        """Close the transports that are open."""
        for line in (*self._lines.values(), *self._removed.values()):
            await line.close()

    async def run(self) -> None:
        """Repeat: 1. start what is due, as far as there is room, 2. sleep."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = datetime.now(UTC)
                try:
                    await self._start(group, now)
                    until = await self._next(now)
                except UnusableError as error:
                    logger.error("cannot read the outbox: %s", error)
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
        lines = (*self._lines.values(), *self._removed.values())
        if under_way := [task for line in lines for task in line.under_way.values()]:
            await asyncio.wait(under_way, timeout=patience.total_seconds())

    async def _next(self, now: datetime) -> datetime | None:
        """Return when there is something to do, if nothing happens before."""
        moments = [
            line.held_until
            for line in self._lines.values()
            if line.held_until is not None and line.is_held(now)
        ]
        later = await store.outbox.next_after(self._database.committed, now)
        return min([*moments, *([later] if later else [])], default=None)

    async def _start(
        self, group: asyncio.TaskGroup, now: datetime
    ) -> set[asyncio.Task[None]]:
        """Start what is due, as far as each channel has room; return the tasks."""
        clock, started = _clock_from(now), set()
        async with self._starting:
            tries = await store.outbox.next_tries(self._database.committed)
            if await self._expand_groups(tries, now):
                tries = await store.outbox.next_tries(self._database.committed)
            for channel_id, next_try in tries.items():
                line = self._lines.get(channel_id)
                if line is None or next_try > now or line.is_held(now):
                    continue
                if isinstance(line.channel.settings, GroupSettings):
                    continue
                await self._fill(line, now)
                while line.queue and line.room > 0 and not self._finishing:
                    bundle = line.queue.popleft()
                    task = group.create_task(self._deliver(line, bundle, clock))
                    line.begin(bundle, task)
                    started.add(task)
        return started

    async def _fill(self, line: Line, now: datetime) -> None:
        """Plan what is due next, once all that was planned before has been started."""
        # Pings put off no flip and no status, and all of the plan is made of these.
        reader, row_id = self._database.committed, line.row_id
        if line.planned is None or now - line.planned > _FRESH:
            line.queue.clear()
        while not line.queue:
            # What ends while this is read was still waiting for its tick when it was
            # read.
            under_way = set(line.under_way)
            limit = _READ_AT_ONCE + len(under_way)
            found = await store.outbox.due(reader, row_id, now, limit)
            waiting = [w for w in found if w.notification.check_id not in under_way]
            if not waiting:
                return
            ends = None
            if line.channel.fold:
                ends = await store.outbox.window_ends(reader, row_id, now)
            plan = calm.plan(
                line.channel,
                line.tags,
                waiting,
                now,
                ways=self._ways(line),
                window_ends=ends,
            )
            line.queue.extend(plan.bundles)
            line.planned = now
            if (plan.dropped or plan.held) and not await self._put_off(plan):
                return

    def _ways(self, line: Line) -> frozenset[int]:
        """Return the rows of a channel and of the groups that it is in."""
        groups = (
            other.row_id
            for other in self._lines.values()
            if isinstance(other.channel.settings, GroupSettings)
            and line.channel.id in other.channel.settings.channels
        )
        return frozenset((line.row_id, *groups))

    async def _expand_groups(
        self, tries: Mapping[int, datetime], now: datetime
    ) -> bool:
        """Have the channels of each group tell of what is due there, if anything is."""
        found = False
        for line in self._lines.values():
            settings, due = line.channel.settings, tries.get(line.row_id)
            if isinstance(settings, GroupSettings) and due is not None and due <= now:
                members = [self._rows[code] for code in settings.channels]
                await self._expand_group(line, members, now)
                found = True
        return found

    async def _expand_group(
        self, line: Line, members: list[int], now: datetime
    ) -> None:
        try:
            await self._fill(line, now)
            while rows := [row for bundle in line.queue for row in bundle]:
                line.queue.clear()
                await self._expand(line, rows, members, now)
                await self._fill(line, now)
        except UnusableError as error:
            logger.error("cannot pass on what came to a group: %s", error)

    async def _expand(
        self, line: Line, rows: Iterable[Waiting], members: list[int], now: datetime
    ) -> None:
        async with self._database.transaction(changes_checks=False) as conn:
            outcomes = []
            for row in rows:
                notification = row.notification
                count = await store.notifications.expand(
                    conn, notification, members, now
                )
                outcome = Outcome(
                    (notification,),
                    f"handed to {count} of its {len(members)} channels",
                    began=now,
                    sent=now,
                    reminders=reminders_after(line, [row], now),
                )
                outcomes.append(outcome)
            await store.outbox.note(conn, outcomes)

    async def _put_off(self, plan: calm.Plan) -> bool:
        """Write down what is not sent now; return False if that cannot be done."""
        try:
            async with self._database.transaction(changes_checks=False) as conn:
                await store.outbox.finish(conn, plan.dropped)
                await store.outbox.hold(conn, plan.held)
        except UnwritableError as error:
            # What is ready goes out although the database cannot be written.
            logger.error("cannot put off messages: %s", error)
            return False
        return True

    async def _deliver(self, line: Line, bundle: Bundle, clock: Clock) -> None:
        try:
            # It may have waited for long: pings that changed no status came meanwhile.
            message = await compose(
                await self._database.current(at_most=_SETTLED_WITHIN),
                line.config,
                bundle,
                for_people=line.channel.kind not in calm.MACHINES,
            )
            if message is not None:
                was_failing = line.failures > 0
                attempt = await try_once(line, bundle, message, clock, self._jitter)
                self._counters.deliveries[line.channel.kind, attempt.word] += 1
                await self._tick_off(attempt)
                if was_failing and attempt.word == "sent":
                    # Where one message came through, others may now.
                    await self._retry(line.row_id)
        except UnusableError as error:
            logger.error("cannot read what to send: %s", error)
            await asyncio.sleep(PATIENCE.total_seconds())
        finally:
            await line.end(bundle)
            self._alarm.ring()

    async def _tick_off(self, attempt: Attempt) -> None:
        while True:
            try:
                await self._attempts.submit(attempt)
                return
            except UnwritableError as error:
                # It was sent: wait to write that down, rather than send it again.
                logger.error("cannot tick off a message: %s", error)
                await asyncio.sleep(PATIENCE.total_seconds())

    async def _note(self, attempts: Sequence[Attempt]) -> list[None]:
        async with self._database.transaction(changes_checks=False) as conn:
            await delivery.write_down(conn, attempts, self._rows)
        return [None] * len(attempts)


def _clock_from(now: datetime) -> Clock:
    """Go on from `now`, in whole seconds: pauses count from the end of a try."""
    begun = time.monotonic()
    return lambda: now + timedelta(seconds=int(time.monotonic() - begun))
