"""Ask by HTTP, in threads: what does it in the loop takes 6 MB of memory."""

import asyncio
import ssl
from concurrent.futures import Future
from functools import partial
from http.client import HTTPResponse
from threading import Thread
from typing import NamedTuple

from hcl.outgoing.connection import Connection
from hcl.outgoing.reasons import NO_THREAD
from hcl.outgoing.request import AskingError, Request, WebURL, parse_url

# How long a connection is kept, in seconds.
_KEPT_FOR = 5.0


class Answer(NamedTuple):
    """What was answered, and where that leads, or ""; `rest` is done with its `body`.

    To cancel `rest` breaks the connection off.
    """

    status: int
    location: str
    rest: asyncio.Future[bool]
    body: bytearray


class Asker:
    """Asks servers, by connections that are kept for a while.

    `proxy` is the URL of what leads there, "" for none; `tls` verifies servers, and
    that proxy. `patience` is how long a connection may take, and TLS by it, in seconds.
    Raises ValueError for a proxy that cannot be used.
    """

    def __init__(self, proxy: str, tls: ssl.SSLContext, patience: float) -> None:
        try:
            self._proxy = parse_url(proxy) if proxy else None
        except AskingError as error:
            raise ValueError("no proxy for HTTP") from error
        self.tls = tls
        self._patience = patience
        self._kept: dict[WebURL, dict[Connection, asyncio.TimerHandle]] = {}
        self._is_closed = False

    async def ask(self, request: Request, limit: int) -> Answer:
        """Send a request, and return its answer once the head is there.

        Of what follows up to `limit` bytes are waited for: some servers drop their work
        when the client leaves before their last word. To cancel this breaks the
        connection off. Raises AskingError.
        """
        loop, connection = asyncio.get_running_loop(), self._take(request.url)
        answered, ended = Future[HTTPResponse](), Future[bool]()
        for future in (answered, ended):
            # Nobody but the thread ends them.
            future.set_running_or_notify_cancel()

        def end(ended: Future[bool]) -> None:
            try:
                loop.call_soon_threadsafe(self._end, connection, ended.result())
            except RuntimeError:
                # The loop has ended: nobody waits.
                connection.close()

        # Before whoever waits for the rest asks once more.
        ended.add_done_callback(end)
        head, rest = asyncio.wrap_future(answered), asyncio.wrap_future(ended)
        rest.add_done_callback(partial(_leave, connection))
        body = bytearray()
        # A thread for each: none waits for another, and one that hangs while it looks
        # up a name holds up nothing, not even the end of hcl.
        work = (connection, request, limit, answered, ended, body)
        try:
            Thread(target=_work, args=work, name="asking", daemon=True).start()
        except RuntimeError as error:
            raise AskingError(NO_THREAD) from error
        try:
            answer = await head
        except asyncio.CancelledError:
            rest.cancel()
            raise
        location = str(answer.getheader("Location", ""))
        return Answer(answer.status, location, rest, body)

    def close(self) -> None:
        """Close the connections that are kept, and keep no more."""
        self._is_closed = True
        while self._kept:
            for connection, timer in self._kept.popitem()[1].items():
                timer.cancel()
                connection.close()

    def _take(self, url: WebURL) -> Connection:
        """Return a connection that is kept, the newest first, or a new one."""
        root = url._replace(user="", target="")
        kept = self._kept.get(root, {})
        while kept:
            connection, timer = kept.popitem()
            timer.cancel()
            if connection.is_quiet:
                return connection
            connection.close()
        return Connection(root, self._proxy, self.tls, self._patience)

    def _end(self, connection: Connection, is_whole: bool) -> None:
        if self._is_closed or not is_whole:
            connection.close()
            return
        kept = self._kept.setdefault(connection.url, {})
        loop = asyncio.get_running_loop()
        kept[connection] = loop.call_later(_KEPT_FOR, partial(_drop, kept, connection))


def _leave(connection: Connection, rest: asyncio.Future[bool]) -> None:
    if rest.cancelled():
        connection.break_off()


def _drop(kept: dict[Connection, asyncio.TimerHandle], connection: Connection) -> None:
    del kept[connection]
    connection.close()


def _work(
    connection: Connection,
    request: Request,
    limit: int,
    answered: Future[HTTPResponse],
    ended: Future[bool],
    body: bytearray,
) -> None:
    is_whole = False
    try:
        answer = connection.ask(request)
        answered.set_result(answer)
        is_whole = connection.drain(answer, limit, body)
    # Whatever a library raises, a try ends in words.
    except BaseException as error:  # noqa: BLE001
        connection.close()
        if not answered.done():
            answered.set_exception(error)
    ended.set_result(is_whole)
