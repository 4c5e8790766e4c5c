"""The Pinging API: one plain ASGI callable, since it is what hcl does most."""

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import parse_qsl, quote

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hcl.checks.spec import SLUG_LENGTH
from hcl.db import SQLError
from hcl.model import Action, Ping
from hcl.pings.arrival import Receipt, Target
from hcl.web import own_time
from hcl.web.errors import SAFE, failed, unavailable
from hcl.web.http.answer import Answer
from hcl.web.http.heads import BY_NAME
from hcl.web.http.protocol import BODY, Respond
from hcl.web.parts import Parts

PREFIX = "/ping/"

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

# The signals of Linux from 1 on, by the names that systemd's $EXIT_STATUS has for them.
_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD"
    " CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_REAL_TIME = range(34, 65)
_SIGNALS = {
    **{name: number for number, name in enumerate(_NAMES.split(), 1)},
    **{f"RTMIN+{n}": number for n, number in enumerate(_REAL_TIME)},
}
# What a shell makes of the number of a signal.
_BY_SIGNAL = 128

_SIGNAL = "|".join(["start|fail|log|[0-9]+", *map(re.escape, _SIGNALS)])
# As clients glue addresses, there may be a slash too many.
_BY_CODE = re.compile(rf"/ping//?({UUID})(?:/|/({_SIGNAL}))?")
_BY_SLUG = re.compile(rf"/ping/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+)(?:/({_SIGNAL}))?")
# The other fields of a Target by code.
_BY_CODE_ALONE = Target()[1:]
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


# Scripts of any site may ping, and read how much of a body is kept.
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Ping-Body-Limit"),
]


class _CutOffError(Exception):
    """The client left before it had sent its whole request."""


def is_target(path: str) -> bool:
    """Tell whether a path is that of a ping, to whomever that is."""
    return bool(_BY_CODE.fullmatch(path) or _BY_SLUG.fullmatch(path))


