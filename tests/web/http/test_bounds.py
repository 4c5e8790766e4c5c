"""What a connection may hold, for how long, and how many of them there may be."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

import pytest
from starlette.types import Receive, Scope, Send

from hcl.repeats import PAUSE
from hcl.web.http.connections import Connections, network_of
from hcl.web.http.protocol import HEAD_LIMIT, READ_TIMEOUT, URL_LIMIT
from tests.web.http.wire import (
    Recorder,
    close,
    get,
    post,
    read_answers,
    send_all,
    serving,
    soon,
    statuses,
)

# The head of get("/a", …), without what is added to it.
REST = len(get("/a", b"X: \r\n"))


# Heads


@pytest.mark.parametrize("path", ["/a", "/soon"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"X: " + b"y" * HEAD_LIMIT + b"\r\n", id="one header"),
        pytest.param(b"X: y\r\n" * (HEAD_LIMIT // 6), id="many"),
        pytest.param(b"Cookie: a=" + b"y" * 3 * HEAD_LIMIT + b"\r\n", id="thrice"),
    ],
)
async def test_a_head_that_comes_at_once_is_bounded_too(
    path: str, headers: bytes
) -> None:
    app = Recorder()

    async with serving(app, soon) as port:
        received = await send_all(port, get(path, headers), answers=0)

    assert statuses(received) == [400]
    assert received.endswith(b"Request head is too large.")
    assert app.requests == []


async def test_a_head_within_the_limit_is_taken_with_its_body_in_one_packet() -> None:
    app = Recorder()
    headers = b"X: " + b"y" * (HEAD_LIMIT - 200) + b"\r\n"

    async with serving(app) as port:
        received = await send_all(port, post("/a", b"z" * 2 * HEAD_LIMIT, headers))

    assert statuses(received) == [200]
    assert app.requests == [("POST", "/a", b"z" * 2 * HEAD_LIMIT)]


@pytest.mark.parametrize("mark", ["", "?"])
async def test_a_url_is_bounded(mark: str) -> None:
    app = Recorder()
    longest = f"/a{mark}".ljust(URL_LIMIT, "%")

    async with serving(app, soon) as port:
        taken = await send_all(port, get(longest))
        refused = await send_all(port, get(f"{longest}%"), answers=0)

    assert (statuses(taken), statuses(refused)) == ([200], [400])
    assert refused.endswith(b"The URL is too long.")


async def test_a_line_of_requests_is_read_as_its_turn_comes() -> None:
    app = Recorder()
    paths = [f"/{number}" for number in range(3000)]
    text = b"".join(map(get, paths))

    async with serving(app) as port:
        received = await send_all(port, text, answers=3000)

    assert statuses(received) == [200] * 3000
    assert [path for _, path, _ in app.requests] == paths


# Time


async def until_closed(port: int, packets: Sequence[bytes], pause: float) -> float:
    """Send packets until the server closes, and return how long that took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for packet in packets:
        writer.write(packet)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(pause):
                await reader.read()
                break
    took = loop.time() - begun
    await close(writer)
    return took


