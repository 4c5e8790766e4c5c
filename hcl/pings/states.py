"""What is newer than the tables: the states of checks that pings have put off."""

import asyncio
import gc
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules
from hcl.clock import Clock
from hcl.db import Database, Gaps, SQLError, begun, write_at_once
from hcl.model import Check, Ping
from hcl.pings.arrival import Slug

logger = logging.getLogger(__name__)

# So many checks are remembered, at about a kilobyte each.
LIMIT = 200_000

# States that are written, and pings that are counted, in one go of the loop.
SETTLE_AT_ONCE = 500
RECOVER_AT_ONCE = 10_000

# Of so many new states the garbage collector looks at most at a time, and so many that
# are forgotten are freed: each takes a millisecond at most.
AT_ONCE = 500

# With fewer checks there are never many new states at a time: a state takes the place
# of another one.
MANY = 2000

# Neighbours among the ids of checks, which are written together.
_NEIGHBOURS = 10
# Ids that are sorted out in one go of the loop.
_SORTED_AT_ONCE = 5000
# Every so many looks of the garbage collector it looks at what is older, and every so
# many of those, squared, at all there is.
_OLDER = 10

# A check as it is remembered: a plain tuple of its fields. Of a Check the garbage
# collector goes through all fields again and again, and the loop stands still
# meanwhile; plain tuples of plain values it sets aside when it first sees them.
Kept = tuple[Any, ...]

_ID = Check._fields.index("id")
_ALERT_AFTER = Check._fields.index("alert_after")


