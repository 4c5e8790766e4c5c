"""One connection: uvicorn's protocol with bounds, and a short way for pings."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from starlette.types import Scope

from hcl.repeats import Repeats
from hcl.web.http.answer import Answer, Patient
from hcl.web.http.connections import Connections, network_of
from hcl.web.http.heads import Heads, Known, RequestLine

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
else:
    # What comes before uvicorn's protocol among the bases, whichever that is.
    Protocol = object

# uvicorn's own, which tells of each request that fails.
logger = logging.getLogger("uvicorn.error")
logger.addFilter(Repeats())
logging.getLogger("asyncio").addFilter(Repeats())

# The most bytes of a request's line and headers, and of the URL in it: a path or query
# of 64 kB takes 50 ms to read.
HEAD_LIMIT = 65_536
URL_LIMIT = 8192

# Bytes that are read at once.
SLICE = 16_384

# How long a connection may take for a request's line and headers, in seconds.
HEAD_TIMEOUT = 30.0

# How long nothing may come of a request's body that is not at its end, in seconds.
BODY_TIMEOUT = 60.0

# How long a whole body may take, and a client that does not read its answer.
WHOLE_BODY_TIMEOUT = 600.0
READ_TIMEOUT = 60.0

# How long a server that stops waits for the request of a connection that has sent none
# yet, in seconds: whoever waits in the line of a passed socket comes with the next one.
LAST_REQUEST = 1.0

# How long a refused client may go on sending, in seconds, so that it sees its answer.
_LINGER = 1.0

Respond = Callable[[Answer], None]
# None: it is asked again with the whole body in the scope.
AnswerSoon = Callable[[Scope, Respond], bool | None]

# Where a scope has the whole body, once that has come.
BODY = "hcl.body"

# In the state of a scope: nobody loses much if its connection goes without an answer.
SPARE = "hcl.spare"
# There too: its answer has no end, so that it is over when the client sends no more.
ENDLESS = "hcl.endless"


class RefusedError(Exception):
    """A request is not taken, and the connection ends; the text says why."""


class GuardedProtocol(Protocol):
    """Closes connections whose requests do not come to an end.

    Its subclasses feed a parser, and tell by `_in_message` where in a request it is.
    """

    network = ""

    def __init__(
        self,
        *,
        answer_soon: AnswerSoon,
        connections: Connections,
        heads: Heads,
        head_timeout: float,
        body_timeout: float,
        whole_body_timeout: float,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._answer_soon = answer_soon
        self._room = connections
        self._heads = heads
        self._line = RequestLine()
        self._whole_body_timeout = whole_body_timeout
        self._head_timeout = head_timeout
        self._body_timeout = body_timeout
        # Whether a head is complete, and what belongs to it is not yet.
        self._in_message = False
        # Since when the client owes a head, or more of a body. None: it owes nothing,
        # or uvicorn's own timer runs, as it does between requests.
        self._owing: float | None = None
        # Whose body comes in, and since when.
        self._body: tuple[Any, float] = None, 0.0
        # Since when no request is under way, and since when an answer is not read.
        self._idle_since: float | None = None
        self._unread_since: float | None = None
        self._hung_up = False
        self._is_refused = False
        # Whose body is waited for before it is answered.
        self._put_off: Any = None
        # Who is answered without a task, and has just come.
        self._soon: Any = None
        self._watch: asyncio.TimerHandle | None = None
        # Whether the next answer is the last.
        self._stopping = False

    def connection_made(self, transport: Any) -> None:
        """Begin to watch a connection."""
        super().connection_made(transport)
        self._owing = self.loop.time()
        address = self.client[0] if self.client else ""
        self.network = network_of(address)
        if self._room.enter(self, address, self._owing):
            self._look()
            if getattr(self.server_state, "stopping", False):
                # It was taken out of the line before, and cannot go back.
                self.shutdown()
        else:
            self._turn_away(503, "Too many connections, try again later.")
            self.transport.close()

    def shutdown(self) -> None:
        """Close, but first answer the request that a new connection was made for."""
        cycle: Any = self.cycle
        if cycle is None and not self._is_over:
            self._stopping = True
            self._head_timeout = min(self._head_timeout, LAST_REQUEST)
            self._owing = self.loop.time()
            if self._watch is not None:
                self._watch.cancel()
            self._look()
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch it no more."""
        for timer in (self._watch, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        self._room.leave(self)
        super().connection_lost(exc)

    def spare(self) -> tuple[int, float] | None:
        """Tell how well this connection can be spared, see Connections."""
        is_refused = self._is_refused and not self._answering
        if is_refused or self._idle_since is not None:
            return 0, self._idle_since or 0.0
        cycle: Any = self.cycle
        if self._answering and SPARE in cycle.scope["state"]:
            return 1, 0.0
        if self._in_message:
            return 2, self._body[1]
        return None if self._owing is None else (1, self._owing)

    def give_way(self) -> None:
        """Close the connection for another one."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it does."""
        self._unread_since = None
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Note what the client still owes."""
        if self._is_refused:
            return
        data = self._line.quoted(data, begins=self._is_between)
        begins = self._is_between and not self._answering
        if not data or (begins and self._take_known(data)):
            return
        in_message = self._in_message
        self._feed(data)
        soon, self._soon = self._soon, None
        if begins and soon is not None:
            self._heads.learn(data, soon.scope)
        if self._stopping and self._answering:
            cycle: Any = self.cycle
            cycle.keep_alive = False
        self._note_what_is_owed(in_message)

    def _take_known(self, data: bytes) -> bool:
        """Answer a request without the parser, if all of it says what is known."""
        if self._stopping or self.flow.write_paused or self.transport.is_closing():
            return False
        known = self._heads.read(data)
        if known is None:
            return False
        scope, scope[BODY] = known
        scope["client"], scope["scheme"] = self.client, self.scheme
        before, cycle = self.cycle, cast(Any, Known(self, scope))
        self.cycle = cycle
        # Before it is asked: it may answer at once, and the next idle time begin.
        self._idle_since = None
        if not self._answer_soon(scope, partial(self._respond, cycle)):
            # The parser has it as if nobody had looked.
            self.cycle = before
            return False
        self._owing = None
        return True

    def _note_what_is_owed(self, in_message: bool) -> None:
        """Note what the client owes, which was in a message before."""
        if self._in_message:
            self._owing = self.loop.time()
            cycle: Any = self.cycle
            if self._body[0] is not cycle:
                self._body = cycle, self._owing
            cycle.transport = Patient(self.transport, partial(self._hang_up, cycle))
        elif self._answering or self._idle_since is not None:
            self._owing = None
        elif in_message or self._owing is None:
            self._owing = self.loop.time()

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio has it
        """Answer what is under way to a client that has finished sending."""
        cycle: Any = self.cycle
        if not self._answering or self._in_message or ENDLESS in cycle.scope["state"]:
            return None
        cycle.keep_alive = False
        return True

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: a server may ignore Upgrade (RFC 9110, section 7.8)."""

    @property
    def _is_between(self) -> bool:
        """Whether nothing has come of a request that is not at its end."""
        raise NotImplementedError

    def _feed(self, data: bytes) -> None:
        raise NotImplementedError

    def _start(self, cycle: Any) -> None:
        raise NotImplementedError

    @property
    def _is_over(self) -> bool:
        """Whether what comes is read no more."""
        return self._is_refused or self.transport.is_closing()

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
        """Close the connection if the client is late; look again when it may be."""
        now = self.loop.time()
        due = now + self._head_timeout
        if self._unread_since is not None:
            due = self._unread_since + READ_TIMEOUT
        elif self._owing is not None:
            timeout = self._body_timeout if self._in_message else self._head_timeout
            if self.flow.read_paused:
                # It is we who are slow.
                self._owing = now
            due = self._owing + timeout
            if self._in_message:
                due = min(due, self._body[1] + self._whole_body_timeout)
        if due > now:
            self._watch = self.loop.call_at(due, self._look)
        elif self._unread_since is not None:
            self.transport.abort()
        else:
            self.transport.close()

    def _refuse(self, text: str) -> None:
        """Answer what is no request that is taken."""
        if self._hung_up:
            self.transport.close()
        elif not self._is_over:
            logger.warning("%s refused: %s", self.network or "a request was", text)
            cycle: Any = self.cycle
            if not self._answering:
                self._turn_away(400, text)
                # What is still sent must not reset the connection before this is read.
                self.transport.write_eof()
                self.loop.call_later(_LINGER, self.transport.close)
            elif cycle.more_body:
                # Its answer comes too late.
                self._turn_away(400, text)
                self.transport.close()
            else:
                # It came behind a whole request, whose answer is under way.
                self._is_refused, cycle.keep_alive = True, False

    def _turn_away(self, status: int, text: str) -> None:
        self._is_refused = True
        body = text.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        date = self.server_state.default_headers[0][1]
        answer = Answer(status, headers, body)
        self.transport.write(answer.to_bytes(date, keep=False, head_only=False))

    def _answer(self, cycle: Any) -> None:
        """Answer without a task, if that can be; else start one.

        It saves the task, and one of the two writes of an answer.
        """
        if self._stopping:
            cycle.keep_alive = False
        if not cycle.more_body:
            cycle.scope[BODY] = cycle.body
        # A client that does not read is made to wait by uvicorn's own way of sending.
        is_paused = self.flow.write_paused
        respond = partial(self._respond, cycle)
        is_taken = False if is_paused else self._answer_soon(cycle.scope, respond)
        if is_taken is None:
            self._put_off = cycle
        elif not is_taken:
            self._start(cycle)
        elif cycle.keep_alive:
            self._soon = cycle

    def _respond(self, cycle: Any, answer: Answer) -> None:
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

    def _note_body(self, *, is_whole: bool) -> None:
        """Begin to answer who waited for a body; one that is long goes the long way."""
        if self._put_off is None or not (is_whole or self.flow.read_paused):
            return
        cycle, self._put_off = self._put_off, None
        if is_whole:
            self._answer(cycle)
        else:
            self._start(cycle)

    def _await_request(self, seconds: float | None = None) -> None:
        """Let the connection be idle for so long, or for as long as it may be."""
        if seconds is None:
            self._idle_since = self.loop.time()
            seconds = self.timeout_keep_alive
            if self.timeout_keep_alive_task is not None:
                # One timer for many requests: uvicorn starts and stops one for each.
                return
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection, if no request has come for long enough.

        One that still sends what was answered already is left alone.
        """
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        rest = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self._await_request(rest)
        elif not self._in_message:
            super().timeout_keep_alive_handler()
