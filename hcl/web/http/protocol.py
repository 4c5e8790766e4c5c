"""One connection: uvicorn's protocol with bounds, and a short way for pings."""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

if TYPE_CHECKING:
    import h11
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol

    HTTPTOOLS: bool
else:
    try:
        import httptools
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol

        HTTPTOOLS = True
    except ImportError:
        import h11
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

        HTTPTOOLS = False

Headers = list[tuple[bytes, bytes]]

# The most bytes of a request's line and headers. It may be passed by what the kernel
# hands over at once, 256 KB.
HEAD_LIMIT = 65_536

# How long a connection may take for a request's line and headers, in seconds.
HEAD_TIMEOUT = 30.0

# How long nothing may come of a request's body that is not at its end, in seconds.
BODY_TIMEOUT = 60.0


class Answer:
    """An answer that can be given many times: only the Date has to be filled in."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())]
        lines += [b"%b: %b\r\n" % h for h in headers if h[0] != b"connection"]
        self.closes = (b"connection", b"close") in headers
        self._head = b"".join([*lines, b"date: "])

    def to_bytes(self, date: bytes, *, keep: bool, head_only: bool) -> bytes:
        """Return it as it is sent; `keep`: the connection stays open."""
        end = b"\r\n\r\n" if keep else b"\r\nconnection: close\r\n\r\n"
        return self._head + date + end + (b"" if head_only else self.body)


Respond = Callable[[Answer], None]
# None: it is asked again with the whole body in the scope.
AnswerSoon = Callable[[Scope, Respond], bool | None]

# Where a scope has the whole body, once that has come.
BODY = "hcl.body"


class GuardedProtocol(Protocol):
    """Closes connections whose requests do not come to an end.

    Its subclasses feed a parser, and tell by `_in_message` where in a request it is.
    """

    def __init__(
        self,
        *,
        answer_soon: AnswerSoon,
        head_timeout: float,
        body_timeout: float,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._answer_soon = answer_soon
        self._head_timeout = head_timeout
        self._body_timeout = body_timeout
        # Whether a head is complete, and what belongs to it is not yet.
        self._in_message = False
        # Since when the client owes a head, or more of a body. None: it owes nothing,
        # or uvicorn's own timer runs, as it does between requests.
        self._owing: float | None = None
        self._hung_up = False
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to watch a connection."""
        super().connection_made(transport)
        self._owing = self.loop.time()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no more."""
        for timer in (self._watch, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note what the client still owes."""
        in_message = self._in_message
        self._feed(data)
        if self._in_message:
            self._owing = self.loop.time()
            cycle: Any = self.cycle
            cycle.transport = _Patient(self.transport, partial(self._hang_up, cycle))
        elif self._answering or self._idle:
            self._owing = None
        elif in_message or self._owing is None:
            self._owing = self.loop.time()

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio has it
        """Answer what is under way to a client that has finished sending."""
        if not self._answering or self._in_message:
            return None
        cycle: Any = self.cycle
        cycle.keep_alive = False
        return True

    def timeout_keep_alive_handler(self) -> None:
        """Leave a connection alone that still sends what was answered already."""
        if not self._in_message:
            super().timeout_keep_alive_handler()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a server may ignore Upgrade (RFC 9110, section 7.8)."""

    def _feed(self, data: bytes) -> None:
        raise NotImplementedError

    @property
    def _idle(self) -> bool:
        return self.timeout_keep_alive_task is not None

    @property
    def _answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _hang_up(self, cycle: Any) -> None:
        """Close the connection, after the rest of the answered request has come.

        With bytes unread the kernel would reset the connection, and many a client that
        still sends would not see its answer.
        """
        if self._in_message and self.cycle is cycle and not self.transport.is_closing():
            self._hung_up = cycle.response_complete = True
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def _look(self) -> None:
        now = self.loop.time()
        timeout = self._body_timeout if self._in_message else self._head_timeout
        if self._owing is None:
            due = now + self._head_timeout
        elif self.flow.read_paused:
            # It is we who are slow.
            self._owing = now
            due = now + timeout
        else:
            due = self._owing + timeout
        if due > now:
            self._watch = self.loop.call_at(due, self._look)
        else:
            self.transport.close()


class _Patient:
    """A transport to answer by while a request still comes in."""

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close


class HttpToolsGuard(GuardedProtocol):
    """Speaks HTTP by httptools; it ignores Upgrade, and bounds a request's head."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        # Since when no request is under way.
        self._idle_since: float | None = None
        # Bytes since a message was last complete.
        self._unfinished = 0
        self._resuming = False
        # The request whose body is waited for, before it is begun to be answered.
        self._put_off: tuple[Any, Any] | None = None

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if self._resuming:
            self._resuming = False
            return
        self._in_message = True
        super().on_headers_complete()
        # The fields of a chunked body's trailer are no headers (RFC 9110, 6.5.1).
        self.headers = []

    def on_message_complete(self) -> None:
        """Note that all of a request has come."""
        if self.parser.should_upgrade():
            # What comes next is its body: see _resume.
            return
        self._in_message = False
        self._unfinished = 0
        super().on_message_complete()
        if self._hung_up:
            self.transport.close()
        elif self._put_off is not None:
            (cycle, app), self._put_off = self._put_off, None
            self._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Take more of a body; what is long goes the long way."""
        super().on_body(body)
        if self._put_off is not None and self.flow.read_paused:
            (cycle, app), self._put_off = self._put_off, None
            super()._start_asgi_task(cycle, app)

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._unfinished += len(data)
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self._refuse("Invalid HTTP request received.")
        else:
            if self._unfinished > HEAD_LIMIT and not self._in_message:
                self._refuse("Request head is too large.")

    def _parse(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
                self._resume()
            else:
                return

    def _resume(self) -> None:
        """Have a body read where the parser expects another protocol.

        It does so after a head with Upgrade, and after CONNECT. A new one is given a
        head that says no more than how long the body is, and that is not answered.
        """
        head = [b"POST / HTTP/1.1"]
        for name, value in self.cycle.scope["headers"]:
            if name in (b"content-length", b"transfer-encoding"):
                head.append(name + b": " + value)
        if not self.parser.should_keep_alive():
            head.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn does: what comes after the last request is passed over.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._resuming = True
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def _refuse(self, text: str) -> None:
        if self._hung_up:
            self.transport.close()
        elif not self.transport.is_closing():
            self.logger.warning(text)
            self.send_400_response(text)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Answer without a task, if that can be.

        It saves the task, and one of the two writes of an answer.
        """
        if self.transport.is_closing():
            # It came in one packet with a request whose answer was the last.
            return

        def respond(answer: Answer) -> None:
            if cycle.disconnected:
                return
            date = self.server_state.default_headers[0][1]
            if answer.closes:
                cycle.keep_alive = False
            keep, head_only = cycle.keep_alive, cycle.scope["method"] == "HEAD"
            cycle.response_started = cycle.response_complete = True
            cycle.transport.write(answer.to_bytes(date, keep=keep, head_only=head_only))
            if not keep:
                self._hang_up(cycle)
            cycle.on_response()

        if not cycle.more_body:
            cycle.scope[BODY] = cycle.body
        # A client that does not read is made to wait by uvicorn's own way of sending.
        is_taken = not self.flow.write_paused and self._answer_soon(
            cycle.scope, respond
        )
        if is_taken is None:
            self._put_off = cycle, app
        elif not is_taken:
            super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Begin with the next request, or wait for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        # uvicorn reads on even if others wait in line, and a client that pipelines
        # without end would fill the memory.
        if len(self.pipeline) < 2:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._await_request(self.timeout_keep_alive)

    def _await_request(self, seconds: float) -> None:
        # One timer for many requests: uvicorn starts and stops one for each.
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    @property
    def _idle(self) -> bool:
        return self._idle_since is not None

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, if no request has come for long enough."""
        self.timeout_keep_alive_task = None
        if self._idle_since is not None:
            rest = self._idle_since + self.timeout_keep_alive - self.loop.time()
            if rest > 0:
                self._await_request(rest)
            else:
                super().timeout_keep_alive_handler()


class H11Guard(GuardedProtocol):
    """Speaks HTTP by h11, where httptools is not to be had; h11 bounds the head."""

    def _feed(self, data: bytes) -> None:
        Protocol.data_received(self, data)
        this: Any = self
        self._in_message = this.conn.their_state is h11.SEND_BODY
        if not self._hung_up:
            return
        if not self._in_message:
            self.transport.close()
            return
        # Nobody reads it any more.
        this.cycle.body = b""
        self.flow.resume_reading()
