"""The wall: a page for a TV that is read from afar, and that nobody touches."""

from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from hcl.checks import rules
from hcl.model import Check, ShownStatus
from hcl.store.flips import Trouble
from hcl.web.pages.dashboard.boards import Above, Shown
from hcl.web.pages.overview import announced, listing, why
from hcl.web.pages.overview.query import Query
from hcl.web.pages.overview.scan import scan, shown
from hcl.web.pages.visit.visit import Visit

# Tiles for what is wrong, and names for what is well; more nobody can read from afar.
_MOST_TILES = 24
_MOST_NAMES = 120


class Tile(NamedTuple):
    """A check that is down or late: since when, and why; None: not known."""

    check: Check
    status: ShownStatus
    since: datetime | None
    sentence: Markup | None


async def page(visit: Visit) -> Response:
    """GET /projects/<code>/wall: what is down and late, large; the rest small."""
    project = visit.project()
    conn = await visit.parts.database.current()
    told = await announced.of(visit, project)
    windows = visit.parts.maintenance.open_now(project.id, visit.shown)
    first = _MOST_TILES + _MOST_NAMES
    scanned = await scan(
        conn,
        project.id,
        Query(),
        visit.shown,
        first=first,
        above=Above(told.last_id, tuple(windows), visit.warnings.get(project.id)),
    )
    counted = scanned.counts
    ordered = await shown(conn, scanned.ids, visit.shown)
    wrong = [item for item in ordered if item.status in ("down", "grace")]
    names = [item for item in ordered if item.status not in ("down", "grace")]
    names = names[:_MOST_NAMES]
    all_wrong = counted["down"] + counted["grace"]
    tiled = wrong[:_MOST_TILES]
    troubles = await why.troubles_of(conn, tiled)
    icon, title = listing.trouble(counted)
    return await visit.render(
        "wall.html",
        project=project,
        announced=told,
        counts=counted,
        answer=listing.answer(counted),
        icon=icon,
        title=title,
        tiles=[_tile(visit, item, troubles.get(item.check.id)) for item in tiled],
        more=all_wrong - len(tiled),
        names=names,
        more_names=counted["all"] - all_wrong - len(names),
        live=f"live?{urlencode({'v': scanned.mark})}",
    )


def _tile(visit: Visit, item: Shown, trouble: Trouble | None) -> Tile:
    now, readonly = visit.shown, visit.viewer.readonly
    return Tile(
        rules.as_shown(item.check, visit.now),
        item.status,
        why.since(item, trouble, now),
        why.sentence(item, trouble, now, readonly=readonly),
    )
