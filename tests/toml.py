"""Builders of hcl.toml, for tests that need a file but are not about its text.

Each writes one table, and whole files are these in a row. A project's keys, channels
and tags come after it; what comes before the first project is of the server.
"""

import json
from collections.abc import Mapping, Sequence

Value = str | int | Sequence[str] | Mapping[str, "Value"]


class Raw(str):
    """A value as it is to stand in the file."""

    __slots__ = ()


def table(header: str, /, **keys: Value) -> str:
    """Write a table; the header of one of an array has brackets of its own."""
    lines = [f"{key} = {_written(value)}\n" for key, value in keys.items()]
    return f"[{header}]\n" + "".join(lines)


def _written(value: Value) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, Mapping):
        inner = (f"{key} = {_written(part)}" for key, part in value.items())
        return f"{{ {', '.join(inner)} }}"
    return json.dumps(value, ensure_ascii=False)


def smtp(port: int, **keys: Value) -> str:
    """Have mail sent to a receiver on this machine."""
    return table("smtp", host="127.0.0.1", port=port, security="none", **keys)


def project(name: str = "Home", ping_key: str = "home", **keys: Value) -> str:
    """Write a project."""
    return table("[projects]", name=name, ping_key=ping_key, **keys)


def key(name: str, key: str, **keys: Value) -> str:
    """Write an API key of the project above."""
    return table("[projects.keys]", name=name, key=key, **keys)


def channel(name: str, kind: str, **keys: Value) -> str:
    """Write a channel of the project above."""
    return table("[projects.channels]", name=name, kind=kind, **keys)


def webhook(name: str, **keys: Value) -> str:
    """Write a webhook; each request is a URL to get, or what `post` returns."""
    for status in {"down", "up", "server"} & keys.keys():
        if isinstance(url := keys[status], str):
            keys[status] = {"url": url}
    return channel(name, "webhook", **keys)


def email(name: str, to: str = "ops@example.org", **keys: Value) -> str:
    """Write a channel that sends mail to one address."""
    return channel(name, "email", to=[to], **keys)


def post(url: str, body: str = "$NAME is $STATUS") -> Mapping[str, Value]:
    """Describe a request of a webhook."""
    return {"method": "POST", "url": url, "body": body}


def tag(name: str, **keys: Value) -> str:
    """Write what is different for a tag."""
    return table("[projects.tags]", tag=name, **keys)
