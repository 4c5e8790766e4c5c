"""A check's page, its whole log, and one ping with its whole body."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiosqlite import Connection
from starlette.responses import Response

from hcl import store
from hcl.checks import editing, rules, runs, trends
from hcl.checks.why.explain import heard
from hcl.checks.why.explaining import explained, known_of
from hcl.config import Config
from hcl.db import Gaps
from hcl.model import Check, Flip, Ping, Project, ShownStatus
from hcl.web.pages.check import bodies, entries, muting, timeline, whom
from hcl.web.pages.check import chart as charts
from hcl.web.pages.check.due import due, zone_of
from hcl.web.pages.check.incident import incident_of
from hcl.web.pages.check.snippets import snippets
from hcl.web.pages.check.uptime import uptime
from hcl.web.pages.visit.errors import PageError
from hcl.web.pages.visit.visit import Visit
from hcl.words.lengths import duration, exact, short
from hcl.words.lines import clean, one_line
from hcl.words.names import title
from hcl.words.refusals import DAMAGED

logger = logging.getLogger(__name__)

# Entries on the check's page, and on a page of its whole log.
_NEWEST = 30
_PAGE = 100

# Among so many flips the last outage is looked for.
_RECENT = 10

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


async def page(visit: Visit) -> Response:
    """GET /checks/<code>: all about one check."""
    project, check = await visit.check()
    conn, config = visit.parts.database.committed, visit.parts.config
    gaps = Gaps(logger)
    signals = await store.pings.last_signals(conn, check.id, charts.SIGNALS, gaps)
    lengths = runs.run_lengths(signals)
    flips = await _flips(conn, check, gaps)
    search = timeline.Search()
    newest = await timeline.load(conn, check, search, _NEWEST, gaps, signals)
    used = await store.channels.codes_of_check(conn, check.id)
    offered = await whom.choices(conn, config, project)
    return await visit.render(
        "check.html",
        **_common(visit, project, check),
        **await _when_due(check, visit.shown),
        **_log_rows(visit, check, newest),
        chart=charts.chart(signals, lengths),
        exact=exact,
        slow=await _slow(conn, signals, lengths, gaps),
        **await _availability(conn, check, flips, visit.now, gaps),
        **await _why(visit, check, signals, flips or (), gaps),
        short=short,
        **await _ways(visit, project, check),
        channels=offered,
        used=used,
        ticked=whom.without_members(used, offered),
        seen=editing.seen_channels(used),
        chips=timeline.chips(()),
        has_gaps=gaps.found,
    )


async def _flips(conn: Connection, check: Check, gaps: Gaps) -> list[Flip] | None:
    """Return a check's last flips, newest first; None: they are damaged."""
    logged = store.flips.logged(conn, check.id, MOST_FLIPS + 1)
    found = await gaps.readable(logged, None)
    return None if found is None else [entry.flip for entry in found]


async def _slow(
    conn: Connection,
    signals: Sequence[Ping],
    lengths: Mapping[int, timedelta],
    gaps: Gaps,
) -> tuple[timedelta, timedelta] | None:
    """Return how long the last run took, and takes usually; None: it was not slow.

    `lengths` are those of runs, by the number of the signal that ended each. One in
    which hcl was away, or its clock was set, may have taken less.
    """
    slow = trends.last_slow([*lengths.values()])
    if slow is None:
        return None
    ended = next(ping.created for ping in reversed(signals) if ping.n in lengths)
    asked = store.paces.may_be_wrong(conn, ended - slow[0], ended)
    return None if await gaps.readable(asked, False) else slow


async def _why(
    visit: Visit,
    check: Check,
    signals: Sequence[Ping],
    flips: Sequence[Flip],
    gaps: Gaps,
) -> dict[str, Any]:
    """Return what is wrong with a check, and why it is as it is."""
    conn, readonly = visit.parts.database.committed, visit.viewer.readonly
    windows = visit.parts.maintenance.open_for(check, visit.shown)
    known = await known_of(conn, check, visit.shown, windows, gaps)
    now = visit.shown
    return {
        "incident": await incident_of(
            conn, known, signals, flips[:_RECENT], now, gaps, readonly=readonly
        ),
        # It may hold what receivers said, which is not for readers.
        "explained": None if readonly else await explained(known, now),
        "last": heard(known, now).last,
    }


def _log_rows(visit: Visit, check: Check, found: entries.Timeline) -> dict[str, Any]:
    """Return the rows of a page of the log, by days."""
    return {
        "timeline": found,
        "days": found.days(visit.now, zone_of(check)),
        "flip_words": entries.flip_words,
        "row_words": entries.WORDS,
    }


async def moved(visit: Visit) -> Response:
    """GET /checks/<code>/details/, as Healthchecks has it: lead to the page."""
    _, check = await visit.check()
    return visit.see_other(visit.url.check_path(check))


async def moved_log(visit: Visit) -> Response:
    """GET /checks/<code>/log/, as Healthchecks has it: lead to the log."""
    _, check = await visit.check()
    return visit.see_other(visit.url.check_path(check, "log"))


