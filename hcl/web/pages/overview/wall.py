"""The wall: a page for a TV that is read from afar, and that nobody touches."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.responses import Response

from hcl.checks import rules
from hcl.web.pages.overview import announced, listing
from hcl.web.pages.overview.listing import Query
from hcl.web.pages.overview.scan import scan, shown
from hcl.web.pages.visit.visit import Visit

# Tiles for what is wrong, and names for what is well; more nobody can read from afar.
_MOST_TILES = 24
_MOST_NAMES = 120


async def page(visit: Visit) -> Response:
    """GET /projects/<code>/wall: what is down and late, large; the rest small."""
    project = visit.project()
    conn = await visit.parts.database.current()
    told = await announced.of(visit, project)
    first = _MOST_TILES + _MOST_NAMES
    scanned = await scan(
        conn,
        project.id,
        Query(),
        visit.shown,
        first=first,
        announced=told.last_id,
    )
    counted = scanned.counts
    ordered = await shown(conn, scanned.ids, visit.shown)
    wrong = [item for item in ordered if item.status in ("down", "grace")]
    names = [item for item in ordered if item.status not in ("down", "grace")]
    names = names[:_MOST_NAMES]
    all_wrong = counted["down"] + counted["grace"]
    flips = await listing.flips_of(conn, wrong[:_MOST_TILES], visit.shown)
    since = {
        check_id: datetime.fromtimestamp(turns[-1][0], UTC)
        for check_id, turns in flips.items()
    }
    icon, title = listing.trouble(counted)
    return visit.render(
        "wall.html",
        project=project,
        announced=told,
        counts=counted,
        icon=icon,
        title=title,
        tiles=[
            (rules.as_shown(check, visit.now), status)
            for check, status in wrong[:_MOST_TILES]
        ],
        more=all_wrong - len(wrong[:_MOST_TILES]),
        since=since,
        names=names,
        more_names=counted["all"] - all_wrong - len(names),
        live=f"live?{urlencode({'v': scanned.mark})}",
    )
