"""A channel of Healthchecks as a table of hcl.toml, kind by kind."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from hcl.config import KEYS
from hcl.config.channels.apprise_urls import SCHEMES
from hcl.moving.healthchecks import columns, services
from hcl.moving.healthchecks.translated import (
    UNKNOWN,
    NoEquivalentError,
    Table,
    Translated,
    document_of,
    events_of,
    host_of,
    json_of,
)
from hcl.moving.moved import MovedChannel


def translate(channel: MovedChannel) -> Translated:
    """Put a channel, but a group, into hcl's words. Raises NoEquivalentError."""
    if channel.value is None:
        return _stub(channel)
    read = _READERS.get(channel.kind)
    if read is None:
        raise NoEquivalentError(f"hcl has no channel of the kind {channel.kind}")
    try:
        return read(channel.value)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        problem = f"what it holds makes no sense for the kind {channel.kind}"
        raise NoEquivalentError(problem) from error


def members_of(channel: MovedChannel) -> list[str]:
    """Return the codes of a group's channels, each once."""
    found = []
    for text in (channel.value or "").split(","):
        # What is no code names a channel that is gone.
        with suppress(ValueError):
            found.append(columns.code(text.strip()))
    return list(dict.fromkeys(found))


def detail_of(channel: MovedChannel) -> str:
    """Say in a few words where a channel without a name leads; "" if it is secret."""
    document = document_of(channel.value or "")
    for key in ("value", "name", "repo", "topic", "list_name"):
        if isinstance(document.get(key), str) and document[key]:
            return str(document[key])
    for key in ("url_down", "url_up", "url", "site"):
        if isinstance(document.get(key), str) and document[key]:
            return host_of(document[key])
    value = channel.value or ""
    if channel.kind == "email" and "@" in value:
        return value
    if channel.kind in ("sms", "call") and not value.startswith("{"):
        return value
    return ""


def _email(value: str) -> Translated:
    document = document_of(value)
    to = str(document.get("value", "")) if document else value
    events = None
    if document:
        # Of an older row all is told.
        up, down = document.get("up", True), document.get("down", True)
        events = events_of(down=bool(down), up=bool(up))
    return Translated("email", {"to": [to.strip()]}, events=events)


def _webhook(value: str) -> Translated:
    document, keys = _requests(value), {}
    for status in ("down", "up"):
        if not (url := document.get(f"url_{status}")):
            continue
        method = document.get(f"method_{status}") or "GET"
        request: Table = {"method": method, "url": url}
        body = document.get(f"body_{status}")
        if body and method in ("POST", "PUT"):
            request["body"] = body
        if headers := document.get(f"headers_{status}"):
            request["headers"] = headers
        keys[status] = request
    if not keys:
        raise NoEquivalentError("it has no URL")
    return Translated("webhook", keys)


def _requests(value: str) -> dict[str, Any]:
    """Read what a webhook requests, as versions since 1.9 keep it, or those before."""
    if value.startswith("{"):
        document = json_of(value)
        if "post_data" not in document:
            return document
        down, up = document.get("url_down"), document.get("url_up")
        body, headers = document["post_data"], document.get("headers")
    elif "://" not in value:
        raise ValueError("has no URL")
    else:
        down, up, body = [*value.split("\n", 2), "", ""][:3]
        headers = None
    same = {"method": "POST" if body else "GET", "body": body, "headers": headers}
    return {
        f"{name}_{status}": part
        for status, url in (("down", down), ("up", up))
        for name, part in {**same, "url": url and url.strip()}.items()
    }


def _shell(value: str) -> Translated:
    document = json_of(value)
    keys = {s: document[f"cmd_{s}"] for s in ("down", "up") if document.get(f"cmd_{s}")}
    if not keys:
        raise NoEquivalentError("it has no command")
    # Whoever had an account there could write one, and most servers run none.
    note = (
        "its commands run here, as the user of hcl, whether or not the old server ran"
        " them (SHELL_ENABLED): read them before hcl starts"
    )
    return Translated("shell", keys, notes=[note])


def _trello(value: str) -> Translated:
    document = json_of(value)
    query = urlencode({"idList": document["list_id"], "token": document["token"]})
    down = {
        "method": "POST",
        "url": f"https://api.trello.com/1/cards?key={UNKNOWN}&{query}"
        "&name=Down:%20$NAME",
    }
    return Translated(
        "webhook",
        {"down": down},
        fill_in="the key of your Trello application (TRELLO_APP_KEY)",
        notes=["there is no kind trello here: a webhook makes its cards"],
    )


_READERS: dict[str, services.Reader] = {
    **services.READERS,
    "email": _email,
    "shell": _shell,
    "trello": _trello,
    "webhook": _webhook,
}


def _asked_for(channel: MovedChannel) -> Sequence[str]:
    """Name the events that need a request or a command of their own; one at least."""
    return [e for e in KEYS["projects.channels:shell"] if e in channel.events] or [
        "down"
    ]


def _stub(channel: MovedChannel) -> Translated:
    """Make a channel whose address was not told: silent until that is filled in."""
    kind, fill_in = channel.kind, "where it leads, and drop `enabled = false`"
    keys: Table
    if kind == "email":
        keys = {"to": ["fill-in@example.org"]}
    elif kind == "webhook":
        request = {"method": "POST", "url": "https://example.org/fill-in"}
        keys = dict.fromkeys(_asked_for(channel), request)
    elif kind == "shell":
        keys = dict.fromkeys(_asked_for(channel), "false  # fill in")
    elif kind in SCHEMES:
        keys = {"url": f"{SCHEMES[kind][0]}://{UNKNOWN}"}
    elif kind == "apprise":
        keys = {"url": f"json://{UNKNOWN}"}
    elif kind == "call":
        kind, keys = "sms", {"url": f"twilio://{UNKNOWN}?method=call"}
    elif kind == "trello":
        kind = "webhook"
        keys = {"down": {"method": "POST", "url": "https://api.trello.com/1/cards"}}
    else:
        raise NoEquivalentError(f"hcl has no channel of the kind {kind}")
    events = list(channel.events) or None
    return Translated(kind, keys, fill_in=fill_in, events=events)
