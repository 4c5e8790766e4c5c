"""Runs that take far longer than usual: told to people, soon after they end."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks.trends import Pace
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.db import PATIENCE, Database, UnusableError, despite_damage, tell
from hcl.model import Lateness, Ping

logger = logging.getLogger(__name__)

# What ended is looked at so much later, together: the checker wakes once for all of it.
SOON = timedelta(seconds=1)

# Checks whose pace is remembered, and checks of which it is read at a time.
MOST_REMEMBERED = 1000
_AT_ONCE = 5

# Checks that one look takes: what has to go down meanwhile waits for no more.
MOST_AT_A_TIME = 100

# Checks whose marks are made in one transaction: no ping waits for more.
_BEGIN_AT_ONCE = 500

# So many signals of a check tell its pace, and what a crash left to look at.
_SIGNALS = 150

# Checks of which it is remembered that nobody is told of them.
_MOST_OTHERS = 10_000

# Pings that wait to be looked at; of more it is read anew.
_MOST_WAITING = 10_000

# A slow run: its check, and the number of the ping that ended it.
_Found = tuple[int, int, Lateness]

_SIGNS = frozenset({"start", "success", "fail"})


class Slowness:
    """Finds slow runs of checks that have a channel which tells of them.

    It hears of pings after their commit, and looks when the checker does: by then it is
    known whether hcl was away. What it has looked at is noted, so that a crash neither
    loses a slow run nor has it told again.
    """

    def __init__(
        self,
        database: Database,
        *,
        checker: Alarm,
        sender: Alarm,
        changes: Changes,
        clock: Clock,
        maintenance: Maintenance,
    ) -> None:
        self._database = database
        self._checker = checker
        self._sender = sender
        self._changes = changes
        self._clock = clock
        self._maintenance = maintenance
        # When it looks next; None: nothing ended since.
        self.due: datetime | None = None
        self._is_on = False
        # What came since the last look, by check.
        self._waiting: dict[int, list[Ping]] = {}
        self._count = 0
        # Those used last come last; all are of the time after so many steps.
        self._paces: dict[int, Pace] = {}
        self._steps = 0
        # Checks that nobody is told of, as of this edition of the database.
        self._others: set[int] = set()
        self._edition = 0

    async def use(self, *, is_on: bool) -> None:
        """Look for slow runs from now on, or not: no channel tells of them.

        Of what came before, only what a crash left is looked at.
        """
        self._is_on, self._count = is_on, 0
        self._waiting, self._paces, self._others = {}, {}, set()
        is_known = False
        with despite_damage(self._database.trouble, logger):
            await self._use_marks(is_on=is_on)
            is_known = True
        # Of less importance than all that is served without them.
        self._is_on = is_on and is_known

    async def _use_marks(self, *, is_on: bool) -> None:
        if await store.paces.are_any(self._database.committed):
            async with self._database.transaction(changes_checks=False) as conn:
                await store.paces.forget(conn)
        if is_on:
            await self._begin()
            left = await store.paces.behind(self._database.committed)
            for check_id in left:
                # Pings come meanwhile.
                self._waiting.setdefault(check_id, [])
        if self._waiting:
            self._look_soon()

    async def _begin(self) -> None:
        """Note from where each check is looked at, a few in each transaction."""
        await self._database.settle()
        last: int | None = 0
        while last is not None:
            async with self._database.transaction(changes_checks=False) as conn:
                last = await store.paces.begin(conn, last, _BEGIN_AT_ONCE)

    def note(self, pings: Sequence[tuple[int, Ping]]) -> None:
        """Take note of pings that are committed."""
        if not self._is_on:
            return
        if self._edition != self._database.edition:
            self._edition, self._others = self._database.edition, set()
        has_ended = False
        for check_id, ping in pings:
            if check_id in self._others or ping.action not in _SIGNS:
                continue
            self._waiting.setdefault(check_id, []).append(ping._replace(body=b""))
            self._count += 1
            has_ended |= ping.action == "success"
        if self._count > _MOST_WAITING:
            self._forget_pings()
        if has_ended and self.due is None:
            self._look_soon()

    def _look_soon(self) -> None:
        self.due = self._clock.now() + SOON
        self._checker.ring(self.due)

    def _forget_pings(self) -> None:
        """Have the log say what came, and how long runs took."""
        self._waiting = {check_id: [] for check_id in self._waiting}
        self._paces, self._count = {}, 0

    async def look_once(self, now: datetime) -> int:
        """Write down what is to be told of runs that ended; return how many were slow.

        A slow run, its messages and that it was looked at commit together.
        """
        # A clock that is set back puts nothing off.
        if self.due is None or now < self.due <= now + PATIENCE:
            return 0
        if self._steps != len(self._clock.steps):
            self._steps = len(self._clock.steps)
            self._forget_pings()
        waiting = self._take()
        slow = 0
        try:
            for some in _slices(list(waiting)):
                slow += await self._look({id_: waiting[id_] for id_ in some}, now)
                for id_ in some:
                    del waiting[id_]
        except UnusableError as error:
            tell(logger, "cannot look for slow runs", error)
            # It is read anew, with what came meanwhile.
            self._waiting |= waiting
            self._forget_pings()
            self.due = now + PATIENCE
        if slow:
            self._sender.ring()
            self._changes.tell()
        return slow

    def _take(self) -> dict[int, list[Ping]]:
        """Take what is looked at next; the rest is due at once after it."""
        ids = list(islice(self._waiting, MOST_AT_A_TIME))
        taken = {id_: self._waiting.pop(id_) for id_ in ids}
        self._count -= sum(map(len, taken.values()))
        if not self._waiting:
            self.due = None
        return taken

    async def _look(self, waiting: Mapping[int, Sequence[Ping]], now: datetime) -> int:
        """Look at what came of a few checks."""
        served = await self._served(waiting)
        for check_id in waiting.keys() - served:
            # What comes from now on is not taken: once it is told of again, it is read.
            self._paces.pop(check_id, None)
        found = await self._remember(served, waiting)
        numbers = {}
        for check_id in served:
            if (pace := self._paces.pop(check_id, None)) is None:
                # Other settings came meanwhile.
                continue
            self._paces[check_id] = pace
            found += [(check_id, *run) for run in pace.take(waiting[check_id])]
            numbers[check_id] = pace.n
        while len(self._paces) > MOST_REMEMBERED:
            del self._paces[next(iter(self._paces))]
        told = [run for run in found if await self._counts(run)]
        knowing = store.paces.knowing(numbers)
        if told:
            async with self._database.transaction(changes_checks=False) as conn:
                for check_id, n, run in told:
                    await store.paces.add(conn, check_id, n, run, now)
                await conn.executemany(*knowing)
        elif numbers:
            await self._database.write_lazily(knowing)
        return len(told)

    async def _served(self, check_ids: Iterable[int]) -> dict[int, int | None]:
        """Return up to where each check is known, of those that people are told of."""
        edition = self._database.edition
        known, stale = await store.paces.known(self._database.committed, check_ids)
        if len(self._others) > _MOST_OTHERS:
            self._others = set()
        if self._edition == edition == self._database.edition:
            self._others.update(id_ for id_ in check_ids if id_ not in known)
        if stale:
            async with self._database.transaction(changes_checks=False) as conn:
                await store.paces.forget(conn, stale)
        return known

    async def _remember(
        self, served: Mapping[int, int | None], waiting: Mapping[int, Sequence[Ping]]
    ) -> list[_Found]:
        """Read the paces that are not remembered; return what a crash left."""
        found: list[_Found] = []
        unknown = [id_ for id_ in served if id_ not in self._paces]
        if not unknown:
            return found
        reader = self._database.committed
        logs = await store.paces.signals(reader, unknown, _SIGNALS)
        for check_id, signals in logs.items():
            pace = self._paces[check_id] = Pace()
            known, new = served[check_id], waiting[check_id]
            if known is None:
                # Nobody was told of it up to now.
                known = new[0].n - 1 if new else signals[-1].n if signals else 0
            found += [(check_id, *run) for run in pace.take(signals, known)]
        return found

    async def _counts(self, found: _Found) -> bool:
        """Tell whether people are to hear of a run, which took as long as it seems."""
        conn, (check_id, _, run) = self._database.committed, found
        ended = run.ended or run.began
        if await store.paces.may_be_wrong(conn, run.began, ended):
            return False
        # Neither tags nor projects are ever put off.
        check = await store.checks.by_id(conn, check_id)
        calendar = check and self._maintenance.of(check.project_id)
        if check is None or calendar is None:
            return check is not None
        return not calendar.was_open(run.began, ended, check.tags)


def _slices(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
