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
    """That channels of a project do not deliver; of none: that there are none.

    `is_deaf`: nobody is told of anything. Of those that are `silent` some are named.
    `unkept` is since when nothing that comes can be kept; None: it can.
    """

    is_deaf: bool
    silent: tuple[Silent, ...] = ()
    others: int = 0
    unkept: datetime | None = None


async def of_projects(
    parts: Parts, projects: Iterable[Project]
) -> Mapping[int, Trouble]:
    """Return what to warn of, by the ids of projects; all is well with the others."""
    deliveries = await store.channels.deliveries(parts.database.committed)
    warnings, unkept = {}, parts.clock.deaf_as_of
    for project in projects:
        channels = deliveries.get(project.id, [])
        silent = [Silent(clean(name), since) for name, since in channels if since]
        if not channels or silent or unkept:
            warnings[project.id] = Trouble(
                len(silent) == len(channels),
                tuple(silent[:_NAMED]),
                max(0, len(silent) - _NAMED),
                unkept,
            )
    return warnings
