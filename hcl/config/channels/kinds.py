"""The kinds of channels: what each is told, and what the rest of hcl asks of it."""

from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from hcl.config.channels.apprise_urls import place_of, scheme_of
from hcl.config.channels.machines import is_for_people

# down, up, late and slow are a check's; server is what concerns hcl itself.
Event = Literal["down", "up", "late", "slow", "server"]
Method = Literal["GET", "POST", "PUT"]


class Settings:
    """What channels of one kind are told.

    `transport` names the module of hcl.alerts.transports that sends for it, "" if none
    does. `is_for_machines`: programs hear it, so that each flip is a request or a
    command of its own; people get one message that says that a check went down and is
    up again.
    """

    __slots__ = ()

    transport: ClassVar[str] = ""
    is_for_machines: ClassVar[bool] = False

    @property
    def members(self) -> tuple[str, ...]:
        """Return the ids of the channels that a group stands for; no other has any."""
        return ()

    def place(self, kind: str) -> str:  # noqa: ARG002 - one class may serve many kinds
        """Say where messages go, without what is secret; "" of a group."""
        return ""

    def tells_of(self, event: Event) -> bool:  # noqa: ARG002 - most tell of all
        """Tell whether there is something to send for an event."""
        return True

    @property
    def hears_of_server(self) -> bool:
        """Tell whether it is told of hcl itself, where the file does not say."""
        return True


@dataclass(frozen=True, slots=True)
class EmailSettings(Settings):
    """Whom a mail goes to: one address at least."""

    transport: ClassVar[str] = "email"

    to: tuple[str, ...]

    def place(self, _kind: str) -> str:
        """Name the addresses."""
        return ", ".join(self.to)


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """The request that tells of one status. Placeholders are not yet filled in."""

    method: Method
    url: str
    body: str
    headers: tuple[tuple[str, str], ...]

    @property
    def place(self) -> str:
        """Name method and host; path and query of a webhook are its secret."""
        try:
            parts = urlsplit(self.url)
            host = parts.hostname or "?"
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            host, port = "?", ""
        return f"{self.method} to {host}{port}"


@dataclass(frozen=True, slots=True)
class WebhookSettings(Settings):
    """What a webhook requests; None: nothing for this status. One at least is there.

    What concerns hcl itself goes by the request of a check that is down, or up, if
    there is none for `server`.
    """

    transport: ClassVar[str] = "webhook"
    is_for_machines: ClassVar[bool] = True

    down: WebhookRequest | None
    up: WebhookRequest | None
    server: WebhookRequest | None = None
    late: WebhookRequest | None = None
    slow: WebhookRequest | None = None

    def place(self, _kind: str) -> str:
        """Name each server that is asked, once."""
        requests = filter(None, (self.down, self.up, self.server, self.late, self.slow))
        return ", ".join(dict.fromkeys(request.place for request in requests))

    def tells_of(self, event: Event) -> bool:
        """Tell whether there is a request for an event."""
        return self.request(event) is not None

    @property
    def hears_of_server(self) -> bool:
        """Tell whether it has a request for that: what it asks is made for checks."""
        return self.server is not None

    def request(self, event: Event) -> WebhookRequest | None:
        """Return what to request for an event; None: nothing."""
        if event == "server":
            return self.server or self.down or self.up
        if event == "late":
            return self.late
        if event == "slow":
            return self.slow
        return self.down if event == "down" else self.up


@dataclass(frozen=True, slots=True)
class ShellSettings(Settings):
    """Commands for /bin/sh; "": nothing for this status. One at least is there.

    Placeholders are not yet filled in. What concerns hcl itself is told by the command
    for a check that is down, or up, if there is none for `server`.
    """

    transport: ClassVar[str] = "shell"
    is_for_machines: ClassVar[bool] = True

    down: str
    up: str
    server: str = ""
    late: str = ""
    slow: str = ""

    def place(self, _kind: str) -> str:
        """Tell no more than that there is one: the command may hold a secret."""
        return "a command on this server"

    def tells_of(self, event: Event) -> bool:
        """Tell whether there is a command for an event."""
        return bool(self.command(event))

    @property
    def hears_of_server(self) -> bool:
        """Tell whether it has a command for that: the others are made for checks."""
        return bool(self.server)

    def command(self, event: Event) -> str:
        """Return what to run for an event; "": nothing."""
        if event == "server":
            return self.server or self.down or self.up
        if event == "late":
            return self.late
        if event == "slow":
            return self.slow
        return self.down if event == "down" else self.up


@dataclass(frozen=True, slots=True)
class AppriseSettings(Settings):
    """A chat or push service, by the URL that Apprise knows it by. It is a secret.

    `priorities` are those of events for which the file says one, in Apprise's words;
    "none": this event is not told.
    """

    transport: ClassVar[str] = "apprise"

    url: str
    priorities: tuple[tuple[Event, str], ...] = ()

    def priority(self, event: Event) -> str:
        """Return what the file says of an event, "" if nothing."""
        return dict(self.priorities).get(event, "")

    def tells_of(self, event: Event) -> bool:
        """Tell whether the file does not say that nobody is to be told."""
        return self.priority(event) != "none"

    def place(self, kind: str) -> str:
        """Name the service, and its host if that is no secret."""
        return place_of(kind, self.url)

    @property
    def hears_of_server(self) -> bool:
        """Tell whether people read there, and it opens no ticket and moves nothing."""
        return is_for_people(scheme_of(self.url))


@dataclass(frozen=True, slots=True)
class GroupSettings(Settings):
    """The ids of the channels that a group stands for: one at least, no groups."""

    channels: tuple[str, ...]

    @property
    def members(self) -> tuple[str, ...]:
        """Return the ids of its channels."""
        return self.channels
