"""What hcl sends to: an HTTP server and an SMTP server that take everything."""

import asyncio
import time
from dataclasses import dataclass
from typing import Self

from bench.plan import BenchError


class _Receiver:
    """A server on a free port; an async context manager that runs it."""

    port = 0

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = [task for task in self._tasks if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await self._server.wait_closed()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._converse(reader, writer)
        # A cancelled handler would be reported by asyncio's streams.
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: the last part of its path, and time.time() when it was read."""

    code: str
    at: float


class Hook(_Receiver):
    """Receives webhooks, and answers each after `delay` seconds."""

    def __init__(self, delay: float = 0.0) -> None:
        self.arrivals: list[Arrival] = []
        self._delay = delay
        self._arrived = asyncio.Event()

    async def wait_for(self, count: int, seconds: float) -> None:
        """Wait until so many requests came in all."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.arrivals) < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            problem = f"{len(self.arrivals)} of {count} alerts within {seconds:g} s"
            raise BenchError(problem) from None

    async def wait_for_codes(self, codes: set[str], seconds: float) -> set[str]:
        """Wait until a request came for each of the codes; return those missing."""
        try:
            async with asyncio.timeout(seconds):
                while missing := codes - {arrival.code for arrival in self.arrivals}:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return missing
        return set()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            at = time.time()
            _, _, rest = head.lower().partition(b"\r\ncontent-length:")
            await reader.readexactly(int(rest.partition(b"\r\n")[0] or 0))
            target = head.split(b" ", 2)[1].decode()
            self.arrivals.append(Arrival(target.rpartition("/")[2], at))
            self._arrived.set()
            await asyncio.sleep(self._delay)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")


class Mailbox(_Receiver):
    """Receives mail by SMTP, and counts it."""

    def __init__(self) -> None:
        self.mails = 0

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"220 bench\r\n")
        while command := (await reader.readline())[:4].upper():
            if command == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.mails += 1
            writer.write(b"221 bye\r\n" if command == b"QUIT" else b"250 OK\r\n")
