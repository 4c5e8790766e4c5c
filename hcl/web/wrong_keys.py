"""Wrong keys, whatever they were to open: counted, slowed down, and told in the log."""

import asyncio
import logging
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from hcl.words.lines import counted

logger = logging.getLogger(__name__)

# What is counted counts for so many seconds.
WINDOW = 600.0
# So many wrong keys are answered at once: from one address, and from all together. Each
# further one is answered after SLOWED seconds. A right key never waits, so that nobody
# can shut others out.
BY_ONE = 10
BY_ALL = 100
SLOWED = 2.0
# Addresses that are remembered, the oldest being forgotten first, and those that have a
# line of their own in the log.
MOST_ADDRESSES = 1000
MOST_LINES = 20


class WrongKeys:
    """Counts wrong keys by address, and in all, for ten minutes at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any; `clock` tells seconds that pass."""
        self._clock = clock
        self._since = 0.0
        self._total = 0
        self._counts: dict[str, int] = {}
        self._told: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def refuse(self, peer: str, address: str) -> None:
        """Count a wrong key; return when it may be answered. As `note` has it."""
        delay = self.note(peer, address)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW, self.sum_up)
        if delay:
            await asyncio.sleep(delay)

    def note(self, peer: str, address: str) -> float:
        """Count a wrong key; return how many seconds its answer has to wait.

        `address` is whose key it was, as proxies tell, and goes to the log. It may be
        forged where a proxy lets that through, so that what counts is `peer`, the other
        end of the connection, too.
        """
        now = self._clock()
        if self._total and now - self._since >= WINDOW:
            self.sum_up()
        if not self._total:
            self._since = now
        self._total += 1
        sender = _group(address)
        names = {_group(peer), sender}
        for name in names:
            self._counts[name] = self._counts.pop(name, 0) + 1
        while len(self._counts) > MOST_ADDRESSES:
            del self._counts[next(iter(self._counts))]
        self._tell(sender)
        most = max(self._counts[name] for name in names)
        return SLOWED if most > BY_ONE or self._total > BY_ALL else 0.0

    def _tell(self, sender: str) -> None:
        if sender in self._told or len(self._told) >= MOST_LINES:
            return
        self._told.add(sender)
        logger.warning("1 wrong key from %s; more are told with a count", sender)

    def sum_up(self) -> None:
        """Tell how many there were, if that is not told yet, and begin anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._total > len(self._told):
            by = {name: self._counts.get(name, 0) for name in self._told}
            parts = [
                f"{count:,} from {name}"
                for name, count in sorted(by.items(), key=lambda item: -item[1])
            ]
            rest = self._total - sum(by.values())
            parts += [f"{rest:,} from elsewhere"] if rest > 0 else []
            keys, length = counted(self._total, "wrong key"), WINDOW / 60
            logger.warning("%s in %.0f min: %s", keys, length, ", ".join(parts))
        self._total = 0
        self._counts.clear()
        self._told.clear()


def _group(address: str) -> str:
    """Return what stands for an address: of IPv6 one host has a whole network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address or "this machine"
    if parsed.version == 6:
        return str(ip_network((parsed, 64), strict=False))
    return address
