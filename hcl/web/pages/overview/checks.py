"""The list of a project's checks: the page that people look at every day."""

from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from hcl.web.figures import backups
from hcl.web.pages import static_files
from hcl.web.pages.overview import announced, listing, why
from hcl.web.pages.overview.listing import MOST_PAGES, ON_A_PAGE, Query
from hcl.web.pages.overview.scan import scan, shown
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
    """GET /projects/<code>/: the list, by what its URL asks for, a page of it."""
    project, now = visit.project(), visit.shown
    query = listing.asked(visit.query)
    reader = await visit.parts.database.current()
    told = await announced.of(visit, project)
    scanned = await scan(
        reader,
        project.id,
        query,
        now,
        first=query.page * ON_A_PAGE,
        announced=told.last_id,
        by_code=not visit.viewer.readonly,
    )
    pages = min(max(1, -(-scanned.matching // ON_A_PAGE)), MOST_PAGES)
    number = min(query.page, pages)
    wanted = await shown(
        reader, scanned.ids[(number - 1) * ON_A_PAGE : number * ON_A_PAGE], now
    )
    flips = await listing.flips_of(reader, wanted, now)
    alone = await listing.alone_of(reader, wanted)
    troubles = await why.troubles_of(reader, wanted)
    maintained = listing.maintained_of(visit.parts, wanted, now)
    icon, title = listing.trouble(scanned.counts)
    return visit.render(
        "checks.html",
        project=project,
        nav="checks",
        query=query,
        announced=told,
        windows=visit.parts.maintenance.open_now(project.id, now),
        backups=await backups.overdue(visit.parts, visit.parts.clock.now()),
        counts=scanned.counts,
        counted=_COUNTED,
        tags=scanned.tags,
        rows=Markup("\n").join(
            listing.rows(
                wanted, flips, visit.url, now, alone, troubles, maintained
            ).values()
        ),
        matching=scanned.matching,
        number=number,
        pages=pages,
        icon=icon,
        title=title,
        live=f"live?{urlencode({'rows': '', 'v': scanned.mark})}",
        ping_url=visit.parts.site.ping(f"{project.ping_key}/my-first-job"),
    )


async def favicon(visit: Visit) -> Response:
    """GET /projects/<code>/favicon.svg: how all checks together are."""
    conn = await visit.parts.database.current()
    scanned = await scan(conn, visit.project().id, Query(), visit.shown, first=0)
    icon, _ = listing.trouble(scanned.counts)
    content = static_files.content(f"icon-{icon}.svg")
    return Response(content, media_type="image/svg+xml")
