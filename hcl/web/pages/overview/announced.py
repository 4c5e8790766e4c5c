"""What hcl told of itself on the last day, for the lists and the wall."""

from datetime import timedelta
from typing import NamedTuple

from hcl import store
from hcl.model import Announcement, Project
from hcl.web.pages.visit.visit import Visit

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
    start = visit.parts.clock.now() - _SHOWN_FOR
    told = await store.announcements.since(conn, start, project.id)
    # The list shows what a report tells anyway.
    told = [one for one in told if one.kind != "report"]
    last_id = await store.announcements.last_id(conn)
    return Announced(told[:_MOST], len(told[_MOST:]), last_id)
