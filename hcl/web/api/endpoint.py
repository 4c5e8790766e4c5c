"""How the Management API is spoken: methods, keys, JSON, errors, CORS."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hcl.checks import rules
from hcl.checks.check_json import check_json
from hcl.model import Check, Project
from hcl.web.auth import KEY_LENGTH, key_in
from hcl.web.errors import ApiError, api_answer, failed
from hcl.web.json_answer import JSONResponse
from hcl.web.parts import Parts

# Bytes of a body whose sender no header tells; a check of the longest texts fits.
UNKNOWN_LIMIT = 131_072

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API, after its key was found good.

    `project` is the key's. `document` is the JSON object of a POST, else empty.
    """

    request: Request
    parts: Parts
    version: int
    project: Project
    readonly: bool
    document: dict[str, Any]
    now: datetime

    @property
    def code(self) -> str:
        """The check's UUID in the URL."""
        return str(self.request.path_params["code"])

    def describe(
        self, check: Check, channels: list[str], now: datetime | None = None
    ) -> str:
        """Describe a check as this caller may see it, in JSON.

        `now` is when others of one list are described too.
        """
        clock = self.parts.clock
        now = now or clock.shown()
        if check.last_ping is not None and check.last_ping > now:
            # What came since hcl returned is told at once.
            check = rules.as_shown(check, clock.now())
        return check_json(
            check,
            site=self.parts.site,
            channels=channels,
            version=self.version,
            readonly=self.readonly,
            now=now,
            maintenance_until=self.parts.maintenance.until(check, now),
        )


CallHandler = Callable[[Call], Awaitable[Response]]


class Endpoint:
    """One URL of the API, with a handler for each of its methods; an ASGI application.

    OPTIONS is answered 204, a method that is not there 405. Every answer bears the
    headers of CORS, and the table of errors is asked for every exception.
    """

    def __init__(self, **handlers: Handler) -> None:
        self._handlers = handlers
        self._allow = ", ".join([*handlers, "OPTIONS"])
        self._headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "X-Api-Key",
            "Access-Control-Allow-Methods": self._allow,
            "Access-Control-Max-Age": "600",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        response.headers.update(self._headers)
        await response(scope, receive, send)

    def without_slash(self, parts: Parts) -> "Endpoint":
        """Make what answers this URL without its closing slash: 301 to the one with it.

        For every method but OPTIONS; the query is kept.
        """
        return _Redirect(parts, **self._handlers)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            # Without its closing slash too: browsers refuse a redirected preflight.
            return Response(status_code=204, headers={"Allow": self._allow})
        return await self._answer_method(request)

    async def _answer_method(self, request: Request) -> Response:
        handler = self._handlers.get(request.method)
        if handler is None:
            return Response(status_code=405, headers={"Allow": self._allow})
        try:
            return await handler(request)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - it is logged, and answered
            # Clients read JSON, and pages of other sites need the headers of CORS.
            return api_answer(error) or failed(error, JSONResponse)


class OwnEndpoint(Endpoint):
    """One URL that pages of other sites may not read."""

    def __init__(self, **handlers: Handler) -> None:
        super().__init__(**handlers)
        self._headers = {}


class _Redirect(Endpoint):
    def __init__(self, parts: Parts, **handlers: Handler) -> None:
        super().__init__(**handlers)
        self._parts = parts

    async def _answer_method(self, request: Request) -> Response:
        # It goes back as it came.
        query = request.scope["query_string"].decode("latin-1")
        target = self._parts.site.inside(quote(request.scope["path"])) + "/"
        location = f"{target}?{query}" if query else target
        return Response(status_code=301, headers={"Location": location})


class NoEndpoint(Endpoint):
    """What answers URLs of the API that do not exist."""

    async def _answer(self, request: Request) -> Response:  # noqa: ARG002 - all alike
        return JSONResponse({"error": "not found"}, 404)


def with_key(
    handler: CallHandler,
    parts: Parts,
    version: int,
    *,
    readonly: bool = False,
    body: bool = True,
) -> Handler:
    """Let a handler be called by holders of a key; of a read-only one too, if so said.

    A POST's body is read first, and what is wrong with it is told first; but not for
    one that has no use of its `body`: that may be anything.
    """

    async def handle(request: Request) -> Response:
        document = await _document(request, parts, is_used=body)
        key = _key(request, document)
        if len(key) != KEY_LENGTH:
            raise ApiError(401, "missing api key")
        access = parts.keyring.find(key)
        if access is None:
            await parts.refuse_key(request.scope)
        if access is None or (access.readonly and not readonly):
            raise ApiError(401, "wrong api key")
        return await handler(
            Call(
                request=request,
                parts=parts,
                version=version,
                project=access.project,
                readonly=access.readonly,
                document=document,
                now=parts.clock.now(),
            )
        )

    return handle


async def _document(request: Request, parts: Parts, *, is_used: bool) -> dict[str, Any]:
    """Return the JSON object of a POST, else an empty one. Raises ApiError.

    Not `is_used`: only a key may be of use in it, where no header has one.
    """
    given, limit = _header_key(request), parts.config.api.body_limit
    if request.method != "POST" or not (is_used or given is None):
        return {}
    if given is None or parts.keyring.find(given) is None:
        limit = min(limit, UNKNOWN_LIMIT)
    try:
        return await read_object(request, limit)
    except ApiError:
        if is_used:
            raise
        return {}


def _key(request: Request, document: dict[str, Any]) -> str:
    key = _header_key(request)
    return str(document.get("api_key", "")) if key is None else key


def _header_key(request: Request) -> str | None:
    """Return the key in the header, which may be empty; None: there is none."""
    for name, value in request.scope["headers"]:
        if name == b"x-api-key":
            if len(value) > KEY_LENGTH:
                # Blanks behind a value are no part of it (RFC 9110, section 5.5).
                value = value.rstrip(b" \t")
            return key_in(value)
    return None


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """Read a JSON object, whatever the Content-Type says; an empty body counts as {}.

    Raises ApiError; 413 if the body has more than `limit` bytes.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ApiError(413, f"the request body is larger than {limit} bytes")
    try:
        document = json.loads(body.decode()) if body else {}
    except (ValueError, RecursionError):
        raise ApiError(400, "could not parse request body") from None
    if not isinstance(document, dict):
        raise ApiError(400, "json validation error: value is not an object")
    return document
