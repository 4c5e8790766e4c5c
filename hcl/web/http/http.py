"""The HTTP server: begins to listen, and ends in order."""

import asyncio
import logging
import socket
import time
from email.utils import formatdate
from functools import partial

from starlette.types import ASGIApp

from hcl.web.http.borrowed import ServerState, Settings
from hcl.web.http.connections import Connections
from hcl.web.http.fast import HTTPTOOLS, HttpToolsGuard
from hcl.web.http.protocol import (
    BODY_TIMEOUT,
    HEAD_TIMEOUT,
    WHOLE_BODY_TIMEOUT,
    AnswerSoon,
    GuardedProtocol,
)

logger = logging.getLogger(__name__)

# uvicorn's protocols would log each request.
logging.getLogger("uvicorn.access").propagate = False

# How long requests that are being answered may hold up the end, in seconds.
STOP_TIMEOUT = 3

# How many connections are taken at once: their descriptors have to be there before one
# can be closed for another.
_AT_ONCE = 100
# How many may wait to be taken.
WAITING = 2048
# How often a server that ends looks whether all is answered, in seconds.
_LOOK_EVERY = 0.1


def protocol() -> type[GuardedProtocol]:
    """Return what speaks HTTP: by httptools, if it is installed."""
    if HTTPTOOLS:
        return HttpToolsGuard
    # Imported here: it is not needed beside httptools.
    from hcl.web.http.plain import PlainGuard

    return PlainGuard


class HttpServer:
    """Serves an application on sockets that are already bound, until it is stopped.

    `answer_soon` is asked first: with a scope, and with what writes its answer. It
    returns False for requests that the application is to answer. `connections` bounds
    how many there are. `started`: it takes connections.
    """

    def __init__(
        self,
        app: ASGIApp,
        answer_soon: AnswerSoon,
        *,
        connections: Connections | None = None,
        guard: type[GuardedProtocol] | None = None,
        head_timeout: float = HEAD_TIMEOUT,
        body_timeout: float = BODY_TIMEOUT,
        whole_body_timeout: float = WHOLE_BODY_TIMEOUT,
    ) -> None:
        self._state = _DatedState()
        self._make_protocol = partial(
            guard or protocol(),
            config=Settings(app),
            server_state=self._state,
            app_state={},
            answer_soon=answer_soon,
            connections=connections or Connections(),
            head_timeout=head_timeout,
            body_timeout=body_timeout,
            whole_body_timeout=whole_body_timeout,
        )
        self._stopping = asyncio.Event()
        self.started = False

    def stop(self) -> None:
        """Accept no more, finish what is being answered, and return from serve."""
        self._state.stopping = True
        self._stopping.set()

    async def serve(self, sockets: list[socket.socket]) -> None:
        """Answer until `stop` is called."""
        loop = asyncio.get_running_loop()
        servers = [
            await loop.create_server(self._make_protocol, sock=one, backlog=_AT_ONCE)
            for one in sockets
        ]
        for listening in sockets:
            # Many more may wait.
            listening.listen(WAITING)
        self.started = True
        await self._stopping.wait()
        for server in servers:
            server.close()
        for listening in sockets:
            listening.close()
        await self._finish()

    async def _finish(self) -> None:
        """Have what is being answered come to its end."""
        for connection in list(self._state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                # What is closed now, or was just made, takes a moment.
                await asyncio.sleep(_LOOK_EVERY)
                # Connections tell nobody that they are gone.
                while self._state.connections or self._state.tasks:  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            tasks = self._state.tasks
            logger.error("%d requests were not answered before the end", len(tasks))
            for task in tasks:
                task.cancel()


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
        """What each answer begins with."""
        # The Date of an answer is the wall's, and each answer asks for it.
        second = int(time.time())  # noqa: TID251 - it counts for nothing in hcl
        if second != self._second:
            self._second = second
            self._headers = [(b"date", formatdate(second, usegmt=True).encode())]
        return self._headers
