"""Pages, as somebody sees them who has signed in."""

import asyncio
import http.client
import urllib.parse
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bench.plan import BenchError
from bench.servers import API_KEY, PROJECT, Hcl

# The list of checks, and below it other pages of the project.
LIST = f"/projects/{PROJECT}/"


class Browser:
    """A session of the dashboard; a context manager that closes its connection."""

    def __init__(self, hcl: Hcl) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", hcl.port, timeout=120
        )
        self.cookie = ""
        self._sign_in(f"http://127.0.0.1:{hcl.port}")

    def _sign_in(self, origin: str) -> None:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": origin,
        }
        form = urllib.parse.urlencode({"key": API_KEY})
        self._connection.request("POST", "/sign-in", form, headers)
        response = self._connection.getresponse()
        response.read()
        cookie = response.getheader("Set-Cookie")
        if cookie is None:
            raise BenchError(f"nobody was signed in: {response.status}")
        self.cookie = cookie.partition(";")[0]

    def look(self, path: str) -> int:
        """Look at a page; return how many bytes came."""
        headers = {"Cookie": self.cookie, "Accept-Encoding": "identity"}
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        size = len(response.read())
        if response.status >= 400:
            raise BenchError(f"{path}: {response.status}")
        return size

    def close(self) -> None:
        """Close the connection; the session stays."""
        self._connection.close()


def look_at(hcl: Hcl, paths: Iterable[str]) -> None:
    """Sign in, and look at pages."""
    browser = Browser(hcl)
    try:
        for path in paths:
            browser.look(path)
    finally:
        browser.close()


class Stream:
    """Messages that come to one open page."""

    def __init__(self) -> None:
        self.bytes = 0


@asynccontextmanager
async def open_pages(hcl: Hcl, count: int) -> AsyncIterator[list[Stream]]:
    """Follow the changes of the list on so many open pages meanwhile."""
    browser = await asyncio.to_thread(Browser, hcl)
    head = f"GET {LIST}live?rows= HTTP/1.1\r\nHost: 127.0.0.1:{hcl.port}\r\n"
    request = f"{head}Cookie: {browser.cookie}\r\n\r\n".encode()
    streams, tasks = [], []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", hcl.port)
            writer.write(request)
            await reader.readuntil(b"retry:")
            streams.append(Stream())
            tasks.append(asyncio.create_task(_read(reader, writer, streams[-1])))
        yield streams
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        browser.close()


async def _read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
) -> None:
    try:
        while data := await reader.read(65_536):
            stream.bytes += len(data)
    finally:
        writer.transport.abort()
