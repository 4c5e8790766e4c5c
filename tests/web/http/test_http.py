"""The HTTP server on a real socket: what is in its packets, and what never comes."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Receive, Scope, Send

from hcl.web.http.http import HttpServer
from hcl.web.http.protocol import HEAD_LIMIT, Answer, Respond
from tests.app import App
from tests.leaping import LEAPING, Backend
from tests.patience import ENDS


@pytest.fixture(scope="module")
def anyio_backend() -> Backend:
    return LEAPING


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

UPGRADE = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
)
BIG = 3_000_000


@dataclass
class Recorder:
    """An application that records requests; /early answers before their bodies."""

    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
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
        self.headers.append(dict(scope["headers"]))
        text = b"%d bytes" % len(body)
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


def not_soon(_scope: Scope, _respond: Respond) -> bool | None:
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
    app: Recorder,
    answer_soon: Callable[[Scope, Respond], bool | None] = not_soon,
    *,
    head_timeout: float = 30,
    body_timeout: float = 60,
) -> AsyncIterator[int]:
    """Serve on a free port, which is given."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = HttpServer(
            app, answer_soon, head_timeout=head_timeout, body_timeout=body_timeout
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


# Upgrade


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post("/b", b"FAILED", UPGRADE), id="length"),
        pytest.param(CHUNKED % UPGRADE, id="chunked"),
        pytest.param(CHUNKED % b"", id="chunked, no upgrade"),
        pytest.param(
            post("/b", b"FAILED", UPGRADE + b"Connection: close\r\n"), id="close"
        ),
        pytest.param(
            post("/b", b"FAILED", UPGRADE).replace(b"HTTP/1.1", b"HTTP/1.0"), id="1.0"
        ),
    ],
)
async def test_a_request_split_anywhere_is_one_request(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder()

    async with serving(app) as port:
        for split in range(1, len(request_bytes)):
            packets = request_bytes[:split], request_bytes[split:]
            assert statuses(await send_all(port, *packets)) == [200]

    assert app.requests == [("POST", "/b", b"FAILED")] * (len(request_bytes) - 1)
    assert caplog.messages == []


async def test_a_request_in_packets_of_one_byte_is_one_request() -> None:
    app = Recorder()
    text = post("/b", b"FAILED", UPGRADE)

    async with serving(app) as port:
        await send_all(port, *(text[i : i + 1] for i in range(len(text))))

    assert app.requests == [("POST", "/b", b"FAILED")]


async def test_a_body_after_upgrade_is_not_taken_for_a_request() -> None:
    app = Recorder()
    inner = get("/smuggled")
    text = post("/b", inner, UPGRADE)
    head = len(text) - len(inner)

    async with serving(app, soon) as port:
        await send_all(port, text[:head], inner)
        await send_all(port, text)

    assert app.requests == [("POST", "/b", inner)] * 2


@pytest.mark.parametrize(
    "headers",
    [
        b"upgrade: h2c\r\nconnection: upgrade\r\n",
        b"uPGRADE:h2c\r\ncONNECTION:uPGRADE\r\n",
        b"Upgrade:  \t h2c  \r\nConnection: \t keep-alive ,  Upgrade \t\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        b"Connection: upgrade\r\nUpgrade:\r\n",
        b"Upgrade: h2c\r\n",
        b"Connection: upgrade\r\n",
    ],
)
async def test_upgrade_is_ignored_however_it_is_written(
    headers: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder()

    async with serving(app) as port:
        received = await send_all(port, post("/b", b"FAILED", headers))
        await send_all(port, get("/a", headers))

    assert statuses(received) == [200]
    assert app.requests == [("POST", "/b", b"FAILED"), ("GET", "/a", b"")]
    assert caplog.messages == []


async def test_upgrade_with_a_space_before_its_colon_is_refused() -> None:
    app = Recorder()
    headers = b"Upgrade : h2c\r\nConnection: upgrade\r\n"

    async with serving(app) as port:
        received = await send_all(port, post("/b", b"FAILED", headers), answers=0)

    assert statuses(received) == [400]
    assert app.requests == []


async def test_upgrade_without_a_body_is_answered_and_the_connection_kept() -> None:
    app = Recorder()

    async with serving(app, soon) as port:
        received = await send_all(
            port, get("/soon", UPGRADE), get("/a", UPGRADE), answers=2
        )

    assert statuses(received) == [200, 200]
    assert app.requests == [("GET", "/a", b"")]


async def test_pipelined_requests_are_told_apart() -> None:
    app = Recorder()
    requests = [
        post("/1", b"one", UPGRADE),
        get("/2", UPGRADE),
        CHUNKED % UPGRADE,
        post("/4", get("/smuggled"), UPGRADE),
        get("/5"),
    ]
    text = b"".join(requests)

    async with serving(app) as port:
        for split in range(0, len(text), 7):
            received = await send_all(port, text[:split], text[split:], answers=5)

            assert statuses(received) == [200] * 5
            assert app.requests == [
                ("POST", "/1", b"one"),
                ("GET", "/2", b""),
                ("POST", "/b", b"FAILED"),
                ("POST", "/4", get("/smuggled")),
                ("GET", "/5", b""),
            ]
            app.requests.clear()


async def test_connect_does_not_hide_a_body() -> None:
    app = Recorder()
    head = b"CONNECT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n"

    async with serving(app) as port:
        await send_all(port, head, get("/smuggled").ljust(33))

    assert not any(path == "/smuggled" for _, path, _ in app.requests)


async def test_expect_100_continue_is_answered_with_upgrade_too() -> None:
    app = Recorder()
    text = post("/b", b"FAILED", UPGRADE + b"Expect: 100-continue\r\n")

    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text[:-6])
        first = await read_answers(reader, 1)
        writer.write(text[-6:])
        second = await read_answers(reader, 1)
        await close(writer)

    assert (statuses(first), statuses(second)) == ([100], [200])
    assert app.requests == [("POST", "/b", b"FAILED")]


# Other heads and bodies


async def test_fields_of_a_trailer_are_not_headers() -> None:
    app = Recorder()
    text = (CHUNKED % b"").replace(b"0\r\n\r\n", b"0\r\nX-Api-Key: k\r\n\r\n")

    async with serving(app) as port:
        await send_all(port, text)

    assert app.requests == [("POST", "/b", b"FAILED")]
    assert b"x-api-key" not in app.headers[0]


async def test_a_head_of_bare_newlines_is_refused() -> None:
    app = Recorder()

    async with serving(app) as port:
        received = await send_all(port, b"GET /a HTTP/1.1\nHost: x\n\n", answers=0)

    assert statuses(received) == [400]
    assert app.requests == []


@pytest.mark.parametrize("path", ["/a", "/soon", "/soon/now"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param((b"", b"1.0"), id="HTTP/1.0"),
        pytest.param((b"Connection: close\r\n", b"1.1"), id="close"),
        pytest.param(
            (b"Connection: upgrade, close\r\nUpgrade: x\r\n", b"1.1"), id="up"
        ),
    ],
)
async def test_the_connection_is_closed_after_the_last_answer(
    path: str, text: tuple[bytes, bytes]
) -> None:
    app = Recorder()

    async with serving(app, soon) as port:
        received = await send_all(port, get(path, *text) + get("/next"), answers=0)

    assert statuses(received) == [200]
    assert b"connection: close\r\n" in received
    assert app.requests == ([("GET", "/a", b"")] if path == "/a" else [])


@pytest.mark.parametrize("path", ["/soon", "/soon/now", "/soon/503", "/a"])
async def test_a_kept_connection_answers_again(path: str) -> None:
    async with serving(Recorder(), soon) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(get(path))
            received = await read_answers(reader, 1)

            assert statuses(received) == [503 if path.endswith("503") else 200]
            assert b"connection: close" not in received
        await close(writer)


async def test_head_is_answered_soon_without_a_body() -> None:
    async with serving(Recorder(), soon) as port:
        received = await send_all(
            port,
            get("/soon", b"Connection: close\r\n").replace(b"GET", b"HEAD"),
            answers=0,
        )

    assert b"content-length: 4\r\n" in received
    assert received.endswith(b"\r\n\r\n")


async def test_a_client_that_left_is_not_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked, later = asyncio.Event(), list[Respond]()

    def much_later(_scope: Scope, respond: Respond) -> bool:
        later.append(respond)
        asked.set()
        return True

    async with serving(Recorder(), much_later) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/soon"))
        await asked.wait()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        later[0](Answer(200, [], b"soon"))

    assert caplog.messages == []


async def test_answer_that_closes_the_connection_does() -> None:
    def fail(_scope: Scope, respond: Respond) -> bool:
        headers = [(b"connection", b"close"), (b"content-length", b"1")]
        respond(Answer(500, headers, b"x"))
        return True

    async with serving(Recorder(), fail) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/soon"))
        async with asyncio.timeout(ENDS):
            received = await reader.read()
        writer.close()

    assert received.startswith(b"HTTP/1.1 500 ")
    assert received.lower().count(b"connection: close") == 1
    assert received.endswith(b"x")


async def test_a_head_without_end_is_refused() -> None:
    async with serving(Recorder()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /a HTTP/1.1\r\nX: ")
        for _ in range(HEAD_LIMIT // 8192):
            writer.write(b"y" * 8192)
            await asyncio.sleep(0.001)
        received = await read_answers(reader, 0)
        await close(writer)

    assert statuses(received) == [400]


async def test_a_body_does_not_count_as_the_next_head() -> None:
    app = Recorder()
    text = post("/a", b"x" * HEAD_LIMIT * 2) + get("/b")

    async with serving(app) as port:
        received = await send_all(port, text[:-5], text[-5:], answers=2)

    assert statuses(received) == [200, 200]


# What is left of an answered request


@pytest.mark.parametrize("headers", [b"", UPGRADE])
@pytest.mark.parametrize("path", ["/early", "/soon", "/soon/now"])
async def test_an_early_answer_arrives_and_the_connection_goes_on(
    path: str, headers: bytes
) -> None:
    app = Recorder()

    async with serving(app, soon) as port:
        received = await send_all(
            port, post(path, b"x" * BIG, headers), get("/b"), answers=2
        )

    assert statuses(received) == [200, 200]
    assert app.requests[-1] == ("GET", "/b", b"")


@pytest.mark.parametrize("headers", [b"", UPGRADE])
@pytest.mark.parametrize("path", ["/early", "/soon", "/soon/now"])
async def test_an_early_last_answer_arrives_although_the_client_still_sends(
    path: str, headers: bytes
) -> None:
    # A second field of that name: httptools reads both.
    text = post(path, b"x" * BIG, headers + b"Connection: close\r\n")

    async with serving(Recorder(), soon) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for i in range(0, len(text), 100_000):
            writer.write(text[i : i + 100_000])
            await writer.drain()
            await asyncio.sleep(0.001)
        received = await read_answers(reader, 0)
        await close(writer)

    assert statuses(received) == [200]
    assert b"connection: close\r\n" in received


async def test_nothing_is_answered_after_the_last_answer() -> None:
    app = Recorder()
    text = post("/early", b"x" * 10, b"Connection: close\r\n")

    async with serving(app, soon) as port:
        received = await send_all(port, text[:-5], text[-5:] + get("/soon"), answers=0)

    assert statuses(received) == [200]


# What never comes


async def seconds_until_closed(port: int, *packets: bytes, pause: float = 0) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for packet in packets:
        writer.write(packet)
        await asyncio.sleep(pause)
    with suppress(ConnectionError):
        await read_answers(reader, 0)
    took = loop.time() - begun
    await close(writer)
    return took


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"GET /a HT", b"TP/1.1\r\n", b"Host:"], id="half a head"),
        pytest.param([b"\r\n", b"\r\n"], id="empty lines"),
    ],
)
async def test_a_head_must_come_in_time(packets: list[bytes]) -> None:
    async with serving(Recorder(), head_timeout=0.3) as port:
        took = await seconds_until_closed(port, *packets, pause=0.1)

    assert 0.2 < took < 1


