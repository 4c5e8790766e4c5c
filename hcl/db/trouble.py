"""What is wrong with the database: told once, then with a count, then that it ended."""

import logging
import time
from collections import Counter
from collections.abc import Callable

logger = logging.getLogger(__name__)

# So many seconds after it was told what goes on is told again, with a count.
AGAIN = 600.0

# A trouble is over once something was written, and so many seconds after it was met
# last: a disk that is all but full takes one ping and refuses the next.
CALM = 10.0


class Trouble:
    """Tells the log of one database's trouble, and not of each ping that meets it.

    `is_damage` stays True once a damaged page was met. `is_told` is set by who tells of
    it in another way: nothing is logged then.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin well; `clock` tells seconds that pass, whatever the wall does."""
        self.is_damage = False
        self.is_told = False
        self._counts: Counter[str] = Counter()
        self._told: dict[tuple[str, str], float] = {}
        self._met = 0.0
        self._clock = clock

    def tell(self, logger: logging.Logger, what: str, why: str) -> None:
        """Log what cannot be done, and why; if that is known already, count it."""
        if self.is_told:
            return
        self._met = now = self._clock()
        self._counts[what] += 1
        # Damage has one cure, whoever meets it.
        key = ("", why) if self.is_damage else (what, why)
        told = self._told.get(key)
        if told is None:
            logger.error("%s: %s", what, why)
        elif now - told >= AGAIN:
            logger.error("%s: %s (%d times so far)", what, why, self._counts[what])
        else:
            return
        self._told[key] = now

    def written(self) -> None:
        """Tell that it is over, if it is: something could be written."""
        if not self._counts or self._clock() - self._met < CALM or self.is_damage:
            return
        counted = "; ".join(f"{what}: {n} times" for what, n in self._counts.items())
        logger.warning("the database can be used again (%s)", counted)
        self._counts.clear()
        self._told.clear()
