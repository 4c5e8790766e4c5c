"""Whether hcl was there all the time, and whether the clock can be believed.

The checker asks it before it calls anybody down. After an absence it first lets in what
waits, then judges every check by `absence`; after a step of the clock it moves all that
was counted by the old time.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from aiosqlite import Connection

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks import absence, rules
from hcl.checks.schedule import ScheduleError
from hcl.clock import GAP, Clock
from hcl.db import Database
from hcl.model import Check
from hcl.store.life import Absence, Away, Sign
from hcl.words.lengths import duration

logger = logging.getLogger(__name__)

# So often a sign of life is left, in seconds, while the checker has nothing to do.
SIGN_EVERY = 60.0

# After a return pings are let in first: until so many seconds pass without one, and for
# so many in all.
QUIET = 2.0
MOST_PATIENCE = 10.0

# How long nobody is called down, in seconds, while the wall was right once and is not
# known to be now, after a start.
UNSYNCHRONISED = 600.0

# The boot clock runs ahead of the monotonic one by as many seconds as the machine slept.
_SUSPENDED = 1.0

# Checks that are judged in one transaction, and rows that are moved: no ping waits for
# more.
JUDGED_AT_ONCE = 100
MOVED_AT_ONCE = 500

# History that is moved after a step of the clock, at most.
MOST_MOVED = 100_000
LONGEST_MOVED = timedelta(days=1)

_DAY = 86_400

# Checks that a message names of which nothing is known.
_NAMED = 20


@dataclass(slots=True)
class _Unheard:
    """Checks of one project of which nothing can be known, by their titles."""

    titles: list[str]
    count: int = 0


class Watch:
    """Looks, whenever the checker wakes, for what time did to hcl.

    `excuses`: whether absences excuse checks; else all is judged as if hcl had
    listened. `heard` returns when the last ping came, by the boot clock; `file` takes
    what was received to the logs.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        changes: Changes,
        sender: Alarm,
        heard: Callable[[], float],
        file: Callable[[], Awaitable[None]],
        excuses: bool = True,
    ) -> None:
        self.excuses = excuses
        self._database = database
        self._clock = clock
        self._changes = changes
        self._sender = sender
        self._heard = heard
        self._file = file
        boot = clock.boot()
        self._began = self._looked = boot
        self._asleep_by = boot - clock.monotonic()
        self._signed = boot
        self._ran_before = 0.0
        self._was_synchronised = False
        # When the wall was known to be right last, by the boot clock.
        self._synchronised_at = boot
        # Until when the wall is waited for after a start, by the boot clock.
        self._waits_until: float | None = None
        self._first_flip = 0
        self._away: Absence | None = None
        # The return at which this start excused checks, in hcl's time.
        self._counted: datetime | None = None

    @property
    def may_call_down(self) -> bool:
        """Tell whether anybody may be called down for missing."""
        return self._waits_until is None or not self._was_synchronised

    async def begin(self) -> None:
        """Find out how long hcl was away. To be called before anybody reads."""
        conn = self._database.committed
        sign = await self._last_sign()
        self._first_flip = await store.flips.last_id(conn)
        is_synchronised = self._clock.source.is_synchronised()
        self._was_synchronised = is_synchronised
        if sign is None:
            await self._leave_sign()
            return
        self._was_synchronised |= sign.was_synchronised
        self._ran_before = sign.ran
        self._go_on_from(sign, is_synchronised)
        self._set_doubt(is_synchronised)
        returned = self._clock.now()
        went = min(
            sign.moment, await store.life.unjudged_since(conn) or sign.moment, returned
        )
        async with self._database.transaction() as conn:
            await store.checks.cut_to(conn, returned)
        await self._return(Absence(went, returned, "stopped"))

    async def _last_sign(self) -> Sign | None:
        """Return the last sign of life; one is made up for a database that has none."""
        conn = self._database.committed
        sign = await store.life.last(conn)
        heard = None if sign else await store.checks.last_heard(conn)
        return Sign("", 0.0, heard) if heard else sign

    def _go_on_from(self, sign: Sign, is_synchronised: bool) -> None:
        """Tell hcl's time from the last sign, as far as the wall cannot be believed."""
        clock, known = self._clock, sign.moment
        is_same_boot = bool(sign.boot_id) and sign.boot_id == clock.source.boot_id
        if is_same_boot and clock.boot() >= sign.boot:
            # Whatever the wall did meanwhile: that is a step, and looked at as one.
            known += timedelta(seconds=clock.boot() - sign.boot)
            clock.go_on(known)
        if is_synchronised:
            return
        if self._was_synchronised or clock.source.wall() < known.timestamp():
            clock.hold(known)
            self._waits_until = clock.boot() + UNSYNCHRONISED

    async def end(self) -> None:
        """Leave a last sign of life."""
        if self._away is None:
            await self._leave_sign()

    async def look(self) -> None:
        """Do what has to be done before anybody is called down."""
        await self._look_for_gap()
        if self._away is not None:
            await self._let_in()
            await self._judge(self._away)
        await self._look_at_wall()
        await self._follow_step()
        boot = self._clock.boot()
        self._looked, self._asleep_by = boot, boot - self._clock.monotonic()
        if boot - self._signed >= SIGN_EVERY:
            await self._leave_sign()

    def sleeps(self, seconds: float) -> None:
        """Note for how long the checker is going to sleep at most."""
        boot = self._clock.boot()
        self._looked, self._asleep_by = boot, boot - self._clock.monotonic()
        self._clock.wakes_by = boot + seconds

    async def _look_for_gap(self) -> None:
        """Find out whether the process, or the machine, stood still."""
        clock = self._clock
        boot = clock.boot()
        late, clock.wakes_by = boot - clock.wakes_by, math.inf
        slept = boot - clock.monotonic() - self._asleep_by
        if self._away is not None or (late <= GAP and slept <= _SUSPENDED):
            return
        reason: Away = "suspended" if slept > _SUSPENDED else "starved"
        # By then it was there for certain: pings may have come before it was not.
        went = max(self._looked, clock.gap_from)
        logger.warning(
            "hcl was not running for %s (%s)",
            duration(timedelta(seconds=boot - went), units=2),
            reason,
        )
        await self._return(Absence(clock.at(went), clock.now(), reason))

    async def _return(self, away: Absence) -> None:
        """Show all as it was, until it is known what the absence means."""
        self._clock.shown_as_of = away.went
        self._away = away
        async with self._database.transaction(changes_checks=False) as conn:
            await store.life.add_absence(conn, away)

    async def _let_in(self) -> None:
        """Wait until no more pings come that were waiting."""
        begun = self._clock.boot()
        while True:
            now = self._clock.boot()
            until = min(max(begun, self._heard()) + QUIET, begun + MOST_PATIENCE)
            if now >= until:
                return
            await asyncio.sleep(until - now)

    async def _judge(self, away: Absence) -> None:
        """Judge every check after an absence, in transactions of a few."""
        unheard: dict[int, _Unheard] = {}
        if self.excuses:
            # Intervals are read from the logs.
            await self._file()
            await self._judge_all(away, unheard)
            self._counted = away.returned
        async with self._database.transaction(changes_checks=False) as conn:
            await store.life.judged(conn)
            await store.life.leave(conn, self._sign())
            await self._announce(conn, away, unheard)
        self._signed = self._clock.boot()
        self._away = self._clock.shown_as_of = None
        self._changes.tell()
        self._sender.ring()

    async def _judge_all(
        self,
        away: Absence,
        unheard: dict[int, _Unheard],
        *,
        as_success: bool = False,
        written_before: datetime | None = None,
    ) -> None:
        last = 0
        while True:
            async with self._database.transaction() as conn:
                checks = await store.checks.to_judge(conn, last, JUDGED_AT_ONCE)
                if not checks:
                    return
                last = checks[-1].id
                pings = await store.pings.outcomes(
                    conn, [check.id for check in checks], absence.INTERVALS + 1
                )
                changed = []
                for check in checks:
                    if written_before and _was_written(check, written_before):
                        continue
                    judged = self._judged(check, away, pings[check.id], as_success)
                    if judged != check:
                        changed.append(judged)
                        _note(unheard, judged)
                await store.checks.save_states(conn, changed)
                await store.checks.look_again(conn, changed)

    def _judged(
        self,
        check: Check,
        away: Absence,
        pings: Sequence[datetime],
        as_success: bool,
    ) -> Check:
        intervals = [
            max(later - earlier, timedelta(0)) for earlier, later in pairwise(pings)
        ]
        loose, counted = self._clock.is_doubtful, self._counted
        try:
            if as_success:
                return absence.excused(
                    check, away.returned, counted=counted, loose=loose
                )
            return absence.on_return(
                check,
                away.went,
                away.returned,
                intervals,
                counted=counted,
                loose=loose,
            )
        except ScheduleError as error:
            logger.error("not judged after an absence: check %d: %s", check.id, error)
            return check

    async def _announce(
        self, conn: Connection, away: Absence, unheard: dict[int, _Unheard]
    ) -> None:
        """Have people told of an absence in which something may have gone unheard."""

    async def _look_at_wall(self) -> None:
        """Take note of whether the wall is known to be right."""
        is_synchronised = self._clock.source.is_synchronised()
        if not self._clock.step:
            self._synchronised_at = (
                self._clock.boot() if is_synchronised else self._synchronised_at
            )
        if is_synchronised and not self._was_synchronised:
            self._was_synchronised = True
            await self._leave_sign()
        if self._set_doubt(is_synchronised):
            await self._reschedule()
        await self._end_wait(is_synchronised)

    def _set_doubt(self, is_synchronised: bool) -> bool:
        """Tell the others whether the wall may be wrong; return whether that is new."""
        doubtful = self._was_synchronised and not is_synchronised
        is_new = doubtful != self._clock.is_doubtful
        self._clock.is_doubtful = doubtful
        return is_new

    async def _reschedule(self) -> None:
        """Work out anew when checks with a schedule are due: the wall counts anew."""
        last = 0
        now, loose = self._clock.now(), self._clock.is_doubtful
        while True:
            async with self._database.transaction() as conn:
                checks = await store.checks.scheduled(conn, last, JUDGED_AT_ONCE)
                if not checks:
                    return
                last = checks[-1].id
                changed = [rules.on_edit(c, now, loose=loose).check for c in checks]
                await store.checks.save_states(conn, changed)
                await store.checks.look_again(conn, changed)

    async def _end_wait(self, is_synchronised: bool) -> None:
        """Let the wall count, once it is known to be right or enough has passed."""
        clock = self._clock
        if self._waits_until is None:
            return
        is_over = clock.boot() >= self._waits_until
        if not is_synchronised and not is_over and not self._wall_is_ahead:
            return
        if self._was_synchronised and not is_synchronised and self.excuses:
            # How long hcl was away cannot be known: all may have pinged unheard.
            returned = clock.at(self._began)
            await self._judge_all(
                Absence(returned, returned, "clock"),
                {},
                as_success=True,
                written_before=returned,
            )
            self._counted = returned
        await self._move_written(clock.step)
        self._waits_until = None

    @property
    def _wall_is_ahead(self) -> bool:
        """Tell whether a wall that nobody has ever vouched for has caught up."""
        return not self._was_synchronised and self._clock.step > timedelta(0)

    async def _move_written(self, step: timedelta) -> None:
        """Move what this start wrote; judge the rest as after an absence so long."""
        clock = self._clock
        before, since = clock.now(), clock.at(self._began)
        if not step:
            clock.take(step)
            return
        clock.shown_as_of = before
        async with self._database.transaction() as conn:
            await store.checks.shift_written(conn, step, since)
            await self._move_history(conn, step, since, only_written=True)
            if step < timedelta(0):
                await store.checks.cut_to(conn, before + step)
        self._take(step)
        if step > timedelta(0) and self.excuses:
            away = Absence(before, before + step, "clock")
            await self._judge_all(away, {}, written_before=since + step)
        await self._renew_deadlines(since + step)
        clock.shown_as_of = None
        await self._move_logs(step, since)

    async def _renew_deadlines(self, since: datetime) -> None:
        """Work out anew the deadlines of what was moved."""
        last = 0
        now, loose = self._clock.now(), self._clock.is_doubtful
        while True:
            async with self._database.transaction() as conn:
                checks = await store.checks.to_judge(conn, last, JUDGED_AT_ONCE)
                if not checks:
                    return
                last = checks[-1].id
                changed = [
                    rules.on_edit(check, now, loose=loose).check
                    for check in checks
                    if _was_written(check, since)
                ]
                await store.checks.save_states(conn, changed)
                await store.checks.look_again(conn, changed)

    async def _follow_step(self) -> None:
        """Move all along with the wall, if somebody has set it."""
        clock = self._clock
        step = clock.step
        if not step or self._waits_until is not None:
            return
        now = clock.now()
        since = max(
            clock.at(max(self._synchronised_at, self._began)), now - LONGEST_MOVED
        )
        async with self._database.transaction() as conn:
            await store.checks.shift(conn, step, since)
            await self._move_history(conn, step, since)
        self._take(step)
        await self._leave_sign()
        await self._move_logs(step, since)

    def _take(self, step: timedelta) -> None:
        """Let the wall count, after a commit, and before anybody else gets his turn."""
        self._clock.take(step)
        if self._counted is not None:
            self._counted += step
        way = "forward" if step > timedelta(0) else "back"
        logger.warning(
            "the clock was set %s by %s: deadlines, and what waits, have moved along",
            way,
            duration(abs(step), units=2),
        )
        self._changes.tell()
        self._sender.ring()

    async def _move_history(
        self,
        conn: Connection,
        step: timedelta,
        since: datetime,
        *,
        only_written: bool = False,
    ) -> None:
        written = since if only_written else None
        await store.outbox.shift(conn, step, self._clock.now() + step, written)
        await store.flips.shift(conn, step, since, self._first_flip)
        await store.pings.shift_inbox(conn, step, since)

    async def _move_logs(self, step: timedelta, since: datetime) -> None:
        """Move the filed pings that were written since a moment, the newest of them."""
        last, left = 0, MOST_MOVED
        while left > 0:
            conn = self._database.committed
            ids = await store.pings.came_since(conn, since, last, MOVED_AT_ONCE)
            if not ids:
                return
            last = ids[-1]
            for check_id in ids:
                limit = min(left, MOVED_AT_ONCE)
                async with self._database.transaction(changes_checks=False) as conn:
                    left -= await store.pings.shift_log(
                        conn, check_id, step, since, limit
                    )

    def _sign(self) -> Sign:
        clock = self._clock
        boot = clock.boot()
        return Sign(
            boot_id=clock.source.boot_id,
            boot=boot,
            moment=clock.at(boot),
            ran=self._ran_before + boot - self._began,
            was_synchronised=self._was_synchronised,
        )

    async def _leave_sign(self) -> None:
        sign = self._sign()
        async with self._database.transaction(changes_checks=False) as conn:
            await store.life.leave(conn, sign)
            await store.life.mark(conn, int(sign.ran) // _DAY)
        self._signed = sign.boot


def _was_written(check: Check, since: datetime) -> bool:
    """Tell whether what a check's deadline counts from was heard since a moment."""
    heard = check.counted_from or check.last_ping
    return heard is not None and heard >= since


def _note(unheard: dict[int, _Unheard], check: Check) -> None:
    project = unheard.setdefault(check.project_id, _Unheard([]))
    project.count += 1
    if len(project.titles) < _NAMED:
        project.titles.append(check.title)