async def test_a_second_head_must_come_in_time() -> None:
    async with serving(Recorder(), head_timeout=0.4) as port:
        took = await seconds_until_closed(port, get("/a"), b"GET /b", pause=0.3)

    assert 0.6 < took < 1.2


@pytest.mark.parametrize("path", ["/b", "/early"])
@pytest.mark.parametrize("headers", [b"", UPGRADE, b"Connection: close\r\n"])
async def test_a_body_must_go_on_in_time(path: str, headers: bytes) -> None:
    app = Recorder()
    text = post(path, b"x" * 100, headers)[:-50]

    async with serving(app, head_timeout=0.1, body_timeout=0.4) as port:
        # It goes on for longer than the time, then no more.
        took = await seconds_until_closed(port, text, *[b"x"] * 3, pause=0.2)

        assert app.requests == ([("POST", path, b"")] if path == "/early" else [])
        assert app.gone.is_set() == (path == "/b")
    # With Connection: close the client sees the end of the answer at once.
    if (path, headers) != ("/early", b"Connection: close\r\n"):
        assert 0.7 < took < 1.3


async def test_a_slow_body_that_goes_on_arrives() -> None:
    app = Recorder()
    text = post("/b", b"x" * 10)
    packets = [text[:-10], *[b"x"] * 10]

    async with serving(app, head_timeout=0.1, body_timeout=0.3) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for packet in packets:
            writer.write(packet)
            await asyncio.sleep(0.05)
        received = await read_answers(reader, 1)
        await close(writer)

    assert statuses(received) == [200]
    assert app.requests == [("POST", "/b", b"x" * 10)]


async def test_a_slow_upload_is_dated_at_its_end(app: App) -> None:
    created = await app.api("POST", "checks/", json={"name": "Backup"})
    url = created.json()["ping_url"]

    async def slow() -> AsyncIterator[bytes]:
        yield b"all "
        await app.http.post(f"{url}/fail", content=b"disk full")
        yield b"is well"

    await app.http.post(url, content=slow())

    pings = (await app.api("GET", f"checks/{created.json()['uuid']}/pings/")).json()
    last, first = pings["pings"]
    assert (first["type"], last["type"]) == ("fail", "success")
    assert first["date"] <= last["date"]
