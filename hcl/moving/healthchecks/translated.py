"""What all kinds of channels that come from elsewhere are put into hcl's words with."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

Table = dict[str, Any]

# What stands for what only the old server's settings know.
UNKNOWN = "FILL-IN"


class NoEquivalentError(Exception):
    """hcl has nothing like the channel; the text says why."""


@dataclass(slots=True)
class Translated:
    """A channel's own keys in hcl.toml.

    `fill_in` says what has to be put in place of UNKNOWN, "" if nothing; `notes` what
    is not as it was. `events` None: all.
    """

    kind: str
    keys: Table
    fill_in: str = ""
    notes: list[str] = field(default_factory=list)
    events: list[str] | None = None


def document_of(value: str) -> dict[str, Any]:
    """Read a JSON object; empty if it is none."""
    try:
        return json_of(value)
    except (ValueError, TypeError):
        return {}


def json_of(value: str) -> dict[str, Any]:
    """Read a JSON object. Raises ValueError and TypeError."""
    try:
        document = json.loads(value)
    except RecursionError as error:
        raise ValueError("goes too deep") from error
    if not isinstance(document, dict):
        raise TypeError("is no object")
    return document


def host_of(url: str) -> str:
    """Return the host of a URL, "" if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def part(text: str) -> str:
    """Quote a part of a URL, whatever is in it."""
    return quote(text, safe="")


def events_of(*, down: bool, up: bool) -> list[str] | None:
    """Say which changes are told; None: all; none of them: the channel comes off."""
    if down and up:
        return None
    return ["down"] if down else ["up"] if up else []