class States:
    """What is newer than the tables: checks as their last committed ping left them.

    All that pings came for lately are remembered by their UUIDs, until somebody else
    changes checks and does not say which. `unsaved` are those whose state in the tables
    is older: `settle` brings it up to date when somebody else wants to read or change
    checks (see `Database.put_off`). Each of their pings is in the inbox, and from it
    `recover` works out the state anew.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        # Each time that a dict doubles, the loop stands still: a set does it in a sixth
        # of the time, and not in the same batch.
        self.checks: dict[str, Kept] = {}
        self.by_slug: dict[Slug, list[str]] = {}
        self.unsaved: set[str] = set()
        self.database = database
        self._clock = clock
        self._edition = database.edition
        # How many states are new since the garbage collector looked, and its looks.
        self._new = self._looks = 0
        self._forgotten: list[dict[Any, Any]] = []
        database.put_off(self.settle, self.lighten, self.renew)

    @property
    def is_full(self) -> bool:
        """Tell whether it is time to forget."""
        return len(self.checks) >= LIMIT

    def check(self, code: str) -> Check | None:
        """Return a check; None: it is not remembered."""
        kept = self.checks.get(code)
        return tuple.__new__(Check, kept) if kept else None

    def deadline(self, code: str) -> datetime | None:
        """Return when a check goes down; None: never, or it is not remembered."""
        kept = self.checks.get(code)
        return kept[_ALERT_AFTER] if kept else None

    def forget(self) -> None:
        """Forget all that the tables know as well."""
        # Very many are freed bit by bit.
        self._forgotten += (self.checks, self.by_slug)
        self.checks = {code: self.checks[code] for code in self.unsaved}
        self.by_slug = {}

    def take(self, checks: Iterable[Check]) -> None:
        """Remember checks that were read from the tables."""
        for check in checks:
            # What is unsaved is newer than what was read.
            self.checks.setdefault(check.code, tuple(check))
            self._new += 1

    def remember(self, after: Mapping[str, Check], *, are_saved: bool) -> None:
        """Remember how pings left checks, by UUID, once that is committed."""
        kept = {code: tuple(check) for code, check in after.items()}
        self.checks.update(kept)
        if are_saved:
            self.unsaved.difference_update(kept)
        else:
            self.unsaved.update(kept)
        self._note_new(len(kept))

    def renew(self, changed: Iterable[Check]) -> None:
        """Remember how others left those checks that are remembered.

        All that was not saved has been, in the same turn.
        """
        kept = {c.code: tuple(c) for c in changed if c.code in self.checks}
        self.checks.update(kept)
        self._note_new(len(kept))

    def _note_new(self, count: int) -> None:
        self._new += count
        if self._new >= AT_ONCE:
            self._sort_garbage()

    def _sort_garbage(self) -> None:
        """Have the garbage collector look at what is new before it is very much.

        By itself it counts only by how much there is more than before: it would look at
        once at all states that took the place of others.
        """
        self._new = 0
        if len(self.checks) >= MANY:
            self._looks += 1
            is_whole = self._looks % _OLDER**3 == 0
            gc.collect(2 if is_whole else int(self._looks % _OLDER == 0))

    async def catch_up(self, conn: Connection) -> None:
        """Forget in a turn what others may have changed, and what is too much."""
        if self.is_full:
            await self.settle(conn)
        if self._edition != self.database.edition or self.is_full:
            self.forget()
            self._edition = self.database.edition
        if self._forgotten:
            self._free()

    def _free(self) -> None:
        forgotten = self._forgotten[-1]
        for _ in range(min(AT_ONCE, len(forgotten))):
            forgotten.popitem()
        if not forgotten:
            self._forgotten.pop()

    async def lighten(self) -> None:
        """Write most of what is not saved, if it is much, in turns of a few.

        Pings have theirs between.
        """
        if len(self.unsaved) > SETTLE_AT_ONCE:
            for part in await self._in_order():
                async with self.database.turn() as conn:
                    await self._save(conn, part)

    async def settle(self, conn: Connection) -> None:
        """Write in a turn what is not saved."""
        if self.unsaved:
            for part in await self._in_order():
                await self._save(conn, part)

    async def _in_order(self) -> list[list[str]]:
        """Return what is not saved, in parts of a few UUIDs, in the order of the table.

        So that each page is written once.
        """
        near = defaultdict(list)
        for number, code in enumerate(list(self.unsaved), 1):
            if (kept := self.checks.get(code)) is not None:
                near[kept[_ID] >> _NEIGHBOURS].append((kept[_ID], code))
            if number % _SORTED_AT_ONCE == 0:
                await asyncio.sleep(0)
        parts: list[list[str]] = [[]]
        count = 0
        for key in sorted(near):
            parts[-1] += [code for _, code in sorted(near[key])]
            count += len(near[key])
            while len(parts[-1]) >= SETTLE_AT_ONCE:
                parts.append(parts[-1][SETTLE_AT_ONCE:])
                del parts[-2][SETTLE_AT_ONCE:]
            if count >= _SORTED_AT_ONCE:
                count = 0
                await asyncio.sleep(0)
        return [part for part in parts if part]

    async def _save(self, conn: Connection, codes: Sequence[str]) -> None:
        some = [self.checks[code] for code in codes if code in self.unsaved]
        # Their pings are synced, and lie in the inbox until this is: a power cut may
        # undo it.
        statement = store.checks.saving_states(map(Check._make, some))
        await write_at_once(conn, statement, is_lazy=True)
        self.unsaved.difference_update(codes)

    async def recover(self) -> None:
        """Count the pings in the inbox that a crash kept from being counted.

        What lies on damaged pages there is lost, and keeps hcl from no start.
        """
        gaps = Gaps(logger)
        try:
            async with self.database.turn() as conn, begun(conn):
                last, counted = 0, dict[int, Check]()
                while pings := await store.inbox.uncounted(conn, last, RECOVER_AT_ONCE):
                    await self._count(conn, pings, counted)
                    last = pings[-1][0]
                await _save_counted(conn, counted)
        except SQLError as error:
            gaps.note(error)
        if gaps.found:
            # Read before: a transaction that has met such a page commits nothing.
            pings = await store.inbox.uncounted_around(self.database.committed, gaps)
            async with self.database.turn() as conn, begun(conn):
                counted = {}
                await self._count(conn, pings, counted)
                await _save_counted(conn, counted)

    async def _count(
        self,
        conn: Connection,
        pings: Iterable[tuple[int, int, Ping]],
        counted: dict[int, Check],
    ) -> None:
        loose = self._clock.is_doubtful
        for _, check_id, ping in pings:
            check = counted.get(check_id) or await store.checks.by_id(conn, check_id)
            if check is not None:
                counted[check_id] = rules.on_counted(check, ping, loose=loose).check


async def _save_counted(conn: Connection, counted: Mapping[int, Check]) -> None:
    await store.checks.save_states(conn, counted.values())
    # Another version of hcl, or of the time zones, may have other deadlines.
    await store.checks.look_earlier(conn, counted.values())
