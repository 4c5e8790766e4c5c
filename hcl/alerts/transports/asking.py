"""Ask by HTTP/1.1: a request, the head of its answer, connections that are kept.

A library that can do all of HTTP takes 6 MB of memory, more than all else that sends.
"""

import asyncio
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from itertools import zip_longest
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from hcl.alerts.transports.web_url import WebURL

# How long the next address of a host is waited with, in seconds (RFC 8305).
_NEXT_ADDRESS = 0.25

# Bytes of an answer's head at most, and how long a connection is kept, in seconds.
_HEAD_LIMIT = 65_536
_KEPT_FOR = 5.0

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,15}")
_FORBIDDEN = re.compile(rb"[\0\r\n]")

# Their length is told though it is none (RFC 9110, 8.6).
_WITH_BODY = ("POST", "PUT", "PATCH")


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


class RequestError(AskingError):
    """What is to be asked is not HTTP."""


class Request(NamedTuple):
    """What is asked; `headers` are all that are sent."""

    method: str
    url: WebURL
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def head(self, target: str, more: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
        """Return its head as it is sent."""
        lines = [f"{self.method} {target} HTTP/1.1".encode("ascii")]
        lines += [b"%b: %b" % header for header in (*self.headers, *more)]
        return b"\r\n".join([*lines, b"", b""])


def make_request(
    method: str, url: WebURL, headers: Iterable[tuple[bytes, bytes]], body: bytes = b""
) -> Request:
    """Make a request, with the headers that it needs besides. Raises RequestError."""
    made = [(name, value.strip(b" \t")) for name, value in headers]
    names = {name.lower(): value for name, value in made}
    for name, value in made:
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise RequestError("a header is none")
    if names.get(b"content-length", b"%d" % len(body)) != b"%d" % len(body):
        raise RequestError("the body has another length")
    if b"transfer-encoding" in names or not _TOKEN.fullmatch(method.encode()):
        raise RequestError("hcl sends bodies as they are")
    if b"host" not in names:
        made.insert(0, (b"Host", url.place.encode("ascii")))
    if url.user:
        made = [header for header in made if header[0].lower() != b"authorization"]
        made.append((b"Authorization", _basic(url.user)))
    if b"content-length" not in names and (body or method in _WITH_BODY):
        made.append((b"Content-Length", b"%d" % len(body)))
    return Request(method, url, made, body)


class _Way(NamedTuple):
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_open(self) -> bool:
        return not (self.writer.is_closing() or self.reader.at_eof())

    def close(self) -> None:
        # Nothing more is owed, and a farewell of TLS may take long.
        self.writer.transport.abort()


# Where connections lead: scheme, host and port.
_Place = tuple[str, str, int]


class Answer:
    """The head of an answer, and the connection that the rest comes by.

    `headers` have their names in small letters.
    """

    def __init__(self, status: int, headers: Mapping[str, str], way: _Way) -> None:
        self.status = status
        self.headers = headers
        self.way = way
        self.has_body = status not in (204, 304)

    async def drain(self, limit: int) -> bool:
        """Read the rest, up to so many bytes; tell whether it came whole."""
        reader = self.way.reader
        if not self.has_body:
            return True
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return await _drain_chunks(reader, limit)
        length = self.headers.get("content-length", "")
        if _LENGTH.fullmatch(length) and int(length) <= limit:
            await reader.readexactly(int(length))
            return True
        while limit > 0 and (piece := await reader.read(limit)):
            limit -= len(piece)
        return False

    @property
    def stays_open(self) -> bool:
        """Whether the other side takes another request by this connection."""
        return "close" not in self.headers.get("connection", "").lower()


class Asker:
    """Asks servers, by connections that are kept for a while.

    `proxy` is the URL of what leads there, "" for none; `tls` verifies servers, and
    that proxy. `patience` is how long a connection may take, and TLS by it, in seconds.
    """

    def __init__(self, proxy: str, tls: ssl.SSLContext, patience: float) -> None:
        self._proxy = proxy
        self._tls = tls
        self._patience = patience
        self._kept: dict[_Place, list[tuple[float, _Way]]] = {}

    async def send(self, request: Request) -> Answer:
        """Send a request, and return the head of its answer, for `finish` to end.

        Raises AskingError; ValueError for a proxy that cannot be used.
        """
        way = self._take(_place(request.url)) or await self._connect(request.url)
        try:
            with _broken_off():
                way.writer.writelines([*self._head(request), request.body])
                answer = await _read_answer(way)
        except BaseException:
            way.close()
            raise
        answer.has_body = answer.has_body and request.method != "HEAD"
        return answer

    async def finish(self, request: Request, answer: Answer, limit: int) -> None:
        """Wait for the rest of an answer, up to so many bytes, and drop it.

        Some servers drop their work when the client leaves before their last word. The
        status is the answer: if what follows breaks off, it counts all the same.
        """
        is_whole = False
        try:
            with suppress(OSError, EOFError, ValueError):
                is_whole = await answer.drain(limit)
        finally:
            if is_whole and answer.stays_open:
                kept = self._kept.setdefault(_place(request.url), [])
                kept.append((_now(), answer.way))
            else:
                answer.way.close()

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._kept:
            for _, way in self._kept.popitem()[1]:
                way.close()

    def _take(self, place: _Place) -> _Way | None:
        """Return a connection that is kept, the newest first."""
        kept = self._kept.get(place, [])
        while kept:
            since, way = kept.pop()
            if way.is_open and _now() - since < _KEPT_FOR:
                return way
            way.close()
        return None

    def _head(self, request: Request) -> Iterator[bytes]:
        if not self._proxy or request.url.scheme == "https":
            yield request.head(request.url.target)
        else:
            yield request.head(str(request.url), _signing_in(self._proxy))

    async def _connect(self, url: WebURL) -> _Way:
        if not self._proxy:
            tls = self._tls if url.scheme == "https" else None
            return await self._opened(url.host, url.port_asked, tls)
        proxy = urlsplit(self._proxy)
        if proxy.scheme not in ("http", "https") or not proxy.hostname:
            raise ValueError("no proxy for HTTP")
        is_safe = proxy.scheme == "https"
        port = proxy.port or (443 if is_safe else 80)
        way = await self._opened(proxy.hostname, port, self._tls if is_safe else None)
        if url.scheme == "https":
            try:
                await self._tunnel(way, url)
            except BaseException:
                way.close()
                raise
        return way

    async def _tunnel(self, way: _Way, url: WebURL) -> None:
        """Have the proxy lead to the server, and speak TLS with that one."""
        host = f"[{url.host}]" if ":" in url.host else url.host
        place = f"{host}:{url.port_asked}"
        headers = [(b"Host", place.encode("ascii"))]
        with _broken_off():
            asked = Request("CONNECT", url, headers, b"")
            way.writer.write(asked.head(place, _signing_in(self._proxy)))
            answer = await _read_answer(way)
        if not 200 <= answer.status <= 299:
            raise ProxyError(answer.status)
        with _connecting():
            async with asyncio.timeout(self._patience):
                await way.writer.start_tls(self._tls, server_hostname=url.host)

    async def _opened(self, host: str, port: int, tls: ssl.SSLContext | None) -> _Way:
        with _connecting():
            async with asyncio.timeout(self._patience):
                sock = await _reach(host, port)
            try:
                async with asyncio.timeout(self._patience):
                    reader, writer = await asyncio.open_connection(
                        sock=sock, ssl=tls, server_hostname=host if tls else None
                    )
            except BaseException:
                sock.close()
                raise
        return _Way(reader, writer)


def _place(url: WebURL) -> _Place:
    return url.scheme, url.host, url.port_asked


def _now() -> float:
    return asyncio.get_running_loop().time()


def _basic(user: str) -> bytes:
    name, _, password = user.partition(":")
    return b"Basic " + b64encode(f"{name}:{password}".encode())


def _signing_in(proxy: str) -> Iterator[tuple[bytes, bytes]]:
    parts = urlsplit(proxy)
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        yield b"Proxy-Authorization", _basic(user)


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        # The system gives up too, by an error of the same kind.
        raise (ConnectError if error.errno else LateError)(str(error)) from error
    except OSError as error:
        raise ConnectError(str(error)) from error


@contextmanager
def _broken_off() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BrokenError(str(error)) from error


# A family of addresses, and one of them; what getaddrinfo tells of it.
_Target = tuple[int, object]
_Found = tuple[int, int, int, str, object]


async def _reach(host: str, port: int) -> socket.socket:
    """Connect to the first address of a host that can be reached.

    One after the other, but none is waited for long (RFC 8305). Raises OSError.
    """
    loop = asyncio.get_running_loop()
    waiting = _in_turn(await _addresses(host, port))
    trying: set[asyncio.Task[socket.socket]] = set()
    first: BaseException | None = None
    try:
        while waiting or trying:
            if waiting:
                trying.add(loop.create_task(_try(*waiting.pop(0))))
            done, trying = await asyncio.wait(
                trying,
                timeout=_NEXT_ADDRESS if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                if (error := task.exception()) is None:
                    done.discard(task)
                    _drop(done)
                    return task.result()
                first = first or error
    finally:
        _drop(trying)
    raise first or OSError("no address")


async def _addresses(host: str, port: int) -> Iterable[_Found]:
    with suppress(ValueError):
        address = ip_address(host)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        # Nobody needs to be asked, which takes threads.
        return [(family, 0, 0, "", (host, port))]
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _drop(tasks: Iterable[asyncio.Task[socket.socket]]) -> None:
    """Leave connections that are not needed."""
    for task in tasks:
        if not task.cancel() and not task.exception():
            task.result().close()


def _in_turn(found: Iterable[_Found]) -> list[_Target]:
    """Order addresses so that both families have their turn, as the system prefers."""
    families: dict[int, list[_Target]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))
    rows = zip_longest(*families.values())
    return [target for row in rows for target in row if target is not None]


async def _try(family: int, address: object) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)  # type: ignore[arg-type]  # as it was found
    except BaseException:
        sock.close()
        raise
    return sock


