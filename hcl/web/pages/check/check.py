"""A check's page, its whole log, and one ping with its whole body."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from aiosqlite import Connection
from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.checks import availability, managing, rules
from hcl.config import Config
from hcl.model import Check, Flip, Project, ShownStatus
from hcl.web.pages import frame
from hcl.web.pages.check import bodies, timeline
from hcl.web.pages.check import chart as charts
from hcl.web.pages.check.due import Due, due, zone_of
from hcl.web.pages.check.snippets import Snippet, snippets
from hcl.web.pages.frame import PageError
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts
from hcl.words.lengths import duration, short
from hcl.words.lines import clean, one_line
from hcl.words.names import title

# Entries on the check's page, and on a page of its whole log.
_NEWEST = 30
_PAGE = 100

# So many flips tell the availability: far more than a check of good order has.
MOST_FLIPS = 5000

# Which icon a page has in its tab.
_ICONS: dict[ShownStatus, str] = {"down": "down", "grace": "late"}


@dataclass(frozen=True, slots=True)
class _Address:
    """A way to ping a check: `key` names it in the page."""

    key: str
    label: str
    text: str


async def page(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /checks/<code>: all about one check."""
    project, check = await frame.owned_check(request, parts, viewer)
    conn = parts.database.committed
    context = _common(project, check, viewer)
    found = await _due(check, context["now"])
    signals = await store.pings.last_signals(conn, check.id, charts.SIGNALS)
    newest = await timeline.load(conn, check, timeline.Search(), _NEWEST, signals)
    known = [f.flip for f in await store.flips.logged(conn, check.id, MOST_FLIPS + 1)]
    months = await _months(conn, check, known, context["now"])
    used = await store.channels.codes_of_check(conn, check.id)
    addresses, examples = await _ways(conn, parts, project, check, viewer)
    return frame.render(
        request,
        parts,
        viewer,
        "check.html",
        **context,
        due=found,
        times=[(time, time.astimezone(zone_of(check))) for time in found.times],
        since=known[0].created if known else None,
        timeline=newest,
        chart=charts.chart(signals, rules.run_lengths(signals)),
        months=months,
        gaps=_gaps(months),
        counted_since=known[MOST_FLIPS - 1].created
        if len(known) > MOST_FLIPS
        else None,
        most_flips=MOST_FLIPS,
        short=short,
        addresses=addresses,
        snippets=examples,
        channels=await store.channels.of_project(conn, project.id),
        used=used,
        seen=managing.seen_channels(used),
    )


async def log(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /checks/<code>/log: pings and flips, filtered and paged."""
    project, check = await frame.owned_check(request, parts, viewer)
    query = request.query_params
    search = timeline.read_search(query, zone_of(check), bodies=not viewer.readonly)
    found = await timeline.load(parts.database.committed, check, search, _PAGE)
    return frame.render(
        request,
        parts,
        viewer,
        "log.html",
        **_common(project, check, viewer),
        timeline=found,
        search=search,
        kinds=timeline.KINDS,
        older=timeline.query_of(search, found.older) if found.older else "",
        newest=timeline.query_of(search, ""),
    )


async def ping(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /checks/<code>/pings/<n>: one ping with its whole body."""
    project, check = await frame.owned_check(request, parts, viewer)
    if viewer.readonly:
        raise PageError(403, "Only to look", "Read-only keys see no bodies of pings.")
    n = request.path_params["n"]
    found = None
    if check.n_pings - parts.config.pings.log_limit < n <= check.n_pings:
        found = await store.pings.by_n(parts.database.committed, check.id, n)
    if found is None:
        raise PageError(404, "No such ping", "The log does not go back so far.")
    source = None
    if found.scheme == "email":
        source = bodies.body_of(found._replace(scheme="smtp"), len(found.body))
    body = await asyncio.to_thread(bodies.body_of, found, len(found.body))
    return frame.render(
        request,
        parts,
        viewer,
        "ping.html",
        **_common(project, check, viewer),
        ping=found,
        body=body,
        source=source,
        has_next=n < check.n_pings,
    )


def _common(project: Project, check: Check, viewer: Viewer) -> dict[str, Any]:
    """Return what all pages of a check show."""
    now = datetime.now(zone_of(check))
    shown = rules.shown_status(check, now)
    return {
        "project": project,
        "nav": "checks",
        "check": check,
        "title": title(check, readonly=viewer.readonly),
        "shown": shown,
        "icon": _ICONS.get(shown, "up"),
        "now": now,
        "may_change": not viewer.readonly,
        "clean": clean,
        "one_line": one_line,
        "duration": duration,
        "actions": timeline.ACTIONS,
        "flip_words": timeline.flip_words,
    }


async def _due(check: Check, now: datetime) -> Due:
    if check.kind == "oncalendar":
        # The worst expressions take a while, and pings wait for none of them.
        return await asyncio.to_thread(due, check, now)
    return due(check, now)


async def _months(
    conn: Connection, check: Check, known: list[Flip], now: datetime
) -> list[availability.Month]:
    """Return what is known of the last months by the newest flips, newest first."""
    since = await store.pings.oldest(conn, check.id)
    if len(known) > MOST_FLIPS:
        # Of the time before them nothing is known, however old the log is.
        since = None
    oldest_first = known[:MOST_FLIPS][::-1]
    return availability.by_month(oldest_first, check.status, since, now, zone_of(check))


def _gaps(
    months: list[availability.Month],
) -> list[tuple[datetime, datetime | None]]:
    """Return the months that nothing is known of, those in a row by their ends."""
    gaps: list[tuple[datetime, datetime | None]] = []
    for known, group in groupby(months[::-1], lambda month: month.share is not None):
        starts = [month.start for month in group]
        if not known:
            gaps.append((starts[0], starts[-1] if len(starts) > 1 else None))
    return gaps[::-1]


async def _ways(
    conn: Connection,
    parts: Parts,
    project: Project,
    check: Check,
    viewer: Viewer,
) -> tuple[list[_Address], list[Snippet]]:
    """Return where and how the check is pinged; nothing for who may only look."""
    if viewer.readonly:
        return [], []
    url = parts.site.ping_endpoint + check.code
    addresses = [_Address("uuid", "URL", url)]
    if check.slug and project.ping_key:
        same = await store.checks.of_project_by_slug(conn, project.id, check.slug)
        if len(same) == 1:
            by_slug = f"{parts.site.ping_endpoint}{project.ping_key}/{check.slug}"
            addresses.append(_Address("slug", "URL by slug", by_slug))
    mail = _mail_address(parts.config, check)
    if mail:
        addresses.append(_Address("email", "E-mail", mail))
    return addresses, snippets(check, url, parts.config.pings.body_limit)


def _mail_address(config: Config, check: Check) -> str:
    smtpd = config.smtpd
    return "" if smtpd.listen is None else f"{check.code}@{smtpd.domain}"
