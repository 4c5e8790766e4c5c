"""What every page warns of: that people are not told, or not over every channel."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from hcl import store
from hcl.model import Project
from hcl.web.parts import Parts
from hcl.words.lines import clean

# Channels that are named; the others are counted.
_NAMED = 3


class Silent(NamedTuple):
    """A channel that does not deliver, and since when."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """That channels of a project do not deliver, or that none tells of an outage.

    `is_deaf`: nobody is told of one. Of those that are `silent` some are named; if none
    is, `has_some` tells whether there are any at all, which tell of something else or
    are switched off.
    `unkept` is since when nothing that comes can be kept; None: it can.
    """

    is_deaf: bool
    silent: tuple[Silent, ...] = ()
    others: int = 0
    has_some: bool = True
    unkept: datetime | None = None


async def of_projects(
    parts: Parts, projects: Iterable[Project]
) -> Mapping[int, Trouble]:
    """Return what to warn of, by the ids of projects; all is well with the others."""
    deliveries = await store.channels.deliveries(parts.database.committed)
    warnings, unkept = {}, parts.clock.deaf_as_of
    for project in projects:
        channels = deliveries.get(project.id, [])
        silent = [
            Silent(clean(channel.name), channel.failing_since)
            for channel in channels
            if channel.failing_since is not None
        ]
        is_deaf = all(c.failing_since is not None for c in channels if c.tells)
        if is_deaf or silent or unkept:
            warnings[project.id] = Trouble(
                is_deaf,
                tuple(silent[:_NAMED]),
                max(0, len(silent) - _NAMED),
                bool(channels),
                unkept,
            )
    return warnings
