"""HTTP without httptools: where there are no wheels of it, all is answered alike."""

import asyncio
import re
from typing import Any
from urllib.parse import unquote

from starlette.types import Message, Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.h11_impl import (
    STATUS_PHRASES,
    H11Protocol,
    RequestResponseCycle,
)

from hcl.web.http.protocol import (
    HEAD_LIMIT,
    SLICE,
    URL_LIMIT,
    GuardedProtocol,
    RefusedError,
)
from hcl.web.http.reading import Body, Head, RequestError, read_head

_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


class PlainGuard(GuardedProtocol, H11Protocol):  # type: ignore[misc]  # see Protocol
    """Speaks HTTP in Python alone.

    h11 would take twice as long for a ping, lets bare newlines pass, and is quadratic
    in the blanks of a header. uvicorn's protocol for it is the frame.
    """

    flow: "_Flow"

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        # What has come and is not read yet; no head ends before `_searched`.
        self._buffer = b""
        self._searched = 0
        self._reader = Body(0)
        self._is_reading = False

    def connection_made(self, transport: Any) -> None:
        """Begin to read."""
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def on_response_complete(self) -> None:
        """Begin with the next request, or wait for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._await_request()
        if self._buffer and not self._is_reading:
            self._read_on()

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._buffer = self._buffer + data if self._buffer else data
        self._read()

    def _read_on(self) -> None:
        """Read what came before."""
        if not self._is_over:
            in_message = self._in_message
            self._read()
            self._note_what_is_owed(in_message)

    def _read(self) -> None:
        """Read as much as can be answered now."""
        self._is_reading, self.flow.is_held = True, False
        try:
            while self._buffer and not self._is_over:
                if self._in_message:
                    goes_on = self._read_body()
                elif self._answering:
                    # The others wait in line.
                    self.flow.pause_reading()
                    goes_on = False
                else:
                    goes_on = self._read_head()
                if not goes_on:
                    return
        except RequestError:
            self._refuse("Invalid HTTP request received.")
        except RefusedError as error:
            self._refuse(str(error))
        finally:
            self._is_reading = False

    def _read_head(self) -> bool:
        if self._buffer[0] in b"\r\n":
            # Empty lines before a request are passed over (RFC 9112, 2.2).
            self._buffer, self._searched = self._buffer.lstrip(b"\r\n"), 0
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if (len(self._buffer) if end < 0 else end) > HEAD_LIMIT:
            raise RefusedError("Request head is too large.")
        if end < 0:
            if _BARE_NEWLINE.search(self._buffer, self._searched):
                raise RequestError
            self._searched = max(0, len(self._buffer) - 3)
            return False
        head = read_head(self._buffer[:end])
        if len(head.path) + bool(head.query) + len(head.query) > URL_LIMIT:
            raise RefusedError("The URL is too long.")
        self._buffer, self._searched = self._buffer[end + 4 :], 0
        self._unset_keepalive_if_required()
        self._begin(head)
        return True

    def _begin(self, head: Head) -> None:
        """Begin to answer."""
        if head.length != 0:
            self._in_message, self._reader = True, Body(head.length)
        cycle: Any = _Cycle(self, self._scope(head), head)
        self.cycle = cycle
        self._answer(cycle)

    def _start(self, cycle: Any) -> None:
        task = self.loop.create_task(cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _scope(self, head: Head) -> Scope:
        path = head.path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": head.version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": head.method,
            "root_path": self.root_path,
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.path,
            "query_string": head.query,
            "headers": head.headers,
            "state": {},
        }

    def _read_body(self) -> bool:
        cycle: Any = self.cycle
        # Chunks may be of one byte each: of them not too many at once.
        part, used = self._reader.take(self._buffer, SLICE)
        self._buffer = self._buffer[used:]
        if part and not cycle.response_complete:
            cycle.body += part
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()
            self._note_body(is_whole=False)
        if self._reader.is_whole:
            self._in_message = cycle.more_body = False
            cycle.message_event.set()
            if self._hung_up:
                self.transport.close()
            self._note_body(is_whole=True)
            return True
        if self._buffer and used:
            self.flow.pause_reading()
            self.flow.is_held = True
            self.loop.call_soon(self._read_on)
        elif len(cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()
        return False


class _Flow(FlowControl):
    """Does not read more while what came before is still to be read."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class _Cycle(RequestResponseCycle):
    """One request and its answer, written as uvicorn does with httptools."""

    def __init__(self, guard: PlainGuard, scope: Scope, head: Head) -> None:
        # As the class above has it, but for h11.
        self.scope: Any = scope
        self.transport = guard.transport
        self.flow = guard.flow
        self.logger = guard.logger
        self.default_headers = guard.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = guard.on_response_complete
        self.disconnected = False
        self.keep_alive = not head.closes
        self.waiting_for_100_continue = head.expects_100
        self.body = bytearray()
        self.more_body = head.length != 0
        if not self.more_body:
            self.message_event.set()
        self.response_started = False
        self.response_complete = False
        self._is_chunked = False

    async def receive(self) -> Any:
        """Return what comes of the body, or that the client has gone."""
        if self.waiting_for_100_continue:
            self.waiting_for_100_continue = False
            if not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await super().receive()

    async def send(self, message: Any) -> None:
        """Write a part of the answer."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.response_started, self.waiting_for_100_continue = True, False
            self.transport.write(self._head(message))
        elif not self.response_complete:
            self._write(message)

    def _head(self, message: Message) -> bytes:
        status = message["status"]
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, STATUS_PHRASES[status])]
        has_length = has_close = False
        for name, value in [*self.default_headers, *message.get("headers", ())]:
            name = name.lower()
            if b"\r" in value or b"\n" in value:
                raise RuntimeError("Invalid HTTP header value.")
            has_length = has_length or name == b"content-length"
            has_close = has_close or (name == b"connection" and b"close" in value)
            lines.append(b"%b: %b\r\n" % (name, value))
        if has_close:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        is_bare = self.scope["method"] == "HEAD" or status in (204, 304)
        if not has_length and not is_bare:
            self._is_chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        return b"".join([*lines, b"\r\n"])

    def _write(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            body = b""
        elif self._is_chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body += b"" if more else b"0\r\n\r\n"
        if body:
            self.transport.write(body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
