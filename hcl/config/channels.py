"""[[projects.channels]]: the ways to reach people, one reader for each kind."""

import re
import uuid
from collections.abc import Callable
from typing import get_args

from hcl.config import network
from hcl.config.keys import KEYS
from hcl.config.reading import Table, shown
from hcl.config.settings import (
    ChannelConfig,
    EmailSettings,
    Event,
    Method,
    WebhookRequest,
    WebhookSettings,
)

_LATER_KINDS = {
    "apprise",
    "discord",
    "googlechat",
    "gotify",
    "group",
    "matrix",
    "mattermost",
    "msteamsw",
    "ntfy",
    "opsgenie",
    "pd",
    "po",
    "pushbullet",
    "rocketchat",
    "shell",
    "signal",
    "slack",
    "telegram",
    "zulip",
}


def read_channel(table: Table, project_id: str, can_mail: bool) -> ChannelConfig:
    """Read one channel; `can_mail` tells whether there is a server to mail through."""
    kind = _kind(table)
    if kind == "email" and not can_mail:
        raise table.error("kind", "email needs smtp.host")
    table.allow(KEYS["projects.channels"] + KEYS[f"projects.channels:{kind}"])
    name = table.name("name")
    if "," in name:
        # The API takes names of channels joined by commas.
        raise table.error("name", f"{shown(name)} has a comma; use a name without")
    return ChannelConfig(
        id=stable_id(table, uuid.UUID(project_id), name),
        name=name,
        kind=kind,
        events=_events(table),
        settings=KINDS[kind](table),
    )


def stable_id(table: Table, namespace: uuid.UUID, name: str) -> str:
    """Read the key `id`, or derive it from the name: the same each time."""
    value = table.line("id", "")
    if not value:
        return str(uuid.uuid5(namespace, name))
    if not is_uuid(value):
        problem = f"{shown(value)} is not a UUID"
        raise table.error("id", f"{problem}; use 32 hex digits with 4 hyphens")
    return value.lower()


def is_uuid(value: str) -> bool:
    """Tell whether it is a UUID with hyphens, of either case."""
    return bool(
        re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value)
    )


def _kind(table: Table) -> str:
    kind = table.line("kind")
    if kind in KINDS:
        return kind
    problem = "is not built yet" if kind in _LATER_KINDS else "is not a kind"
    allowed = f"use one of {', '.join(KINDS)}"
    raise table.error("kind", f"{shown(kind)} {problem}; {allowed}")


def _events(table: Table) -> frozenset[Event]:
    known: tuple[Event, ...] = get_args(Event)
    values = table.lines("events", known)
    for i, value in enumerate(values):
        if value not in known:
            problem = f"{shown(value)} is not an event"
            raise table.error("events", f"{problem}; use {' or '.join(known)}", i)
    if not values:
        raise table.error("events", f"is empty; use {' or '.join(known)}, or both")
    return frozenset(event for event in known if event in values)


def _email(table: Table) -> EmailSettings:
    return EmailSettings(to=network.recipients(table, "to"))


def _webhook(table: Table) -> WebhookSettings:
    settings = WebhookSettings(_request(table, "down"), _request(table, "up"))
    if not settings.down and not settings.up:
        raise table.error("down", "has no url; a webhook needs one here or in up")
    return settings


def _request(channel: Table, key: str) -> WebhookRequest | None:
    table = channel.table(key, KEYS["projects.channels:webhook.request"])
    request = WebhookRequest(
        method=table.choice("method", "GET", get_args(Method)),
        url=table.secret_line("url", ""),
        body=table.secret("body", ""),
        headers=_headers(table),
    )
    if not request.url:
        return None
    network.check_url(table, "url", request.url)
    return request


def _headers(request: Table) -> tuple[tuple[str, str], ...]:
    table = request.table("headers", None)
    for name in table.data:
        network.check_header_name(table, name, name)
    return tuple((name, table.secret_line(name)) for name in table.data)


KINDS: dict[str, Callable[[Table], EmailSettings | WebhookSettings]] = {
    "email": _email,
    "webhook": _webhook,
}
