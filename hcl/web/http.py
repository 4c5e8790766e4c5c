"""The HTTP server: uvicorn without its ticks and signals, with bounds on requests."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

Headers = list[tuple[bytes, bytes]]
Respond = Callable[[int, Headers, bytes], None]
AnswerSoon = Callable[[Scope, Respond], bool]

# The most bytes of a request's line and headers.
HEAD_LIMIT = 65_536

# How long a connection may take for a request's line and headers, in seconds.
HEAD_TIMEOUT = 30.0

# How long requests that are being answered may hold up the end, in seconds.
STOP_TIMEOUT = 3


class HttpServer(uvicorn.Server):
    """Serves an application on sockets that are already bound, until it is stopped.

    `answer_soon` is asked first: with a scope, and with what writes its answer. It
    returns False for requests that the application is to answer.
    """

    def __init__(self, app: ASGIApp, answer_soon: AnswerSoon) -> None:
        config = uvicorn.Config(
            app,
            http=partial(GuardedProtocol, answer_soon),  # type: ignore[arg-type]  # makes one
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=STOP_TIMEOUT,
        )
        super().__init__(config)
        self.server_state = _DatedState()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Accept no more, finish what is being answered, and return from serve."""
        self.should_exit = True
        self._stopping.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until `stop` is called."""
        await super().serve(sockets)

    async def main_loop(self) -> None:
        """Wait to be stopped; uvicorn's own loop looks ten times a second."""
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again at its end."""
        yield


class _DatedState(ServerState):
    """Headers of every answer: the Date, written anew once a second when asked for."""

    def __init__(self) -> None:
        self._second = 0
        self._headers: list[tuple[bytes, bytes]] = []
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Ignore what uvicorn sets: it sets it from its loop, which does not run."""


@lru_cache
def _head(status: int, headers: tuple[tuple[bytes, bytes], ...], keep: bool) -> bytes:
    """Return an answer's head as bytes, up to the value of its Date."""
    lines = [b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%b: %b\r\n" % header for header in headers]
    if not keep:
        lines.append(b"connection: close\r\n")
    return b"".join([*lines, b"date: "])


class GuardedProtocol(Protocol):
    """Closes connections that send a request's head too slowly, or never, or no end."""

    def __init__(self, answer_soon: AnswerSoon, **rest: Any) -> None:
        super().__init__(**rest)
        self._answer_soon = answer_soon
        self._head = 0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to watch a connection."""
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no more."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that has grown too large."""
        super().data_received(data)
        if self._answering:
            self._head = 0
            return
        self._head += len(data)
        if self._head > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("Request head is too large.")

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Answer without a task, if that can be; httptools' protocol calls this.

        It saves half of what uvicorn spends on a request.
        """

        def respond(status: int, headers: Headers, body: bytes) -> None:
            if cycle.disconnected:
                return
            head = _head(status, tuple(headers), cycle.keep_alive)
            date = self.server_state.default_headers[0][1]
            end = b"\r\n\r\n" if cycle.scope["method"] == "HEAD" else b"\r\n\r\n" + body
            cycle.response_started = cycle.response_complete = True
            cycle.transport.write(head + date + end)
            if not cycle.keep_alive:
                cycle.transport.close()
            cycle.on_response()

        if not self._answer_soon(cycle.scope, respond):
            super()._start_asgi_task(cycle, app)

    @property
    def _answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _watch_head(self) -> None:
        # Between requests uvicorn's own timer runs, until the next one begins.
        waiting = not self._answering and self.timeout_keep_alive_task is None
        if self._watch is not None and waiting:
            self.transport.close()
            return
        self._watch = self.loop.call_later(HEAD_TIMEOUT, self._watch_head)