class PingEndpoint:
    """Answers every URL that begins with PREFIX, whatever the method."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the ping and answer after it is on the disk."""
        try:
            answer = await self._answer(scope, receive)
        except _CutOffError:
            return
        except SQLError as error:
            await _bare(unavailable(error))(scope, receive, send)
            return
        start = {"type": "http.response.start", "status": answer.status}
        await send({**start, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def answer_soon(self, scope: Scope, respond: Respond) -> bool | None:
        """Record a ping that has nothing wrong; answer by `respond`.

        That is nearly every ping, and this way it needs no task. Returns False, and
        does nothing, if it is not such a ping; None if its body is wanted first. One
        with a time of its own goes the long way.
        """
        headers, body = scope.get(BY_NAME) or _by_name(scope), b""
        if own_time.AT in headers:
            return False
        if _has_body(headers):
            if not scope["path"].startswith(PREFIX) or b"expect" in headers:
                return False
            if BODY not in scope:
                return None
            body = scope[BODY][: self._parts.config.pings.body_limit]
        target, ping, error = self._read(scope, headers, body)
        if target is None or error:
            return False

        def done(receipt: Receipt | None, error: Exception | None) -> None:
            if receipt is not None:
                respond(self._recorded(receipt))
            elif error is not None:
                # Nobody else would answer.
                response = _bare(failed(error))
                body = bytes(response.body)
                respond(Answer(response.status_code, response.raw_headers, body))

        self._parts.pinging.receive_and_call(target, ping, done)
        return True

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        headers = _by_name(scope)
        target, ping, error = self._read(scope, headers)
        pinging = self._parts.pinging
        if target is None:
            return self._recorded(Receipt.UNKNOWN)
        if error:
            # As Healthchecks does: that a check is unknown is told before its errors.
            if await pinging.knows(target):
                return _answer(400, error, self._parts.config.pings.body_limit)
            return self._recorded(Receipt.UNKNOWN)
        limit = self._parts.config.pings.body_limit
        signed = self._signed(scope, headers, target)
        if _has_body(headers):
            body = await _kept_body(receive, limit, signed.take if signed else None)
            # A slow upload must not be older than what was recorded meanwhile.
            ping = ping._replace(body=body, created=self._parts.clock.now())
        if signed is not None:
            now = ping.created
            # By a wall that is behind, all that clients tell would be of the future.
            at = signed.moment(now, is_sure=not self._parts.clock.may_be_behind)
            if at is None and not await pinging.knows(target):
                return self._recorded(Receipt.UNKNOWN)
            if at is None:
                return _answer(400, b"invalid ping time or signature", limit)
            target = target._replace(is_late=True, is_ahead=at > now)
            ping = ping._replace(created=min(at, now))
        return self._recorded(await pinging.receive(target, ping))

    def _signed(
        self, scope: Scope, headers: dict[bytes, bytes], target: Target
    ) -> own_time.Signed | None:
        """Return what to check of a ping that bears its own time; None: it does not."""
        if own_time.AT not in headers:
            return None
        path = quote(scope["path"], safe="/+")
        return own_time.Signed(target, scope["method"], path, headers)

    def _recorded(self, receipt: Receipt) -> Answer:
        return _answer(*_ANSWERS[receipt], self._parts.config.pings.body_limit)

    def _read(
        self, scope: Scope, headers: dict[bytes, bytes], body: bytes = b""
    ) -> tuple[Target | None, Ping, bytes]:
        """Return whom a request is for (None: nobody), its ping, and what is wrong.

        b"": nothing is wrong.
        """
        text = scope["query_string"].decode("latin-1")
        # As Healthchecks does: of a name that comes twice the last counts.
        query = dict(parse_qsl(text, keep_blank_values=True)) if text else {}
        target, signal = _target(scope["path"], query)
        action, exitstatus = _ACTIONS.get(signal) or _by_exitstatus(signal)
        remote_addr, scheme = self._parts.proxies.origin(scope, headers)
        rid = query.get("rid")
        fields = (
            0,
            self._parts.clock.now(),
            action,
            scheme,
            remote_addr,
            scope["method"],
            _text(headers.get(b"user-agent", b""))[:_UA_LIMIT],
            rid and rid.lower(),
            exitstatus,
            body,
        )
        # Ping's own way takes twice as long.
        ping = tuple.__new__(Ping, fields)
        if exitstatus is not None and exitstatus > _HIGHEST_EXITSTATUS:
            return target, ping, b"invalid url format"
        if target is not None and not _is_slug(target.slug):
            return target, ping, b"invalid url format"
        if rid is not None and not _RID.fullmatch(rid):
            return target, ping, b"invalid uuid format"
        return target, ping, b""


@lru_cache
def _answer(status: int, body: bytes, body_limit: int) -> Answer:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        *_CORS,
        (b"ping-body-limit", b"%d" % body_limit),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"max-age=0, no-cache, no-store, must-revalidate, private"),
    ]
    return Answer(status, headers, body)


def _bare(response: Response) -> Response:
    """Let any site read an error, as it may read any other answer to its ping."""
    response.raw_headers += [*_CORS, *SAFE]
    return response


def _by_name(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers; of one that came twice the first counts."""
    return dict(reversed(scope["headers"]))


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return b"content-length" in headers or b"transfer-encoding" in headers


def _target(path: str, query: dict[str, str]) -> tuple[Target | None, str | None]:
    """Return whom a URL is for, and its signal as it stands there."""
    match = _BY_CODE.fullmatch(path)
    if match:
        return tuple.__new__(Target, (match[1], *_BY_CODE_ALONE)), match[2]
    match = _BY_SLUG.fullmatch(path)
    if match:
        create = query.get("create") == "1"
        return Target(ping_key=match[1], slug=match[2], create=create), match[3]
    return None, None


def _is_slug(text: str) -> bool:
    return text == text.lower() and len(text) <= SLUG_LENGTH


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        # What headers were before they were UTF-8 (RFC 9110, section 5.5).
        return value.decode("latin-1")


def _by_exitstatus(text: str | None) -> tuple[Action, int]:
    if text in _SIGNALS:
        return "fail", _BY_SIGNAL + _SIGNALS[text]
    # int() would choke on thousands of digits.
    exitstatus = int((text or "").lstrip("0")[:4] or "0")
    return ("fail" if exitstatus else "success"), exitstatus


async def _kept_body(
    receive: Receive, limit: int, see: Callable[[bytes], None] | None = None
) -> bytes:
    """Read the whole body, and return as much of it as is kept; let `see` all of it."""
    kept = bytearray()
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise _CutOffError
        piece = message.get("body", b"")
        kept += piece[: limit - len(kept)]
        if see is not None:
            see(piece)
        if not message.get("more_body"):
            return bytes(kept)
