"""How many connections there may be at once, and which go when all are taken."""

import logging
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from hcl.repeats import Repeats

logger = logging.getLogger(__name__)
logger.addFilter(Repeats())

# However many descriptors there are: each connection takes 10 kB of memory, or more.
CONNECTION_LIMIT = 8192

# One address may have this part of them, a trusted proxy all.
_SHARE = 4

# How often all connections are looked through for some to close, in seconds at least:
# 8000 take 4 ms. So few are looked through whenever it helps.
_PAUSE = 0.05
_FEW = 1000


class Closable(Protocol):
    """A connection, as far as it matters here."""

    # Its address, as `network_of` has it.
    network: str

    def spare(self) -> tuple[int, float] | None:
        """Return how well it can be spared, the least best; None: not at all."""

    def give_way(self) -> None:
        """Close it at once."""


_Found = list[tuple[tuple[int, float], Closable]]


class Connections:
    """All connections of a server, at most `limit`.

    Where there is no room, or an address has its share, those go that can be spared:
    first who waits between two requests, then who does not get on with one. So who
    holds connections without end keeps nobody out.
    """

    def __init__(
        self,
        limit: int = CONNECTION_LIMIT,
        is_proxy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Tell by `is_proxy` of which addresses people come by a trusted proxy."""
        self.limit = max(1, min(limit, CONNECTION_LIMIT))
        self.share = max(1, self.limit // _SHARE)
        self._is_proxy = is_proxy
        self._all: set[Closable] = set()
        self._counts: Counter[str] = Counter()
        # By address, "" for all: when it was looked, and whom it found, the best last.
        self._spare: dict[str, tuple[float, _Found]] = {}

    def enter(self, connection: Closable, address: str, now: float) -> bool:
        """Take a new connection in; False if there is no room for it."""
        network = connection.network
        if len(self._all) >= self.limit:
            logger.warning("all %d connections are taken", self.limit)
            if not self._make_room("", now):
                return False
        if self._counts[network] >= self.share and not self._is_proxy(address):
            logger.warning("%s has its share of %d connections", network, self.share)
            if not self._make_room(network, now):
                return False
        self._all.add(connection)
        self._counts[network] += 1
        return True

    def leave(self, connection: Closable) -> None:
        """Forget a connection that is closed, or was never let in."""
        if connection not in self._all:
            return
        self._all.discard(connection)
        self._counts[connection.network] -= 1
        if not self._counts[connection.network]:
            del self._counts[connection.network]

    def _make_room(self, network: str, now: float) -> bool:
        looked, found = self._spare.get(network, (-_PAUSE, []))
        is_quick = len(self._all) <= _FEW
        if now - looked >= _PAUSE or (not found and is_quick):
            found = self._look(network)
            self._spare = {network: (now, found)}
        while found:
            _, connection = found.pop()
            # It may have gone, or sent a request meanwhile.
            if connection in self._all and connection.spare() is not None:
                self.leave(connection)
                connection.give_way()
                return True
        return False

    def _look(self, network: str) -> _Found:
        ranks = (
            (connection.spare(), connection)
            for connection in self._all
            if not network or connection.network == network
        )
        found = [(rank, connection) for rank, connection in ranks if rank is not None]
        found.sort(key=lambda entry: entry[0], reverse=True)
        return found


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 a /64, as one customer has it."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        # A unix socket has none.
        return address
    if isinstance(found, IPv4Address):
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else found.exploded[:19]
