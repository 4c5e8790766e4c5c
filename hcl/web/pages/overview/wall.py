"""The wall: a page for a TV that is read from afar, and that nobody touches."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.responses import Response

from hcl.checks import rules
from hcl.web.pages.dashboard import boards
from hcl.web.pages.overview import announced, listing
from hcl.web.pages.overview.checks import shown
from hcl.web.pages.overview.listing import Query
from hcl.web.pages.visit.visit import Visit

# Tiles for what is wrong, and names for what is well; more nobody can read from afar.
_MOST_TILES = 24
_MOST_NAMES = 120


async def page(visit: Visit) -> Response:
    """GET /projects/<code>/wall: what is down and late, large; the rest small."""
    project = visit.project()
    items = await shown(visit, project)
    ordered = listing.narrowed(items, Query())
    wrong = [item for item in ordered if item.status in ("down", "grace")]
    rest = [item for item in ordered if item.status not in ("down", "grace")]
    conn = visit.parts.database.committed
    flips = await listing.flips_of(conn, wrong[:_MOST_TILES], visit.shown)
    since = {
        check_id: datetime.fromtimestamp(turns[-1][0], UTC)
        for check_id, turns in flips.items()
    }
    counted = listing.counts(items)
    icon, title = listing.trouble(counted)
    told = await announced.of(visit, project)
    mark = boards.fingerprint(items, told.last_id)
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
        more=len(wrong) - len(wrong[:_MOST_TILES]),
        since=since,
        names=rest[:_MOST_NAMES],
        more_names=len(rest) - len(rest[:_MOST_NAMES]),
        live=f"live?{urlencode({'v': mark})}",
    )
