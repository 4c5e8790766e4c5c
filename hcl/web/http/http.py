"""The HTTP server: uvicorn without its ticks and signals."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from functools import partial

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from hcl.web.http.connections import Connections
from hcl.web.http.fast import HTTPTOOLS, HttpToolsGuard
from hcl.web.http.heads import Heads
from hcl.web.http.protocol import (
    BODY_TIMEOUT,
    HEAD_TIMEOUT,
    WHOLE_BODY_TIMEOUT,
    AnswerSoon,
    GuardedProtocol,
)

# How long requests that are being answered may hold up the end, in seconds.
STOP_TIMEOUT = 3

# How long a connection is kept for its next request, in seconds: longer than by most
# clients and proxies (two minutes), and not an interval at which jobs ping. What is
# sent just as it is closed is lost: clients do not send a POST twice.
IDLE_TIMEOUT = 135

# How many connections are taken at once: their descriptors have to be there before one
# can be closed for another, for which asyncio takes some turns of its loop.
_AT_ONCE = 32
# How many may wait to be taken.
WAITING = 2048


def protocol() -> type[GuardedProtocol]:
    """Return what speaks HTTP: by httptools, if it is installed."""
    if HTTPTOOLS:
        return HttpToolsGuard
    # Imported here: it is not needed beside httptools.
    from hcl.web.http.plain import PlainGuard

    return PlainGuard


class HttpServer(uvicorn.Server):
    """Serves an application on sockets that are already bound, until it is stopped.

    `answer_soon` is asked first: with a scope, and with what writes its answer. It
    returns False for requests that the application is to answer. `connections` bounds
    how many there are.
    """

    def __init__(
        self,
        app: ASGIApp,
        answer_soon: AnswerSoon,
        *,
        connections: Connections | None = None,
        guard: type[GuardedProtocol] | None = None,
        idle_timeout: int = IDLE_TIMEOUT,
        head_timeout: float = HEAD_TIMEOUT,
        body_timeout: float = BODY_TIMEOUT,
        whole_body_timeout: float = WHOLE_BODY_TIMEOUT,
    ) -> None:
        make_protocol = partial(
            guard or protocol(),
            answer_soon=answer_soon,
            connections=connections or Connections(),
            heads=Heads(),
            head_timeout=head_timeout,
            body_timeout=body_timeout,
            whole_body_timeout=whole_body_timeout,
        )
        config = uvicorn.Config(
            app,
            http=make_protocol,  # type: ignore[arg-type]  # makes one
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=idle_timeout,
            timeout_graceful_shutdown=STOP_TIMEOUT,
            backlog=_AT_ONCE,
        )
        super().__init__(config)
        self.server_state: _DatedState = _DatedState()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Accept no more, finish what is being answered, and return from serve."""
        self.should_exit = self.server_state.stopping = True
        self._stopping.set()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until `stop` is called."""
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, and let many more wait for that."""
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(WAITING)

    async def take(self, listening: socket.socket) -> None:
        """Answer on one more socket too, until `stop` is called."""
        before = self.servers
        await self.startup([listening])
        self.servers = [*before, *self.servers]

    async def main_loop(self) -> None:
        """Wait to be stopped; uvicorn's own loop looks ten times a second."""
        await self._stopping.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again at its end."""
        yield


class _DatedState(ServerState):
    """Headers of every answer: the Date, written anew once a second when asked for.

    `stopping`: connections that are made now have been in the line for long enough to
    be answered, but are the last.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._second = 0
        self._headers: list[tuple[bytes, bytes]] = []
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        # The Date of an answer is the wall's, and each answer asks for it.
        second = int(time.time())  # noqa: TID251 - it counts for nothing in hcl
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers

    @default_headers.setter
    def default_headers(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Ignore what uvicorn sets: it sets it from its loop, which does not run."""
