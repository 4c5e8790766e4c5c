"""Speak HTTP to the server on a real socket, packet by packet."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hcl.web.http.answer import Answer
from hcl.web.http.connections import Connections
from hcl.web.http.fast import HTTPTOOLS, HttpToolsGuard
from hcl.web.http.http import HttpServer
from hcl.web.http.plain import PlainGuard
from hcl.web.http.protocol import (
    AnswerSoon,
    GuardedProtocol,
    Respond,
)
from tests.patience import ENDS

# What holds on one holds on the other; without httptools there is only one.
GUARDS: list[type[GuardedProtocol]] = [HttpToolsGuard] * HTTPTOOLS + [PlainGuard]


# By which it is served, as the fixture `guard` has it.
serving_by = GUARDS[:1]

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
)
BIG = 3_000_000


@dataclass
class Recorder:
    """An application that records requests; /early answers before their bodies."""

    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    queries: list[bytes] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = scope["path"] != "/early"
        while more:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            body += message["body"]
            more = message["more_body"]
        self.requests.append((scope["method"], scope["path"], body))
        self.queries.append(scope["query_string"])
        self.headers.append(dict(scope["headers"]))
        text = b"%d bytes" % len(body)
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


def not_soon(_scope: Scope, _respond: Respond) -> bool:
    return False


def soon(scope: Scope, respond: Respond) -> bool:
    """Answer what begins with /soon: at once, or when the loop comes to it."""
    status = 503 if scope["path"].endswith("503") else 200
    answer = Answer(status, [(b"content-length", b"4")], b"soon")
    if scope["path"].startswith("/soon/now"):
        respond(answer)
    elif scope["path"].startswith("/soon"):
        asyncio.get_running_loop().call_soon(respond, answer)
    else:
        return False
    return True


@asynccontextmanager
async def serving(
    app: ASGIApp,
    answer_soon: AnswerSoon = not_soon,
    *,
    connections: Connections | None = None,
    idle_timeout: int = 135,
    head_timeout: float = 30,
    body_timeout: float = 60,
    whole_body_timeout: float = 600,
) -> AsyncIterator[int]:
    """Serve on a free port, which is given."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = HttpServer(
            app,
            answer_soon,
            guard=serving_by[0],
            connections=connections,
            idle_timeout=idle_timeout,
            head_timeout=head_timeout,
            body_timeout=body_timeout,
            whole_body_timeout=whole_body_timeout,
        )
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.stop()
            await task


async def send_all(port: int, *packets: bytes, answers: int = 1) -> bytes:
    """Send packets one by one, and return what came until so many answers were seen.

    answers=0: until the server closes.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.get_extra_info("socket").setsockopt(
        socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
    )
    try:
        for packet in packets:
            writer.write(packet)
            await asyncio.sleep(0)
            # The server runs in this loop: let it read what is there.
            await asyncio.sleep(0.0005)
        return await read_answers(reader, answers)
    finally:
        await close(writer)


async def read_answers(reader: asyncio.StreamReader, answers: int) -> bytes:
    received = b""
    async with asyncio.timeout(ENDS):
        while not answers or len(statuses(received)) < answers:
            data = await reader.read(100_000)
            if not data:
                break
            received += data
    return received


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def statuses(received: bytes) -> list[int]:
    return [int(text) for text in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


def post(path: str, body: bytes, headers: bytes = b"") -> bytes:
    line = b"POST %b HTTP/1.1\r\nHost: x\r\n" % path.encode()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return line + headers + length + body


def get(path: str, headers: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\nHost: x\r\n%b\r\n" % (path.encode(), version, headers)


CHUNKED = (
    b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n%b\r\n"
    b"3\r\nFAI\r\n3\r\nLED\r\n0\r\n\r\n"
)