async def log(visit: Visit) -> Response:
    """GET /checks/<code>/log: pings and flips, filtered and paged."""
    project, check = await visit.check()
    search = timeline.read_search(
        visit.query, zone_of(check), bodies=not visit.viewer.readonly
    )
    conn = visit.parts.database.committed
    gaps = Gaps(logger)
    found = await timeline.load(conn, check, search, _PAGE, gaps)
    return await visit.render(
        "log.html",
        **_common(visit, project, check),
        **_log_rows(visit, check, found),
        search=search,
        kinds=timeline.KINDS,
        chips=timeline.chips(search.kinds),
        older=timeline.query_of(search, found.older) if found.older else "",
        newest=timeline.query_of(search, ""),
        has_gaps=gaps.found,
    )


async def ping(visit: Visit) -> Response:
    """GET /checks/<code>/pings/<n>: one ping with its whole body."""
    project, check = await visit.check()
    if visit.viewer.readonly:
        raise PageError(403, "Read-only", "Your key does not show bodies of pings.")
    n, parts = visit.request.path_params["n"], visit.parts
    record = None
    if check.n_pings - parts.config.pings.log_limit < n <= check.n_pings:
        gaps = Gaps(logger)
        found = store.pings.by_n(parts.database.committed, check.id, n)
        record = await gaps.readable(found, None)
        if gaps.found:
            raise PageError(500, "Cannot be read", DAMAGED)
    if record is None:
        raise PageError(404, "No such ping", "The log does not go back so far.")
    source = None
    if record.scheme == "email":
        source = bodies.body_of(record._replace(scheme="smtp"), len(record.body))
    return await visit.render(
        "ping.html",
        **_common(visit, project, check),
        ping=record,
        body=await asyncio.to_thread(bodies.body_of, record, len(record.body)),
        source=source,
        has_next=n < check.n_pings,
    )


def _common(visit: Visit, project: Project, check: Check) -> dict[str, Any]:
    """Return what all pages of a check show."""
    now, viewer = visit.shown.astimezone(zone_of(check)), visit.viewer
    shown = rules.shown_status(check, now)
    return {
        "project": project,
        "nav": "checks",
        "check": rules.as_shown(check, visit.now),
        "title": title(check, readonly=viewer.readonly),
        "shown": shown,
        "icon": _ICONS.get(shown, "up"),
        "now": now,
        "may_change": not viewer.readonly,
        "muted_until": check.muted_until if check.is_muted(now) else None,
        "mutes": muting.choices(now, visit.parts.config.alerts.tz),
        "windows": visit.parts.maintenance.open_for(check, visit.shown),
        "clean": clean,
        "one_line": one_line,
        "duration": duration,
        "actions": timeline.ACTIONS,
        "zone": zone_of(check),
    }


async def _when_due(check: Check, now: datetime) -> dict[str, Any]:
    """Return what is due of a check."""
    now = now.astimezone(zone_of(check))
    if check.kind == "oncalendar":
        # The worst expressions take a while, and pings wait for none of them.
        return {"due": await asyncio.to_thread(due, check, now)}
    return {"due": due(check, now)}


async def _availability(
    conn: Connection,
    check: Check,
    flips: Sequence[Flip] | None,
    now: datetime,
    gaps: Gaps,
) -> dict[str, Any]:
    """Return since when the status lasts, and what is known of the last months.

    `flips` come newest first; None: nothing is known of them.
    """
    since, counted_since = None, None
    if flips is not None:
        since = await gaps.readable(store.pings.oldest(conn, check.id), None)
    flips = flips or ()
    if len(flips) > MOST_FLIPS:
        # Of the time before them nothing is known, however old the log is.
        since, counted_since = None, flips[MOST_FLIPS - 1].created
    oldest_first = flips[:MOST_FLIPS][::-1]
    # Thousands of flips take a while, and pings wait for none of them.
    fared = await asyncio.to_thread(
        uptime, oldest_first, check.status, since, now, zone_of(check)
    )
    return {
        "since": min(flips[0].created, now) if flips else None,
        "uptime": fared,
        "counted_since": counted_since,
        "most_flips": MOST_FLIPS,
    }


async def _ways(visit: Visit, project: Project, check: Check) -> dict[str, Any]:
    """Return where and how the check is pinged; nothing for who may only look."""
    if visit.viewer.readonly:
        return {"addresses": [], "snippets": []}
    parts = visit.parts
    url = parts.site.ping(check.code)
    addresses = [_Address("uuid", "URL", url)]
    if check.slug and project.ping_key:
        conn = parts.database.committed
        same = await store.checks.of_project(conn, project.id, slug=check.slug)
        if len(same) == 1:
            by_slug = parts.site.ping(f"{project.ping_key}/{check.slug}")
            addresses.append(_Address("slug", "URL by slug", by_slug))
    mail = _mail_address(parts.config, check)
    if mail:
        addresses.append(_Address("email", "E-mail", mail))
    examples = snippets(check, url, parts.config.pings.body_limit)
    return {"addresses": addresses, "snippets": examples}


def _mail_address(config: Config, check: Check) -> str:
    smtpd = config.smtpd
    return "" if smtpd.listen is None else f"{check.code}@{smtpd.domain}"
