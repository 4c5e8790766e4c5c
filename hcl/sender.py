"""The loop that empties the outbox: what waits goes out, what failed is tried again."""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.config import ChannelConfig, Config
from hcl.db import PATIENCE, Database, GroupCommit
from hcl.metrics import Metrics
from hcl.model import Alert, Notification
from hcl.store import channels, checks, flips, notifications, pings, projects
from hcl.store.notifications import Outcome
from hcl.transports import DeliveryError, Transport, open_transport

logger = logging.getLogger(__name__)

# How long to wait after the first failed try, the second …; then the last, repeated.
PAUSES = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(days=1),
)

# Where a permanent refusal begins in PAUSES: it may still be somebody's mistake.
PERMANENT_STEP = 5

# A message that could not be delivered for so long is given up.
GIVE_UP_AFTER = timedelta(days=7)

# … but not before so many tries.
GIVE_UP_TRIES = 6

# A channel that fails is tried with one message at a time, after such a pause at most:
# a receiver that limits the rate, or is down, is not to be run over.
LONGEST_HOLD = timedelta(minutes=1)

# Messages that one channel has under way at a time, each of another check.
CONCURRENCY = 8

_READ_AT_ONCE = 100

Clock = Callable[[], datetime]


class _Line:
    """One channel: its transport, what it is to send next, what is under way.

    `under_way` is keyed by check: no message overtakes another of its check.
    """

    def __init__(self, config: Config, channel: ChannelConfig) -> None:
        self.config = config
        self.channel = channel
        self.queue: deque[Notification] = deque()
        self.under_way: dict[int, asyncio.Task[None]] = {}
        # Failures since the last success, and until when nothing is begun for that.
        self.failures = 0
        self.held_until: datetime | None = None
        self._transport: Transport | None = None
        self._retired: list[Transport] = []

    @property
    def room(self) -> int:
        """How many messages may begin: after a failure one, to see if it arrives."""
        return (1 if self.failures else CONCURRENCY) - len(self.under_way)

    def note(self, outcome: Outcome, now: datetime) -> bool:
        """Hold the line after a failure; return True when a message opens it again."""
        if outcome.sent is not None:
            recovered = self.failures > 0
            self.failures, self.held_until = 0, None
            return recovered
        # Those that fail together count as one failure.
        if self.held_until is None or self.held_until <= now:
            self.failures += 1
            pause = PAUSES[min(self.failures, len(PAUSES)) - 1]
            self.held_until = now + min(pause, LONGEST_HOLD)
        return False

    @property
    def transport(self) -> Transport:
        """Open it when there is something to send: that imports its libraries."""
        if self._transport is None:
            self._transport = open_transport(self.channel, self.config)
        return self._transport

    async def use(self, config: Config, channel: ChannelConfig) -> None:
        """Send by these settings from now on; what is under way ends by the old."""
        self.config, self.channel = config, channel
        self.queue.clear()
        self.failures, self.held_until = 0, None
        if self._transport is not None:
            self._retired.append(self._transport)
            self._transport = None
        if not self.under_way:
            await self.close_retired()

    async def close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().aclose()

    async def close(self) -> None:
        await self.close_retired()
        if self._transport is not None:
            await self._transport.aclose()