async def _read_answer(way: _Way) -> Answer:
    """Read the head of an answer; those before the last are passed over."""
    try:
        while True:
            answer = await _read_head(way)
            if answer.status >= 200 or answer.status == 101:
                return answer
    except (EOFError, ValueError) as error:
        raise AnswerError("no head of an answer") from error


async def _read_head(way: _Way) -> Answer:
    # By lines: some servers end them with a newline alone.
    room = _HEAD_LIMIT
    lines: list[bytes] = []
    while True:
        line = await way.reader.readline()
        if not line and not lines:
            raise ClosedError("nothing was answered")
        room -= len(line)
        if room < 0 or not line.endswith(b"\n"):
            raise AnswerError("no head of an answer")
        line = line.rstrip(b"\r\n")
        if not line:
            break
        lines.append(line)
        if len(lines) == 1 and not _STATUS.fullmatch(line):
            raise AnswerError("no head of an answer")
    found = _STATUS.fullmatch(lines[0]) if lines else None
    if found is None:
        raise AnswerError("no head of an answer")
    headers: dict[str, str] = {}
    if lines[0].startswith(b"HTTP/1.0"):
        headers["connection"] = "close"
    for line in lines[1:]:
        name, _, value = line.decode("latin-1").partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return Answer(int(found[1]), headers, way)


async def _drain_chunks(reader: asyncio.StreamReader, limit: int) -> bool:
    while True:
        size = int((await reader.readline()).partition(b";")[0], 16)
        limit -= size
        if size < 0 or limit < 0:
            return False
        if size == 0:
            # Fields may follow, and an empty line does.
            while (await reader.readline()).strip():
                pass
            return True
        await reader.readexactly(size + 2)
