"""Lets requests in to pages: who asks, what they may, and what all answers bear."""

import logging
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hcl.checks.managing import (
    DeclaredError,
    ForeignCheckError,
    LimitError,
    UnknownCheckError,
)
from hcl.db import SQLError, tell
from hcl.repeats import Repeats
from hcl.web.errors import RETRY_AFTER
from hcl.web.pages.dashboard import warning
from hcl.web.pages.dashboard.dashboard import Dashboard, open_dashboard
from hcl.web.pages.page import Page
from hcl.web.pages.visit import identity, notices, posted, sign_in
from hcl.web.pages.visit.errors import PageError, no_such_check
from hcl.web.pages.visit.visit import Handler, Visit
from hcl.web.parts import Parts

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self';"
    " style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self';"
    " manifest-src 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Door:
    """Where all requests to the pages of one server come in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._dashboard: Dashboard | None = None

    async def answer(self, page: Page, request: Request) -> Response:
        """Answer a request to a page, whatever happens."""
        visit = begin(request, self._parts, await self.dashboard())
        try:
            response = await _answer(page, visit)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - is answered, and logged
            response = await _failed(error, visit)
        _dress(response, page, visit)
        return response

    async def dashboard(self) -> Dashboard:
        """Return the dashboard; the first page has it made."""
        if self._dashboard is None:
            dashboard = await open_dashboard(self._parts.database)
            # Another page may have been as early: the first one counts for all.
            self._dashboard = self._dashboard or dashboard
        return self._dashboard


def begin(request: Request, parts: Parts, dashboard: Dashboard) -> Visit:
    """Begin a visit: tell who sent a request, and what is to be told to them."""
    now = parts.clock.now()
    sender = identity.identify(request, parts, dashboard.ended_sessions, now)
    notice = notices.read(request, parts, now)
    return Visit(request, parts, dashboard, sender, now, notice)


async def _answer(page: Page, visit: Visit) -> Response:
    request, viewer = visit.request, visit.identity.viewer
    reads = request.method in ("GET", "HEAD")
    name = page.get if reads else page.post if request.method == "POST" else ""
    if not name:
        allow = ", ".join(["GET, HEAD"] * bool(page.get) + ["POST"] * bool(page.post))
        raise PageError(405, "Nothing to see here", _ONLY_FORMS, allow=allow)
    if not reads:
        posted.refuse_foreign(request, visit.parts)
    if not page.is_open:
        if viewer is None:
            return await _ask_to_sign_in(page, visit, reads=reads)
        if viewer.readonly and (page.changes or not (reads or page.is_own)):
            raise PageError(403, "Read-only", _ONLY_TO_LOOK)
    if not reads:
        # Not sooner: who is not let in shall not have anything read.
        form = await posted.read(request, visit.parts, is_known=viewer is not None)
        visit = replace(visit, form=form)
        if viewer is not None and not page.is_open:
            if page.is_typed and _is_late(visit, viewer.csrf):
                return await _show_again(name, visit)
            posted.refuse_forged(request, visit.form, viewer.csrf, visit.parts)
    if reads and viewer is not None and not page.in_place:
        warnings = await warning.of_projects(visit.parts, viewer.projects)
        visit = replace(visit, warnings=warnings)
    return await _handler(name)(visit)


_ONLY_FORMS = "This address only takes what a button or a form sends."
_ONLY_TO_LOOK = "Your key may look, but not change anything."
_NOT_SAVED = (
    "What you typed is not saved yet: the page was of an earlier session. Save it now."
)


def _handler(name: str) -> Handler:
    module, _, function = name.rpartition(".")
    handler: Handler = getattr(import_module(f"hcl.web.pages.{module}"), function)
    return handler


def _is_late(visit: Visit, csrf: str) -> bool:
    """Tell whether a form is of another session, and not of cookies that get lost."""
    is_forged = posted.is_forged(visit.request, visit.form, csrf)
    return is_forged and not posted.is_lost(visit.request, visit.parts)


async def _show_again(name: str, visit: Visit) -> Response:
    """Show what a form holds that may not count, and change nothing."""
    form, notice = {**visit.form, "preview": ["1"]}, notices.BAD + _NOT_SAVED
    response = await _handler(name)(replace(visit, form=form, notice=notice))
    response.status_code = 403
    return response


async def _ask_to_sign_in(page: Page, visit: Visit, *, reads: bool) -> Response:
    if page.in_place:
        return Response(status_code=401)
    notice = (
        "Your key is no longer valid: sign in again." * visit.identity.was_signed_in
    )
    path, query = visit.request.url.path, visit.request.url.query
    if not reads and page.is_typed:
        with suppress(PageError):
            form = await posted.read(visit.request, visit.parts, is_known=False)
            return await sign_in.ask_again(replace(visit, form=form), path, notice)
    if not reads:
        notice = notice or "You were signed out, and nothing was changed."
        wanted = path if page.get else posted.came_from(visit.request, visit.parts)
    else:
        wanted = f"{path}?{query}" if query else path
    wanted = f"?next={quote(wanted, safe='/')}" if wanted else ""
    return visit.see_other(f"/sign-in{wanted}", notice)


async def _failed(error: Exception, visit: Visit) -> Response:
    """Make a page of an error; one that nobody expects is logged."""
    headers = {}
    if isinstance(error, UnknownCheckError | ForeignCheckError):
        error = no_such_check()
    elif isinstance(error, LimitError):
        error = PageError(
            403, "Too many checks", "The project has reached its limit of checks."
        )
    elif isinstance(error, DeclaredError):
        error = PageError(
            409,
            "Declared in hcl.toml",
            "The file says it: change it there, and reload. Nothing was changed.",
        )
    elif isinstance(error, SQLError):
        tell(logger, "the database cannot be used", error)
        headers["Retry-After"] = str(RETRY_AFTER)
        error = PageError(
            503,
            "Unavailable",
            "The database cannot be used; nothing was changed.",
        )
    elif not isinstance(error, PageError):
        logger.error("a page failed", exc_info=error)
        error = PageError(500, "Something went wrong", "The server's log tells more.")
    response = await visit.render(
        "error.html", status=error.status, title=error.title, text=error.text
    )
    response.headers.update(headers | error.headers)
    return response


def _dress(response: Response, page: Page, visit: Visit) -> None:
    """Add the headers and cookies that all answers bear."""
    if not page.is_open and "public" not in response.headers.get("Cache-Control", ""):
        identity.keep(response, visit.identity, visit.parts, visit.now)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if visit.notice and response.media_type == "text/html":
        notices.forget(response, visit.parts)
