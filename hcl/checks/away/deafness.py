"""While nothing can be written: what comes cannot be kept, and is not heard either."""

from hcl.changes import Changes
from hcl.checks.away.refusals import Refusals
from hcl.clock import GAP, Clock
from hcl.db import Database

# Pings that cannot be kept, now and then, are one absence of so many seconds at most:
# what is dead is to be told, however long a disk is nearly full.
MOST_DEAF = 600.0


class Deafness:
    """Knows since when nothing that comes can be kept.

    `since` is when that failed first, and the last sign of life before: pings may have
    been refused from then on. Both are by the boot clock; None: all is kept.
    """

    def __init__(
        self, database: Database, clock: Clock, changes: Changes, refusals: Refusals
    ) -> None:
        self.since: tuple[float, float] | None = None
        self._database = database
        self._clock = clock
        self._changes = changes
        self._refusals = refusals

    def note_failure(self, looked: float, signed: float) -> None:
        """Note that a look failed, after the last that did not."""
        self.since = self.since or (looked, signed)
        self.show()

    def note_refusals(self) -> None:
        """Note whether pings were refused since it ended last."""
        first = self._refusals.first
        if self.since is None and first is not None:
            self.since = first, first

    def lasts(self, looked: float) -> bool:
        """Tell whether pings are still refused, though what is small may be written."""
        is_quiet = looked - self._refusals.last > GAP
        return self.since is not None and (
            not is_quiet and looked - self.since[0] < MOST_DEAF
        )

    def end(self) -> None:
        """Note that what comes is kept again."""
        self.since, self._refusals.first = None, None

    def show(self) -> None:
        """Show all as it was for as long as it lasts.

        But where the database is damaged pings may be kept, and it stays so.
        """
        deaf = None if self._database.trouble.is_damage else self.since
        before, as_of = self._clock.deaf_as_of, deaf and self._clock.at(deaf[1])
        self._clock.deaf_as_of = as_of
        if (before is None) != (as_of is None):
            self._changes.tell()