@pytest.mark.parametrize("path", ["/b", "/early", "/soon"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_trickles_is_cut_off(path: str, chunked: bool) -> None:
    text, byte = post(path, b"x" * 100)[:-100], b"x"
    if chunked:
        text = text.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked")
        byte = b"1\r\nx\r\n"

    async with serving(
        Recorder(), soon, head_timeout=2, body_timeout=5, whole_body_timeout=20
    ) as port:
        took = await until_closed(port, [text, *[byte] * 90], pause=1)

    assert 19 < took < 22


async def test_the_next_body_has_its_own_time() -> None:
    app = Recorder()
    slow = [post("/b", b"x" * 10)[:-10], *[b"x"] * 10]

    async with serving(app, body_timeout=5, whole_body_timeout=15) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            for packet in slow:
                writer.write(packet)
                await asyncio.sleep(1)
            assert statuses(await read_answers(reader, 1)) == [200]
        await close(writer)

    assert len(app.requests) == 3


class Large:
    """Answers with more than fits into all that lies between."""

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            body = b"x" * 100_000
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def test_who_does_not_read_an_answer_is_cut_off() -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async with serving(Large()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(get("/"))
        await asyncio.sleep(READ_TIMEOUT * 2)
        received = await read_answers(reader, 0)
        await close(writer)

    assert statuses(received) == [200]
    assert not received.endswith(b"0\r\n\r\n")
    assert loop.time() - begun < READ_TIMEOUT * 2 + 1


# Connections


def everybody(_: str) -> bool:
    return True


def nobody(_: str) -> bool:
    return False


async def connect(port: int, text: bytes) -> asyncio.StreamReader:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    READERS[reader] = writer
    await asyncio.sleep(0.01)
    return reader


READERS: dict[asyncio.StreamReader, asyncio.StreamWriter] = {}


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.01):
            while await reader.read(1000):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


async def test_idle_connections_go_first_then_heads_and_bodies_that_stay_away() -> None:
    connections = Connections(3, lambda _: True)

    async with serving(Recorder(), connections=connections) as port:
        alive = {
            "body": await connect(port, post("/b", b"x" * 10)[:-5]),
            "idle": await connect(port, get("/a")),
            "head": await connect(port, b"GET /"),
        }
        gone = []
        for _ in range(3):
            await connect(port, b"GET /")
            await asyncio.sleep(0.1)
            gone.append([name for name in alive if await is_closed(alive[name])])
        for writer in READERS.values():
            await close(writer)
        READERS.clear()

    assert gone == [["idle"], ["idle", "head"], ["idle", "head"]]


async def test_connections_without_end_keep_nobody_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Recorder()

    async with serving(app, soon, connections=Connections(20)) as port:
        async with AsyncExitStack() as stack:
            for number in range(80):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                writer.write(b"G")
                if number % 20 == 19:
                    await asyncio.sleep(0.06)
                    received = await send_all(port, get("/soon"))
                    assert statuses(received) == [200]
        await asyncio.sleep(PAUSE + 1)

    told = [message for message in caplog.messages if "share" in message]
    assert told[0] == "127.0.0.1 has its share of 5 connections"
    assert len(told) == 2
    assert "more like it in 60 s" in told[1]


@pytest.mark.parametrize("behind", [b"", b"no request"])
async def test_where_all_are_at_work_who_comes_is_told_so(behind: bytes) -> None:
    waiting = asyncio.Event()

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        await waiting.wait()
        await Recorder()(scope, receive, send)

    connections = Connections(2, lambda _: True)

    async with serving(busy, connections=connections) as port:
        first = [await connect(port, get("/a") + behind) for _ in range(2)]
        received = await send_all(port, get("/a"), answers=0)
        waiting.set()
        for reader in first:
            assert statuses(await read_answers(reader, 1)) == [200]
            READERS.pop(reader).close()

    assert statuses(received) == [503]
    assert b"connection: close\r\n" in received


@pytest.mark.parametrize("count", [8, 50])
async def test_one_address_has_a_share_and_a_proxy_all(count: int) -> None:
    for is_proxy in (True, False):
        connections = Connections(40, {True: everybody, False: nobody}[is_proxy])
        async with serving(Recorder(), connections=connections) as port:
            readers = [await connect(port, b"GET /") for _ in range(count)]
            left = [r for r in readers if not await is_closed(r)]
            for reader in readers:
                await close(READERS.pop(reader))

        assert len(left) == min(count, 40 if is_proxy else 10)


def test_one_address_is_a_network_of_ipv6() -> None:
    same = {network_of(f"2001:db8:1:2:{i}::1") for i in range(3)}

    assert len(same) == 1
    assert network_of("2001:db8:1:3::1") not in same
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("") == ""


# The log


async def test_what_is_refused_is_logged_once_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(Recorder()) as port:
        for _ in range(30):
            await send_all(port, b"nonsense\r\n\r\n", answers=0)
        at_once = list(caplog.messages)
        await asyncio.sleep(PAUSE + 1)

    line = "127.0.0.1 refused: Invalid HTTP request received."
    assert at_once == [line]
    assert caplog.messages == [line, f"{line} (and 28 more like it in 60 s)"]


async def test_requests_that_fail_are_logged_once_with_a_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ArithmeticError("seven")

    async with serving(fail) as port:
        for _ in range(5):
            received = await send_all(port, get("/a"), answers=0)
            assert statuses(received) == [500]

    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ArithmeticError)
