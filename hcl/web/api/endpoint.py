"""How the Management API is spoken: methods, keys, JSON, errors, CORS."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hcl.checks import rules
from hcl.checks.check_json import check_json
from hcl.model import Check, Project
from hcl.web.auth import KEY_LENGTH
from hcl.web.errors import ApiError, api_answer
from hcl.web.json_answer import JSONResponse
from hcl.web.parts import Parts

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

    def describe(self, check: Check, channels: list[str]) -> str:
        """Describe a check as this caller may see it, in JSON."""
        clock = self.parts.clock
        now = clock.shown()
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
        )


CallHandler = Callable[[Call], Awaitable[Response]]


class Endpoint:
    """One URL of the API, with a handler for each of its methods; an ASGI application.

    OPTIONS is answered 204, a method that is not there 405. Every answer bears the
    headers of CORS, and the table of errors is asked for every exception.
    """

    def __init__(self, **handlers: Handler) -> None:
        self._handlers = handlers
        self._headers = {
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "X-Api-Key",
            "Access-Control-Allow-Methods": ", ".join([*handlers, "OPTIONS"]),
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

    @property
    def without_slash(self) -> "Endpoint":
        """Make what answers this URL without its closing slash: 301 to the one with it.

        For every method; the query is kept.
        """
        return _Redirect(**self._handlers)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        handler = self._handlers.get(request.method)
        if handler is None:
            allow = self._headers["Access-Control-Allow-Methods"]
            return Response(status_code=405, headers={"Allow": allow})
        try:
            return await handler(request)
        except Exception as error:
            answer = api_answer(error)
            if answer is None:
                raise
            return answer


class _Redirect(Endpoint):
    async def _answer(self, request: Request) -> Response:
        # The bytes go back as they came.
        query = request.scope["query_string"].decode("latin-1")
        target = request.scope["raw_path"].decode("latin-1") + "/"
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
) -> Handler:
    """Let a handler be called by holders of a key; of a read-only one too, if so said.

    A POST's body is read first, and what is wrong with it is told first.
    """

    async def handle(request: Request) -> Response:
        document = {}
        if request.method == "POST":
            document = await read_object(request, parts.config.api.body_limit)
        key = _key(request, document)
        if len(key) != KEY_LENGTH:
            raise ApiError(401, "missing api key")
        access = parts.keyring.find(key)
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


def _key(request: Request, document: dict[str, Any]) -> str:
    for name, value in request.scope["headers"]:
        if name == b"x-api-key":
            try:
                return str(value.decode())
            except UnicodeDecodeError:
                return str(value.decode("latin-1"))
    return str(document.get("api_key", ""))


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