class Sender:
    """Sends what the outbox holds; the channels do not wait for each other."""

    def __init__(self, database: Database, *, alarm: Alarm, metrics: Metrics) -> None:
        self._database = database
        self._alarm = alarm
        self._metrics = metrics
        self._lines: dict[int, _Line] = {}
        # Taken out of the file, with messages under way.
        self._removed: dict[int, _Line] = {}
        self._finishing = False
        self._starting = asyncio.Lock()
        self._outcomes: GroupCommit[Outcome, None] = GroupCommit(self._note)

    async def use(self, config: Config, in_file: Mapping[int, ChannelConfig]) -> None:
        """Send over these channels from now on, by the id of their row."""
        async with self._starting:
            before = self._removed | self._lines
            self._lines = {}
            for channel_id, channel in in_file.items():
                line = before.pop(channel_id, None)
                if line is None:
                    line = _Line(config, channel)
                else:
                    await line.use(config, channel)
                self._lines[channel_id] = line
            for line in before.values():
                # What it has under way closes it at its end.
                await line.use(line.config, line.channel)
            self._removed = {i: line for i, line in before.items() if line.under_way}
        self._alarm.ring()

    async def retry_now(self, channel_id: int | None = None) -> None:
        """Try again what waits after a failure: its cause may be mended.

        None: over all channels.
        """
        async with self._database.transaction(changes_checks=False) as conn:
            await notifications.retry(conn, datetime.now(UTC), channel_id)
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
                except sqlite3.OperationalError as error:
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
        if under_way := self._under_way():
            await asyncio.wait(under_way, timeout=patience.total_seconds())

    async def _next(self, now: datetime) -> datetime | None:
        """Return when there is something to do, if nothing happens before."""
        moments = [
            line.held_until
            for line in self._lines.values()
            if line.held_until is not None and line.held_until > now
        ]
        later = await notifications.next_after(self._database.reader, now)
        return min([*moments, *([later] if later else [])], default=None)

    def _under_way(self) -> list[asyncio.Task[None]]:
        lines = (*self._lines.values(), *self._removed.values())
        return [task for line in lines for task in line.under_way.values()]

    async def _start(
        self, group: asyncio.TaskGroup, now: datetime
    ) -> set[asyncio.Task[None]]:
        """Start what is due, up to CONCURRENCY messages a channel; return the tasks."""
        clock, started = _clock_from(now), set()
        async with self._starting:
            tries = await notifications.next_tries(self._database.reader)
            for channel_id, next_try in tries.items():
                line = self._lines.get(channel_id)
                if line is None or next_try > now:
                    continue
                if line.held_until is not None and line.held_until > now:
                    continue
                await self._fill(line, channel_id, now)
                while line.queue and line.room > 0 and not self._finishing:
                    notification = line.queue.popleft()
                    task = group.create_task(self._deliver(line, notification, clock))
                    line.under_way[notification.check_id] = task
                    started.add(task)
        return started

    async def _fill(self, line: _Line, channel_id: int, now: datetime) -> None:
        """Read what is due next, once all that was read before has been started."""
        if line.queue:
            return
        # What ends while this is read was still waiting for its tick when it was read.
        under_way = set(line.under_way)
        limit = _READ_AT_ONCE + len(under_way)
        due = await notifications.due(self._database.reader, channel_id, now, limit)
        line.queue.extend(n for n in due if n.check_id not in under_way)

    async def _deliver(
        self, line: _Line, notification: Notification, clock: Clock
    ) -> None:
        try:
            alert = await self._alert(line, notification)
            if alert is not None:
                outcome = await _try(line, notification, alert, clock)
                what = "failed" if outcome.next_try else "given_up"
                kind = line.channel.kind
                self._metrics.deliveries[kind, "sent" if outcome.sent else what] += 1
                recovered = line.note(outcome, clock())
                await self._tick_off(outcome)
                if recovered:
                    # Where one message came through, others may now.
                    await self.retry_now(notification.channel_id)
        except sqlite3.OperationalError as error:
            logger.error("cannot read what to send: %s", error)
            await asyncio.sleep(PATIENCE.total_seconds())
        finally:
            del line.under_way[notification.check_id]
            if not line.under_way:
                await line.close_retired()
            self._alarm.ring()

    async def _tick_off(self, outcome: Outcome) -> None:
        while True:
            try:
                await self._outcomes.submit(outcome)
                return
            except sqlite3.OperationalError as error:
                # It was sent: wait to write that down, rather than send it again.
                logger.error("cannot tick off a message: %s", error)
                await asyncio.sleep(PATIENCE.total_seconds())

    async def _note(self, outcomes: Sequence[Outcome]) -> list[None]:
        by_channel = [
            (o.notification.channel_id, o.sent, "" if o.sent else o.answer)
            for o in outcomes
        ]
        async with self._database.transaction(changes_checks=False) as conn:
            await notifications.note(conn, outcomes)
            await channels.note_outcomes(conn, by_channel)
        return [None] * len(outcomes)

    async def _alert(self, line: _Line, notification: Notification) -> Alert | None:
        """Gather what there is to tell; None: the check was deleted meanwhile."""
        # What is put off changes no status; and a message must go out although the
        # database cannot be written.
        reader = self._database.reader
        check = await checks.by_id(reader, notification.check_id)
        found = await flips.by_id(reader, notification.flip_id)
        if check is None or found is None:
            return None
        flip, n = found
        return Alert(
            site_name=line.config.server.site_name,
            project_name=await projects.name_of(reader, check.project_id),
            check=check,
            flip=flip,
            ping=await pings.by_n(reader, check.id, n) if n else None,
            channels=tuple(await channels.codes_of_check(reader, check.id)),
        )


async def _try(
    line: _Line, notification: Notification, alert: Alert, clock: Clock
) -> Outcome:
    # Its code would do as a name too, but whoever knows it can ping the check.
    name = alert.check.name or f"check {alert.check.id}"
    what = f"{name} {alert.flip.new_status} over {line.channel.name}"
    try:
        answer = await line.transport.send(alert, datetime.now(UTC))
    except DeliveryError as error:
        step = max(notification.attempts, PERMANENT_STEP * error.permanent)
        outcome = _failed(notification, what, str(error), step, clock())
        return replace(outcome, refused=error.permanent)
    except Exception as error:
        logger.exception("a transport failed")
        return _failed(notification, what, repr(error), notification.attempts, clock())
    logger.info("sent: %s: %s", what, answer)
    return Outcome(notification, answer, sent=datetime.now(UTC))


def _clock_from(now: datetime) -> Clock:
    """Go on from `now`, in whole seconds: pauses count from the end of a try."""
    begun = time.monotonic()
    return lambda: now + timedelta(seconds=int(time.monotonic() - begun))


def _failed(
    notification: Notification, what: str, error: str, step: int, now: datetime
) -> Outcome:
    # A clock that was set makes messages old at once: tries count too.
    tries = notification.attempts + 1
    if now - notification.created > GIVE_UP_AFTER and tries >= GIVE_UP_TRIES:
        logger.error("given up after %d tries: %s: %s", tries, what, error)
        return Outcome(notification, error)
    pause = PAUSES[min(step, len(PAUSES) - 1)]
    logger.warning("failed, next try in %s: %s: %s", pause, what, error)
    return Outcome(notification, error, next_try=now + pause)
