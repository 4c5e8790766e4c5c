"""Ways out to people, one module a kind of channel.

Each has a function `open_transport` of its own. A group has none: its channels send.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import Protocol

from hcl import memory
from hcl.config import ChannelConfig, Config
from hcl.model import Message
from hcl.outgoing.reasons import NO_THREAD

# What a transport answers, and previews, where a channel tells nothing of a status.
NOTHING = "nothing to send"

# Seconds that one try may take, from its begin to the other side's last word.
TRY_TIMEOUT = 30.0


class DeliveryError(Exception):
    """Tell in one line, fit for people, why a message was not delivered.

    `permanent`: the same message will not be taken later either. `partly`: some of
    several receivers have it, and the others may take it later.
    """

    def __init__(
        self, reason: str, permanent: bool = False, *, partly: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.partly = partly


class Transport(Protocol):
    """What sends the messages of one channel."""

    async def send(self, message: Message, now: datetime) -> str:
        """Send a message; return in one line what the other side answered.

        Raises DeliveryError, and nothing else but what cancels it.
        """
        ...

    def preview(self, message: Message, now: datetime) -> str:
        """Return what `send` would send, for the channel's owner to read.

        What is secret of the address is left out. Raises DeliveryError.
        """
        ...

    async def aclose(self) -> None:
        """Close what is kept open between messages."""
        ...


# What is imported, whole.
_loaded: set[str] = set()


async def load(channel: ChannelConfig) -> None:
    """Import the libraries of a kind, once.

    In a thread, since it takes long, and pings need not wait for it.
    """
    # Imported here: who has no loop yet can do without.
    import asyncio

    name = f"{__name__}.{channel.settings.transport}"
    if name in _loaded or not channel.settings.transport:
        return
    module = sys.modules.get(name)
    # Another message may just have it imported.
    if module is None or not hasattr(module, "open_transport"):
        try:
            await asyncio.to_thread(_load, name)
        except RuntimeError as error:
            raise DeliveryError(NO_THREAD) from error
    _loaded.add(name)


def _load(name: str) -> None:
    import_module(name)
    memory.give_back()


def open_transport(channel: ChannelConfig, config: Config) -> Transport:
    """Make the transport of a channel.

    The libraries of its kind are imported now, if `load` has not done so: ask when
    there is something to send. Raises DeliveryError if hcl cannot send to this kind.
    """
    name = channel.settings.transport
    if not name:
        raise DeliveryError(f"hcl cannot send to the kind {channel.kind}", True)
    opener: Callable[[ChannelConfig, Config], Transport]
    opener = import_module(f"{__name__}.{name}").open_transport
    return opener(channel, config)


def too_late(what: str, limit: float) -> DeliveryError:
    """Tell of what was not done within `limit` seconds."""
    return DeliveryError(f"{what} within {limit:g} s")
