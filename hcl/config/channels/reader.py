"""[[projects.channels]]: the ways to reach people, one reader for each kind."""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import get_args

from hcl.config.channels import apprise_urls, priorities
from hcl.config.channels.calm import read_calm
from hcl.config.channels.kinds import (
    AppriseSettings,
    EmailSettings,
    Event,
    GroupSettings,
    Method,
    Settings,
    ShellSettings,
    WebhookRequest,
    WebhookSettings,
)
from hcl.config.keys import KEYS
from hcl.config.net import network
from hcl.config.reading import Table, closest, shown
from hcl.config.settings import ChannelConfig


def read_channel(table: Table, project_id: str, can_mail: bool) -> ChannelConfig:
    """Read one channel; `can_mail` tells whether there is a server to mail through."""
    kind = _kind(table)
    if kind == "email" and not can_mail:
        raise table.error("kind", "email needs smtp.host")
    own = "apprise" if kind in _OF_APPRISE else kind
    its = KEYS[f"projects.channels:{own}"]
    meant = ("url",) if own == "apprise" else its
    table.allow(KEYS["projects.channels"] + its, meant=meant)
    name = table.name("name")
    if "," in name:
        # The API takes names of channels joined by commas.
        raise table.error("name", f"{shown(name)} has a comma; use a name without")
    code, events = stable_id(table, uuid.UUID(project_id), name), _events(table)
    settings = KINDS[kind](table)
    for event in sorted(_ASKED_FOR & events):
        if kind in ("webhook", "shell") and not settings.tells_of(event):
            problem = f"is missing; events has {event}, so say what to send"
            raise table.error(event, problem)
    if not events and not any(map(settings.tells_of, _EVENTS)):
        told = " and ".join(e for e in sorted(_ASKED_FOR) if settings.tells_of(e))
        raise table.error(
            "events", f"is missing; only channels that name {told} tell it"
        )
    if not events:
        events = _EVENTS if settings.hears_of_server else _EVENTS - {"server"}
    return ChannelConfig(
        id=code,
        name=name,
        kind=kind,
        events=events,
        settings=settings,
        calm=read_calm(table),
        fold=_fold(table, kind),
        fallback=_fallback(table, kind),
        enabled=table.flag("enabled", True),
    )


def find_channels(
    tables: Sequence[Table], channels: Sequence[ChannelConfig]
) -> tuple[ChannelConfig, ...]:
    """Put ids in the place of the names by which channels refer to others."""
    ids = {channel.name: channel.id for channel in channels}
    groups = {c.name for c in channels if c.settings.members}
    single = {name: id_ for name, id_ in ids.items() if name not in groups}
    resolved = []
    for table, channel in zip(tables, channels, strict=True):
        if channel.settings.members:
            members = _members(table, single, groups)
            channel = replace(channel, settings=GroupSettings(members))
        if channel.fallback == channel.name:
            raise table.error("fallback", "is this channel itself; use another")
        if channel.fallback is not None:
            others = {name: id_ for name, id_ in ids.items() if name != channel.name}
            fallback = _id(table, "fallback", channel.fallback, others)
            channel = replace(channel, fallback=fallback)
        resolved.append(channel)
    _refuse_circles(tables, resolved)
    return tuple(resolved)


def _members(table: Table, ids: dict[str, str], groups: set[str]) -> tuple[str, ...]:
    names = table.lines("channels")
    for i, name in enumerate(names):
        if name in groups:
            problem = f"{shown(name)} is a group; name its channels instead"
            raise table.error("channels", problem, i)
        if name in names[:i]:
            raise table.error("channels", f"{shown(name)} is there twice", i)
    return tuple(_id(table, "channels", name, ids, i) for i, name in enumerate(names))


def _id(
    table: Table, key: str, name: str, ids: dict[str, str], index: int | None = None
) -> str:
    if name not in ids:
        near = closest(name, ids)
        hint = f" (did you mean {shown(near)}?)" if near else ""
        problem = f"no other channel of the project is named {shown(name)}{hint}"
        allowed = f"use one of {', '.join(map(shown, ids))}" if ids else "add it"
        raise table.error(key, f"{problem}; {allowed}", index)
    return ids[name]


def _refuse_circles(tables: Sequence[Table], channels: list[ChannelConfig]) -> None:
    """Refuse a fallback that leads back to its channel, by way of groups or not."""
    leads_to = {
        channel.id: set(filter(None, (channel.fallback, *channel.settings.members)))
        for channel in channels
    }
    for table, channel in zip(tables, channels, strict=True):
        reached, new = set[str](), leads_to[channel.id]
        while new := new - reached:
            reached |= new
            new = set().union(*(leads_to[id_] for id_ in new))
        if channel.id in reached and channel.fallback:
            raise table.error("fallback", "leads back to this channel; use another")


def _fold(table: Table, kind: str) -> timedelta:
    if kind == "group" and "fold" in table.data:
        raise table.error("fold", "is not for a group; give it to its channels")
    return table.length("fold", most=timedelta(hours=1)) or timedelta(0)


