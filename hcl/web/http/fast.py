"""HTTP by httptools, which comes with the extra `fast`."""

from typing import TYPE_CHECKING, Any

from hcl.web.http.protocol import (
    HEAD_LIMIT,
    SLICE,
    URL_LIMIT,
    GuardedProtocol,
    RefusedError,
)

if TYPE_CHECKING:
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    HTTPTOOLS: bool
else:
    try:
        import httptools
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        HTTPTOOLS = True
    except ImportError:
        HttpToolsProtocol = object
        HTTPTOOLS = False

# Requests of one connection that are read before it is their turn.
_LINE = 100


class HttpToolsGuard(GuardedProtocol, HttpToolsProtocol):
    """Speaks HTTP by httptools; it ignores Upgrade, and bounds a request's head."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        # Bytes since a message was last complete.
        self._unfinished = 0
        # What has come and is not read yet.
        self._rest = b""
        self._resuming = False

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if self._resuming:
            self._resuming = False
            return
        if self._unfinished > URL_LIMIT:
            self._bound_head()
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
        if self._put_off is not None:
            self._note_body(is_whole=True)

    def on_body(self, body: bytes) -> None:
        """Take more of a body."""
        super().on_body(body)
        self._note_body(is_whole=False)

    def _bound_head(self) -> None:
        if len(self.url) > URL_LIMIT:
            raise RefusedError("The URL is too long.")
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) + fields > HEAD_LIMIT:
            raise RefusedError("Request head is too large.")

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if not self._rest and len(data) <= SLICE:
            # As nearly all that comes.
            self._feed_piece(data)
            return
        self._rest += data
        # In slices: of a head that comes at once no more is read than may be.
        while self._rest and not self._is_over:
            if len(self.pipeline) > _LINE:
                self.flow.pause_reading()
                return
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._feed_piece(piece)

    def _feed_rest(self) -> None:
        """Read what waits in line."""
        if self._rest and not self._is_over:
            rest, self._rest = self._rest, b""
            self.data_received(rest)

    def _feed_piece(self, piece: bytes) -> None:
        self._unfinished += len(piece)
        try:
            self._parse(piece)
        except httptools.HttpParserError as error:
            # Nothing more belongs to it, nor was there a request at all, maybe.
            self._in_message = False
            cause = error.__context__
            refused = isinstance(cause, RefusedError)
            self._refuse(str(cause) if refused else "Invalid HTTP request received.")
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

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ARG002 - ours
        # Else it came in one packet with a request whose answer was the last.
        if not self.transport.is_closing():
            self._answer(cycle)

    def _start(self, cycle: Any) -> None:
        super()._start_asgi_task(cycle, self.app)

    def on_response_complete(self) -> None:
        """Begin with the next request, or wait for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        # uvicorn reads on even if others wait in line, and a client that pipelines
        # without end would fill the memory.
        if len(self.pipeline) < 2:
            self.flow.resume_reading()
            if self._rest:
                self.loop.call_soon(self._feed_rest)
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._await_request()
