"""What is newer than the tables: the states of checks that pings have put off."""

from collections.abc import Iterable

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules
from hcl.clock import Clock
from hcl.db import Database, begun, write_at_once
from hcl.model import Check
from hcl.pings.arrival import Slug

# So many checks are remembered, at about a kilobyte each.
LIMIT = 200_000

# States that are written, and pings that are counted, in one go of the loop.
SETTLE_AT_ONCE = 1000
RECOVER_AT_ONCE = 10_000


class States:
    """What is newer than the tables: checks as their last committed ping left them.

    All that pings came for lately are remembered, until somebody else changes checks.
    `unsaved` are those whose state in the tables is older: `settle` brings it up to
    date when somebody else wants to read or change checks (see `Database.put_off`).
    Each of their pings is in the inbox, and from it `recover` works out the state anew.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.checks: dict[int, Check] = {}
        self.by_code: dict[str, int] = {}
        self.by_slug: dict[Slug, list[int]] = {}
        self.unsaved: dict[int, Check] = {}
        self._database = database
        self._clock = clock
        self._edition = database.edition
        database.put_off(self.settle)

    @property
    def is_full(self) -> bool:
        """Tell whether it is time to forget."""
        return len(self.checks) >= LIMIT

    def forget(self) -> None:
        """Forget all that the tables know as well."""
        self.checks = dict(self.unsaved)
        self.by_code = {check.code: check.id for check in self.unsaved.values()}
        self.by_slug = {}

    def take(self, checks: Iterable[Check]) -> None:
        """Remember checks that were read from the tables."""
        for check in checks:
            # What is unsaved is newer than what was read.
            self.checks.setdefault(check.id, check)
            self.by_code[check.code] = check.id

    async def catch_up(self, conn: Connection) -> None:
        """Forget in a turn what others may have changed, and what is too much."""
        if self.is_full:
            await self.settle(conn)
        if self._edition != self._database.edition or self.is_full:
            self.forget()
            self._edition = self._database.edition

    async def settle(self, conn: Connection) -> None:
        """Write in a turn what is not saved."""
        # In the order of the table, so that each page is written once.
        ids = sorted(self.unsaved)
        for start in range(0, len(ids), SETTLE_AT_ONCE):
            part = [self.unsaved[check_id] for check_id in ids[start:][:SETTLE_AT_ONCE]]
            await write_at_once(conn, store.checks.saving_states(part))
        self.unsaved.clear()

    async def recover(self) -> None:
        """Count the pings in the inbox that a crash kept from being counted."""
        counted: dict[int, Check] = {}
        last, loose = 0, self._clock.is_doubtful
        async with self._database.turn() as conn, begun(conn):
            while pings := await store.inbox.uncounted(conn, last, RECOVER_AT_ONCE):
                for _, check_id, ping in pings:
                    check = counted.get(check_id) or await store.checks.by_id(
                        conn, check_id
                    )
                    if check is not None:
                        counted[check_id] = rules.on_counted(
                            check, ping, loose=loose
                        ).check
                last = pings[-1][0]
            await store.checks.save_states(conn, counted.values())
            # Another version of hcl, or of the time zones, may have other deadlines.
            await store.checks.look_earlier(conn, counted.values())
