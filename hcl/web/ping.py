"""The Pinging API: one plain ASGI callable, since it is what hcl does most."""

import re
import sqlite3
from asyncio import Future
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from hcl.model import Action, Ping
from hcl.pinging import Address, Receipt
from hcl.spec import SLUG_LENGTH
from hcl.web.errors import failed, unavailable
from hcl.web.protocol import Headers, Respond
from hcl.web.services import Services

PREFIX = "/ping/"

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SIGNAL = "start|fail|log|[0-9]+"
_BY_CODE = re.compile(rf"/ping/({UUID})(?:/|/({_SIGNAL}))?")
_BY_SLUG = re.compile(rf"/ping/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)(?:/({_SIGNAL}))?")
_RID = re.compile(UUID, re.IGNORECASE | re.ASCII)

_ACTIONS: dict[str | None, tuple[Action, None]] = {
    None: ("success", None),
    "start": ("start", None),
    "fail": ("fail", None),
    "log": ("log", None),
}
_HIGHEST_EXITSTATUS = 255

# Characters of the User-Agent that are kept.
_UA_LIMIT = 200

_ANSWERS = {
    Receipt.RECORDED: (200, b"OK"),
    Receipt.CREATED: (201, b"Created"),
    Receipt.UNKNOWN: (404, b"not found"),
    Receipt.AMBIGUOUS: (409, b"ambiguous slug"),
}
_NOT_FOUND = _ANSWERS[Receipt.UNKNOWN]


class _CutOffError(Exception):
    """The client left before it had sent its whole request."""


class PingEndpoint:
    """Answers every URL that begins with PREFIX, whatever the method."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the ping and answer after it is on the disk."""
        try:
            status, body = await self._answer(scope, receive)
        except _CutOffError:
            return
        except sqlite3.Error as error:
            await unavailable(error)(scope, receive, send)
            return
        headers = self._headers(body)
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})

    def answer_soon(self, scope: Scope, respond: Respond) -> bool:
        """Record a ping that has no body and nothing wrong; answer by `respond`.

        That is nearly every ping, and this way it needs no task. Returns False, and
        does nothing, if it is not such a ping.
        """
        if _has_body(scope):
            return False
        address, ping, error = self._read(scope)
        if address is None or error:
            return False

        def answer(receipt: Future[Receipt]) -> None:
            try:
                status, body = _ANSWERS[receipt.result()]
            # Nobody else would answer.
            except Exception as error:  # noqa: BLE001
                response = failed(error)
                respond(
                    response.status_code, response.raw_headers, bytes(response.body)
                )
            else:
                respond(status, self._headers(body), body)

        self._services.pinging.receive(address, ping).add_done_callback(answer)
        return True

    def _headers(self, body: bytes) -> Headers:
        return _headers(len(body), self._services.config.pings.body_limit)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        address, ping, error = self._read(scope)
        pinging = self._services.pinging
        if address is None:
            return _NOT_FOUND
        if error:
            # As Healthchecks does: that a check is unknown is told before its errors.
            return (400, error) if await pinging.knows(address) else _NOT_FOUND
        if _has_body(scope):
            limit = self._services.config.pings.body_limit
            body = await _kept_body(receive, limit)
            # A slow upload must not be older than what was recorded meanwhile.
            ping = ping._replace(body=body, created=datetime.now(UTC))
        return _ANSWERS[await pinging.receive(address, ping)]

    def _read(self, scope: Scope) -> tuple[Address | None, Ping, bytes]:
        """Return whom a request is for (None: nobody), its ping, and what is wrong.

        b"": nothing is wrong.
        """
        text = scope["query_string"].decode("latin-1")
        # As Healthchecks does: of a name that comes twice the last counts.
        query = dict(parse_qsl(text, keep_blank_values=True)) if text else {}
        address, signal = _target(scope["path"], query)
        action, exitstatus = _ACTIONS.get(signal) or _by_exitstatus(signal)
        remote_addr, scheme = self._services.proxies.origin(scope)
        rid = query.get("rid")
        ping = Ping(
            n=0,
            created=datetime.now(UTC),
            action=action,
            scheme=scheme,
            remote_addr=remote_addr,
            method=scope["method"],
            ua=_user_agent(scope),
            rid=rid and rid.lower(),
            exitstatus=exitstatus,
            body=b"",
        )
        if exitstatus is not None and exitstatus > _HIGHEST_EXITSTATUS:
            return address, ping, b"invalid url format"
        if address is not None and not _is_slug(address.slug):
            return address, ping, b"invalid url format"
        if rid is not None and not _RID.fullmatch(rid):
            return address, ping, b"invalid uuid format"
        return address, ping, b""


@lru_cache
def _headers(length: int, body_limit: int) -> Headers:
    return [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % length),
        (b"access-control-allow-origin", b"*"),
        (b"ping-body-limit", b"%d" % body_limit),
        (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
    ]


def _target(path: str, query: dict[str, str]) -> tuple[Address | None, str | None]:
    """Return whom a URL is for, and its signal as it stands there."""
    match = _BY_CODE.fullmatch(path)
    if match:
        return Address(code=match[1]), match[2]
    match = _BY_SLUG.fullmatch(path)
    if match:
        create = query.get("create") == "1"
        return Address(ping_key=match[1], slug=match[2], create=create), match[3]
    return None, None


def _is_slug(text: str) -> bool:
    return text == text.lower() and len(text) <= SLUG_LENGTH


def _by_exitstatus(digits: str | None) -> tuple[Action, int]:
    # int() would choke on thousands of digits.
    exitstatus = int((digits or "").lstrip("0")[:4] or "0")
    return ("fail" if exitstatus else "success"), exitstatus


def _user_agent(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"user-agent":
            return str(value.decode("utf-8", "replace")[:_UA_LIMIT])
    return ""


def _has_body(scope: Scope) -> bool:
    return any(
        name in (b"content-length", b"transfer-encoding")
        for name, _ in scope["headers"]
    )


async def _kept_body(receive: Receive, limit: int) -> bytes:
    """Read the whole body, and return as much of it as is kept."""
    kept = bytearray()
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise _CutOffError
        kept += message.get("body", b"")[: limit - len(kept)]
        if not message.get("more_body"):
            return bytes(kept)
