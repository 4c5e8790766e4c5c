"""HTTP/1.1 as it is spoken with webhooks: any answer, and connections that are kept."""

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hcl.outgoing import asking, trust
from hcl.outgoing.asking import Answer, Asker
from hcl.outgoing.request import AskingError, make_request, parse_url
from tests.certificates import Authority
from tests.patience import ENDS
from tests.server.process import until
from tests.sinks import HttpSink

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

NO_HTTP, CLOSED = "did not answer in HTTP", "closed the connection"


class Server:
    """Answers each request with the next of some answers; counts connections."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.connections = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answers.pop(0))
                if writer.is_closing():
                    break
        except EOFError:
            pass
        writer.close()


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()


def an_asker(
    proxy: str = "", tls: ssl.SSLContext | None = None, patience: float = ENDS
) -> Asker:
    return Asker(proxy, tls or trust.nobody(), patience)


async def ask(asker: Asker, url: str, limit: int = 100, method: str = "GET") -> Answer:
    request = make_request(method, parse_url(url), [])
    async with asyncio.timeout(ENDS):
        answer = await asker.ask(request, limit)
        await answer.rest
    return answer


def is_asking() -> bool:
    return any(thread.name == "asking" for thread in threading.enumerate())


@contextmanager
def full() -> Iterator[tuple[str, int]]:
    """Yield an address where whoever connects waits, since its line is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.2", 0), backlog=0))
        there = server.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(there)
        yield there


@pytest.mark.parametrize(
    ("answer", "status", "is_kept"),
    [
        (OK, 200, True),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, True),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
         b"HTTP/1.1 404 No\r\ncontent-length:0\r\n\r\n", 404, True),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", 200, True),
        (CHUNKED + b"2\r\nOK\r\n3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n", 200, True),
        (CHUNKED + b"ff\r\n" + bytes(101), 200, False),
        (CHUNKED + b"secret\r\n", 200, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + bytes(101), 200, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + bytes(101), 200, False),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(101), 200, False),
        (b"HTTP/1.1 101 Go on\r\n\r\n", 101, False),
        (b"HTTP/1.1 204 No\r\nConnection: Close\r\n\r\n", 204, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, False),
    ],
)  # fmt: skip
async def test_any_shape_of_an_answer_is_understood(
    answer: bytes, status: int, is_kept: bool
) -> None:
    server, asker = Server(answer, OK), an_asker()

    async with serving(server) as url:
        first = await ask(asker, url)
        second = await ask(asker, url)
        asker.close()

    assert (first.status, second.status) == (status, 200)
    assert server.connections == (1 if is_kept else 2)


async def test_head_of_an_answer_without_a_body_is_its_end() -> None:
    server, asker = (
        Server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", OK),
        an_asker(),
    )

    async with serving(server) as url:
        await ask(asker, url, method="HEAD")
        assert (await ask(asker, url)).status == 200
        asker.close()

    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", CLOSED),
        (b"\r\n\r\n", NO_HTTP),
        (b"ICY 200 OK\r\n\r\n", NO_HTTP),
        (b"HTTP/2 200\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + bytes(100_000) + b"\r\n\r\n", NO_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", NO_HTTP),
    ],
)
async def test_what_is_no_answer_is_told(answer: bytes, problem: str) -> None:
    async with serving(Server(answer)) as url:
        with pytest.raises(AskingError, match=problem):
            await ask(an_asker(), url)


async def test_connection_that_was_closed_meanwhile_is_not_asked_by() -> None:
    server, asker = Server(OK), an_asker()

    async with serving(server) as url:
        await ask(asker, url)
        server.answers.append(OK)
        [[way]] = asker._kept.values()
        await until(lambda: not way.is_quiet)
        assert (await ask(asker, url)).status == 200
        asker.close()

    assert server.connections == 2


