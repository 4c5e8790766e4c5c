"""Judge every check after hcl was away, in transactions of a few.

What is decided of each is `absence`'s; here it is read, written down and counted.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from hcl import store
from hcl.checks import rules
from hcl.checks.away import absence
from hcl.checks.schedule import ScheduleError
from hcl.checks.windows.holding import held
from hcl.checks.windows.maintenance import Maintenance
from hcl.clock import Clock
from hcl.db import Database, UnusableError, tell
from hcl.model import Check
from hcl.store.life import Absence
from hcl.words import names

logger = logging.getLogger(__name__)

# Checks that are judged in one transaction: no ping waits for more.
AT_ONCE = 50

# Checks that a message names of which nothing is known.
_NAMED = 20


class Guessed(NamedTuple):
    """How an absence was judged by a time that was guessed, and so as too short.

    hcl `went` at that moment, and called nobody down for what fell due since. Who was
    heard since it was back is not judged anew; None: all are.
    """

    went: datetime
    heard_since: datetime | None


@dataclass(slots=True)
class Unheard:
    """The checks of one project of which nothing can be known: some, and how many."""

    titles: list[str] = field(default_factory=list)
    count: int = 0
    # Since when those that came from another server were not heard; None: none did.
    moved: datetime | None = None


class Judging:
    """Goes through all checks that have a deadline.

    `counted` is the return at which an absence excused checks, in hcl's time; None: it
    has excused none yet. It counts once, however often it is judged. `pulse` is called
    after each few checks: many of them take long.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        maintenance: Maintenance,
        *,
        pulse: Callable[[], None],
    ) -> None:
        self.counted: datetime | None = None
        # By project id.
        self.unheard: dict[int, Unheard] = {}
        self._database = database
        self._clock = clock
        self._maintenance = maintenance
        self._pulse = pulse
        # Of the checks in hand: until when they were heard elsewhere, by their ids.
        self._moved: dict[int, datetime] = {}

    def begin(self) -> None:
        """Forget the absence before: the next one counts anew."""
        self.counted = None
        self.unheard = {}

    async def judge(
        self,
        away: Absence,
        *,
        deaf_until: datetime | None = None,
        guessed: Guessed | None = None,
    ) -> None:
        """Judge all checks after an absence, or those that are left after an error.

        Who was excused is noted in `unheard`. `deaf_until` as in `absence.on_return`.
        `guessed`: how it was judged before, if it was. Their last intervals are read
        from the logs: what was received must be filed.
        """
        if self.counted is None:
            self.counted = away.returned
        went = guessed.went if guessed else away.went
        heard_since = guessed.heard_since if guessed else None

        def judged(check: Check, intervals: Sequence[timedelta]) -> Check:
            if heard_since and was_written(check, heard_since):
                return check
            calendar = self._maintenance.of(check.project_id)
            if calendar is not None and not check.spared:
                # Counted anew after a crash, it knows of no windows.
                check = held(check, calendar)
            return absence.on_return(
                check,
                self._moved.get(check.id, went),
                away.returned,
                intervals,
                deaf_until=deaf_until,
                is_again=guessed is not None,
                counted=self.counted,
                hold=partial(held, calendar=calendar),
                loose=self._clock.is_doubtful,
            )

        await self._go_through(judged, self._note)
        self.counted = away.returned

    def _note(self, check: Check) -> None:
        if check.status == "down":
            # All is known of it: only how its run went is not.
            return
        project = self.unheard.setdefault(check.project_id, Unheard())
        project.count += 1
        if (heard := self._moved.get(check.id)) is not None:
            project.moved = min(project.moved or heard, heard)
        if len(project.titles) < _NAMED:
            project.titles.append(names.title(check))

    async def excuse(self, returned: datetime, leapt: timedelta) -> None:
        """Judge all checks, but those heard since, as if each had pinged then.

        `leapt` as in `absence.excused`.
        """

        def excused(check: Check, _intervals: Sequence[timedelta]) -> Check:
            if was_written(check, returned):
                return check
            loose = self._clock.is_doubtful
            return absence.excused(
                check, returned, leapt=leapt, counted=self.counted, loose=loose
            )

        await self._go_through(excused)
        self.counted = returned

    async def renew(self, written_since: datetime | None) -> None:
        """Work out anew the deadlines of checks that were heard since a moment.

        And of those that had a last chance by the time of that. None: of all, those
        too that never ended a run.
        """

        def is_meant(check: Check) -> bool:
            if written_since is None or check.not_before is not None:
                return True
            return was_written(check, written_since)

        await self._work_out(is_meant)

    async def reschedule(self) -> None:
        """Work out anew when checks with a schedule are due: the wall counts anew."""
        await self._work_out(
            lambda check: check.kind != "simple" and check.status == "up"
        )

    async def _work_out(self, is_meant: Callable[[Check], bool]) -> None:
        """Work out anew the deadlines of those checks that are meant."""
        now, loose = self._clock.now(), self._clock.is_doubtful

        def worked_out(check: Check, _intervals: Sequence[timedelta]) -> Check:
            if not is_meant(check):
                return check
            return rules.on_edit(check, now, loose=loose).check

        await self._go_through(worked_out)

    async def _go_through(
        self,
        change: Callable[[Check, Sequence[timedelta]], Check],
        note: Callable[[Check], None] | None = None,
    ) -> None:
        """Change all checks that have a deadline; `note` those that were, committed."""
        last: int | None = 0
        while last is not None:
            after = last
            try:
                last = await self._go_on(after, change, note)
            except UnusableError as error:
                if not error.is_damage:
                    raise
                tell(logger, "judged without a log", error)
                # A log that is damaged must not make deaf: its check is judged as one
                # that has few intervals.
                last = await self._go_on(after, change, note, reads_logs=False)

    async def _go_on(
        self,
        last: int,
        change: Callable[[Check, Sequence[timedelta]], Check],
        note: Callable[[Check], None] | None,
        *,
        reads_logs: bool = True,
    ) -> int | None:
        """Change the checks after the one with the id `last`, a few.

        Return the id of the last of them; None: there are no more.
        """
        pings: dict[int, list[datetime]] = {}
        changed: list[Check] = []
        async with self._database.transaction(changed=changed) as conn:
            checks = await store.checks.to_judge(conn, last, AT_ONCE)
            if not checks:
                return None
            ids = [check.id for check in checks]
            self._moved = await store.moved.as_ofs(conn, ids)
            if reads_logs:
                pings = await store.pings.outcomes(conn, ids, absence.INTERVALS + 1)
            after = [
                self._judged(change, check, pings.get(check.id, ())) for check in checks
            ]
            changed += [
                new for old, new in zip(checks, after, strict=True) if new != old
            ]
            await store.checks.save_states(conn, changed)
            await store.checks.look_again(conn, changed)
        self._pulse()
        if note is not None:
            for check in changed:
                note(check)
        return ids[-1]

    def _judged(
        self,
        change: Callable[[Check, Sequence[timedelta]], Check],
        check: Check,
        pings: Sequence[datetime],
    ) -> Check:
        new = _changed(change, check, pings)
        if new == check and check.spared:
            # There may be other windows now, which `reckon` is to see.
            return check
        return held(new, self._maintenance.of(check.project_id))


def _changed(
    change: Callable[[Check, Sequence[timedelta]], Check],
    check: Check,
    pings: Sequence[datetime],
) -> Check:
    # A clock that was set back makes no interval shorter than nothing.
    intervals = [max(later - earlier, _NOTHING) for earlier, later in pairwise(pings)]
    try:
        return change(check, intervals)
    except ScheduleError as error:
        logger.error("not judged after an absence: check %d: %s", check.id, error)
        return check


_NOTHING = timedelta(0)


def was_written(check: Check, since: datetime) -> bool:
    """Tell whether what a check's deadline counts from was heard since a moment."""
    heard = check.counted_from or check.last_ping
    return heard is not None and heard >= since
