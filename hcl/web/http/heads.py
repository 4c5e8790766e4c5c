"""Heads that have come before: who pings sends the same one again and again."""

import asyncio
import re
from typing import Any, NamedTuple

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

# Where a scope has the first header of each name. Many scopes share it.
BY_NAME = "hcl.by_name"

# So many heads are kept, of so many bytes each at most.
LIMIT = 256
LENGTH = 1024

# So long a request at most is looked at.
_WHOLE = 16_384

# A request's line in which there is nothing to decode, and no doubt where it ends.
_LINE = re.compile(
    rb"(GET|HEAD|POST) (/[A-Za-z0-9/_+-]{0,200})(?:\?([A-Za-z0-9=&_-]{1,200}))?"
    rb" HTTP/1\.1\r\n"
)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# They say more of how a request is read than is kept.
_SPECIAL = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


class _Head(NamedTuple):
    headers: Headers
    by_name: dict[bytes, bytes]
    length: int


class Heads:
    """What the parser made of the headers of requests, by their bytes.

    The same bytes say the same again, so that the parser need not be asked: that and
    what is built around it is a third of what a ping costs.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, _Head] = {}

    def read(self, data: bytes) -> tuple[Scope, bytes] | None:
        """Read a request that has come whole, and whose headers are known.

        Returns what the parser would say of it for a scope, and the body; None: ask it.
        """
        line = _LINE.match(data)
        if line is None:
            return None
        end = data.find(b"\r\n\r\n", line.end() - 2) + 4
        head = self._known.get(data[line.end() : end])
        if head is None or len(data) - end != head.length:
            return None
        method, path, query = line.groups(b"")
        scope = {
            "type": "http",
            "method": method.decode(),
            "path": path.decode(),
            "query_string": query,
            "headers": head.headers,
            "state": {},
            BY_NAME: head.by_name,
        }
        return scope, data[end:]

    def learn(self, data: bytes, scope: Scope) -> None:
        """Keep the headers of a request, if `data` is that and nothing else.

        Its connection stays open after it. Who reads the bytes in the plainest way must
        find the same headers as the parser.
        """
        line = _LINE.match(data)
        if line is None or len(data) > _WHOLE:
            return
        end = data.find(b"\r\n\r\n", line.end() - 2) + 4
        block, headers = data[line.end() : end], scope["headers"]
        by_name = dict(reversed(headers))
        length = by_name.get(b"content-length", b"0")
        if (
            len(block) <= LENGTH
            and _plainly_read(block) == headers
            and _SPECIAL.isdisjoint(by_name)
            and length.isdigit()
            and len(data) - end == int(length)
        ):
            if len(self._known) >= LIMIT:
                # Those that still come are soon known again.
                self._known.clear()
            self._known[block] = _Head(headers, by_name, int(length))


def _plainly_read(block: bytes) -> Headers:
    lines = [line.partition(b":") for line in block[:-4].split(b"\r\n")]
    return [(name.lower(), value.strip(b" \t")) for name, _, value in lines]


class RequestLine:
    """The line that a request begins with, which may come in pieces."""

    def __init__(self) -> None:
        self._is_open = False

    def quoted(self, data: bytes, *, begins: bool) -> bytes:
        """Quote what is not ASCII in it; b"": what came is to be passed over.

        curl sends a query as it was typed, and the parsers would refuse it. `begins`:
        the next request does, with this data.
        """
        if begins:
            # Empty lines before a request are nothing (RFC 9112, section 2.2).
            data, self._is_open = data.lstrip(b"\r\n"), True
        if not self._is_open:
            return data
        line, newline, rest = data[:_WHOLE].partition(b"\n")
        self._is_open = not newline
        if line.isascii():
            return data
        line = _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], line)
        return line + newline + rest + data[_WHOLE:]


class Known:
    """A request that the parser was not asked about; uvicorn's protocols look at it."""

    __slots__ = (
        "disconnected",
        "keep_alive",
        "on_response",
        "response_complete",
        "response_started",
        "scope",
        "transport",
    )

    more_body = False
    # Nobody waits for it.
    message_event = asyncio.Event()

    def __init__(self, guard: Any, scope: Scope) -> None:
        self.scope = scope
        self.transport = guard.transport
        self.on_response = guard.on_response_complete
        self.keep_alive = True
        self.disconnected = self.response_started = self.response_complete = False
