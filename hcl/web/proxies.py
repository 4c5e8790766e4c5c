"""Where a request came from, behind the proxies that are trusted."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from hcl.config import Network


class Proxies:
    """The proxies whose X-Forwarded-For and -Proto are believed.

    Peers on a unix socket are trusted, since the file's mode says who may connect.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(networks)
        self._peer = lru_cache(maxsize=1024)(self._look_up)

    def origin(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[str, str]:
        """Return the client's address ("" if not known) and the scheme it used.

        `headers` holds the first of each name.
        """
        client = scope.get("client")
        peer, trusted = self._peer(client[0] if client else "")
        scheme = scope["scheme"]
        if not trusted:
            return peer, scheme
        if b"x-forwarded-for" in headers:
            peer = canonical(_first(headers[b"x-forwarded-for"])) or peer
        if b"x-forwarded-proto" in headers:
            https = _first(headers[b"x-forwarded-proto"]).lower() == "https"
            scheme = "https" if https else "http"
        return peer, scheme

    def _look_up(self, peer: str) -> tuple[str, bool]:
        """Return the address in canonical form, and whether it is trusted."""
        if not peer:
            return "", True
        found = _parse(peer)
        if found is None:
            return peer, False
        return str(found), any(found in network for network in self._networks)


def _first(value: bytes) -> str:
    return value.decode("latin-1").split(",")[0].strip()


def canonical(text: str) -> str:
    """Write an address, with or without a port, in canonical form; "" if it is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    # A zone is the peer's own business, and any text at all.
    found = _parse(text.partition("%")[0])
    return "" if found is None else str(found)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    # A socket for both families names IPv4 clients as ::ffff:192.0.2.1.
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found
