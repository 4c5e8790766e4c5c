"""HTTP clients: one connection that is kept, and timed calls of the API."""

import asyncio
import http.client
import time
from collections.abc import Iterable, Sequence
from itertools import cycle
from statistics import median
from typing import Self

from bench.plan import BenchError
from bench.servers import API_KEY

# Between two pings of a client that waits for nobody else, in seconds.
_REST = 0.002


def request(path: str, body: bytes = b"") -> bytes:
    """Return the bytes of a GET, or of a POST if there is a body."""
    if not body:
        return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Connection:
    """A connection for one request after the other; an async context manager."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def ask(self, request: bytes) -> int:
        """Send a request, read its whole answer, return its status.

        Raises OSError or EOFError if the server goes away.
        """
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"\r\ncontent-length:")
        await self._reader.readexactly(int(rest.partition(b"\r\n")[0]))
        return int(head[9:12])


def median_ms(
    port: int, path: str, times: int = 50, patience: float = 10.0, between: str = ""
) -> float:
    """Return the median time of a GET with a key of the API, over one connection.

    `between` is asked for before each, lest what is finished is given again. Ends
    early, though not before the third call, when `patience` seconds have gone.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    taken: list[float] = []
    try:
        # The first call may import what the others find.
        _call(connection, path)
        begun = time.perf_counter()
        while len(taken) < times:
            if len(taken) >= 3 and time.perf_counter() - begun > patience:
                break
            if between:
                _call(connection, between)
            before = time.perf_counter()
            _call(connection, path)
            taken.append(time.perf_counter() - before)
    finally:
        connection.close()
    return median(taken) * 1000


def get(port: int, paths: Iterable[str]) -> None:
    """Ask for one path after the other, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        for path in paths:
            _call(connection, path)
    finally:
        connection.close()


async def keep_listing(port: int, seconds: float) -> int:
    """List all checks again and again; return how often."""
    key = f"X-Api-Key: {API_KEY}"
    head = f"GET /api/v3/checks/ HTTP/1.1\r\nHost: bench\r\n{key}\r\n\r\n"
    times, end = 0, time.perf_counter() + seconds
    async with Connection(port) as connection:
        while time.perf_counter() < end:
            if await connection.ask(head.encode()) != 200:
                raise BenchError("a list was refused")
            times += 1
    return times


async def keep_pinging(
    port: int, codes: Sequence[str], seconds: float, taken: list[float]
) -> None:
    """Ping one check after the other, with a rest between; note what each took."""
    end = time.perf_counter() + seconds
    async with Connection(port) as connection:
        for code in cycle(codes):
            sent = time.perf_counter()
            if sent > end:
                return
            if await connection.ask(request(f"/ping/{code}")) != 200:
                raise BenchError("a ping was refused")
            taken.append(time.perf_counter() - sent)
            await asyncio.sleep(_REST)


def _call(connection: http.client.HTTPConnection, path: str) -> None:
    connection.request("GET", path, headers={"X-Api-Key": API_KEY})
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise BenchError(f"{path}: {response.status}")