def _fallback(table: Table, kind: str) -> str | None:
    if "fallback" not in table.data:
        return None
    if kind == "group":
        raise table.error("fallback", "is not for a group; give it to its channels")
    return table.name("fallback")


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
    near = closest(kind, _NAMES)
    hint = f" (did you mean {_NAMES[near]}?)" if near else ""
    problem = f"{shown(kind)} is not a kind{hint}"
    raise table.error("kind", f"{problem}; use one of {', '.join(KINDS)}")


def _events(table: Table) -> frozenset[Event]:
    """Read of what a channel tells; nothing: the file does not say."""
    known: tuple[Event, ...] = get_args(Event)
    if "events" not in table.data:
        return frozenset()
    values = table.lines("events")
    for i, value in enumerate(values):
        if value not in known:
            problem = f"{shown(value)} is not an event"
            raise table.error("events", f"{problem}; use {', '.join(known)}", i)
    if not values:
        names = ", ".join(known)
        raise table.error("events", f"is empty; use one or several of {names}")
    return frozenset(event for event in known if event in values)


# Who wants to hear of what is late, and of slow runs, says so.
_ASKED_FOR: frozenset[Event] = frozenset({"late", "slow"})
_EVENTS: frozenset[Event] = frozenset(get_args(Event)) - _ASKED_FOR

_ANYWHERE = "here, or in up, late, slow or server"


def _email(table: Table) -> EmailSettings:
    return EmailSettings(to=network.recipients(table, "to"))


def _webhook(table: Table) -> WebhookSettings:
    requests = (_request(table, key) for key in KEYS["projects.channels:webhook"])
    settings = WebhookSettings(*requests)
    if not any(map(settings.tells_of, get_args(Event))):
        raise table.error("down", f"has no url; a webhook needs one {_ANYWHERE}")
    return settings


def _request(channel: Table, key: str) -> WebhookRequest | None:
    # Who takes it for a shell's command writes the URL there.
    keys = KEYS["projects.channels:webhook.request"]
    table = channel.table(key, keys, is_secret=True)
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
    table = request.table("headers", None, is_secret=True)
    for name in table.data:
        network.check_header_name(table, name, name)
    return tuple((name, table.secret_line(name)) for name in table.data)


def _shell(table: Table) -> ShellSettings:
    commands = (_command(table, key) for key in KEYS["projects.channels:shell"])
    settings = ShellSettings(*commands)
    if not any(map(settings.tells_of, get_args(Event))):
        raise table.error("down", f"is missing; a shell needs a command {_ANYWHERE}")
    return settings


# Linux takes 131,072 for an argument, and placeholders become longer in it.
_LONGEST_COMMAND = 60_000


def _command(table: Table, key: str) -> str:
    command = table.secret(key, "")
    if "\0" in command:
        raise table.error(key, "has a NUL character; no command can")
    if len(command.encode()) > _LONGEST_COMMAND:
        problem = f"has more than {_LONGEST_COMMAND} bytes"
        raise table.error(key, f"{problem}; put it into a file, and call that")
    # The shell would take blanks for a command that succeeds.
    return command if command.strip() else ""


def _group_names(table: Table) -> GroupSettings:
    names = table.lines("channels")
    if not names:
        raise table.error("channels", "is empty; use the names of other channels")
    return GroupSettings(names)


def _apprise(table: Table) -> AppriseSettings:
    url = table.secret_line("url")
    if problem := apprise_urls.problem_of(table.line("kind"), url):
        raise table.error("url", problem)
    return AppriseSettings(url, _priorities(table, url))


def _priorities(channel: Table, url: str) -> tuple[tuple[Event, str], ...]:
    """Read how much each event is to disturb, in the words of the service."""
    table = channel.table("priority", KEYS["priority"])
    known: tuple[Event, ...] = get_args(Event)
    scheme = apprise_urls.scheme_of(url)
    found: list[tuple[Event, str]] = []
    for event in known:
        if event not in table.data:
            continue
        # Some services count.
        value = table.data[event]
        word = str(value) if type(value) is int else table.line(event)
        if problem := priorities.problem_of_word(scheme, word):
            raise table.error(event, problem)
        found.append((event, priorities.word_for(scheme, word)))
    if priorities.is_in(url) and any(word != "none" for _, word in found):
        raise channel.error("priority", "stands in url too; use one of them")
    if all(dict(found).get(event) == "none" for event in _EVENTS):
        raise channel.error("priority", "lets nobody be told of anything; drop one")
    return tuple(found)


_OF_APPRISE = frozenset({"apprise", *apprise_urls.SCHEMES})

KINDS: dict[str, Callable[[Table], Settings]] = {
    "email": _email,
    "webhook": _webhook,
    "shell": _shell,
    "group": _group_names,
    **dict.fromkeys(sorted(_OF_APPRISE), _apprise),
}

# What may stand in the place of a kind by mistake: Apprise's names for services.
_NAMES = {
    scheme: k for k, schemes in apprise_urls.SCHEMES.items() for scheme in schemes
}
_NAMES |= {kind: kind for kind in KINDS}
