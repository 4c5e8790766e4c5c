"""Requests of webhooks and the watchdog, as they are sent: checked, and in ASCII."""

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(rb"[\0\r\n]")

# What stays as it is, besides letters and digits (RFC 3986, and what browsers let pass
# beyond it). "%" does: what is encoded is not encoded once more.
_SAFE = "!$%&'()*+,/:;=@[\\]^|~"
_QUERY_SAFE = _SAFE + "?`{}"

# Their length is told though it is none (RFC 9110, 8.6).
_WITH_BODY = ("POST", "PUT", "PATCH")

_NO_URL = "the URL is not valid once its placeholders are filled in"
NO_REQUEST = "the request to {host} is not valid HTTP"


class AskingError(Exception):
    """Tell of no answer, with {host}, and {place} by its proxy, to be filled in."""


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
        is_usual = self.port == _PORTS[self.scheme]
        return self.name if is_usual else f"{self.name}:{self.port}"

    @property
    def signing_in(self) -> str:
        """Sign its user in, in the value of a header."""
        return f"Basic {b64encode(self.user.encode()).decode('ascii')}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}{self.target}"


class Request(NamedTuple):
    """What is asked; `headers` are all that are sent."""

    method: str
    url: WebURL
    headers: list[tuple[bytes, bytes]]
    body: bytes


def parse_url(text: str) -> WebURL:
    """Read a URL of http or https; a fragment is left out.

    Raises AskingError, and UnicodeError for what is no name of a host.
    """
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise AskingError(_NO_URL) from error
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not host or " " in host or _CONTROL.search(text):
        raise AskingError(_NO_URL)
    if not host.isascii():
        # Imported here: few have such names, and its tables take memory.
        import idna

        host = idna.encode(host).decode("ascii")
    user = parts.netloc.rpartition("@")[0]
    target = quote(parts.path or "/", _SAFE)
    if parts.query:
        target += "?" + quote(parts.query, _QUERY_SAFE)
    user = unquote(user if ":" in user or not user else f"{user}:")
    port = _port(parts) or _PORTS[parts.scheme]
    return WebURL(parts.scheme, user, host, port, target)


def make_request(
    method: str, url: WebURL, headers: Iterable[tuple[bytes, bytes]], body: bytes = b""
) -> Request:
    """Make a request, with the headers that it needs besides. Raises AskingError."""
    made = [(name, value.strip(b" \t")) for name, value in headers]
    names = {name.lower(): value for name, value in made}
    length = b"%d" % len(body)
    if (
        not _TOKEN.fullmatch(method.encode())
        or not all(map(_TOKEN.fullmatch, names))
        or any(_FORBIDDEN.search(value) for _, value in made)
        or names.get(b"content-length", length) != length
        or b"transfer-encoding" in names
    ):
        raise AskingError(NO_REQUEST)
    if b"host" not in names:
        made.insert(0, (b"Host", url.place.encode("ascii")))
    if url.user:
        made = [header for header in made if header[0].lower() != b"authorization"]
        made.append((b"Authorization", url.signing_in.encode("ascii")))
    if b"content-length" not in names and (body or method in _WITH_BODY):
        made.append((b"Content-Length", length))
    return Request(method, url, made, body)


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        is_number = parts.netloc.rpartition(":")[2].isdecimal()
        raise AskingError(NO_REQUEST if is_number else _NO_URL) from error
