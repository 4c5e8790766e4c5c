"""Chat and push services, through Apprise, which runs in a process of its own."""

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hcl.alerts.messages.letter import write_letter
from hcl.alerts.transports import (
    TRY_TIMEOUT,
    DeliveryError,
    apprise_message,
    taken,
    too_late,
)
from hcl.alerts.transports.apprise_check import NEEDED
from hcl.alerts.transports.apprise_process import Courier, courier_for, dismiss
from hcl.config import AppriseSettings, ChannelConfig, Config, Event
from hcl.config.channels.apprise_urls import as_apprise, place_of, scheme_of
from hcl.model import Alert, Message


def open_transport(channel: ChannelConfig, config: Config) -> "AppriseTransport":
    """Make the transport of a channel of any kind that Apprise serves."""
    if not isinstance(channel.settings, AppriseSettings):
        raise TypeError(f"{channel.name} has no settings of a service")
    return AppriseTransport(
        channel.kind,
        channel.settings.url,
        ca_file=config.tls.ca_file,
        priorities=dict(channel.settings.priorities),
        tells_late=channel.tells_of("late"),
    )


class AppriseTransport:
    """Send over one of Apprise's URLs.

    `try_timeout` is the limit in seconds of one try, with the start of the process.
    `courier` None: the one that all share. `ca_file` is whom it trusts besides the
    system's store. `priorities` are Apprise's words for events where hcl's own do not
    count. `tells_late`: it hears that a check is late, too.
    """

    def __init__(
        self,
        kind: str,
        url: str,
        try_timeout: float = TRY_TIMEOUT,
        courier: Courier | None = None,
        ca_file: Path | None = None,
        priorities: Mapping[Event, str] = MappingProxyType({}),
        tells_late: bool = False,
    ) -> None:
        self._url = as_apprise(url)
        self._scheme = scheme_of(url)
        self._place = place_of(kind, url)
        self._try_timeout = try_timeout
        self._courier = courier
        self._ca_file = str(ca_file or "")
        self._priorities = priorities
        self._tells_late = tells_late

    async def send(self, message: Message, now: datetime) -> str:
        """Send a message; return what the service answered."""
        if find_spec("apprise") is None:
            raise DeliveryError(NEEDED, True)
        try:
            requests = self._requests(message, now)
            closing = self._closing(message, now)
        # Whatever a name or a body does to the templates, a try ends in words.
        except Exception as error:
            problem = f"cannot write the message: {type(error).__name__}"
            raise DeliveryError(problem) from error
        # In turn: the service counts them, and one that fails is not run over.
        answers = [await self._deliver(request) for request in requests]
        for request in closing:
            # It may be closed, or never have been open.
            with contextlib.suppress(DeliveryError):
                await self._deliver(request)
        return "; ".join(dict.fromkeys(answers))

    def preview(self, message: Message, now: datetime) -> str:
        """Return the service's name, and the title and the text for it."""
        parts = [self._place]
        for request in self._requests(message, now):
            parts += filter(None, (request["title"], request["bodies"][0]))
        return "\n\n".join(parts)

    async def aclose(self) -> None:
        """End the process, unless other services use it."""
        await dismiss(self)

    def _requests(self, message: Message, now: datetime) -> list[dict[str, Any]]:
        messages = [message]
        if self._has_incidents and message.alerts:
            # Each check has its own incident to open and to close.
            messages = [replace(message, alerts=(alert,)) for alert in message.alerts]
        return [self._request(one, now, _key(one)) for one in messages]

    def _closing(self, message: Message, now: datetime) -> list[dict[str, Any]]:
        """Return what closes the incidents of being late, which is over by a flip."""
        if not (self._has_incidents and self._tells_late):
            return []
        ended = (a for a in message.alerts if not a.lateness and not a.reminder)
        return [
            {**self._request(one, now, _key(one, "late")), "status": "up"}
            for one in (replace(message, alerts=(alert,)) for alert in ended)
        ]

    @property
    def _has_incidents(self) -> bool:
        return self._scheme in apprise_message.INCIDENTS

    def _request(self, message: Message, now: datetime, key: str) -> dict[str, Any]:
        letter = write_letter(message, now)
        return {
            **apprise_message.request(
                self._scheme, self._url, letter, key, self._priorities
            ),
            "key": f"{self._url}\n{key}\n{taken.identity(message)}",
        }

    async def _deliver(self, request: dict[str, Any]) -> str:
        courier, key = self._courier or courier_for(self), request["key"]
        try:
            sent = {**request, "ca_file": self._ca_file, "taken": list(taken.by(key))}
            answer = await courier.send(sent, self._try_timeout)
        except TimeoutError:
            problem = f"{self._place} did not answer"
            raise too_late(problem, self._try_timeout) from None
        if not answer.ok:
            # A URL may name several receivers.
            taken.note(key, answer.taken)
            raise DeliveryError(answer.words, answer.permanent)
        taken.forget(key)
        return answer.words


def _key(message: Message, event: str = "") -> str:
    """Name what a message is about; or another `event` of its checks."""
    about = [f"{a.check.code} {event or _event(a)}".rstrip() for a in message.alerts]
    if message.announcement is not None:
        about = [f"announcement {message.announcement.id}"]
    # Hashed, because a check's code is enough to ping it.
    return hashlib.sha256(" ".join(about).encode()).hexdigest()[:32]


def _event(alert: Alert) -> str:
    """Name what has an incident of its own: by one that is open nobody is called."""
    if alert.lateness is None:
        return ""
    return "late" if alert.lateness.usual is None else "slow"
