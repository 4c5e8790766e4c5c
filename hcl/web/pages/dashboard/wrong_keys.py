"""Wrong keys that were tried to sign in: so many from one place, and in all."""

from collections import OrderedDict
from ipaddress import ip_address, ip_network

# Wrong keys that may be tried in so many seconds, by one address, and by all together
# before every answer takes SLOWED seconds.
WINDOW = 600
BY_ONE = 10
BY_ALL = 1000
SLOWED = 2.0
# Addresses that are remembered; the oldest are forgotten first.
_MOST_ADDRESSES = 10_000


class WrongKeys:
    """Counts wrong keys by address, and in all."""

    def __init__(self) -> None:
        # When the first of them was, and how many there were.
        self._by_address: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def seconds_left(self, address: str, now: float) -> int:
        """Return how long an address has to wait, 0 if it may try."""
        return self._left(_group(address), BY_ONE, now)

    def are_many(self, now: float) -> bool:
        """Tell whether so many wrong keys came, from anywhere, that all are slowed."""
        return self._left("all", BY_ALL, now) > 0

    def note(self, address: str, now: float) -> None:
        """Count a wrong key."""
        for name in (_group(address), "all"):
            since, count = self._by_address.pop(name, (now, 0))
            if now - since >= WINDOW:
                since, count = now, 0
            self._by_address[name] = (since, count + 1)
        while len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)

    def _left(self, name: str, most: int, now: float) -> int:
        since, count = self._by_address.get(name, (now, 0))
        left = since + WINDOW - now
        return int(left) + 1 if count >= most and left > 0 else 0


def _group(address: str) -> str:
    """Return what stands for an address: of IPv6 one host has a whole network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address or "here"
    if parsed.version == 6:
        return str(ip_network((parsed, 64), strict=False))
    return address
