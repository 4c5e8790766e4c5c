"""URLs of webhooks as they are sent: checked, and in ASCII."""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import quote, unquote

_LONGEST = 65_536
_PORTS = {"http": 80, "https": 443}

_PARTS = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_AUTHORITY = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[.*\]|[^:@]*)(?::(?P<port>.*))?")
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# What stays as it is in each part, besides letters and digits (RFC 3986, and what
# browsers let pass beyond it). "%" does: what is encoded is not encoded once more.
_HOST_SAFE = "!$&'()*+,;=\"`{}%|\\"
_PATH_SAFE = "!$%&'()*+,/:;=@[\\]^|"
_QUERY_SAFE = _PATH_SAFE + "?`{}"


class URLError(ValueError):
    """What is to be a URL of a webhook is none."""


class WebURL(NamedTuple):
    """Where a request goes; all is ASCII.

    `port` None: that of the scheme. `user` is what signs in, "name:password", or "".
    """

    scheme: str
    user: str
    host: str
    port: int | None
    target: str

    @property
    def place(self) -> str:
        """Name host and port as the header Host does."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def port_asked(self) -> int:
        """Return the port that is connected to."""
        return self.port or _PORTS[self.scheme]

    def __str__(self) -> str:
        """Return it as it is asked for, without what signs in."""
        return f"{self.scheme}://{self.place}{self.target}"


def parse(text: str) -> WebURL:
    """Read a URL of http or https; a fragment is left out. Raises URLError."""
    found = _PARTS.match(text)
    if found is None or len(text) > _LONGEST or _CONTROL.search(text):
        raise URLError("no URL")
    scheme = (found["scheme"] or "").lower()
    where = _AUTHORITY.fullmatch(found["authority"] or "")
    if scheme not in _PORTS or where is None or not where["host"]:
        raise URLError("neither http nor https, or without a host")
    target = quote(_straight(found["path"]) or "/", _PATH_SAFE)
    if found["query"] is not None:
        target += "?" + quote(found["query"], _QUERY_SAFE)
    user = unquote(where["user"] or "")
    return WebURL(
        scheme, user, _host(where["host"]), _port(where["port"], scheme), target
    )


def _straight(path: str) -> str:
    """Leave out what "." and ".." stand for (RFC 3986, 5.2.4)."""
    parts = path.split("/")
    if "." not in parts and ".." not in parts:
        return path
    kept: list[str] = []
    for part in parts:
        if part == "..":
            if kept and kept != [""]:
                kept.pop()
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


def _port(text: str | None, scheme: str) -> int | None:
    text = (text or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise URLError("no port")
    # So much is beyond all ports.
    port = int(text[:6])
    return None if port == _PORTS[scheme] else port


def _host(text: str) -> str:
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        if _IPV4.fullmatch(text):
            return str(IPv4Address(text))
    except ValueError as error:
        raise URLError("no address") from error
    if text.isascii():
        return quote(text.lower(), _HOST_SAFE)
    # Imported here: few have such names, and its tables take memory.
    import idna

    try:
        return idna.encode(text.lower()).decode("ascii")
    except idna.IDNAError as error:
        raise URLError("no name of a host") from error
