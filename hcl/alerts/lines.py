"""Channels at work: what each is to send next, what is under way, when to wait."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from hcl.alerts import calm
from hcl.alerts.calm import Bundle
from hcl.alerts.transports import Transport, open_transport
from hcl.config import AppriseSettings, Calm, ChannelConfig, Config, TagConfig

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

# A channel that fails is tried with one message at a time, after such a pause at most:
# a receiver that limits the rate, or is down, is not to be run over.
LONGEST_HOLD = timedelta(minutes=1)

# After so many failed tries a channel counts as failing, and its fallback steps in.
FAILED_AFTER = 3

# Messages that one channel has under way at a time, each of other checks; and one of
# Apprise's, which sends them one after the other: the rest would only wait there.
CONCURRENCY = 8
_APPRISE_CONCURRENCY = 2


class Line:
    """One channel: its transport, what it is to send next, what is under way.

    `under_way` is keyed by topic: no message overtakes another of its check.
    """

    def __init__(self, row_id: int, config: Config, channel: ChannelConfig) -> None:
        self.row_id = row_id
        self.config = config
        self.channel = channel
        # What is planned to be sent next, and when it was planned.
        self.queue: deque[Bundle] = deque()
        self.planned: datetime | None = None
        self.under_way: dict[int, asyncio.Task[None]] = {}
        # Failures since the last success, and until when nothing is begun for that.
        self.failures = 0
        self.held_until: datetime | None = None
        self.is_failing = False
        # Whether something that failed may wait still: all that waits is gone through
        # to find that out, which is no work to do for each message that arrives.
        self.has_failed = True
        self._transport: Transport | None = None
        self._retired: list[Transport] = []

    @property
    def tags(self) -> tuple[TagConfig, ...]:
        """What the channel's project says of its tags."""
        return next(p.tags for p in self.config.projects if self.channel in p.channels)

    def calm_of(self, tags: Iterable[str]) -> Calm:
        """Return what counts here for a check with these tags."""
        return calm.calm_of(self.channel, self.tags, tags)

    @property
    def room(self) -> int:
        """How many messages may begin: after a failure one, to see if it arrives."""
        is_apprise = isinstance(self.channel.settings, AppriseSettings)
        most = _APPRISE_CONCURRENCY if is_apprise else CONCURRENCY
        return (1 if self.failures else most) - len(set(self.under_way.values()))

    def is_held(self, now: datetime) -> bool:
        """Tell whether nothing may begin, for a failure."""
        # A clock that is set back does not hold it for longer.
        end = self.held_until
        return end is not None and now < end <= now + LONGEST_HOLD

    def begin(self, bundle: Bundle, task: asyncio.Task[None]) -> None:
        """Note that a message is under way."""
        for row in bundle:
            self.under_way[row.notification.topic] = task

    async def end(self, bundle: Bundle) -> None:
        """Note that a message is not under way any more, however it ended."""
        for topic in {row.notification.topic for row in bundle}:
            del self.under_way[topic]
        await self.close_retired()

    def restore(self, failures: int, is_failing: bool) -> None:
        """Go on from how the channel fared when hcl was last there."""
        self.failures, self.is_failing = failures, is_failing

    def note_success(self) -> bool:
        """Open the line; tell whether it counted as failing."""
        was_failing, self.is_failing = self.is_failing, False
        self.failures, self.held_until = 0, None
        return was_failing

    def note_failure(self, now: datetime) -> None:
        """Hold the line for a while."""
        # Those that fail together count as one failure.
        if not self.is_held(now):
            self.failures += 1
            # What is planned may be over, or told with more, by the time of the next.
            self.queue.clear()
            pause = PAUSES[min(self.failures, len(PAUSES)) - 1]
            self.held_until = now + min(pause, LONGEST_HOLD)

    @property
    def transport(self) -> Transport:
        """Open it when there is something to send: that imports its libraries."""
        if self._transport is None:
            self._transport = open_transport(self.channel, self.config)
        return self._transport

    def take(self, config: Config, channel: ChannelConfig) -> None:
        """Send by these settings from now on; what is under way ends by the old.

        `close_retired` is to follow.
        """
        self.config, self.channel = config, channel
        self.queue.clear()
        self.failures, self.held_until = 0, None
        if self._transport is not None:
            self._retired.append(self._transport)
            self._transport = None

    async def close_retired(self) -> None:
        """Close the transports of settings before, once nothing is under way."""
        if not self.under_way:
            await self._close_retired()

    async def close(self) -> None:
        """Close the transports that are open."""
        await self._close_retired()
        if self._transport is not None:
            await self._transport.aclose()

    async def _close_retired(self) -> None:
        while self._retired:
            await self._retired.pop().aclose()


class Lines:
    """The channels of hcl.toml at work; iterates over them.

    `rows` holds the ids of their rows by their id in the file.
    """

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._lines: dict[int, Line] = {}
        # Taken out of the file, with messages under way.
        self._removed: dict[int, Line] = {}

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines.values())

    def get(self, row_id: int) -> Line | None:
        """Return one by the id of its row; None: it is not in the file."""
        return self._lines.get(row_id)

    async def use(
        self,
        config: Config,
        in_file: Mapping[int, ChannelConfig],
        troubles: Mapping[int, tuple[int, bool]] | None = None,
    ) -> None:
        """Have these channels at work from now on, by the id of their row.

        `troubles` is what `store.channels.troubles` returns, for those that are new.
        """
        before, lines = self._removed | self._lines, dict[int, Line]()
        for row_id, channel in in_file.items():
            line = before.pop(row_id, None)
            if line is None:
                line = Line(row_id, config, channel)
                line.restore(*(troubles or {}).get(row_id, (0, False)))
            else:
                line.take(config, channel)
            lines[row_id] = line
        for line in before.values():
            # What it has under way closes it at its end.
            line.take(line.config, line.channel)
        # At once: to close a transport takes a while, and others look meanwhile.
        self._lines = lines
        self._removed = {i: line for i, line in before.items() if line.under_way}
        self.rows = {channel.id: row_id for row_id, channel in in_file.items()}
        for line in (*lines.values(), *before.values()):
            await line.close_retired()

    def under_way(self) -> list[asyncio.Task[None]]:
        """Return what is under way, also of channels that are not in the file."""
        lines = (*self, *self._removed.values())
        return [task for line in lines for task in line.under_way.values()]

    async def close(self) -> None:
        """Close the transports that are open."""
        for line in (*self, *self._removed.values()):
            await line.close()
