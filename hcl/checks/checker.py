"""The loop that notices missing pings: overdue checks flip to down."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from hcl import store
from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.changes import Changes
from hcl.checks.away.watch import Watch
from hcl.checks.deadlines import Transition
from hcl.checks.slowness import Slowness
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar
from hcl.checks.windows.late import begins, seen_to
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.db import PATIENCE, Database, UnusableError, tell
from hcl.model import Check

logger = logging.getLogger(__name__)

# Checks that flip in one transaction: pings wait for no more than these.
BATCH_LIMIT = 200


# So often it is looked whether the wall can be believed, while that is waited for.
_WHILE_WAITING = timedelta(seconds=1)


# Who waits for so many seconds to write lets those go first who wait too; so long that
# these come before it in the line.
_HELD_UP = 0.1
_LETS_PASS = 0.05


class _Looked(NamedTuple):
    """At how many checks was looked, and what came of it; `differ`: some are others."""

    checks: int
    flipped: int
    told: int
    differ: bool


class Checker:
    """Flips checks when their deadline has come; sleeps until the next one."""

    def __init__(
        self,
        database: Database,
        *,
        alarm: Alarm,
        sender: Alarm,
        changes: Changes,
        clock: Clock,
        watch: Watch,
        maintenance: Maintenance,
        slowness: Slowness,
    ) -> None:
        self._database = database
        self.slowness = slowness
        self._clock = clock
        self._watch = watch
        self._maintenance = maintenance
        self._alarm = alarm
        self._sender = sender
        self._changes = changes
        # Whether it has let pings pass once that waited, and hcl was away for that.
        self._has_let_pass = False

    async def run(self) -> None:
        """Repeat: 1. see what time did, 2. flip what is overdue, 3. sleep on.

        While nobody may be called down it is looked again and again.
        """
        while True:
            try:
                until = await self._look()
            except UnusableError as error:
                tell(logger, "cannot check for missing pings", error)
                self._watch.failed()
                until = self._clock.now() + PATIENCE
            at_most = min(LOOK_AGAIN, self._watch.next_look)
            length = until - self._clock.now() if until else at_most
            self._watch.sleeps(min(length, at_most).total_seconds())
            await self._alarm.sleep(until, at_most=at_most)

    async def _look(self) -> datetime | None:
        await self._maintenance.catch_up()
        await self._watch.look()
        await self._maintenance.reckon(pulse=self._watch.pulse)
        now = self._clock.now()
        if not self._watch.may_call_down:
            return now + _WHILE_WAITING
        await self.check_once(now)
        await self.slowness.look_once(now)
        look = await store.checks.next_look(self._database.committed)
        return min(filter(None, (look, self.slowness.due)), default=None)

    async def check_once(self, now: datetime) -> int:
        """Flip every check whose deadline has passed; return how many flipped.

        A check's new state, its flip and the flip's notifications commit together.
        """
        # Where each write waits for so long nobody would ever be called down.
        flipped, may_wait = 0, not self._has_let_pass
        self._has_let_pass = False
        while await self._is_due(now):
            look = await self._check_batch(now, may_wait=may_wait)
            if look is None:
                may_wait = False
                if self._watch.was_away():
                    self._has_let_pass = True
                    break
                await asyncio.sleep(_LETS_PASS)
                continue
            flipped += look.flipped
            if look.flipped or look.told:
                self._sender.ring()
            if look.differ or look.told:
                # Some are not down yet, and fare otherwise.
                self._changes.tell()
            if look.checks < BATCH_LIMIT:
                break
        return flipped

    async def _is_due(self, now: datetime) -> bool:
        # Asked before a transaction, which would have what is put off written.
        look = await store.checks.next_look(self._database.committed)
        return look is not None and look <= now

    async def _check_batch(self, now: datetime, *, may_wait: bool) -> _Looked | None:
        """Look at some checks; None: pings wait that may have come in time.

        With `may_wait` they are not passed over.
        """
        changed: list[Check] = []
        begun = self._clock.boot()
        async with self._database.transaction(changed=changed) as conn:
            if may_wait and self._clock.boot() - begun > _HELD_UP:
                # They wait for the disk, or a lock, as this did, and are behind it.
                return None
            overdue = await store.checks.due(conn, now, BATCH_LIMIT)
            new_flips, late, looks = [], [], {}
            for check in overdue:
                calendar = self._maintenance.of(check.project_id)
                transition = self._on_look(check, now, calendar)
                check = transition.check
                if transition.flip is not None:
                    new_flips.append((check, transition.flip))
                elif began := begins(check, calendar, now):
                    if began > now:
                        looks[check.id] = began
                    elif await store.latenesses.are_told(conn, check.id):
                        if check.last_start is None:
                            late.append((check, began))
                        check = seen_to(check, began)
                changed.append(check)
            if changed:
                await store.checks.save_states(conn, changed)
                await store.checks.look_again(conn, changed, now, looks)
            told = await store.latenesses.add(conn, late, now)
            if new_flips:
                before = await store.flips.add(conn, new_flips)
                await store.notifications.add_for_flips(conn, before, now)
        differ = changed != overdue
        return _Looked(len(overdue), len(new_flips), told, differ)

    def _on_look(
        self, check: Check, now: datetime, calendar: Calendar | None
    ) -> Transition:
        """Return a check as it is at its deadline, or before: it may be late then."""
        if check.alert_after is not None and check.alert_after > now:
            # What is due is not worked out anew: a clock that was set has moved it.
            return Transition(check)
        loose = self._clock.is_doubtful
        transition = holding.on_deadline(check, now, calendar, loose=loose)
        if transition.problem:
            logger.error("%s; looking again in an hour", transition.problem)
        return transition
