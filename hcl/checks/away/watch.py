"""Whether hcl was there all the time, and whether the clock can be believed.

The checker asks it before it calls anybody down. After an absence it first lets in
what waits, then has every check judged; after a step of the clock it has all moved
along that was counted by the old time.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.checks.away import signs
from hcl.checks.away.announcing import announce
from hcl.checks.away.deafness import Deafness
from hcl.checks.away.guessing import Guessing
from hcl.checks.away.judging import Guessed, Judging
from hcl.checks.away.refusals import Refusals
from hcl.checks.away.steps import Steps
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import GAP, SUSPENDED, Clock
from hcl.db import Database, UnusableError, tell
from hcl.store.life import Absence, Away, Sign
from hcl.words.lengths import duration

logger = logging.getLogger(__name__)

# So often a sign of life is left, in seconds, while the checker has nothing to do; and
# somewhat sooner: who is killed and starts at once was not away for a minute.
SIGN_EVERY = 60.0
_SOONER = 0.9

# What waits is let in before anybody is judged: until none comes so long, and in all.
QUIET = 2.0
MOST_PATIENCE = 10.0

# Of who wakes so many seconds late, and was not away, pings may wait to be taken.
LATE = 0.5


class Watch:
    """Looks, whenever the checker wakes, for what time has done to hcl.

    `excuses`: whether absences excuse checks; else all is judged as if it had listened.
    `others` are the alarms of the other loops. `heard` returns when the last ping came,
    by the boot clock; `refusals` are of pings that could not be kept; `file` takes what
    came to the logs, and calls what it is given meanwhile.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        changes: Changes,
        others: Sequence[Alarm],
        heard: Callable[[], float],
        refusals: Refusals,
        file: Callable[[Callable[[], None]], Awaitable[None]],
        maintenance: Maintenance,
        excuses: bool = True,
    ) -> None:
        self.excuses = excuses
        # The zone of moments in messages.
        self.home = "UTC"
        self.quiet = QUIET
        self.most_patience = MOST_PATIENCE
        self._database = database
        self._clock = clock
        self._changes = changes
        self._others = others
        self._heard = heard
        self._refusals = refusals
        self._file: Callable[[], Awaitable[None]] = lambda: file(self.pulse)
        self._maintenance = maintenance
        # Whether it stood still while it was at work; until the next look for that.
        self._stood_still = False
        self._judging = Judging(database, clock, maintenance, pulse=self.pulse)
        self._steps = Steps(database, clock, self._judging, self._file)
        boot = clock.boot()
        self._began = self._looked = self._signed = boot
        # When a look failed last; before the first, when hcl was away last for certain.
        self._failed = boot
        self._was_synchronised = False
        # When the wall was known to be right last, by the boot clock.
        self._synchronised = boot
        self._guessing = Guessing(clock)
        self._away: Absence | None = None
        # How that was judged before, by a time that was guessed; None: it was not.
        self._guessed: Guessed | None = None
        self._deafness = Deafness(database, clock, changes, refusals)
        # What was heard since has to be scheduled anew: its time was guessed.
        self._renews_since: datetime | None = None
        self._has_to_reschedule = False

    @property
    def may_call_down(self) -> bool:
        """Tell whether anybody may be called down for missing."""
        is_known = not (self._guessing.is_on and self._was_synchronised)
        return is_known and self._deafness.since is None

    async def begin(self) -> None:
        """Find out how long hcl was away. To be called before anybody reads."""
        conn = self._database.committed
        sign = await store.life.last_or_heard(conn, SIGN_EVERY + GAP)
        self._steps.fixed_flip = flip = await store.flips.last_id(conn)
        self._was_synchronised = is_synchronised = self._clock.source.is_synchronised()
        if sign is None:
            await self._leave_sign()
            return
        self._was_synchronised |= sign.was_synchronised
        self._clock.has_run(sign.ran)
        guessing, guess = self._guessing, await store.life.guess(conn)
        guessing.begin(sign, guess, flip, was_synchronised=self._was_synchronised)
        self._clock.is_doubtful = self._was_synchronised and not is_synchronised
        returned = self._clock.now()
        away = self._show_before(await signs.absence(conn, sign, returned))
        async with self._database.transaction() as conn:
            await store.fixed.fix_ahead(conn, returned)
            await store.fixed.cut_to(conn, returned)
            await store.life.add_absence(conn, away)
            # By one commit with what the next start would else move, or guess, anew.
            await store.life.leave(conn, self._sign())
            if guessing.is_on:
                self._steps.fixed_flip = guessing.guess.flip
                await store.life.keep_guess(conn, guessing.guess)
            if (step := returned - sign.moment) < timedelta(0):
                await store.fixed.shift_ends(conn, step)
                await store.outbox.shift(conn, step, returned)
        if step < timedelta(0):
            guessing.doubt_lengths(step, is_wrong=True)
            await self._maintenance.moved()
        # It is to look at once: a start that takes long hears nobody until then.
        self._clock.wakes_by = self._looked

    async def end(self) -> None:
        """Leave a last sign of life; but not before an absence has been judged.

        Nor after one that nobody has looked for yet, nor amid a step of the clock.
        """
        by = min(self._clock.wakes_by, self._looked + SIGN_EVERY)
        unsure = self._steps.is_taken_up or self._clock.boot() - by > GAP
        if self._away is not None or self._stood_still or self._has_slept() or unsure:
            return
        try:
            await self._leave_sign()
        except UnusableError as error:
            tell(logger, "no sign of life is left at the end", error)

    async def look(self) -> None:
        """Do what has to be done before anybody is called down.

        Raises UnusableError; what is left to do is done at the next look.
        """
        while True:
            await self._look_for_gap()
            if self._away is not None:
                await self._end_absence()
            if self._away is None:
                if self._renews_since is not None:
                    await self._finish_wait(self._renews_since)
                await self._look_at_wall()
            self.pulse()
            if not (self._away or self._renews_since or self._stood_still):
                break
        if not self._deafness.since and self._looked - self._signed >= SIGN_EVERY / 2:
            # Once a disk takes nothing more, what was put off would be shown as before.
            await self._database.settle()
            await self._leave_sign()

    async def _end_absence(self) -> None:
        """Let in what waits; then have all judged, if it did not stand still again."""
        away = self._away
        await self._let_in()
        await self._look_for_gap()
        if away is not None and self._away == away:
            await self._judge(away)

    @property
    def next_look(self) -> timedelta:
        """Return how soon it has to be looked again, for a sign of life."""
        left = _SOONER * SIGN_EVERY - (self._looked - self._signed)
        # One is left by any look from half of the time on, if it can be.
        return timedelta(seconds=max(left, SIGN_EVERY / 2))

    def sleeps(self, seconds: float) -> None:
        """Note for how long the checker is going to sleep at most.

        Not at all, if that is negative: what is told late may be due since long ago.
        """
        self.pulse()
        if self._stood_still:
            # The next look finds that; until then all is shown as it was.
            self._clock.wakes_by = self._looked
        else:
            self._clock.wakes_by = self._looked + max(seconds, 0.0)

    def failed(self) -> None:
        """Note that a look failed: what cannot be written cannot be heard either."""
        self._deafness.note_failure(self._looked, self._signed)
        self._failed = self._clock.boot()

    def pulse(self) -> None:
        """Note that it is at work; or that it stood still meanwhile."""
        if self._clock.boot() - self._looked > GAP or self._has_slept():
            self._stood_still = True
        if not self._stood_still:
            self._note_look()

    def _note_look(self) -> None:
        self._looked = self._clock.looked = self._clock.boot()
        self._clock.lead = self._looked - self._clock.monotonic()

    def _has_slept(self) -> bool:
        """Tell whether the machine was suspended since the last look."""
        clock = self._clock
        return clock.boot() - clock.monotonic() - clock.lead > SUSPENDED

    async def _look_for_gap(self) -> None:
        """Find out whether the process, or the machine, stood still, or was deaf."""
        clock = self._clock
        late, clock.wakes_by = clock.boot() - clock.wakes_by, math.inf
        self._deafness.note_refusals()
        if self._has_slept():
            await self._note_gap("suspended")
        elif late > GAP or self._stood_still:
            await self._note_gap("starved")
        elif self._deafness.since is not None:
            await self._end_deafness(*self._deafness.since)
        else:
            self._note_look()
            if late > LATE and self._away is None:
                await self._let_in()
                clock.wakes_by = math.inf

    def was_away(self) -> bool:
        """Tell whether it stood still: it is to look before anybody is called down."""
        self.pulse()
        return self._stood_still

    async def _note_gap(self, reason: Away) -> None:
        # By then it was there for certain: pings may have come before it was not.
        went = self._clock.at(max(self._looked, self._clock.gap_from))
        self._stood_still = False
        self._note_look()
        length = duration(self._clock.now() - went, units=2)
        logger.warning("hcl was not running for %s: it was %s", length, reason)
        away = self._show_before(Absence(went, self._clock.now(), reason))
        async with self._database.transaction(changes_checks=False) as conn:
            await store.life.add_absence(conn, away)

    async def _end_deafness(self, since: float, signed: float) -> None:
        """Judge what could not be kept as what could not be heard.

        `since` is when a look failed first, `signed` the sign before: pings may have
        been refused from then on.
        """
        self._note_look()
        if self._deafness.lasts(self._looked):
            self._deafness.show()
            return
        away = None
        if self._looked - since > GAP:
            away = Absence(self._clock.at(signed), self._clock.now(), "unwritable")
        # Raises for as long as it cannot be written. By one commit: who is killed after
        # the sign alone would take it that all of that time was heard.
        await self._leave_sign(self._looked, away)
        self._deafness.end()
        if away is not None:
            self._show_before(away)
        self._deafness.show()

    def _show_before(self, away: Absence) -> Absence:
        """Show all as it was, until it is known what this absence means; return it."""
        if (before := self._away) is None:
            self._judging.begin()
        else:
            # That is the same absence; all are judged, whoever was heard in between.
            away = Absence(min(before.went, away.went), away.returned, before.reason)
            self._guessed = self._guessed and self._guessed._replace(heard_since=None)
        self._away = away
        self._clock.shown_as_of = away.went
        return away

    async def _let_in(self) -> None:
        """Wait until no more pings come that were waiting."""
        begun = now = self._clock.boot()
        last = begun + self.most_patience
        while now < (until := min(max(begun, self._heard()) + self.quiet, last)):
            self.sleeps(until - now)
            await asyncio.sleep(until - now)
            now = self._clock.boot()

    async def _judge(self, away: Absence) -> None:
        """Have every check judged after an absence, and people told."""
        conn = self._database.committed
        if not self.excuses and await store.fixed.owes_deadlines(conn):
            # What they count from was cut: they would lie in that future still.
            await self._judging.renew(None)
        if self.excuses:
            await self._file()
            until = self._clock.at(max(self._failed, self._refusals.last))
            await self._judging.judge(away, deaf_until=until, guessed=self._guessed)
        async with self._database.transaction(changes_checks=False) as conn:
            await store.life.judged(conn)
            await store.moved.judged(conn)
            await store.fixed.gave_deadlines(conn)
            await store.life.leave(conn, self._sign())
            unheard, now = self._judging.unheard, self._clock.now()
            await announce(conn, away, unheard, now, self.home)
        self._signed = self._clock.boot()
        self._away = self._clock.shown_as_of = self._guessed = None
        self._judging.unheard = {}
        await self._tell()

    async def _tell(self) -> None:
        self._changes.tell()
        # What they sleep until may have moved.
        for alarm in self._others:
            alarm.ring()

    async def _look_at_wall(self) -> None:
        """Follow a wall that was set; take note of whether it is known to be right."""
        clock = self._clock
        is_synchronised = clock.source.is_synchronised()
        guessing = self._guessing
        if not guessing.is_on:
            if await self._steps.follow(clock.at(self._synchronised), self._sign):
                await self._tell()
            # An error may have left some of it at the look before.
            if await self._steps.finish():
                self._changes.tell()
        elif guessing.is_over(
            is_synchronised=is_synchronised, was_synchronised=self._was_synchronised
        ):
            await self._end_wait(is_synchronised)
        if is_synchronised and not clock.step:
            self._synchronised = clock.boot()
        if is_synchronised and not self._was_synchronised:
            self._was_synchronised = True
            await self._leave_sign()
        await self._doubt(is_synchronised)

    async def _doubt(self, is_synchronised: bool) -> None:
        """Tell the others whether the wall may be wrong; schedules count by that."""
        doubtful = self._was_synchronised and not is_synchronised
        self._has_to_reschedule |= doubtful != self._clock.is_doubtful
        self._clock.is_doubtful = doubtful
        if self._has_to_reschedule:
            await self._judging.reschedule()
            self._has_to_reschedule = False

    async def _end_wait(self, is_synchronised: bool) -> None:
        guessing = self._guessing
        is_wrong = self._was_synchronised and not is_synchronised
        is_behind = not is_synchronised and self._clock.step < timedelta(0)
        if (is_wrong or is_behind) and self.excuses:
            # How long hcl was away cannot be known: all may have pinged unheard.
            returned = max(self._clock.at(self._began), guessing.began)
            await self._judging.excuse(returned, guessing.guess.leapt)
        went = guessing.began - guessing.guess.leapt
        away = await self._steps.follow_first(
            guessing, self._sign, is_right=is_synchronised, is_wrong=is_wrong
        )
        guessing.end()
        self._renews_since = began = guessing.began
        if away is not None:
            # The same absence as that of the start, and longer than it was known to be.
            self._away, self._guessed = away, Guessed(went, began)
            self._clock.shown_as_of = away.went
        # Last, since it may fail: that is caught up with at the next look.
        await self._maintenance.moved()

    async def _finish_wait(self, began: datetime) -> None:
        owes = await store.fixed.owes_deadlines(self._database.committed)
        # Where a last ping was cut nothing tells any more that there was a last chance.
        await self._judging.renew(None if owes else began)
        async with self._database.transaction(changes_checks=False) as conn:
            await store.fixed.gave_deadlines(conn)
        await self._steps.finish()
        await self._leave_sign()
        # Not before: what an error leaves is done at the next look.
        self._renews_since = None
        await self._tell()

    def _sign(self, boot: float | None = None) -> Sign:
        """Return a sign of a moment of the boot clock; None: of when it heard last."""
        since = self._deafness.since
        heard = since[1] if since else self._refusals.first
        boot = boot or heard or self._clock.boot()
        return signs.sign_at(self._clock, boot, was_right=self._was_synchronised)

    async def _leave_sign(
        self, boot: float | None = None, away: Absence | None = None
    ) -> None:
        self._signed = await signs.leave(self._database, self._sign(boot), away)
