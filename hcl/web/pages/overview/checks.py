"""The list of a project's checks: the page that people look at every day."""

from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from hcl import store
from hcl.model import Project
from hcl.web.figures import backups
from hcl.web.pages import static_files
from hcl.web.pages.dashboard import boards
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.overview import announced, listing, why
from hcl.web.pages.visit.visit import Visit

# In the order that they are counted in.
_COUNTED = ("down", "grace", "up", "new", "paused", "started")


async def first(visit: Visit) -> Response:
    """GET /: the first project's list."""
    return visit.see_other(f"/projects/{visit.viewer.projects[0].code}/")


async def moved(visit: Visit) -> Response:
    """GET /projects/<code>/checks/, as Healthchecks has it: lead to the list."""
    return visit.see_other(f"/projects/{visit.project().code}/")


async def list_page(visit: Visit) -> Response:
    """GET /projects/<code>/: the list, by what its URL asks for."""
    project, now = visit.project(), visit.shown
    query = listing.asked(visit.query)
    items = await shown(visit, project)
    counted = listing.counts(items)
    wanted = listing.narrowed(items, query, by_code=not visit.viewer.readonly)
    reader = visit.parts.database.committed
    flips = await listing.flips_of(reader, wanted, now)
    alone = await listing.alone_of(reader, wanted)
    troubles = await why.troubles_of(reader, wanted)
    icon, title = listing.trouble(counted)
    told = await announced.of(visit, project)
    mark = boards.fingerprint(items, told.last_id)
    return visit.render(
        "checks.html",
        project=project,
        nav="checks",
        query=query,
        announced=told,
        backups=await backups.overdue(visit.parts, visit.parts.clock.now()),
        counts=counted,
        counted=_COUNTED,
        tags=listing.tags_of(items),
        rows=Markup("\n").join(
            listing.rows(wanted, flips, visit.url, now, alone, troubles).values()
        ),
        icon=icon,
        title=title,
        live=f"live?{urlencode({'rows': '', 'v': mark})}",
        ping_url=visit.parts.site.ping(f"{project.ping_key}/my-first-job"),
    )


async def favicon(visit: Visit) -> Response:
    """GET /projects/<code>/favicon.svg: how all checks together are."""
    items = await shown(visit, visit.project())
    icon, _ = listing.trouble(listing.counts(items))
    content = static_files.content(f"icon-{icon}.svg")
    return Response(content, media_type="image/svg+xml")


async def shown(visit: Visit, project: Project) -> list[Shown]:
    """Return all checks of a project as they are shown just now."""
    conn = await visit.parts.database.current()
    return boards.shown(await store.checks.of_project(conn, project.id), visit.shown)
