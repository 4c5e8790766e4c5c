"""Changes of checks, pushed to pages that are open: server-sent events."""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hcl import store
from hcl.db import SQLError
from hcl.model import Check, Project
from hcl.web.pages.frame import asked_project, url_of
from hcl.web.pages.overview import listing
from hcl.web.pages.overview.listing import Shown
from hcl.web.pages.visit import session
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts

logger = logging.getLogger(__name__)

# Pages that may be open at a time, of all viewers.
MOST_LISTENERS = 100
# Of them, that one session or user may have, and all who sign in by one key: others
# shall find room.
MOST_OF_ONE = 20
MOST_OF_KEY = 80
# Pages hear of changes no more often, in seconds.
PACE = 0.5
# So often something is sent, lest somebody between takes the connection for dead.
HEARTBEAT = 15.0
# With more rows than this a page does better to load them all.
_MOST_ROWS = 50


class Change(NamedTuple):
    """What differs between two looks at a board; `items` are as they are now."""

    before: dict[int, Shown]
    after: dict[int, Shown]
    items: list[Shown]
    gone: list[Shown]
    # By whether the viewer may only look: their links differ.
    messages: dict[bool, dict[str, object]]

    @property
    def moves(self) -> set[str]:
        """Tell by what checks may now stand elsewhere in a list, or be in another."""
        before = self.before
        return {m for new in self.items for m in _moves(before.get(new.check.id), new)}


class Board:
    """The checks of one project as they are shown, read once for all who look."""

    def __init__(self, parts: Parts, project: Project) -> None:
        self._parts = parts
        self._project = project
        self._lock = asyncio.Lock()
        self.found: dict[int, Shown] = {}
        self.version = -1
        self._looked = 0.0
        # When a status changes by the passing of time alone.
        self._turns: datetime | None = None
        self._change: Change | None = None

    async def refresh(self) -> dict[int, Shown]:
        """Return the checks as they are now; unchanged ones are not read again.

        However many look, and however often: they are worked out once in a PACE.
        """
        async with self._lock:
            if self._is_old:
                await asyncio.sleep(self._looked + PACE - time.monotonic())
                self._looked = time.monotonic()
                await self._look()
        return self.found

    def change(self, before: dict[int, Shown]) -> Change:
        """Tell what is new since `before`, worked out once for all who saw that."""
        last, seen = self._change, self.found
        if last is None or last.before is not before or last.after is not seen:
            items = [item for i, item in seen.items() if before.get(i) != item]
            gone = [item for i, item in before.items() if i not in seen]
            last = self._change = Change(before, seen, items, gone, {})
        return last

    @property
    def _is_old(self) -> bool:
        return self._parts.changes.is_over(self.version) or self.seconds_left <= 0

    async def _look(self) -> None:
        changes = self._parts.changes
        if changes.is_over(self.version):
            version = changes.begin()
            conn = await self._parts.database.current()
            found = await store.checks.of_project(conn, self._project.id)
            self.version = version
        else:
            found = [item.check for item in self.found.values()]
        now = datetime.now(UTC)
        self.found = {item.check.id: item for item in listing.shown(found, now)}
        self._turns = min(
            (at for check in found for at in _turns(check) if at > now), default=None
        )

    @property
    def seconds_left(self) -> float:
        """Tell how long all statuses stay as they are, if nothing happens."""
        if self._turns is None:
            return HEARTBEAT
        return (self._turns - datetime.now(UTC)).total_seconds()


def _turns(check: Check) -> tuple[datetime, ...]:
    """Return when a check begins to be late, and when it goes down."""
    if check.alert_after is None:
        return ()
    return check.alert_after - check.grace, check.alert_after


class Boards:
    """The boards that somebody looks at, by project."""

    def __init__(self) -> None:
        self.listeners = 0
        self._held: Counter[str] = Counter()
        self._boards: dict[int, Board] = {}

    def of(self, parts: Parts, project: Project) -> Board:
        """Return a project's board."""
        if project.id not in self._boards:
            self._boards[project.id] = Board(parts, project)
        return self._boards[project.id]

    def has_room(self, holders: dict[str, int]) -> bool:
        """Tell whether one more may listen, by what each of `holders` may have."""
        return self.listeners < MOST_LISTENERS and all(
            self._held[name] < most for name, most in holders.items()
        )

    def enter(self, holders: Collection[str]) -> None:
        """Count one who listens."""
        self.listeners += 1
        # Given a mapping a Counter would add its values.
        self._held.update(list(holders))

    def leave(self, holders: Collection[str]) -> None:
        """Forget all boards when nobody is left to look at them."""
        self.listeners -= 1
        self._held.subtract(list(holders))
        if not self.listeners:
            self._held.clear()
            self._boards.clear()


