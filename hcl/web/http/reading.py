"""Requests read in Python alone, as strictly as httptools reads them."""

import re
from functools import lru_cache
from typing import NamedTuple

from hcl.web.http.heads import Headers

# All that httptools knows: a ping is never lost over its verb.
_METHODS = {
    name: name.decode()
    for name in (
        *(b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"),
        *(b"CONNECT", b"COPY", b"LOCK", b"UNLOCK", b"MKCOL", b"MOVE", b"PROPFIND"),
        *(b"PROPPATCH", b"SEARCH", b"BIND", b"REBIND", b"UNBIND", b"ACL", b"REPORT"),
        *(b"MKACTIVITY", b"CHECKOUT", b"MERGE", b"M-SEARCH", b"NOTIFY", b"SUBSCRIBE"),
        *(b"UNSUBSCRIBE", b"PURGE", b"MKCALENDAR", b"LINK", b"UNLINK", b"SOURCE"),
        b"QUERY",
    )
}
_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_LINE = re.compile(rb"([!-~]+) +([!-~]+)(?: +HTTP/(0\.9|1\.0|1\.1|2\.0))?")
_SITE = re.compile(
    rb"[A-Za-z]+://(?:[^/?#@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^/?#:@]+)(?::[0-9]{1,5})?(?=/)"
)

# What may stand in a line; tabs too, and bytes of UTF-8 and Latin-1.
_VISIBLE = bytes([9, *range(32, 127), *range(128, 256)])

# The most bytes of a line that tells how long a chunk is, and of all trailers.
_CHUNK_LINE = 1024
_TRAILERS = 16_384
_WORD = _TOKEN.pattern
_CHUNK_SIZE = re.compile(
    rb'([0-9A-Fa-f]{1,15})(?:;%b(?:=(?:%b|"[^"]*"))?)*' % (_WORD, _WORD)
)


class RequestError(Exception):
    """This is no request, or none that is understood."""


class Head(NamedTuple):
    """A request's line and headers.

    `length` is the body's; None: it comes in chunks. `closes`: no other request will
    follow it.
    """

    method: str
    path: bytes
    query: bytes
    version: str
    headers: Headers
    length: int | None
    closes: bool
    expects_100: bool


def read_head(text: bytes) -> Head:
    """Read a head, without the empty line at its end. Raises RequestError."""
    line, *lines = text.split(b"\r\n")
    # What is left must be the ends of the lines, each of them whole.
    if text.translate(None, _VISIBLE) != b"\r\n" * len(lines):
        raise RequestError
    match = _LINE.fullmatch(line)
    method = _METHODS.get(match[1]) if match else None
    if match is None or method is None:
        raise RequestError
    headers = []
    special: dict[bytes, list[bytes]] = {}
    for field in lines:
        raw, colon, value = field.partition(b":")
        if not colon:
            raise RequestError
        name, is_special = _field_name(raw)
        headers.append((name, value.lstrip(b" \t")))
        if is_special:
            special.setdefault(name, []).append(value.strip(b" \t").lower())
    version = (match[3] or b"0.9").decode()
    head = (method, *_split(match[2]), version, headers)
    if not special:
        return Head(*head, 0, version != "1.1", False)
    return Head(
        *head,
        _length(special),
        version != "1.1" or b"close" in _tokens(special, b"connection"),
        special.get(b"expect") == [b"100-continue"],
    )


@lru_cache(maxsize=512)
def _field_name(raw: bytes) -> tuple[bytes, bool]:
    """Return a header's name, and whether it says how the request is to be read."""
    if not _TOKEN.fullmatch(raw):
        raise RequestError
    name = raw.lower()
    special = (b"connection", b"content-length", b"transfer-encoding", b"expect")
    return name, name in special


def _split(target: bytes) -> tuple[bytes, bytes]:
    """Return the path and the query of what is asked for."""
    if not target.startswith(b"/") and target != b"*":
        # As a client asks a proxy.
        site = _SITE.match(target)
        if site is None:
            raise RequestError
        target = target[site.end() :]
    path, _, query = target.partition(b"#")[0].partition(b"?")
    return path, query


def _tokens(special: dict[bytes, list[bytes]], name: bytes) -> list[bytes]:
    values = b",".join(special.get(name, []))
    return [token.strip(b" \t") for token in values.split(b",")] if values else []


def _length(special: dict[bytes, list[bytes]]) -> int | None:
    lengths = special.get(b"content-length", [])
    if b"transfer-encoding" in special:
        codings = _tokens(special, b"transfer-encoding") or [b""]
        # Of two ways to tell a length one is a lie.
        if lengths or codings[-1] != b"chunked" or codings.count(b"chunked") > 1:
            raise RequestError
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit() or len(lengths[0]) > 18:
        raise RequestError
    return int(lengths[0])


class Body:
    """Takes a request's body out of what comes in."""

    def __init__(self, length: int | None) -> None:
        """Take so many bytes; None: chunks."""
        self._is_chunked = length is None
        # Of the body, or of the chunk; -2: of what ends a chunk.
        self._left = length or 0
        self._line_end = 0
        self._trailers: int | None = None
        self.is_whole = length == 0

    def take(self, data: bytes, most: int) -> tuple[bytes, int]:
        """Return what belongs to the body, and how many bytes have been read.

        Of chunks about `most` bytes are read. What is not read is to come again; or it
        belongs to the next request. Raises RequestError.
        """
        if not self._is_chunked:
            part = data[: self._left]
            self._left -= len(part)
            self.is_whole = not self._left
            return part, len(part)
        parts, at = [], 0
        while at < min(len(data), most) and not self.is_whole:
            if self._left:
                part = data[at : at + self._left]
                self._left -= len(part)
                self._line_end = 0 if self._left else 2
                parts.append(part)
                at += len(part)
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._bound(len(data) - at)
                if b"\n" in data[at:]:
                    raise RequestError
                break
            self._read_line(data[at:end])
            at = end + 2
        return b"".join(parts), at

    def _bound(self, unread: int) -> None:
        """Refuse a line without end."""
        most = _CHUNK_LINE if self._trailers is None else _TRAILERS - self._trailers
        # Behind a chunk its line ends, and nothing else.
        if unread > (1 if self._line_end else most):
            raise RequestError

    def _read_line(self, line: bytes) -> None:
        self._bound(len(line))
        if line.translate(None, _VISIBLE):
            raise RequestError
        if self._line_end:
            if line:
                raise RequestError
            self._line_end = 0
        elif self._trailers is None:
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                raise RequestError
            self._left = int(match[1], 16)
            if not self._left:
                self._trailers = 0
        elif line:
            # Fields of a trailer are no headers (RFC 9110, 6.5.1).
            if b":" not in line:
                raise RequestError
            _field_name(line.partition(b":")[0])
            self._trailers += len(line) + 2
        else:
            self.is_whole = True
