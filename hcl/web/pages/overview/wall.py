"""The wall: a page for a TV that is read from afar, and that nobody touches."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.web.pages.frame import asked_project, render
from hcl.web.pages.overview import listing, live
from hcl.web.pages.overview.listing import Query
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts

# Tiles for what is wrong, and names for what is well; more nobody can read from afar.
_MOST_TILES = 24
_MOST_NAMES = 120


async def page(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /projects/<code>/wall: what is down and late, large; the rest small."""
    project = asked_project(request, viewer)
    conn, now = await parts.database.current(), datetime.now(UTC)
    found = listing.shown(await store.checks.of_project(conn, project.id), now)
    ordered = listing.narrowed(found, Query())
    wrong = [item for item in ordered if item.status in ("down", "grace")]
    rest = [item for item in ordered if item.status not in ("down", "grace")]
    flipped = await listing.flips_of(conn, wrong[:_MOST_TILES], now)
    since = {
        check_id: datetime.fromtimestamp(turns[-1][0], UTC)
        for check_id, turns in flipped.items()
    }
    counted = listing.counts(found)
    icon, title = listing.trouble(counted)
    mark = live.fingerprint({item.check.id: item for item in found})
    return render(
        request,
        parts,
        viewer,
        "wall.html",
        project=project,
        counts=counted,
        icon=icon,
        title=title,
        tiles=wrong[:_MOST_TILES],
        more=len(wrong) - len(wrong[:_MOST_TILES]),
        since=since,
        names=rest[:_MOST_NAMES],
        more_names=len(rest) - len(rest[:_MOST_NAMES]),
        live=f"live?{urlencode({'v': mark})}",
    )
