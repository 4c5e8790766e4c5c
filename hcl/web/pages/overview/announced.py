"""What hcl told of itself on the last day, for the lists and the wall."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from hcl import store
from hcl.db import readable
from hcl.model import Announcement, Project
from hcl.web.pages.visit.visit import Visit

logger = logging.getLogger(__name__)

# So long a page tells of an announcement, and so many it shows.
_SHOWN_FOR = timedelta(days=1)
_MOST = 3


class Announced(NamedTuple):
    """The newest announcements, how many more there are, and the newest one's id."""

    told: list[Announcement]
    more: int
    last_id: int


async def of(visit: Visit, project: Project) -> Announced:
    """Return what concerns a project."""
    conn = visit.parts.database.committed
    now = visit.parts.clock.now()
    since = store.announcements.since(conn, now - _SHOWN_FOR, project.id)
    # The checks are shown, whatever else is damaged.
    told = await readable(since, [], logger)
    # The list shows what a report tells anyway. A clock that was ahead tells of nothing
    # that is to come.
    told = [
        replace(one, created=min(one.created, now))
        for one in told
        if one.kind != "report"
    ]
    last_id = await readable(store.announcements.last_id(conn), 0, logger)
    return Announced(told[:_MOST], len(told[_MOST:]), last_id)
