"""Trials of channels that were asked for on a page: a few at a time, remembered."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hcl.alerts.trial import Trial, event_to_try, try_out
from hcl.clock import Clock
from hcl.config import ChannelConfig, Config, GroupSettings, ProjectConfig
from hcl.words.lines import clean

# Trials that may begin in a minute: of one channel, and of all together.
_MOST_OF_ONE = 3
_MOST = 12
_MINUTE = 60.0

# Seconds that a trial may take, whatever a transport does.
LIMIT = 45.0


class TooManyError(Exception):
    """A trial is refused for now; the text says why."""


@dataclass(frozen=True, slots=True)
class LastTrial:
    """When a channel was last tried out, and of each member what came of it."""

    ended: datetime
    results: tuple[tuple[str, Trial], ...]

    @property
    def arrived(self) -> bool:
        """Tell whether all that was sent has arrived."""
        return all(trial.arrived for _, trial in self.results)


@dataclass(slots=True)
class Trials:
    """The trials of one server; `last` is by the channel's id in the file."""

    last: dict[str, LastTrial] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    begun: deque[tuple[float, str]] = field(default_factory=deque)

    async def send(
        self,
        config: Config,
        project: ProjectConfig,
        channel: ChannelConfig,
        clock: Clock,
    ) -> LastTrial:
        """Send a test over a channel, or over each of a group. Raises TooManyError."""
        self._begin(channel)
        try:
            members = _members(project, channel)
            trials = await asyncio.gather(
                *(_try_out(config, project, member, clock.now()) for member in members)
            )
        finally:
            self.running.discard(channel.id)
        names = [member.name for member in members]
        last = LastTrial(clock.now(), tuple(zip(names, trials, strict=True)))
        self.last[channel.id] = last
        return last

    def _begin(self, channel: ChannelConfig) -> None:
        if channel.id in self.running:
            raise TooManyError(f"A test of {channel.name} is already running.")
        now = time.monotonic()
        while self.begun and now - self.begun[0][0] > _MINUTE:
            self.begun.popleft()
        of_this = sum(code == channel.id for _, code in self.begun)
        if of_this >= _MOST_OF_ONE or len(self.begun) >= _MOST:
            raise TooManyError("Too many tests: wait a minute before the next one.")
        self.begun.append((now, channel.id))
        self.running.add(channel.id)


def _members(project: ProjectConfig, channel: ChannelConfig) -> Sequence[ChannelConfig]:
    settings = channel.settings
    if not isinstance(settings, GroupSettings):
        return [channel]
    return [other for other in project.channels if other.id in settings.channels]


async def _try_out(
    config: Config, project: ProjectConfig, channel: ChannelConfig, now: datetime
) -> Trial:
    event = event_to_try(channel)
    begun = time.monotonic()
    try:
        async with asyncio.timeout(LIMIT):
            trial = await try_out(config, project.name, channel, event, _unseen, now)
    except TimeoutError:
        took = timedelta(seconds=time.monotonic() - begun)
        return Trial(False, f"no answer within {LIMIT:g} s", took)
    return replace(trial, answer=clean(trial.answer))


def _unseen(_preview: str) -> None:
    """Leave out what is sent: a command's text may hold a secret."""
