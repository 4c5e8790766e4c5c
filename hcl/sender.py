"""The loop that empties the outbox: what waits goes out, what failed is tried again."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from aiosqlite import Connection

from hcl.alarm import Alarm
from hcl.config import ChannelConfig, Config
from hcl.db import PATIENCE, Database, GroupCommit
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

# Messages that one channel has under way at a time, each of another check.
CONCURRENCY = 8

_READ_AT_ONCE = 100

Clock = Callable[[], datetime]


class Sender:
    """Sends what the outbox holds; the channels do not wait for each other."""

    def __init__(self, database: Database, *, alarm: Alarm) -> None:
        self._database = database
        self._alarm = alarm
        self._config: Config | None = None
        self._channels: Mapping[int, ChannelConfig] = {}
        self._transports: dict[int, Transport] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._finishing = False
        self._retired: dict[int, list[Transport]] = {}
        self._outcomes: GroupCommit[Outcome, None] = GroupCommit(database, _note)

    async def use(self, config: Config, in_file: Mapping[int, ChannelConfig]) -> None:
        """Send over these channels from now on, by the id of their row.

        A transport is opened when it has something to send, since that imports its
        kind's libraries. Those open from before are closed, once they are done with
        what is under way.
        """
        before, self._transports = self._transports, {}
        self._config, self._channels = config, in_file
        for channel_id, transport in before.items():
            if channel_id in self._busy:
                self._retired.setdefault(channel_id, []).append(transport)
            else:
                await transport.aclose()
        self._alarm.ring()

    async def close(self) -> None:
        """Close the transports that are open."""
        for channel_id in list(self._retired):
            await self._close_retired(channel_id)
        before, self._transports = self._transports, {}
        for transport in before.values():
            await transport.aclose()

    async def _close_retired(self, channel_id: int) -> None:
        for transport in self._retired.pop(channel_id, ()):
            await transport.aclose()

    async def run(self) -> None:
        """Repeat: 1. set the channels with due messages to work, 2. sleep."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = datetime.now(UTC)
                try:
                    until = await self._start_channels(group, now)
                except sqlite3.OperationalError as error:
                    logger.error("cannot read the outbox: %s", error)
                    until = now + PATIENCE
                await self._alarm.sleep(until)

    async def send_once(self, now: datetime) -> None:
        """Try everything that is due at `now`, once."""
        async with asyncio.TaskGroup() as group:
            await self._start_channels(group, now)

    async def finish(self, patience: timedelta) -> None:
        """Start nothing new, and wait a while for what is under way."""
        self._finishing = True
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=patience.total_seconds())

    async def _start_channels(
        self, group: asyncio.TaskGroup, now: datetime
    ) -> datetime | None:
        """Set channels to work; return when the next of the others has to."""
        later = []
        tries = await notifications.next_tries(self._database.reader)
        for channel_id, next_try in tries.items():
            if channel_id in self._busy or channel_id not in self._channels:
                continue
            if next_try > now:
                later.append(next_try)
            elif not self._finishing:
                task = group.create_task(self._send_channel(channel_id, now))
                self._busy[channel_id] = task
        return min(later, default=None)

    async def _send_channel(self, channel_id: int, now: datetime) -> None:
        try:
            waiting = await notifications.due(
                self._database.reader, channel_id, now, _READ_AT_ONCE
            )
            places, clock = asyncio.Semaphore(CONCURRENCY), _clock_from(now)
            async with asyncio.TaskGroup() as group:
                for notification in waiting:
                    group.create_task(self._deliver(notification, places, clock))
        except* sqlite3.OperationalError as errors:
            logger.error("cannot read the outbox: %s", errors.exceptions[0])
            await asyncio.sleep(PATIENCE.total_seconds())
        finally:
            del self._busy[channel_id]
            await self._close_retired(channel_id)
            self._alarm.ring()

    async def _deliver(
        self, notification: Notification, places: asyncio.Semaphore, clock: Clock
    ) -> None:
        async with places:
            alert = None if self._finishing else await self._alert(notification)
            if alert is None:
                return
            outcome = await self._try(notification, alert, clock)
            while True:
                try:
                    await self._outcomes.submit(outcome)
                    return
                except sqlite3.OperationalError as error:
                    # It was sent: wait to write that down, rather than send it again.
                    logger.error("cannot tick off a message: %s", error)
                    await asyncio.sleep(PATIENCE.total_seconds())

    async def _try(
        self, notification: Notification, alert: Alert, clock: Clock
    ) -> Outcome:
        try:
            transport = self._transport(notification.channel_id)
            answer = await transport.send(alert, datetime.now(UTC))
        except DeliveryError as error:
            step = max(notification.attempts, PERMANENT_STEP * error.permanent)
            return _failed(notification, str(error), step, clock())
        except Exception as error:
            logger.exception("a transport failed over check %s", alert.check.code)
            return _failed(notification, repr(error), notification.attempts, clock())
        return Outcome(notification, answer, sent=datetime.now(UTC))

    def _transport(self, channel_id: int) -> Transport:
        if channel_id not in self._transports:
            channel = self._channels.get(channel_id)
            if channel is None or self._config is None:
                raise DeliveryError("the channel was taken out")
            self._transports[channel_id] = open_transport(channel, self._config)
        return self._transports[channel_id]

    async def _alert(self, notification: Notification) -> Alert | None:
        """Gather what there is to tell; None: the check was deleted meanwhile."""
        reader = self._database.reader
        check = await checks.by_id(reader, notification.check_id)
        found = await flips.by_id(reader, notification.flip_id)
        if check is None or found is None:
            return None
        flip, n = found
        return Alert(
            site_name=self._config.server.site_name if self._config else "",
            project_name=await projects.name_of(reader, check.project_id),
            check=check,
            flip=flip,
            ping=await pings.by_n(reader, check.id, n) if n else None,
            channels=tuple(await channels.codes_of_check(reader, check.id)),
        )


def _clock_from(now: datetime) -> Clock:
    """Go on from `now`, in whole seconds: pauses count from the end of a try."""
    begun = time.monotonic()
    return lambda: now + timedelta(seconds=int(time.monotonic() - begun))


def _failed(
    notification: Notification, error: str, step: int, now: datetime
) -> Outcome:
    if now - notification.created > GIVE_UP_AFTER:
        logger.error("gave a message up after a week: %s", error)
        return Outcome(notification, error)
    pause = PAUSES[min(step, len(PAUSES) - 1)]
    logger.warning("a message failed, next try in %s: %s", pause, error)
    return Outcome(notification, error, next_try=now + pause)


async def _note(conn: Connection, outcomes: Sequence[Outcome]) -> list[None]:
    await notifications.note(conn, outcomes)
    await channels.note_outcomes(
        conn,
        [
            (
                outcome.notification.channel_id,
                outcome.sent,
                "" if outcome.sent else outcome.answer,
            )
            for outcome in outcomes
        ],
    )
    return [None] * len(outcomes)