async def stream(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /projects/<code>/live: messages for app.js, as JSON.

    `rows`: rows of the list, by id; `moves`: what may have moved them in it (`all`,
    `status`, `started`, `last`); `counts`, `title` and `icon` are the list's. `anew`:
    the page is to load its parts anew. With `?check=<key>` only that check counts; with
    `?rows` rows are sent; `v` is the fingerprint of what the page shows.
    """
    project = asked_project(request, viewer)
    boards = boards_of(request)
    if not boards.has_room(_holders(request, parts)):
        return Response(status_code=503, headers={"Retry-After": "60"})
    return StreamingResponse(
        _messages(request, parts, viewer, project),
        media_type="text/event-stream",
        # A proxy that buffers would keep them to itself.
        headers={"X-Accel-Buffering": "no"},
    )


def boards_of(request: Request) -> Boards:
    """Return the boards of this server."""
    state = request.app.state
    if not hasattr(state, "boards"):
        state.boards = Boards()
    boards: Boards = state.boards
    return boards


def fingerprint(found: dict[int, Shown]) -> str:
    """Stand for what a page shows, for as long as the server runs."""
    seen = ((i, s.status, s.check.n_pings, s.check.name) for i, s in found.items())
    return format(hash(tuple(seen)) & 0xFFFFFFFFFFFFFFFF, "x")


async def _messages(
    request: Request, parts: Parts, viewer: Viewer, project: Project
) -> AsyncIterator[str]:
    boards, changes = boards_of(request), parts.changes
    holders = _holders(request, parts)
    boards.enter(holders)
    try:
        board = boards.of(parts, project)
        seen = await board.refresh()
        version = board.version
        known = request.query_params.get("v")
        # A page that does not tell may have missed what came before this first look.
        is_old = (
            known != fingerprint(seen) if known else "check" in request.query_params
        )
        yield "retry: 2000\n" + (_event({"anew": True}) if is_old else ":\n\n")
        sent = time.monotonic()
        while not changes.is_closed:
            left = sent + HEARTBEAT - time.monotonic()
            await changes.wait(version, min(left, max(board.seconds_left, 0)))
            if not _goes_on(request, parts, viewer):
                break
            before, seen = seen, await board.refresh()
            version = board.version
            if not _goes_on(request, parts, viewer):
                break
            message = {}
            if seen is not before:
                change = board.change(before)
                message = await _message(request, parts, viewer, project, change)
            if message or time.monotonic() - sent >= HEARTBEAT:
                yield _event(message) if message else ":\n\n"
                sent = time.monotonic()
        if not changes.is_closed:
            yield "event: end\ndata:\n\n"
    except SQLError as error:
        # The page will ask again.
        logger.error("changes cannot be read: %s", error)
    finally:
        boards.leave(holders)


def _holders(request: Request, parts: Parts) -> dict[str, int]:
    """Return who is to be counted as the listener, and what each may have."""
    found = session.visit(request, parts)
    if found.session is not None:
        return {found.session.id: MOST_OF_ONE, found.session.digest: MOST_OF_KEY}
    return {f"user {found.viewer.name}": MOST_OF_ONE} if found.viewer else {}


def _goes_on(request: Request, parts: Parts, viewer: Viewer) -> bool:
    """Tell whether there are pages, and the viewer still may do just what they did."""
    if parts.changes.is_closed or not parts.config.web.enabled:
        return False
    now = session.visit(request, parts).viewer
    return (
        now is not None
        and now.readonly == viewer.readonly
        and now.projects == viewer.projects
    )


async def _message(
    request: Request,
    parts: Parts,
    viewer: Viewer,
    project: Project,
    change: Change,
) -> dict[str, object]:
    """Tell what has changed, as far as it concerns the page; if nothing does: {}."""
    params = request.query_params
    if "check" in params or "rows" not in params:
        return {"anew": True} if _concerns(change, params.get("check")) else {}
    if not change.items and not change.gone:
        return {}
    if len(change.items) > _MOST_ROWS:
        return {"anew": True}
    made = change.messages
    if viewer.readonly not in made:
        made[viewer.readonly] = await _rows(parts, viewer, project, change)
    return made[viewer.readonly]


def _concerns(change: Change, wanted: str | None) -> bool:
    """Tell whether a page without rows is old: one check's, or the wall if None."""
    if wanted is None:
        # Of what is well the wall tells nothing but the names.
        wrong = any(item.status in ("down", "grace") for item in change.items)
        return wrong or bool(change.gone or change.moves & {"all", "status"})
    items = (*change.items, *change.gone)
    return any(wanted in (i.check.code, i.check.unique_key) for i in items)


async def _rows(
    parts: Parts, viewer: Viewer, project: Project, change: Change
) -> dict[str, object]:
    """Return the rows that have changed, and what stands above the list."""
    now = datetime.now(UTC)
    flipped = await listing.flips_of(parts.database.committed, change.items, now)
    counted = listing.counts(list(change.after.values()))
    icon, title = listing.trouble(counted)
    again = {"anew": True} if change.gone or "all" in change.moves else {}
    return again | {
        "moves": sorted(change.moves),
        "rows": listing.rows(change.items, flipped, url_of(parts, viewer), now),
        "counts": counted,
        "icon": icon,
        "title": f"{title}{project.name} – {parts.config.server.site_name}",
    }


def _moves(old: Shown | None, new: Shown) -> Iterator[str]:
    if old is None or _words(old.check) != _words(new.check):
        yield "all"
    elif old.status != new.status:
        yield "status"
    if old is None:
        return
    if (old.check.last_start is None) != (new.check.last_start is None):
        yield "started"
    if old.check.last_ping != new.check.last_ping:
        yield "last"


def _words(check: Check) -> tuple[str, str, str]:
    """Return what a list is ordered and searched by, and only edits change."""
    return check.name, check.tags, check.slug


def _event(message: dict[str, object]) -> str:
    return f"data: {json.dumps(message)}\n\n"
