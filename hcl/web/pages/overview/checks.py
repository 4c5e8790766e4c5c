"""The list of a project's checks: the page that people look at every day."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.responses import Response

from hcl.web.figures import backups
from hcl.web.pages import static_files
from hcl.web.pages.dashboard.boards import Above, Shown
from hcl.web.pages.overview import announced, listing, rows
from hcl.web.pages.overview.listing import Tally
from hcl.web.pages.overview.query import MOST_PAGES, ON_A_PAGE, Query, asked
from hcl.web.pages.overview.scan import Scan, scan, shown
from hcl.web.pages.visit.visit import Visit

# In the order that they are counted in.
_COUNTED = ("down", "grace", "up", "started", "new", "paused")


class Group(NamedTuple):
    """Rows of the page that belong together; `tally` None: they have no head."""

    tally: Tally | None
    rows: Markup


async def first(visit: Visit) -> Response:
    """GET /: the first project's list."""
    return visit.see_other(f"/projects/{visit.viewer.projects[0].code}/")


async def moved(visit: Visit) -> Response:
    """GET /projects/<code>/checks/, as Healthchecks has it: lead to the list."""
    return visit.see_other(f"/projects/{visit.project().code}/")


async def list_page(visit: Visit) -> Response:
    """GET /projects/<code>/: the list, by what its URL asks for, a page of it."""
    project, now = visit.project(), visit.shown
    query = asked(visit.query, visit.preferences)
    reader = await visit.parts.database.current()
    told = await announced.of(visit, project)
    windows = visit.parts.maintenance.open_now(project.id, now)
    scanned = await scan(
        reader,
        project.id,
        query,
        now,
        first=query.page * ON_A_PAGE,
        above=Above(told.last_id, tuple(windows), visit.warnings.get(project.id)),
        by_code=not visit.viewer.readonly,
    )
    pages = min(max(1, -(-scanned.matching // ON_A_PAGE)), MOST_PAGES)
    number = min(query.page, pages)
    wanted = await shown(
        reader, scanned.ids[(number - 1) * ON_A_PAGE : number * ON_A_PAGE], now
    )
    is_selecting = query.is_selecting and not visit.viewer.readonly
    facts = await rows.facts_of(reader, wanted, now, visit.parts.maintenance)
    drawn = await rows.rows(wanted, facts, visit.url, now, is_selecting=is_selecting)
    icon, title = listing.trouble(scanned.counts)
    return await visit.render(
        "checks.html",
        project=project,
        nav="checks",
        query=query,
        is_selecting=is_selecting,
        announced=told,
        windows=windows,
        backups=await backups.overdue(visit.parts, visit.parts.clock.now()),
        counts=scanned.counts,
        counted=_COUNTED,
        answer=listing.answer(scanned.counts),
        tags=_tags(scanned, query),
        groups=list(_groups(wanted, list(drawn.values()), scanned, query)),
        matching=scanned.matching,
        number=number,
        pages=pages,
        icon=icon,
        title=title,
        live=f"live?{urlencode({'rows': '', 'v': scanned.mark})}",
        ping_url=visit.parts.site.ping(f"{project.ping_key}/my-first-job"),
    )


def _tags(scanned: Scan, query: Query) -> list[Tally]:
    """Return the tags that are shown: those asked for too, however rare they are."""
    names = {tag.name for tag in scanned.tags}
    missing = [Tally(tag, {"new": 0}) for tag in query.tags if tag not in names]
    return [*missing, *scanned.tags]


def _groups(
    items: Sequence[Shown], drawn: Sequence[Markup], scanned: Scan, query: Query
) -> Iterator[Group]:
    if query.group != "tag":
        yield from [Group(None, Markup("\n").join(drawn))] if drawn else []
        return
    tallies: Mapping[str, Tally] = {tally.name: tally for tally in scanned.groups}
    pairs = zip(items, drawn, strict=True)
    for name, of_it in groupby(pairs, lambda p: listing.group_of(p[0].check.tags)):
        text = Markup("\n").join(row for _, row in of_it)
        # A check that has got another tag since it was counted has no head yet.
        yield Group(tallies.get(name), text)


async def favicon(visit: Visit) -> Response:
    """GET /projects/<code>/favicon.svg: how all checks together are."""
    conn = await visit.parts.database.current()
    scanned = await scan(conn, visit.project().id, Query(), visit.shown, first=0)
    icon, _ = listing.trouble(scanned.counts)
    content = static_files.content(f"icon-{icon}.svg")
    return Response(content, media_type="image/svg+xml")
