"""Changes of checks, pushed to pages that are open: server-sent events."""

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from hcl.model import Check, Project
from hcl.store import checks
from hcl.web.pages import listing, session
from hcl.web.pages.frame import asked_project, url_of
from hcl.web.pages.listing import Shown
from hcl.web.pages.viewer import Viewer
from hcl.web.services import Services

logger = logging.getLogger(__name__)

# Pages that may be open at a time, of all viewers.
MOST_LISTENERS = 100
# Pages hear of changes no more often, in seconds.
PACE = 0.5
# So often something is sent, lest somebody between takes the connection for dead.
HEARTBEAT = 15.0
# With more rows than this a page does better to load them all.
_MOST_ROWS = 50


class Board:
    """The checks of one project as they are shown, read once for all who look."""

    def __init__(self, services: Services, project: Project) -> None:
        self._services = services
        self._project = project
        self._lock = asyncio.Lock()
        self.found: dict[int, Shown] = {}
        self.version = -1
        self._looked = 0.0
        # When a status changes by the passing of time alone.
        self._turns: datetime | None = None

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

    @property
    def _is_old(self) -> bool:
        return self._services.news.is_over(self.version) or self.seconds_left <= 0

    async def _look(self) -> None:
        news = self._services.news
        if news.is_over(self.version):
            version = news.begin()
            conn = await self._services.database.settled()
            found = await checks.of_project(conn, self._project.id)
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
        self._boards: dict[int, Board] = {}

    def of(self, services: Services, project: Project) -> Board:
        """Return a project's board."""
        if project.id not in self._boards:
            self._boards[project.id] = Board(services, project)
        return self._boards[project.id]

    def leave(self) -> None:
        """Forget all boards when nobody is left to look at them."""
        self.listeners -= 1
        if not self.listeners:
            self._boards.clear()


async def stream(request: Request, services: Services, viewer: Viewer) -> Response:
    """GET /projects/<code>/live: messages for app.js, as JSON.

    `rows`: rows of the list, by id. `anew`: the page is to load its parts anew. `title`
    and `icon` are the list's. With `?check=<key>` only that check counts; with `?rows`
    rows are sent; `v` is the fingerprint of what the page shows.
    """
    project = asked_project(request, viewer)
    boards = boards_of(request)
    if boards.listeners >= MOST_LISTENERS:
        return Response(status_code=503, headers={"Retry-After": "60"})
    return StreamingResponse(
        _messages(request, services, viewer, project),
        media_type="text/event-stream",
        # A proxy that buffers would keep the news to itself.
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
    request: Request, services: Services, viewer: Viewer, project: Project
) -> AsyncIterator[str]:
    boards, news = boards_of(request), services.news
    boards.listeners += 1
    try:
        board = boards.of(services, project)
        seen = await board.refresh()
        version = board.version
        known = request.query_params.get("v")
        is_old = known is not None and known != fingerprint(seen)
        yield "retry: 2000\n" + (_event({"anew": True}) if is_old else ":\n\n")
        sent = time.monotonic()
        while not news.is_closed:
            left = sent + HEARTBEAT - time.monotonic()
            await news.wait(version, min(left, max(board.seconds_left, 0)))
            if not _goes_on(request, services, project):
                break
            before, seen = seen, await board.refresh()
            version = board.version
            if not _goes_on(request, services, project):
                break
            message = await _message(request, services, viewer, project, before, seen)
            if message or time.monotonic() - sent >= HEARTBEAT:
                yield _event(message) if message else ":\n\n"
                sent = time.monotonic()
        if not news.is_closed:
            yield "event: end\ndata:\n\n"
    except sqlite3.Error as error:
        # The page will ask again.
        logger.error("changes cannot be read: %s", error)
    finally:
        boards.leave()


def _goes_on(request: Request, services: Services, project: Project) -> bool:
    """Tell whether the server runs, and the viewer may still see the project."""
    viewer = session.visit(request, services).viewer
    sees = viewer is not None and viewer.project(project.code) is not None
    return sees and not services.news.is_closed


async def _message(
    request: Request,
    services: Services,
    viewer: Viewer,
    project: Project,
    before: dict[int, Shown],
    seen: dict[int, Shown],
) -> dict[str, object]:
    """Tell what is new since `before`; nothing: {}."""
    if seen is before:
        return {}
    changed = [item for i, item in seen.items() if before.get(i) != item]
    gone = before.keys() - seen.keys()
    wanted = request.query_params.get("check")
    if wanted is not None:
        items = [*changed, *(before[i] for i in gone)]
        keys = {key for i in items for key in (i.check.code, i.check.unique_key)}
        return {"anew": True} if wanted in keys else {}
    if not changed and not gone:
        return {}
    if "rows" not in request.query_params or len(changed) > _MOST_ROWS:
        return {"anew": True}
    if gone or any(_moves(before.get(item.check.id), item) for item in changed):
        icon, title = listing.trouble(listing.counts(list(seen.values())))
        return {"anew": True, "icon": icon, "title": title + project.name}
    now = datetime.now(UTC)
    reader = services.database.reader
    flipped = await listing.flips_of(reader, changed, now)
    return {"rows": listing.rows(changed, flipped, url_of(services, viewer), now)}


def _moves(old: Shown | None, new: Shown) -> bool:
    """Tell whether a check may stand elsewhere in the list, or in its counts."""
    if old is None or old.status != new.status:
        return True
    was_running, is_running = (i.check.last_start is not None for i in (old, new))
    return was_running != is_running or (
        (old.check.name, old.check.tags) != (new.check.name, new.check.tags)
    )


def _event(message: dict[str, object]) -> str:
    return f"data: {json.dumps(message)}\n\n"
