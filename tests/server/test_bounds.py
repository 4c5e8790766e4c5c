"""The real process under what strangers may do to it: pings go on being answered."""

import asyncio
import logging
import resource
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import ENDS
from tests.server.process import PING_KEY, Serve, curl, until
from tests.server.test_serve import hook_to
from tests.sinks import HttpSink

# What the system allows a process: less than a flood, as it is by default.
NOFILE = 1024
ROOM = NOFILE * 3 // 4

# How long an attack goes on, in seconds at least.
AWHILE = 0.5

logger = logging.getLogger(__name__)

Attack = Callable[[int, str, int], Awaitable[None]]


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Let this process have the other ends of a flood."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@dataclass
class Heard:
    """What became of the pings that were sent meanwhile.

    `first` ends when one of them was answered.
    """

    first: asyncio.Task[bytes]
    answered: int = 0
    failed: int = 0
    p99: float = 0.0


@asynccontextmanager
async def pinged(port: int, path: str) -> AsyncIterator[Heard]:
    """Ping beside what is done, from another process."""
    pinger = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.server.latency", str(port), path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if pinger.stdout is None:
        raise RuntimeError("nothing is heard of it")
    try:
        await asyncio.wait_for(pinger.stdout.readline(), ENDS)
        heard = Heard(asyncio.create_task(pinger.stdout.readline()))
        yield heard
        await asyncio.wait_for(heard.first, ENDS)
        output, _ = await asyncio.wait_for(pinger.communicate(b"\n"), ENDS)
        answered, failed, p99 = output.split()
        heard.answered, heard.failed = int(answered), int(failed)
        heard.p99 = float(p99)
    finally:
        if pinger.returncode is None:
            pinger.kill()
            await pinger.wait()


async def say(port: int, text: bytes) -> None:
    """Say something over a connection of its own, and hear what comes."""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS):
                await reader.read()
        writer.close()


async def cookies(port: int, _: str, size: int) -> None:
    """Send the cookie that Python's parser takes seconds for."""
    cookie = b'a="' + b"\\" * 60_000 * size + b'"'
    head = b"GET /sign-in HTTP/1.1\r\nConnection: close\r\nCookie: %b\r\n\r\n"
    for _time in range(5):
        await say(port, head % cookie)


async def urls(port: int, _: str, size: int) -> None:
    """Send what it takes long to unquote."""
    for path in (b"/ping/", b"/ping/a/b?rid=", b"/badge/", b"/?q="):
        line = b"GET %b%b HTTP/1.1\r\nConnection: close\r\n\r\n"
        for _time in range(5):
            await say(port, line % (path, b"%" * 60_000 * size))


async def blanks(port: int, _: str, size: int) -> None:
    """Send headers that a regular expression is lost in, and such trailers."""
    gap = b" " * 60_000 * size
    chunked = b"POST /ping/a/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    for _time in range(5):
        await say(port, b"GET / HTTP/1.1\r\nX:%b\x00\r\n\r\n" % gap)
        await say(port, b"%bX:%b\x00\r\n\r\n" % (chunked, gap))


async def chunks(port: int, path: str, size: int) -> None:
    """Send a body in chunks of one byte."""
    head = (
        b"POST %b HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    body = b"1\r\nx\r\n" * 10_000 * size + b"0\r\n\r\n"
    await asyncio.gather(*(say(port, head % path.encode() + body) for _ in range(5)))


async def nonsense(port: int, _: str, size: int) -> None:
    """Send what is no HTTP."""
    for _time in range(10 * size):
        await asyncio.gather(*(say(port, b"nonsense\r\n\r\n") for _ in range(10)))


async def silence(port: int, _: str, size: int) -> None:
    """Open connections without end, and say a byte over each."""
    await asyncio.to_thread(flood, port, [b"G"], NOFILE + 200 * size)


async def trickle(port: int, path: str, size: int) -> None:
    """Open connections without end, and begin to send a body, for nobody too."""
    nobody = "/ping/00000000-0000-4000-8000-000000000000"
    heads = [
        f"POST {target} HTTP/1.1\r\nContent-Length: 9" for target in (path, nobody)
    ]
    texts = [f"{head}\r\n\r\nx".encode() for head in heads]
    await asyncio.to_thread(flood, port, texts, NOFILE + 200 * size)


def flood(port: int, texts: Sequence[bytes], count: int) -> None:
    """Open so many connections, and keep open those that the server keeps."""
    held: deque[socket.socket] = deque()
    for number in range(count):
        with suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=ENDS))
            held[-1].sendall(texts[number % len(texts)])
        if len(held) > NOFILE + 100:
            held.popleft().close()
    for connection in held:
        connection.close()


@contextmanager
def bounded(folder: Path, channels: str = "") -> Iterator[Serve]:
    """Serve with as many descriptors as a system gives by default."""
    serve = Serve(folder, channels)
    serve.starter = ["prlimit", f"--nofile=256:{NOFILE}"]
    with serve:
        yield serve


ATTACKS: list[Attack] = [cookies, urls, blanks, chunks, nonsense, silence, trickle]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_pings_are_answered_whatever_strangers_do(
    tmp_path: Path, attack: Attack
) -> None:
    with bounded(tmp_path) as serve:
        path = f"/ping/{PING_KEY}/alive"
        curl(f"{serve.root}{path}?create=1")

        for size in (1, 10):
            async with pinged(serve.port, path) as heard:
                begun = time.monotonic()
                # On a busy machine no ping may come between in so short a time.
                while time.monotonic() - begun < AWHILE or not heard.first.done():
                    await attack(serve.port, path, size)
                    assert time.monotonic() - begun < ENDS

            logger.info("%s, %d times: %s", attack.__name__, size, heard)
            # All come from one address: on a machine that is busy with other tests a
            # ping may be so slow that it goes as one of those that can be spared.
            assert heard.failed <= max(1, heard.answered // 50)
            assert heard.p99 < 2 + 10 * serve.start_seconds

        assert serve.stop() == 0
        assert len(serve.log.splitlines()) < 15


async def test_descriptors_are_left_for_alerts_while_connections_are_full(
    tmp_path: Path,
) -> None:
    async with HttpSink() as hook:
        with bounded(tmp_path, hook_to(hook.url)) as serve:
            check = serve.api("POST", "checks/", name="Backup", channels="*")
            allowed = resource.prlimit(serve.process.pid, resource.RLIMIT_NOFILE)
            # All at once: they wait until it goes on.
            serve.process.send_signal(signal.SIGSTOP)
            held = [
                await asyncio.open_connection("127.0.0.1", serve.port)
                for _ in range(NOFILE + 100)
            ]
            serve.process.send_signal(signal.SIGCONT)
            await until(lambda: count_descriptors(serve) >= ROOM)

            curl(f"{check['ping_url']}/fail")
            await hook.wait_for(1)
            left = NOFILE - count_descriptors(serve)
            for _, writer in held:
                writer.transport.abort()
            await until(lambda: count_descriptors(serve) < 100)

            assert serve.stop(signal.SIGTERM) == 0
            assert allowed == (NOFILE, NOFILE)
            assert left > NOFILE // 8
            assert f"all {ROOM} connections are taken" in serve.log
            assert "Traceback" not in serve.log


def count_descriptors(serve: Serve) -> int:
    """Count what the process has open, as root or its user would."""
    return len(list(Path(f"/proc/{serve.process.pid}/fd").iterdir()))
