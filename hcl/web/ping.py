"""The Pinging API: one plain ASGI callable, since it is what hcl does most."""

import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from starlette.types import Message, Receive, Scope, Send

from hcl.model import Action, Ping
from hcl.pinging import Address, Receipt
from hcl.spec import SLUG_LENGTH
from hcl.web.errors import unavailable
from hcl.web.services import Services

PREFIX = "/ping/"

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SIGNAL = "start|fail|log|[0-9]+"
_BY_CODE = re.compile(rf"/ping/({UUID})(?:/|/({_SIGNAL}))?")
_BY_SLUG = re.compile(rf"/ping/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)(?:/({_SIGNAL}))?")
_RID = re.compile(UUID, re.IGNORECASE | re.ASCII)

# Characters of the User-Agent that are kept.
_UA_LIMIT = 200

_ANSWERS = {
    Receipt.RECORDED: (200, b"OK"),
    Receipt.CREATED: (201, b"Created"),
    Receipt.UNKNOWN: (404, b"not found"),
    Receipt.AMBIGUOUS: (409, b"ambiguous slug"),
}
_NOT_FOUND = _ANSWERS[Receipt.UNKNOWN]


class _BadRequestError(Exception):
    """The URL names a check, but what it says of it is wrong."""


class _CutOffError(Exception):
    """The client left before it had sent its whole request."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What a URL says: whom it is for, and its signal, as it stands there."""

    address: Address
    signal: str


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
        headers = self._headers(len(body))
        await send(
            {"type": "http.response.start", "status": status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})

    def _headers(self, length: int) -> list[tuple[bytes, bytes]]:
        limit = self._services.config.pings.body_limit
        return [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % length),
            (b"access-control-allow-origin", b"*"),
            (b"ping-body-limit", b"%d" % limit),
            (
                b"cache-control",
                b"max-age=0, no-cache, no-store, must-revalidate, private",
            ),
            (b"expires", b"0"),
        ]

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        created = datetime.now(UTC)
        query = dict(
            parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        )
        target = _target(scope["path"], query)
        if target is None:
            return _NOT_FOUND
        try:
            action, exitstatus = _action(target)
            rid = _rid(query.get("rid"))
        except _BadRequestError as error:
            # As Healthchecks does: that a check is unknown is told before its errors.
            known = await self._services.pinging.knows(target.address)
            return (400, str(error).encode()) if known else _NOT_FOUND
        remote_addr, scheme = self._services.proxies.origin(scope)
        ping = Ping(
            n=0,
            created=created,
            action=action,
            scheme=scheme,
            remote_addr=remote_addr,
            method=scope["method"],
            ua=_user_agent(scope),
            rid=rid,
            exitstatus=exitstatus,
            body=await _kept_body(receive, self._services.config.pings.body_limit),
        )
        return _ANSWERS[await self._services.pinging.receive(target.address, ping)]


def _target(path: str, query: dict[str, str]) -> _Target | None:
    match = _BY_CODE.fullmatch(path)
    if match:
        return _Target(Address(code=match[1]), match[2] or "")
    match = _BY_SLUG.fullmatch(path)
    if match:
        create = query.get("create") == "1"
        address = Address(ping_key=match[1], slug=match[2], create=create)
        return _Target(address, match[3] or "")
    return None


def _action(target: _Target) -> tuple[Action, int | None]:
    """Return the action that a URL asks for, and its exit status if it bears one."""
    slug = target.address.slug
    if slug != slug.lower() or len(slug) > SLUG_LENGTH:
        raise _BadRequestError("invalid url format")
    match target.signal:
        case "":
            return "success", None
        case "start" | "fail" | "log" as action:
            return action, None
        case digits:
            # int() would choke on thousands of digits.
            exitstatus = int(digits.lstrip("0")[:4] or "0")
            if exitstatus > 255:
                raise _BadRequestError("invalid url format")
            return ("fail" if exitstatus else "success"), exitstatus


def _rid(text: str | None) -> str | None:
    if text is None:
        return None
    if not _RID.fullmatch(text):
        raise _BadRequestError("invalid uuid format")
    return text.lower()


def _user_agent(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"user-agent":
            return str(value.decode("utf-8", "replace")[:_UA_LIMIT])
    return ""


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
