"""A connection that is asked by in one thread, and may be broken off by another."""

import re
import select
import socket
import ssl
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected

from hcl.outgoing.reaching import reach
from hcl.outgoing.request import AskingError, Request, WebURL

_REFUSED = re.compile(r"Tunnel connection failed: ([0-9]+)")


class _Response(HTTPResponse):
    def begin(self) -> None:
        """Read the head, and go on after those that tell of one to come."""
        super().begin()
        # The library knows 100 alone: the answer would be taken for that of the next.
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # as at the begin
            super().begin()


class Connection(HTTPConnection):
    """A connection to the server of a URL, through a proxy if there is one.

    `tls` verifies both. `patience` is how long all addresses may take, and then each
    handshake and a proxy's answer, in seconds.
    """

    response_class = _Response

    def __init__(
        self, url: WebURL, proxy: WebURL | None, tls: ssl.SSLContext, patience: float
    ) -> None:
        self.url = url
        self._first = proxy or url
        super().__init__(self._first.host, self._first.port)
        self._tls = tls
        self._patience = patience
        self._signing_in = {}
        if proxy and proxy.user:
            self._signing_in["Proxy-Authorization"] = proxy.signing_in
        self._is_led = proxy is not None and url.scheme == "http"
        self._leads_on = proxy is not None and not self._is_led
        if self._leads_on:
            self.set_tunnel(url.name, url.port, self._signing_in)
        # What is shut down to break it off.
        self._outer: socket.socket | None = None
        self._is_over = False

    def ask(self, request: Request) -> HTTPResponse:
        """Send a request, and return the head of its answer. Raises AskingError."""
        if self.sock is None:
            self.connect()
        try:
            target = str(request.url) if self._is_led else request.url.target
            self.putrequest(request.method, target, True, True)
            for name, value in request.headers:
                self.putheader(name.decode("ascii"), value)
            for label, user in self._signing_in.items() if self._is_led else ():
                self.putheader(label, user)
            self.endheaders(request.body or None)
            return self.getresponse()
        except RemoteDisconnected as error:
            problem = "{host} closed the connection without an answer"
            raise AskingError(problem) from error
        except OSError as error:
            raise AskingError("{host} broke off the connection") from error
        except HTTPException as error:
            raise AskingError("{host} did not answer in HTTP") from error

    def drain(self, answer: HTTPResponse, limit: int, body: bytearray) -> bool:
        """Read the rest, up to so many bytes; tell whether another request may follow.

        It is added to `body`. The status is the answer: if what follows breaks off, it
        counts all the same.
        """
        is_whole = False
        with suppress(OSError, HTTPException, ValueError):
            body += answer.read(limit)
            is_whole = answer.isclosed() and not answer.will_close
            # After 101 it is no longer HTTP.
            is_whole = is_whole and answer.status >= 200
        if not is_whole:
            answer.close()
            self.close()
        return is_whole

    def connect(self) -> None:
        """Connect, and speak TLS where it is asked for. Raises AskingError."""
        try:
            self.sock = reach(self.host, self.port, self._patience, self._held)
            if self._first.scheme == "https":
                self._secure(self._first.host)
            if self._leads_on:
                self._tunnel()  # type: ignore[attr-defined]  # as its own connect does
                self._secure(self.url.host)
            self.sock.settimeout(None)
        except HTTPException as error:
            raise AskingError("{host} did not answer in HTTP") from error
        except OSError as error:
            # The system gives up too, by an error of the same kind.
            is_late = isinstance(error, TimeoutError) and not error.errno
            problem = f"cannot connect to {{place}}{' in time' if is_late else ''}"
            if refused := _REFUSED.match(str(error)):
                wish = ": it wants a user and a password in its URL"
                status = refused[1]
                problem += ": it refuses"
                problem += wish if status == "407" else f" with HTTP {status}"
            raise AskingError(problem) from error

    def break_off(self) -> None:
        """Have whatever is done by it end at once."""
        self._is_over = True
        if self._outer is not None:
            # Not as TLS does it, which belongs to the thread.
            with suppress(OSError):
                socket.socket.shutdown(self._outer, socket.SHUT_RDWR)

    @property
    def is_quiet(self) -> bool:
        """Whether the other side has neither said anything nor closed it."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def _held(self, sock: socket.socket) -> socket.socket:
        self._outer = sock
        if self._is_over:
            sock.close()
            raise OSError("broken off")
        return sock

    def _secure(self, host: str) -> None:
        """Speak TLS with a host from here on."""
        if isinstance(self.sock, ssl.SSLSocket):
            # Imported here: few have a proxy that speaks TLS itself. Python's own
            # sockets cannot speak it twice.
            from urllib3.util.ssltransport import SSLTransport

            self.sock = SSLTransport(self.sock, self._tls, server_hostname=host)
            return
        secure = self._tls.wrap_socket(
            self.sock, server_hostname=host, do_handshake_on_connect=False
        )
        self.sock = self._held(secure)
        secure.do_handshake()
