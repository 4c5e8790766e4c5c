"""Requests of webhooks and the watchdog, as they are sent: checked, and in ASCII."""

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

# The port of each scheme that can be asked by.
PORTS = {"http": 80, "https": 443}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPACE = re.compile(r"\s")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(rb"[\0\r\n]")

# What stays as it is, besides letters and digits (RFC 3986, and what browsers let pass
# beyond it). "%" does: what is encoded is not encoded once more.
_SAFE = "!$%&'()*+,/:;=@[\\]^|~"
_QUERY_SAFE = _SAFE + "?`{}"

# Their length is told though it is none (RFC 9110, 8.6).
_WITH_BODY = ("POST", "PUT", "PATCH")


class URLError(ValueError):
    """What is to be a URL of a webhook is none."""


class RequestError(ValueError):
    """What is to be asked is not HTTP."""


class WebURL(NamedTuple):
    """Where a request goes; all is ASCII.

    `user` is what signs in, "name:password", or "".
    """

    scheme: str
    user: str
    host: str
    port: int
    target: str

    @property
    def name(self) -> str:
        """Return the host as URLs write it."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def place(self) -> str:
        """Name host and port as the header Host does."""
        is_usual = self.port == PORTS[self.scheme]
        return self.name if is_usual else f"{self.name}:{self.port}"

    def __str__(self) -> str:
        """Return it as it is asked for, without what signs in."""
        return f"{self.scheme}://{self.place}{self.target}"


class Request(NamedTuple):
    """What is asked; `headers` are all that are sent."""

    method: str
    url: WebURL
    headers: list[tuple[bytes, bytes]]
    body: bytes


def parse_url(text: str) -> WebURL:
    """Read a URL of http or https; a fragment is left out.

    Raises URLError, and RequestError for a port that there is not.
    """
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise URLError("no URL") from error
    if parts.scheme not in PORTS or not parts.hostname or _CONTROL.search(text):
        raise URLError("neither http nor https, or without a host")
    target = quote(parts.path or "/", _SAFE)
    if parts.query:
        target += "?" + quote(parts.query, _QUERY_SAFE)
    port = _port(parts) or PORTS[parts.scheme]
    return WebURL(parts.scheme, user_of(parts), _host(parts.hostname), port, target)


def user_of(parts: SplitResult) -> str:
    """Return who signs in by a URL, as "name:password"; "": nobody does."""
    if not parts.username and not parts.password:
        return ""
    return f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"


def basic(user: str) -> str:
    """Sign in a user, "name:password", in the value of a header."""
    return f"Basic {b64encode(user.encode()).decode('ascii')}"


def make_request(
    method: str, url: WebURL, headers: Iterable[tuple[bytes, bytes]], body: bytes = b""
) -> Request:
    """Make a request, with the headers that it needs besides. Raises RequestError."""
    made = [(name, value.strip(b" \t")) for name, value in headers]
    names = {name.lower(): value for name, value in made}
    for name, value in made:
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise RequestError("a header is none")
    length = b"%d" % len(body)
    if names.get(b"content-length", length) != length:
        raise RequestError("the body has another length")
    if b"transfer-encoding" in names or not _TOKEN.fullmatch(method.encode()):
        raise RequestError("hcl sends bodies as they are")
    if b"host" not in names:
        made.insert(0, (b"Host", url.place.encode("ascii")))
    if url.user:
        made = [header for header in made if header[0].lower() != b"authorization"]
        made.append((b"Authorization", basic(url.user).encode("ascii")))
    if b"content-length" not in names and (body or method in _WITH_BODY):
        made.append((b"Content-Length", length))
    return Request(method, url, made, body)


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        is_number = parts.netloc.rpartition(":")[2].isdecimal()
        raise (RequestError if is_number else URLError)("no port") from error


def _host(name: str) -> str:
    if _SPACE.search(name):
        raise URLError("no name of a host")
    if name.isascii():
        return name
    # Imported here: few have such names, and its tables take memory.
    import idna

    try:
        return idna.encode(name).decode("ascii")
    except idna.IDNAError as error:
        raise URLError("no name of a host") from error
