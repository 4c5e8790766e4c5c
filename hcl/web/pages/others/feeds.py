"""What happened on a page for others, as an Atom feed (RFC 4287)."""

import asyncio
import heapq
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from hcl.config import PageConfig
from hcl.model import Project
from hcl.web.pages.others.gathering import Gathered, Seen
from hcl.web.parts import Parts
from hcl.words.lengths import rough
from hcl.words.moments import iso
from hcl.words.names import check_name

# Entries that it has: the newest.
MOST_ENTRIES = 50

# Never change it: readers know entries by what is derived from it.
_NAMESPACE = uuid.UUID("0b0e3f3e-93cf-4f7e-a0a0-6a3c3c0e9d1c")

# What XML has no room for, and names may hold.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Entry(NamedTuple):
    """A check went down, or came up after it had been down `for` so long."""

    at: float
    seen: Seen
    is_up: bool
    down_for: timedelta | None


async def feed(
    parts: Parts, project: Project, config: PageConfig, gathered: Gathered
) -> str:
    """Write the feed."""
    newest: list[_Entry] = []
    for seen in gathered.seen:
        found = [*newest, *_entries(seen)]
        newest = heapq.nlargest(MOST_ENTRIES, found, key=lambda entry: entry.at)
        await asyncio.sleep(0)
    site = parts.config.server.site_root
    url = f"{site}/p/{config.slug}"
    updated = newest[0].at if newest else parts.started.timestamp()
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<title>{_text(config.title)}</title>",
        f"<id>{_id(project.code, config.slug)}</id>",
        f"<updated>{_moment(updated)}</updated>",
        f"<author><name>{_text(parts.config.server.site_name)}</name></author>",
        f'<link rel="self" href={quoteattr(url + ".atom")}/>',
        f"<link href={quoteattr(url)}/>",
        *(_entry(entry, url) for entry in newest),
        "</feed>\n",
    ]
    return "\n".join(lines)


def _entries(seen: Seen) -> Iterator[_Entry]:
    """Yield the newest changes that people are told of: down, and up after a down."""
    down: float | None = None
    found = []
    for created, old_status, new_status in seen.changes:
        if new_status == "down":
            down = created
            found.append(_Entry(created, seen, False, None))
        elif new_status == "up" and old_status == "down":
            length = None if down is None else timedelta(seconds=created - down)
            found.append(_Entry(created, seen, True, length))
    yield from found[-MOST_ENTRIES:]


def _entry(entry: _Entry, url: str) -> str:
    name = _text(check_name(entry.seen.check.name))
    title = f"{name} is {'up again' if entry.is_up else 'down'}"
    story = f"Down since {datetime.fromtimestamp(entry.at, UTC):%Y-%m-%d %H:%M} UTC."
    if entry.is_up:
        length = entry.down_for
        is_known = length is not None and length > timedelta(0)
        story = f"It was down for {rough(length)}." if is_known and length else ""
    word = "up" if entry.is_up else "down"
    # A check's code is a secret: no one gets it back from this.
    id_ = _id(entry.seen.check.unique_key, f"{entry.at:.6f}", word)
    return (
        f"<entry><title>{title}</title><id>{id_}</id>"
        f"<updated>{_moment(entry.at)}</updated><link href={quoteattr(url)}/>"
        f"<content>{story or title}</content></entry>"
    )


def _id(*parts: str) -> str:
    return uuid.uuid5(_NAMESPACE, "\n".join(parts)).urn


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("", text))


def _moment(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))
