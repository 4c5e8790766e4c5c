"""Lets requests in to pages: who asks, what they may, and what all answers bear."""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib import import_module
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hcl.checks.managing import ForeignCheckError, LimitError, UnknownCheckError
from hcl.db import SQLError
from hcl.web.errors import RETRY_AFTER
from hcl.web.pages.frame import SeeOther, render, see_other
from hcl.web.pages.page import Page
from hcl.web.pages.visit import posted, session, signing
from hcl.web.pages.visit.errors import PageError, no_such_check
from hcl.web.pages.visit.session import Visit
from hcl.web.parts import Parts

logger = logging.getLogger(__name__)

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self';"
    " style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_NOTICE = "hcl_notice"
# How long a notice waits for the page that is to show it, in seconds.
_NOTICE_AGE = 60
_NOTICE_LENGTH = 500


async def answer(page: Page, request: Request, parts: Parts) -> Response:
    """Answer a request to a page, whatever happens."""
    await session.know_ended(request, parts)
    found = session.visit(request, parts)
    request.state.visit = found
    request.state.notice = _notice(request, parts)
    try:
        response = await _answer(page, request, parts, found)
    except ClientDisconnect:
        raise
    except Exception as error:  # noqa: BLE001 - is answered, and logged
        response = _failed(error, request, parts, found)
    if not page.is_open and "public" not in response.headers.get("Cache-Control", ""):
        session.keep(response, found, parts)
    return _dressed(response, request, parts)


async def _answer(page: Page, request: Request, parts: Parts, found: Visit) -> Response:
    reads = request.method in ("GET", "HEAD")
    name = page.get if reads else page.post if request.method == "POST" else ""
    if not name:
        allow = ", ".join(["GET, HEAD"] * bool(page.get) + ["POST"] * bool(page.post))
        return Response(status_code=405, headers={"Allow": allow})
    form: posted.Form = {}
    if not reads:
        posted.refuse_foreign(request, parts)
        form = await posted.read(request, parts)
    request.state.form = form
    if page.is_open:
        return await _handler(name)(request, parts)
    if found.viewer is None:
        return _ask_to_sign_in(page, request, found, reads=reads)
    if not reads:
        posted.refuse_forged(request, form, found.viewer.csrf)
    if found.viewer.readonly and (page.changes or not reads):
        raise PageError(403, "Only to look", "Your key is read-only: ask for another.")
    return await _handler(name)(request, parts, found.viewer)


def _handler(name: str) -> Callable[..., Awaitable[Response]]:
    module, _, function = name.rpartition(".")
    found: Callable[..., Awaitable[Response]]
    found = getattr(import_module(f"hcl.web.pages.{module}"), function)
    return found


def _ask_to_sign_in(
    page: Page, request: Request, found: Visit, *, reads: bool
) -> Response:
    if page.in_place:
        return Response(status_code=401)
    notice = "Your key is no longer valid: sign in again." * found.was_signed_in
    path, query = request.url.path, request.url.query
    if not reads:
        notice = notice or "You were signed out, and nothing was changed."
        wanted = f"?next={quote(path, safe='/')}" if page.get else ""
        return see_other(f"/sign-in{wanted}", notice)
    wanted = f"{path}?{query}" if query else path
    return see_other(f"/sign-in?next={quote(wanted, safe='/')}", notice)


def _failed(error: Exception, request: Request, parts: Parts, found: Visit) -> Response:
    """Make a page of an error; one that nobody expects is logged."""
    headers = {}
    if isinstance(error, UnknownCheckError | ForeignCheckError):
        error = no_such_check()
    elif isinstance(error, LimitError):
        error = PageError(
            403, "No more checks", "The project has as many checks as it may have."
        )
    elif isinstance(error, SQLError):
        logger.error("the database cannot be used: %s", error)
        headers["Retry-After"] = str(RETRY_AFTER)
        error = PageError(
            503, "Not just now", "The database cannot be used; nothing was changed."
        )
    elif not isinstance(error, PageError):
        logger.error("a page failed", exc_info=error)
        error = PageError(500, "Something went wrong", "The server's log tells what.")
    response = render(
        request,
        parts,
        found.viewer,
        "error.html",
        status=error.status,
        title=error.title,
        text=error.text,
    )
    response.headers.update(headers)
    return response


def _dressed(response: Response, request: Request, parts: Parts) -> Response:
    """Add the headers and cookies that all answers bear."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if isinstance(response, SeeOther):
        location = response.headers["Location"]
        response.headers["Location"] = parts.base + location
        if response.notice:
            _keep_notice(response, parts)
    elif request.state.notice and response.media_type == "text/html":
        session.set_cookie(response, _NOTICE, "", parts, 0)
    return response


def _keep_notice(response: SeeOther, parts: Parts) -> None:
    text = response.notice[:_NOTICE_LENGTH]
    stamp = int(datetime.now(UTC).timestamp())
    value = signing.sign(parts.secret, "notice", f"{stamp} {text}")
    session.set_cookie(response, _NOTICE, value, parts, _NOTICE_AGE)


def _notice(request: Request, parts: Parts) -> str:
    """Return what the page before wants to be told, "" if there is nothing."""
    cookie = request.cookies.get(_NOTICE, "")
    said = signing.unsign(parts.secret, "notice", cookie) if cookie else None
    if said is None:
        return ""
    stamp, _, text = said.partition(" ")
    age = datetime.now(UTC).timestamp() - int(stamp)
    return text if age < _NOTICE_AGE else ""
