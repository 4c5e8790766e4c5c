"""Ask by HTTP, in threads: what does it in the loop takes 6 MB of memory."""

import asyncio
import ssl
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPResponse
from threading import Thread
from typing import NamedTuple
from urllib.parse import urlsplit

from hcl.alerts.transports.connection import Connection
from hcl.alerts.transports.request import PORTS, Request, WebURL

# How long a connection is kept, in seconds.
_KEPT_FOR = 5.0


class Answer(NamedTuple):
    """What was answered, and where that leads, or ""; `rest` is done with its body.

    To cancel `rest` breaks the connection off.
    """

    status: int
    location: str
    rest: asyncio.Future[bool]


# Where a connection leads: scheme, host and port.
_Place = tuple[str, str, int]


class Asker:
    """Asks servers, by connections that are kept for a while.

    `proxy` is the URL of what leads there, "" for none; `tls` verifies servers, and
    that proxy. `patience` is how long a connection may take, and TLS by it, in seconds.
    Raises ValueError for a proxy that cannot be used.
    """

    def __init__(self, proxy: str, tls: ssl.SSLContext, patience: float) -> None:
        self._proxy = urlsplit(proxy) if proxy else None
        if self._proxy and not (self._proxy.scheme in PORTS and self._proxy.hostname):
            raise ValueError("no proxy for HTTP")
        self._tls = tls
        self._patience = patience
        self._kept: dict[_Place, dict[Connection, asyncio.TimerHandle]] = {}
        self._is_closed = False

    async def ask(self, request: Request, limit: int) -> Answer:
        """Send a request, and return its answer once the head is there.

        Of what follows up to `limit` bytes are waited for, and dropped: some servers
        drop their work when the client leaves before their last word. To cancel this
        breaks the connection off. Raises AskingError.
        """
        asking = _Asking(self._take(request.url), request, limit)
        loop = asyncio.get_running_loop()

        def end(rest: Future[bool]) -> None:
            # Where the loop has ended nobody waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end, asking, rest.result())

        # Before whoever waits for the rest asks once more.
        asking.rest.add_done_callback(end)
        head, rest = asyncio.wrap_future(asking.head), asyncio.wrap_future(asking.rest)
        rest.add_done_callback(asking.break_off_if_cancelled)
        asking.start()
        try:
            answer = await head
        except asyncio.CancelledError:
            rest.cancel()
            raise
        return Answer(answer.status, str(answer.getheader("Location", "")), rest)

    def close(self) -> None:
        """Close the connections that are kept, and keep no more."""
        self._is_closed = True
        for kept in self._kept.values():
            for connection, timer in kept.items():
                timer.cancel()
                connection.close()
        self._kept.clear()

    def _take(self, url: WebURL) -> Connection:
        """Return a connection that is kept, the newest first, or a new one."""
        kept = self._kept.get(_place(url), {})
        while kept:
            connection, timer = kept.popitem()
            timer.cancel()
            if connection.is_quiet:
                return connection
            connection.close()
        return Connection(url, self._proxy, self._tls, self._patience)

    def _end(self, asking: "_Asking", is_whole: bool) -> None:
        connection, place = asking.connection, _place(asking.request.url)
        if self._is_closed or not is_whole:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_KEPT_FOR, self._drop, place, connection)
        self._kept.setdefault(place, {})[connection] = timer

    def _drop(self, place: _Place, connection: Connection) -> None:
        kept = self._kept[place]
        del kept[connection]
        connection.close()
        if not kept:
            del self._kept[place]


def _place(url: WebURL) -> _Place:
    return url.scheme, url.host, url.port


class _Asking(Thread):
    """One request, and its answer.

    In a thread of its own: none waits for another, and one that hangs while it looks up
    a name holds up nothing, not even the end of hcl.
    """

    def __init__(self, connection: Connection, request: Request, limit: int) -> None:
        super().__init__(name="asking", daemon=True)
        self.connection = connection
        self.request = request
        self.head: Future[HTTPResponse] = Future()
        # Whether another request may follow by this connection.
        self.rest: Future[bool] = Future()
        self._limit = limit
        for future in (self.head, self.rest):
            # Nobody but the thread ends them.
            future.set_running_or_notify_cancel()

    def break_off_if_cancelled(self, rest: asyncio.Future[bool]) -> None:
        """End at once if nobody waits for the rest."""
        if rest.cancelled():
            self.connection.break_off()

    def run(self) -> None:
        """Ask, and wait for what follows the head."""
        is_whole = False
        try:
            answer = self.connection.ask(self.request)
        # Whatever a library raises, a try ends in words.
        except BaseException as error:  # noqa: BLE001
            self.connection.close()
            self.head.set_exception(error)
        else:
            self.head.set_result(answer)
            is_whole = self.connection.drain(answer, self._limit)
        self.rest.set_result(is_whole)
