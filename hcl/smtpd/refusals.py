"""What mail was not taken: a few lines a minute in the log, and then a count."""

import asyncio
import logging
from collections import Counter

logger = logging.getLogger(__name__)

# So many lines are written in so many seconds, and so many of one address.
WINDOW = 60.0
LINES = 5
LINES_OF_ONE = 2

# So many addresses are told in the line that sums up.
_ADDRESSES = 5
# So many are counted apart.
_MOST_ADDRESSES = 1000


class Refusals:
    """Tells the log what mail was not taken, since its sender alone would know."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._lines: set[tuple[str, str]] = set()
        self._window: asyncio.TimerHandle | None = None

    def tell(self, address: str, sender: str, what: str) -> None:
        """Log what became of a sender's mail that came from an address, or count it."""
        address = address or "this machine"
        if self._window is None:
            self._window = asyncio.get_running_loop().call_later(WINDOW, self.sum_up)
        if (
            (address, what) in self._lines
            or len(self._lines) >= LINES
            or self._told[address] >= LINES_OF_ONE
        ):
            known = address in self._counts or len(self._counts) < _MOST_ADDRESSES
            self._counts[address if known else "elsewhere"] += 1
            return
        self._lines.add((address, what))
        self._told[address] += 1
        by = f" ({sender})" if sender else ""
        logger.warning("mail from %s%s %s", address, by, what)

    def sum_up(self) -> None:
        """Log how much more there was, and begin anew."""
        if self._window is not None:
            self._window.cancel()
            self._window = None
        if self._counts:
            most = self._counts.most_common(_ADDRESSES)
            listed = ", ".join(f"{address}: {count} times" for address, count in most)
            more = "" if len(self._counts) <= _ADDRESSES else ", and others"
            logger.warning(
                "mail was refused or dropped %d times more (%s%s)",
                self._counts.total(),
                listed,
                more,
            )
        self._told.clear()
        self._counts.clear()
        self._lines.clear()
