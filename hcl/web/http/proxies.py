"""Where a request came from, behind the proxies that are trusted."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from hcl.config import Network

# How many proxies a request may have come through; a client can write thousands.
_MOST_HOPS = 20


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

    def is_from(self, scope: Scope, networks: Iterable[Network]) -> bool:
        """Tell whether a request comes from these networks, to judge access by.

        What counts is the nearest address that is no trusted proxy's, not the first
        that X-Forwarded-For names: a client may have written that. Who asks over a unix
        socket, without a proxy, is here already.
        """
        client = scope.get("client")
        peer, trusted = self._peer(client[0] if client else "")
        found = not peer or _is_in(peer, networks)
        for text in _hops(scope):
            if not trusted:
                break
            address, trusted = self._peer(canonical(text))
            found, trusted = _is_in(address, networks), trusted and bool(address)
        return found

    def trusts(self, scope: Scope) -> bool:
        """Tell whether a request comes straight from a trusted proxy."""
        client = scope.get("client")
        return self.knows(client[0] if client else "")

    def knows(self, address: str) -> bool:
        """Tell whether an address is a trusted proxy's; "": that of a unix socket."""
        return self._peer(address)[1]

    def peer(self, scope: Scope) -> str:
        """Return the address at the other end of the connection; "" if not known."""
        client = scope.get("client")
        return self._peer(client[0] if client else "")[0]

    def nearest(self, scope: Scope) -> str:
        """Return the nearest address that is no trusted proxy's; "" if not known."""
        client = scope.get("client")
        address, trusted = self._peer(client[0] if client else "")
        for text in _hops(scope):
            behind = canonical(text)
            if not trusted or not behind:
                break
            address, trusted = self._peer(behind)
        return address

    def _look_up(self, peer: str) -> tuple[str, bool]:
        """Return the address in canonical form, and whether it is trusted."""
        if not peer:
            return "", True
        found = _parse(peer)
        if found is None:
            return peer, False
        return str(found), _is_in(str(found), self._networks)


def _hops(scope: Scope) -> Iterable[str]:
    """Return what X-Forwarded-For names, the nearest first, as far as is believed."""
    said = b",".join(v for n, v in scope["headers"] if n == b"x-forwarded-for")
    if not said:
        return ()
    # What is before the last so many stays one text, which is no address.
    hops = said.decode("latin-1").rsplit(",", _MOST_HOPS)
    return [text.strip() for text in reversed(hops)]


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    found = _parse(address)
    return found is not None and any(found in network for network in networks)


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
