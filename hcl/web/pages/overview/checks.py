"""The list of a project's checks: the page that people look at every day."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.web.pages import static_files
from hcl.web.pages.frame import asked_project, render, see_other, url_of
from hcl.web.pages.overview import listing, live
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts

# In the order that they are counted in.
_COUNTED = ("down", "grace", "up", "new", "paused", "started")


async def first(_request: Request, _parts: Parts, viewer: Viewer) -> Response:
    """GET /: the first project's list."""
    return see_other(f"/projects/{viewer.projects[0].code}/")


async def list_page(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /projects/<code>/: the list, by what its URL asks for."""
    project = asked_project(request, viewer)
    query = listing.asked(request.query_params)
    conn, now = await parts.database.current(), datetime.now(UTC)
    found = listing.shown(await store.checks.of_project(conn, project.id), now)
    counted = listing.counts(found)
    wanted = listing.narrowed(found, query, by_code=not viewer.readonly)
    flipped = await listing.flips_of(conn, wanted, now)
    url = url_of(parts, viewer)
    icon, title = listing.trouble(counted)
    mark = live.fingerprint({item.check.id: item for item in found})
    return render(
        request,
        parts,
        viewer,
        "checks.html",
        project=project,
        nav="checks",
        query=query,
        counts=counted,
        counted=_COUNTED,
        tags=listing.tags_of(found),
        rows=Markup("\n").join(listing.rows(wanted, flipped, url, now).values()),
        icon=icon,
        title=title,
        live=f"live?{urlencode({'rows': '', 'v': mark})}",
        ping_url=f"{parts.site.ping_endpoint}{project.ping_key}/my-first-job",
    )


async def favicon(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /projects/<code>/favicon.svg: how all checks together are."""
    project = asked_project(request, viewer)
    conn, now = await parts.database.current(), datetime.now(UTC)
    found = listing.shown(await store.checks.of_project(conn, project.id), now)
    icon, _ = listing.trouble(listing.counts(found))
    content = static_files.content(f"icon-{icon}.svg")
    return Response(content, media_type="image/svg+xml")
