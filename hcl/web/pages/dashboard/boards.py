"""Boards: the checks of a project as they are shown, read once for all who look."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules
from hcl.checks.windows.calendar import Opening
from hcl.db import readable
from hcl.model import Check, Project, ShownStatus
from hcl.web.pages.dashboard import warning
from hcl.web.pages.dashboard.warning import Trouble
from hcl.web.parts import Parts

logger = logging.getLogger(__name__)

# Pages that may be open at a time, of all viewers.
MOST_LISTENERS = 100
# Pages hear of changes no more often, in seconds.
PACE = 0.5
# With more checks than these the pages of a project are only told to load anew, and no
# more often than so, in seconds: to tell what has changed all would have to be read.
MOST_CHECKS = 2000
COARSE_PACE = 5.0
_SLICE = 200
# So often something is sent, in seconds, lest somebody between takes the connection for
# dead; app.js does so after three times as long.
HEARTBEAT = 15.0


class Shown(NamedTuple):
    """A check, and the status that people see."""

    check: Check
    status: ShownStatus


def shown(checks: Iterable[Check], now: datetime) -> list[Shown]:
    """Tell the status of each check that people see."""
    return [
        Shown(_unmuted(check, now), rules.shown_status(check, now)) for check in checks
    ]


def _unmuted(check: Check, now: datetime) -> Check:
    """Forget a mute that is over, so that its end is a change of what is shown."""
    if check.muted_until is None or check.is_muted(now):
        return check
    return check._replace(muted_until=None)


class Above(NamedTuple):
    """What stands above a project's checks.

    `announced` is the id of the newest announcement, `windows` are those of maintenance
    that are open, `trouble` is what every page warns of.
    """

    announced: int = 0
    windows: tuple[Opening, ...] = ()
    trouble: Trouble | None = None


class Fingerprint:
    """Stands for what a page shows, for as long as the server runs."""

    def __init__(self, above: Above) -> None:
        """Begin with what stands above the checks."""
        self._hash = hash(above)

    def add(self, *seen: object) -> None:
        """Add what is seen of a check."""
        self._hash = hash((self._hash, seen))

    def __str__(self) -> str:
        """Write it for a URL."""
        return format(self._hash & 0xFFFFFFFFFFFFFFFF, "x")


def fingerprint(items: Iterable[Shown], above: Above) -> str:
    """Stand for all of a project's checks."""
    mark = Fingerprint(above)
    for c, status in items:
        mark.add(c.id, status, c.n_pings, c.name, c.excused)
    return str(mark)


class Change(NamedTuple):
    """What differs between two looks at a board; `items` are as they are now."""

    before: dict[int, Shown]
    after: dict[int, Shown]
    items: list[Shown]
    gone: list[Shown]
    # By whether the viewer may only look: their links differ.
    messages: dict[bool, dict[str, object]]
    # Held while they are made, by one for all.
    making: asyncio.Lock

    @property
    def moves(self) -> set[str]:
        """Tell by what checks may now stand elsewhere in a list, or be in another."""
        before = self.before
        return {m for new in self.items for m in _moves(before.get(new.check.id), new)}


