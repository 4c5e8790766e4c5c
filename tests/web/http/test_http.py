"""The HTTP server on a real socket: what is in its packets, and what never comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send

from hcl.web.http.answer import Answer
from hcl.web.http.http import HttpServer
from hcl.web.http.protocol import BODY, ENDLESS, HEAD_LIMIT, Respond
from tests.app import App
from tests.patience import ENDS
from tests.web.http.wire import (
    BIG,
    CHUNKED,
    UPGRADE,
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

# Connections that are kept


def test_jobs_that_ping_at_usual_intervals_find_their_connection_open_or_gone() -> None:
    kept = HttpServer(Recorder(), soon).config.timeout_keep_alive

    # Closed just then, a connection takes the ping with it: no POST is sent twice.
    usual = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300)
    assert [seconds for seconds in usual if abs(seconds - kept) < 5] == []
    # Proxies keep theirs for up to two minutes, and have to be the first.
    assert kept > 120


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


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/büro".encode(), ("/büro", b"")),
        ("/a?tag=büro".encode(), ("/a", b"tag=b%C3%BCro")),
        (b"/a?tag=b\xfcro&x=%25", ("/a", b"tag=b%FCro&x=%25")),
    ],
)
async def test_what_is_not_ascii_in_a_url_is_quoted(
    path: bytes, asked: tuple[str, bytes]
) -> None:
    app = Recorder()
    request = (
        b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\xc3\xbc"
    )

    async with serving(app) as port:
        received = await send_all(port, request)

    assert statuses(received) == [200]
    assert app.requests == [("POST", asked[0], "ü".encode())]
    assert app.queries == [asked[1]]


async def test_what_is_not_ascii_in_a_url_is_quoted_however_it_comes() -> None:
    app = Recorder()
    # Some clients send an empty line behind a body.
    request = (
        "\r\nPOST /büro?tag=büro HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n".encode()
        + b"User-Agent: caf\xe9\r\n\r\n\xc3\xbc\n"
    )

    async with serving(app) as port:
        for split in range(len(request)):
            packets = request[:split], request[split:]
            assert statuses(await send_all(port, *filter(None, packets))) == [200]
        answers = await send_all(port, request, request[:2], request[2:], answers=2)

    times = len(request) + 2
    assert statuses(answers) == [200, 200]
    assert app.requests == [("POST", "/büro", "ü\n".encode())] * times
    assert app.queries == [b"tag=b%C3%BCro"] * times
    assert {headers[b"user-agent"] for headers in app.headers} == {b"caf\xe9"}


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


@pytest.mark.parametrize("size", [0, 10, 1000, BIG])
@pytest.mark.parametrize("split", [10, 100, 5000])
async def test_a_short_body_may_be_waited_for_and_a_long_one_goes_the_long_way(
    size: int, split: int
) -> None:
    app, bodies = Recorder(), list[bytes]()

    def with_body(scope: Scope, respond: Respond) -> bool | None:
        if BODY not in scope:
            return None
        bodies.append(bytes(scope[BODY]))
        respond(Answer(200, [(b"content-length", b"4")], b"soon"))
        return True

    text = post("/a", b"x" * size)

    async with serving(app, with_body) as port:
        received = await send_all(
            port, text[:split], text[split:], get("/b"), answers=2
        )

    assert statuses(received) == [200, 200]
    if size == BIG:
        assert [len(body) for _, _, body in app.requests] == [BIG]
        assert bodies == [b""]
    else:
        assert bodies == [b"x" * size, b""]
        assert app.requests == []


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


async def test_an_answer_without_end_ends_when_the_client_leaves() -> None:
    gone = asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][ENDLESS] = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    async with serving(stream) as port, asyncio.timeout(ENDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/live"))
        await reader.readuntil(b"1\r\n")
        # All that a browser says that leaves a page.
        writer.write_eof()
        await gone.wait()
        await close(writer)


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


@pytest.mark.parametrize("behind", [b"a=b", b"nonsense\r\n\r\n"])
@pytest.mark.parametrize("path", ["/b", "/soon", "/soon/now"])
async def test_what_is_whole_is_answered_though_what_comes_behind_is_no_request(
    path: str, behind: bytes
) -> None:
    # As of scripts that send a body and do not say how long it is.
    whole = get("/a") + get(path).replace(b"GET", b"POST")

    async with serving(Recorder(), soon) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole + behind)
        writer.write_eof()
        received = await read_answers(reader, 0)
        await close(writer)

    assert statuses(received)[:2] == [200, 200]


async def test_what_cannot_be_read_is_refused_without_guessing() -> None:
    async with serving(Recorder()) as port:
        received = await send_all(port, b"nonsense\r\n\r\n", answers=0)

    head, _, text = received.partition(b"\r\n\r\n")
    assert statuses(received) == [400]
    assert b"x-content-type-options: nosniff" in head.lower()
    assert b"cache-control: no-store" in head.lower()
    assert f"content-length: {len(text)}".encode() in head.lower()
