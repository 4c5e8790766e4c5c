"""The windows of all projects: those of the file, and those that people open."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks.windows.asking import LONGEST, SHORTEST
from hcl.checks.windows.calendar import REMEMBERED, Calendar, Opening
from hcl.checks.windows.holding import reckoned
from hcl.clock import Clock
from hcl.config.settings import Window
from hcl.db import Database, UnusableError, tell
from hcl.model import Check

logger = logging.getLogger(__name__)

# So many windows that were opened by hand may be open at a time, of a project.
MOST = 100

# Checks that are worked out anew in one transaction: no ping waits for more.
AT_ONCE = 50


class MaintenanceError(ValueError):
    """A window cannot be opened; the text says why."""


class UnknownWindowError(Exception):
    """There is no such window, or it is over."""


class Maintenance:
    """Knows when nobody is called down, and has deadlines worked out by that.

    False if no project has windows: then nobody need look at any.
    """

    def __init__(
        self, database: Database, *, checker: Alarm, changes: Changes, clock: Clock
    ) -> None:
        self._database = database
        self._checker = checker
        self._changes = changes
        self._clock = clock
        self._in_file: dict[int, Sequence[Window]] = {}
        self._calendars: dict[int, Calendar] = {}
        # Whether deadlines have to be worked out anew, and after how many steps of the
        # clock that was done last.
        self._is_stale = True
        self._steps = 0
        # Whether the database may have other windows than those that count here.
        self._is_unread = False

    def __bool__(self) -> bool:
        """Tell whether any project has windows."""
        return bool(self._calendars)

    def of(self, project_id: int) -> Calendar | None:
        """Return the windows of a project; None: it has none."""
        return self._calendars.get(project_id)

    def until(self, check: Check, now: datetime) -> datetime | None:
        """Return until when a check cannot go down for maintenance; None: it can."""
        calendar = self._calendars.get(check.project_id)
        return calendar.until(now, check.tags) if calendar else None

    async def use(self, in_file: Mapping[int, Sequence[Window]]) -> None:
        """Go by these windows of the file, by the ids of their projects.

        Checks that it declares may have deadlines that no window has moved yet.
        """
        self._in_file = {id_: tuple(of) for id_, of in in_file.items() if of}
        self._is_stale = True
        await self._read()

    async def moved(self) -> None:
        """Go by windows that the database has at other times now.

        Raises UnusableError; they are read at the next `catch_up` then.
        """
        self._is_stale = True
        await self._read()

    async def catch_up(self) -> None:
        """Read the windows that could not be read when they were written.

        Raises UnusableError.
        """
        if self._is_unread:
            await self.moved()

    async def _read(self) -> None:
        now = self._clock.now()
        try:
            by_hand = await store.windows.of_projects(
                self._database.committed, now - REMEMBERED
            )
        except BaseException:
            # What was written counts all the same.
            self._is_unread = True
            self._checker.ring()
            raise
        self._is_unread = False
        before = {id_: known.windows for id_, known in self._calendars.items()}
        self._calendars = {
            id_: Calendar([*self._in_file.get(id_, ()), *by_hand.get(id_, ())])
            for id_ in self._in_file.keys() | by_hand.keys()
        }
        if before != {id_: known.windows for id_, known in self._calendars.items()}:
            self._is_stale = True
            self._checker.ring()
            self._changes.tell()

    async def open(
        self,
        project_id: int,
        length: timedelta,
        now: datetime,
        *,
        tags: Sequence[str] = (),
        reason: str = "",
    ) -> Window:
        """Open a window now, for so long. Raises MaintenanceError."""
        if not SHORTEST <= length <= LONGEST:
            raise MaintenanceError("a window lasts from 1 minute to 30 days")
        at = self._clock.as_set(now)
        async with self._database.transaction(changes_checks=False) as conn:
            now = at()
            window = Window(reason, frozenset(tags), start=now, end=now + length)
            await store.windows.drop(conn, now - REMEMBERED)
            if await store.windows.count_open(conn, project_id, now) >= MOST:
                raise MaintenanceError(f"{MOST} windows are open already; end some")
            id_ = await store.windows.add(conn, project_id, window)
        until = window.end and window.end.isoformat(" ", "seconds")
        logger.info("a maintenance window was opened by hand, until %s", until)
        await self._read_what_is_written()
        return replace(window, id=id_)

    async def end(self, project_id: int, id_: int, now: datetime) -> None:
        """End a window that was opened by hand. Raises UnknownWindowError."""
        at = self._clock.as_set(now)
        async with self._database.transaction(changes_checks=False) as conn:
            if not await store.windows.end(conn, project_id, id_, at()):
                raise UnknownWindowError
        await self._read_what_is_written()

    async def _read_what_is_written(self) -> None:
        """Read windows after a commit: that one fails now does not undo it."""
        try:
            await self._read()
        except UnusableError as error:
            tell(logger, "windows count from the next look", error)

    def open_for(self, check: Check, now: datetime) -> list[Opening]:
        """Return what is open for a check."""
        calendar = self._calendars.get(check.project_id)
        return calendar.open_at(now, check.tags) if calendar else []

    def open_now(self, project_id: int, now: datetime) -> list[Opening]:
        """Return what is open in a project, whatever the tags."""
        calendar = self._calendars.get(project_id)
        return calendar.open_at(now) if calendar else []

    def turn(self, project_id: int, now: datetime) -> datetime | None:
        """Return when a window opens or closes next; None: none does."""
        calendar = self._calendars.get(project_id)
        return calendar.turn(now) if calendar else None

    def upcoming(
        self, project_id: int, now: datetime, most: int, of_each: int | None = None
    ) -> list[Opening]:
        """Return what opens next in a project, as `Calendar.upcoming` does."""
        calendar = self._calendars.get(project_id)
        return calendar.upcoming(now, most, of_each) if calendar else []

    async def reckon(self, *, pulse: Callable[[], None] = lambda: None) -> None:
        """Move deadlines anew, if there are other windows, or another time, now.

        To be called before anybody is called down. Raises UnusableError; what is left
        is done at the next call. `pulse` is called after each few checks.
        """
        await self.catch_up()
        if len(self._clock.steps) != self._steps:
            await self.moved()
        if not self._is_stale:
            return
        steps, self._is_stale = len(self._clock.steps), False
        try:
            if self or await store.windows.any_spared(self._database.committed):
                await self._reckon_all(pulse)
        except BaseException:
            self._is_stale = True
            raise
        self._steps = steps

    async def _reckon_all(self, pulse: Callable[[], None]) -> None:
        last = 0
        while True:
            changed: list[Check] = []
            async with self._database.transaction(changed=changed) as conn:
                checks = await store.windows.checks_to_reckon(
                    conn, self._calendars, last, AT_ONCE
                )
                if not checks:
                    break
                last = checks[-1].id
                changed += filter(None, map(self._reckoned, checks))
                if changed:
                    await store.checks.save_states(conn, changed)
                    await store.checks.look_again(conn, changed)
                # That others are late may have waited for a window that is gone.
                ids = {check.id for check in changed}
                others = [check for check in checks if check.id not in ids]
                await store.checks.look_earlier(conn, others)
            pulse()
        self._changes.tell()

    def _reckoned(self, check: Check) -> Check | None:
        """Return a check with its deadline of now; None: it has it already."""
        calendar = self._calendars.get(check.project_id)
        after = reckoned(check, self._clock.now(), calendar)
        return None if after == check else after
