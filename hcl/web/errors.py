"""Every error in one table: what went wrong, and what the client is told."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hcl.checks.managing import (
    ChannelError,
    DeclaredError,
    ForeignCheckError,
    LimitError,
    UnknownCheckError,
)
from hcl.checks.rules import NotPausedError
from hcl.checks.spec import SpecError
from hcl.db import SQLError, is_damage, tell
from hcl.repeats import Repeats
from hcl.web.json_answer import JSONResponse

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

# How long a client is asked to wait in seconds, while the database cannot be written.
RETRY_AFTER = 10


# What answers bear that say nothing else: browsers take them for what they are said to
# be, and nobody keeps them.
SAFE = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]


class ApiError(Exception):
    """A request is refused with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


# The text, where it is not the exception's own.
_ANSWERS: dict[type[Exception], tuple[int, str]] = {
    UnknownCheckError: (404, "not found"),
    ForeignCheckError: (403, "the check belongs to another project"),
    LimitError: (403, "the project has reached its limit of checks"),
    DeclaredError: (409, "declared in hcl.toml"),
    SpecError: (400, ""),
    ChannelError: (400, ""),
}


def api_answer(error: Exception) -> Response | None:
    """Return the API's answer to an exception, None if it is none to answer."""
    if isinstance(error, SQLError):
        return unavailable(error, JSONResponse)
    if isinstance(error, ApiError):
        return JSONResponse({"error": error.text}, error.status)
    if isinstance(error, NotPausedError):
        # As Healthchecks does: this one is not JSON.
        return PlainTextResponse("check is not paused", 409)
    if type(error) not in _ANSWERS:
        return None
    status, text = _ANSWERS[type(error)]
    return JSONResponse({"error": text or str(error)}, status)


def unavailable(error: SQLError, kind: type[Response] = PlainTextResponse) -> Response:
    """Answer while the database cannot be used; nothing of the request is written."""
    tell(logger, "the database cannot be used", error)
    text = "the database cannot be written now"
    if is_damage(error):
        text = "the database is damaged, and this cannot be read or written"
    body = {"error": text} if kind is JSONResponse else text
    return kind(body, 503, {"Retry-After": str(RETRY_AFTER)})


def failed(error: Exception, kind: type[Response] = PlainTextResponse) -> Response:
    """Answer where nobody else would, whatever went wrong."""
    if isinstance(error, SQLError):
        return unavailable(error, kind)
    logger.error("a request failed", exc_info=error)
    text = "internal server error"
    body = {"error": text} if kind is JSONResponse else text
    return kind(body, 500, {"Connection": "close"})


def on_database_error(_request: Request, error: Exception) -> Response:
    """Answer for pages and documents outside the API."""
    if not isinstance(error, SQLError):
        raise error
    return unavailable(error)


def on_http_error(_request: Request, error: Exception) -> Response:
    """Answer for URLs that lead nowhere, in one line of text."""
    if not isinstance(error, HTTPException):
        raise error
    text = "not found" if error.status_code == 404 else error.detail
    return PlainTextResponse(text, error.status_code, error.headers)