class Board:
    """The checks of one project as they are shown, read once for all who look."""

    def __init__(self, parts: Parts, project: Project) -> None:
        self._parts = parts
        self._project = project
        self._lock = asyncio.Lock()
        self.items: dict[int, Shown] = {}
        self.above = Above()
        # The number of the newest try to tell somebody.
        self.tried = 0
        self.version = -1
        # Whether there are too many checks to tell what has changed.
        self.is_coarse = False
        self._looked = 0.0
        # When a status, or what is open, changes by the passing of time alone.
        self._turns: datetime | None = None
        self._change: Change | None = None

    async def refresh(self) -> dict[int, Shown]:
        """Return the checks as they are now; unchanged ones are not read again.

        However many look, and however often: they are worked out once in a PACE.
        """
        async with self._lock:
            if self._is_old:
                pace = COARSE_PACE if self.is_coarse else PACE
                await asyncio.sleep(self._looked + pace - time.monotonic())
                self._looked = time.monotonic()
                await self._look()
        return self.items

    def change(self, before: dict[int, Shown]) -> Change:
        """Tell what is new since `before`, worked out once for all who saw that."""
        last, seen = self._change, self.items
        if last is None or last.before is not before or last.after is not seen:
            items = [item for i, item in seen.items() if before.get(i) != item]
            gone = [item for i, item in before.items() if i not in seen]
            last = self._change = Change(before, seen, items, gone, {}, asyncio.Lock())
        return last

    @property
    def _is_old(self) -> bool:
        return self._parts.changes.is_over(self.version) or self.seconds_left <= 0

    async def _look(self) -> None:
        changes, version = self._parts.changes, self.version
        above, tried = self.above, self.tried
        if changes.is_over(version):
            version = changes.begin()
            conn = await self._parts.database.current()
            checks = await self._read(conn)
            above = await self._read_above(conn)
            tried = await readable(store.tries.last_id(conn), 0, logger)
        else:
            checks = [item.check for item in self.items.values()]
        now = self._parts.clock.shown()
        items: dict[int, Shown] = {}
        turns: list[datetime | None] = []
        for start in range(0, len(checks), _SLICE):
            # Whoever waits with a ping comes first.
            await asyncio.sleep(0)
            some = checks[start : start + _SLICE]
            items |= {item.check.id: self._kept(item) for item in shown(some, now)}
            turns += [rules.next_turn(check, now) for check in some]
        if self.is_coarse:
            conn = self._parts.database.committed
            tallies = await store.tallies.steady(conn, self._project.id, "", now)
            turns = [tally.late for tally in tallies]
        maintenance, home = self._parts.maintenance, self._project.id
        turns.append(maintenance.turn(home, now))
        # At once: who looks may leave while it is worked out.
        self.items, self.version, self.tried = items, version, tried
        self.above = above._replace(windows=tuple(maintenance.open_now(home, now)))
        self._turns = min((turn for turn in turns if turn), default=None)

    async def _read_above(self, conn: Connection) -> Above:
        last_id = store.announcements.last_id(conn)
        announced = await readable(last_id, 0, logger)
        warnings = await warning.of_projects(self._parts, [self._project])
        return Above(announced, (), warnings.get(self._project.id))

    async def _read(self, conn: Connection) -> list[Check]:
        count = await store.checks.count(conn, self._project.id)
        self.is_coarse = count > MOST_CHECKS
        checks: list[Check] = []
        last_id = 0
        while not self.is_coarse:
            found = await store.checks.of_project(
                conn, self._project.id, after=last_id, limit=_SLICE
            )
            # Those of before are kept where nothing has changed: who looks holds what
            # they saw last, and all checks would be there two or three times.
            checks += map(self._known, found)
            if len(found) < _SLICE:
                break
            last_id = found[-1].id
        return checks

    def _known(self, check: Check) -> Check:
        old = self.items.get(check.id)
        return old.check if old is not None and old.check == check else check

    def _kept(self, item: Shown) -> Shown:
        old = self.items.get(item.check.id)
        return old if old is not None and old == item else item

    @property
    def seconds_left(self) -> float:
        """Tell how long all statuses stay as they are, if nothing happens."""
        if self._turns is None:
            return HEARTBEAT
        left = (self._turns - self._parts.clock.shown()).total_seconds()
        # It comes no nearer while all is shown as of a moment that has passed.
        return left if left <= 0 else max(left, PACE)


class Boards:
    """The boards that somebody looks at, by project."""

    def __init__(self) -> None:
        self.listeners = 0
        # Held by the page whose turn it is.
        self.turn = asyncio.Lock()
        self._held: Counter[str] = Counter()
        self._boards: dict[int, Board] = {}

    def of(self, parts: Parts, project: Project) -> Board:
        """Return a project's board."""
        if project.id not in self._boards:
            self._boards[project.id] = Board(parts, project)
        return self._boards[project.id]

    def has_room(self, holders: dict[str, int]) -> bool:
        """Tell whether one more may listen, by what each of `holders` may have."""
        return self.listeners < MOST_LISTENERS and all(
            self._held[name] < most for name, most in holders.items()
        )

    def enter(self, holders: Collection[str]) -> None:
        """Count one who listens."""
        self.listeners += 1
        # Given a mapping a Counter would add its values.
        self._held.update(list(holders))

    def leave(self, holders: Collection[str]) -> None:
        """Forget all boards when nobody is left to look at them."""
        self.listeners -= 1
        self._held.subtract(list(holders))
        if not self.listeners:
            self._held.clear()
            self._boards.clear()


def _moves(old: Shown | None, new: Shown) -> Iterator[str]:
    if old is None or _words(old.check) != _words(new.check):
        yield "all"
    elif old.status != new.status:
        yield "status"
    if old is None:
        return
    if (old.check.last_start is None) != (new.check.last_start is None):
        yield "started"
    if old.check.last_ping != new.check.last_ping:
        yield "last"


def _words(check: Check) -> tuple[str, str, str]:
    """Return what a list is ordered and searched by, and only edits change."""
    return check.name, check.tags, check.slug
