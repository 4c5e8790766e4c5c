"""Try a channel out: send a test message over it, and tell what came of it."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hcl.alerts.messages import message_of
from hcl.alerts.transports import DeliveryError, load, open_transport
from hcl.checks import rules
from hcl.config import ChannelConfig, Config, Event
from hcl.model import Alert, Announcement, Flip, Lateness, Message, Ping, Status

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a test: whether it arrived, what was heard, and how soon."""

    arrived: bool
    answer: str
    took: timedelta


async def try_out(
    config: Config,
    project_name: str,
    channel: ChannelConfig,
    event: Event,
    show: Callable[[str], None],
    now: datetime,
) -> Trial:
    """Send a test message over a channel that is no group; raise only what cancels it.

    `show` is called with what goes out, before it does.
    """
    message = example(config, project_name, now, event)
    return await send(config, channel, message, now, show)


async def send(
    config: Config,
    channel: ChannelConfig,
    message: Message,
    now: datetime,
    show: Callable[[str], None] | None = None,
) -> Trial:
    """Send a message over a channel that is no group; raise only what cancels it.

    `show` is called with what goes out, before it does.
    """
    begun = time.monotonic()
    try:
        await load(channel)
        transport = open_transport(channel, config)
        try:
            if show is not None:
                show(transport.preview(message, now))
            begun = time.monotonic()
            answer = await transport.send(message, now)
            took = time.monotonic() - begun
        finally:
            await transport.aclose()
    except DeliveryError as error:
        return _failed(str(error), begun)
    except Exception as error:
        logger.exception("a transport failed")
        return _failed(repr(error), begun)
    return Trial(True, answer, timedelta(seconds=took))


def event_to_try(channel: ChannelConfig) -> Event:
    """Choose what to try a channel out with: what it tells of, down before all."""
    events: tuple[Event, ...] = ("down", "up", "late", "slow", "server")
    return next((event for event in events if channel.tells_of(event)), "down")


def _failed(problem: str, begun: float) -> Trial:
    return Trial(False, problem, timedelta(seconds=time.monotonic() - begun))


def example(config: Config, project_name: str, now: datetime, event: Event) -> Message:
    """Return a message about a check that does not exist, called TEST; or about hcl."""
    if event == "server":
        told = Announcement(
            None, now, "absence", "TEST", ("This is a test message of hcl itself.",)
        )
        return message_of(config, project_name, announcement=told)
    check = rules.new_check(0, str(uuid.uuid4()), str(uuid.uuid4()))
    status: Status = "down" if event == "down" else "up"
    ago = {"up": timedelta(0), "slow": timedelta(0), "late": timedelta(days=1)}
    last_ping = now - ago.get(event, timedelta(days=1, hours=1))
    check = check._replace(
        name="TEST",
        slug="test",
        desc="This is a test message; no job has failed.",
        status=status,
        n_pings=1,
        last_ping=last_ping,
    )
    ping = Ping(
        n=1,
        created=last_ping,
        action="success",
        scheme="http",
        remote_addr="127.0.0.1",
        method="POST",
        ua="hcl send-test",
        rid=None,
        exitstatus=None,
        body=b"This is the end of what the job last wrote.",
    )
    if event == "up":
        flip, down_since = Flip(now, "down", "up", ""), now - timedelta(hours=1)
    else:
        flip, down_since = Flip(now, "up", "down", "timeout"), now
    home = config.alerts.tz
    alert = Alert(check, flip, ping, channels=(), down_since=down_since, home=home)
    if event in ("late", "slow"):
        check = check._replace(alert_after=now + check.grace)
        flip, lateness = Flip(now, "up", "up", ""), Lateness(now)
        if event == "slow":
            began, usual = now - timedelta(minutes=42), timedelta(minutes=5)
            lateness = Lateness(began, now, usual)
        alert = Alert(check, flip, ping, channels=(), lateness=lateness, home=home)
    return message_of(config, project_name, (alert,))
