"""One connection that webhooks ask by: the standard library's, for use in a thread.

It is broken off from another.
"""

import re
import select
import socket
import ssl
from contextlib import suppress
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    RemoteDisconnected,
)
from urllib.parse import SplitResult

from hcl.alerts.transports.request import PORTS, Request, WebURL, basic, user_of

_REFUSED = re.compile(r"Tunnel connection failed: ([0-9]+)")


class AskingError(Exception):
    """A request got no answer; what caused it tells why."""


class ConnectError(AskingError):
    """No connection can be made."""


class LateError(ConnectError):
    """No connection was made in time."""


class ProxyError(AskingError):
    """The proxy refuses to lead there; `status` is what it answered."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class ClosedError(AskingError):
    """The connection was closed before anything was answered."""


class BrokenError(AskingError):
    """The connection broke off."""


class AnswerError(AskingError):
    """What was answered is not HTTP."""


class _Response(HTTPResponse):
    def begin(self) -> None:
        """Read the head; go on after those that tell of one to come."""
        super().begin()
        # The library knows 100 alone. The answer would be taken for that of the next.
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
        self,
        url: WebURL,
        proxy: SplitResult | None,
        tls: ssl.SSLContext,
        patience: float,
    ) -> None:
        first, port, scheme = url.host, url.port, url.scheme
        if proxy:
            first, scheme = proxy.hostname or "", proxy.scheme
            port = proxy.port or PORTS[scheme]
        super().__init__(first, port)
        self._tls = tls
        self._patience = patience
        self._speaks_tls = scheme == "https"
        self._signs_in: dict[str, str] = {}
        if proxy and (user := user_of(proxy)):
            self._signs_in["Proxy-Authorization"] = basic(user)
        self._leads_on_to = url.host if proxy and url.scheme == "https" else ""
        if self._leads_on_to:
            self.set_tunnel(url.name, url.port, self._signs_in)
        self._is_led = proxy is not None and not self._leads_on_to
        # What is shut down to break it off.
        self._outer: socket.socket | None = None
        self._is_over = False

    def ask(self, request: Request) -> HTTPResponse:
        """Send a request, and return the head of its answer. Raises AskingError."""
        if self.sock is None:
            self.connect()
        try:
            target = str(request.url) if self._is_led else request.url.target
            self.putrequest(
                request.method, target, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                self.putheader(name.decode("latin-1"), value)
            if self._is_led:
                for label, user in self._signs_in.items():
                    self.putheader(label, user)
            self.endheaders(request.body or None)
            return self.getresponse()
        except RemoteDisconnected as error:
            raise ClosedError("nothing was answered") from error
        except OSError as error:
            raise BrokenError(str(error)) from error
        except HTTPException as error:
            raise AnswerError("no head of an answer") from error

    def drain(self, answer: HTTPResponse, limit: int) -> bool:
        """Read the rest, up to so many bytes; tell whether another request may follow.

        The status is the answer: if what follows breaks off, it counts all the same.
        """
        is_whole = False
        with suppress(OSError, HTTPException, ValueError):
            answer.read(limit)
            is_whole = answer.isclosed() and not answer.will_close
        if not is_whole:
            answer.close()
            self.close()
        return is_whole

    def connect(self) -> None:
        """Connect, and speak TLS where it is asked for. Raises AskingError."""
        try:
            self.sock = self._reached()
            if self._speaks_tls:
                self._secure(self.host)
            if self._leads_on_to:
                self._tunnel()  # type: ignore[attr-defined]  # as its own connect does
                self._secure(self._leads_on_to)
            self.sock.settimeout(None)
        except TimeoutError as error:
            # The system gives up too, by an error of the same kind.
            raise (ConnectError if error.errno else LateError)(str(error)) from error
        except HTTPException as error:
            raise AnswerError("no head of an answer") from error
        except OSError as error:
            if refused := _REFUSED.match(str(error)):
                raise ProxyError(int(refused[1])) from error
            raise ConnectError(str(error)) from error

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
        if self._outer is None or self._outer.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(self._outer, select.POLLIN)
        return not poll.poll(0)

    def _reached(self) -> socket.socket:
        """Connect to the first address that can be reached."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        last = OSError("no address")
        for family, kind, protocol, _, address in found:
            sock = self._held(socket.socket(family, kind, protocol))
            try:
                # None takes the time of the others.
                sock.settimeout(self._patience / len(found))
                sock.connect(address)
                sock.settimeout(self._patience)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                last = error
        raise last

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