async def test_connection_that_nobody_asks_by_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "_KEPT_FOR", 0.01)

    async with HttpSink() as sink:
        asker = an_asker()
        await ask(asker, sink.url)
        await until(lambda: not any(asker._kept.values()))
        await ask(asker, sink.url)
        await until(lambda: not any(asker._kept.values()))

        assert sink.connections == 2


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_cancelling_ends_the_thread(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, full() as there:
        for host, port in (mute.getsockname(), there):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ask(an_asker(), f"{scheme}://{host}:{port}/")
            await until(lambda: not is_asking())


async def test_cancelling_ends_the_thread_while_the_answer_trickles() -> None:
    async with HttpSink(behave="trickle") as sink:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask(an_asker(), sink.url)
        await until(lambda: not is_asking())


async def test_many_that_hang_hold_up_no_other() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as mute:
        asker, port = an_asker(), mute.getsockname()[1]
        hanging = [
            asyncio.create_task(ask(asker, f"http://127.0.0.1:{port}/"))
            for _ in range(100)
        ]
        async with HttpSink() as sink:
            assert (await ask(asker, sink.url)).status == 200
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        asker.close()

    await until(lambda: not is_asking())


def test_lookup_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    script = f"""
import asyncio, socket, time
from tests.outgoing.test_asking import an_asker, ask

socket.getaddrinfo = lambda *_, **__: time.sleep({10 * ENDS})

async def main():
    async with asyncio.timeout(0.1):
        await ask(an_asker(), "http://hook.invalid/")

try:
    asyncio.run(main())
except TimeoutError:
    print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=2 * ENDS,
    )

    assert (done.stdout, done.stderr) == ("ended\n", "")


@pytest.mark.parametrize("is_safe", [False, True])
async def test_tunnel_leads_to_the_server_and_its_certificate_counts(
    tmp_path: Path, is_safe: bool
) -> None:
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(cafile=authority.file)
    heads = []

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        there, back = await asyncio.open_connection("127.0.0.1", sink.port)
        writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
        await asyncio.gather(pour(reader, back), pour(there, writer))

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(9999):
            writer.write(data)
        writer.close()

    async with HttpSink(tls=authority.server()) as sink:
        outer = authority.server() if is_safe else None
        async with await asyncio.start_server(lead, "127.0.0.1", ssl=outer) as proxy:
            port = proxy.sockets[0].getsockname()[1]
            way = f"http{'s' if is_safe else ''}://me:p%40ss@127.0.0.1:{port}"
            asker = an_asker(way, tls)
            answer = await ask(asker, f"https://127.0.0.1:{sink.port}/x")
            asker.close()

        assert answer.status == 200
        assert [record.target for record in sink.records] == ["/x"]
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in heads[0]


async def test_address_that_leads_nowhere_leaves_time_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(Server(OK)) as url:
        port = parse_url(url).port
        with full() as there:

            def found(*_: Any, **__: Any) -> Any:
                kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
                return [(*kind, there), (*kind, ("127.0.0.1", port))]

            monkeypatch.setattr(socket, "getaddrinfo", found)
            asker = an_asker(patience=0.4)
            answer = await ask(asker, url)
            asker.close()

    assert answer.status == 200


def test_connection_that_outlives_the_loop_is_closed(
    recwarn: pytest.WarningsRecorder,
) -> None:
    async def ask_once(url: str) -> None:
        asker = an_asker()
        await asker.ask(make_request("GET", parse_url(url), []), 100)
        asker.close()

    def answer(server: socket.socket, is_over: threading.Event) -> None:
        with server.accept()[0] as connection:
            connection.sendall(OK[:-2])
            is_over.wait(ENDS)
            connection.sendall(OK[-2:])

    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=answer, args=(server, is_over))
        answering.start()
        asyncio.run(ask_once(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        [thread] = [one for one in threading.enumerate() if one.name == "asking"]
        is_over.set()
        thread.join(ENDS)
        answering.join(ENDS)
    del thread
    gc.collect()

    assert [warning.category for warning in recwarn] == []
