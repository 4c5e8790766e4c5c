"""Changes of checks, pushed to pages that are open: server-sent events."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator

from starlette.responses import Response

from hcl.db import SQLError, tell
from hcl.model import Project
from hcl.web.http.protocol import ENDLESS
from hcl.web.pages.dashboard.boards import (
    HEARTBEAT,
    Above,
    Board,
    Change,
    fingerprint,
)
from hcl.web.pages.overview import listing, rows
from hcl.web.pages.visit.identity import Identity
from hcl.web.pages.visit.visit import Visit
from hcl.web.shared import Streaming

logger = logging.getLogger(__name__)

# Streams that one session or user may have, and all who sign in by one key: others
# shall find room.
MOST_OF_ONE = 20
MOST_OF_KEY = 80
# Not a comment, which scripts do not see.
_BEAT = "event: beat\ndata:\n\n"
# With more rows than this a page does better to load them all.
_MOST_ROWS = 50


async def stream(visit: Visit) -> Response:
    """GET /projects/<code>/live: messages for app.js, as JSON.

    `rows`: rows of the list, by id; `moves`: what may have moved them in it (`all`,
    `status`, `started`, `last`); `counts`, `answer`, `title` and `icon` are the list's.
    `anew`: the page is to load its parts anew. With `?check=<key>` only that check
    counts; with `?rows` rows are sent; `v` is the fingerprint of what the page shows.
    Where nothing changes an event `beat` tells that the connection is there.
    """
    project = visit.project()
    if not visit.dashboard.boards.has_room(_holders(visit.identity)):
        return Response(status_code=503, headers={"Retry-After": "60"})
    visit.request.scope.setdefault("state", {})[ENDLESS] = True
    return Streaming(
        _messages(visit, project),
        media_type="text/event-stream",
        # A proxy that buffers would keep them to itself.
        headers={"X-Accel-Buffering": "no"},
    )


async def _messages(visit: Visit, project: Project) -> AsyncIterator[str]:
    boards, changes = visit.dashboard.boards, visit.parts.changes
    holders = _holders(visit.identity)
    boards.enter(holders)
    try:
        board = boards.of(visit.parts, project)
        seen = await board.refresh()
        version, above, tried = board.version, board.above, board.tried
        known = visit.query.get("v")
        # A page that does not tell may have missed what came before this first look.
        is_old = not board.is_coarse and (
            known != fingerprint(seen.values(), above)
            if known
            else "check" in visit.query
        )
        yield "retry: 2000\n" + (_event({"anew": True}) if is_old else ":\n\n")
        sent = time.monotonic()
        while not changes.is_closed:
            left = sent + HEARTBEAT - time.monotonic()
            await changes.wait(version, min(left, max(board.seconds_left, 0)))
            if not await _goes_on(visit):
                break
            before, seen = seen, await board.refresh()
            version = board.version
            if not await _goes_on(visit):
                break
            message: dict[str, object] = {}
            if seen is not before and board.is_coarse:
                message["anew"] = True
            elif seen is not before:
                change = board.change(before)
                # Others are sent the same: what is added below is for this one.
                message = dict(await _message(visit, project, change))
            if _tells_more(board, above, tried, is_of_check="check" in visit.query):
                message["anew"] = True
            above, tried = board.above, board.tried
            if message or time.monotonic() - sent >= HEARTBEAT:
                yield _event(message) if message else _BEAT
                sent = time.monotonic()
        if not changes.is_closed:
            yield "event: end\ndata:\n\n"
    except SQLError as error:
        # The page will ask again.
        tell(logger, "changes cannot be read", error)
    finally:
        boards.leave(holders)


def _tells_more(board: Board, above: Above, tried: int, *, is_of_check: bool) -> bool:
    """Tell whether a page says more than of how checks fare, and whether that is new.

    A check's own page says who was told, and nothing that hcl tells of itself.
    """
    if not is_of_check:
        return above != board.above
    above = above._replace(announced=board.above.announced)
    return above != board.above or tried != board.tried


def _holders(identity: Identity) -> dict[str, int]:
    """Return who is to be counted as the listener, and what each may have."""
    session, viewer = identity.session, identity.viewer
    if session is not None:
        return {session.id: MOST_OF_ONE, session.digest: MOST_OF_KEY}
    return {f"user {viewer.name}": MOST_OF_ONE} if viewer else {}


async def _goes_on(visit: Visit) -> bool:
    """Tell whether there are pages, and the viewer still may do just what they did."""
    # All pages hear of a change at once. Each takes its turn, also for what it does
    # then: whoever waits with a ping comes between.
    async with visit.dashboard.boards.turn:
        await asyncio.sleep(0)
    if visit.parts.changes.is_closed or not visit.parts.config.web.enabled:
        return False
    viewer = visit.identify(visit.parts.clock.now()).viewer
    return (
        viewer is not None
        and viewer.readonly == visit.viewer.readonly
        and viewer.projects == visit.viewer.projects
    )


async def _message(visit: Visit, project: Project, change: Change) -> dict[str, object]:
    """Tell what has changed, as far as it concerns the page; if nothing does: {}."""
    query, readonly = visit.query, visit.viewer.readonly
    if "check" in query or "rows" not in query:
        return {"anew": True} if _concerns(change, query.get("check")) else {}
    if not change.items and not change.gone:
        return {}
    if len(change.items) > _MOST_ROWS:
        return {"anew": True}
    async with change.making:
        if readonly not in change.messages:
            change.messages[readonly] = await _rows(visit, project, change)
    return change.messages[readonly]


def _concerns(change: Change, wanted: str | None) -> bool:
    """Tell whether a page without rows is old: one check's, or the wall if None."""
    if wanted is None:
        # Of what is well the wall tells nothing but the names.
        wrong = any(item.status in ("down", "grace") for item in change.items)
        return wrong or bool(change.gone or change.moves & {"all", "status"})
    items = (*change.items, *change.gone)
    return any(wanted in (i.check.code, i.check.unique_key) for i in items)


async def _rows(visit: Visit, project: Project, change: Change) -> dict[str, object]:
    """Return the rows that have changed, and what stands above the list."""
    now = visit.parts.clock.shown()
    conn = visit.parts.database.committed
    facts = await rows.facts_of(conn, change.items, now, visit.parts.maintenance)
    counted = listing.counts_of(list(change.after.values()))
    icon, title = listing.trouble(counted)
    again = {"anew": True} if change.gone or "all" in change.moves else {}
    return again | {
        "moves": sorted(change.moves),
        "rows": await rows.rows(change.items, facts, visit.url, now),
        "counts": counted,
        "answer": listing.answer(counted),
        "icon": icon,
        "title": f"{title}{project.name} – {visit.parts.config.server.site_name}",
    }


def _event(message: dict[str, object]) -> str:
    return f"data: {json.dumps(message)}\n\n"
