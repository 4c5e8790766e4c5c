"""Lives of checks with finer rules and windows, by chance: what holds of all of them.

Each has a checker that looks at every deadline, as the server's does.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import rules, schedule
from hcl.checks.away import absence
from hcl.checks.deadlines import Transition
from hcl.checks.windows import holding, late
from hcl.checks.windows.calendar import Calendar
from hcl.config.settings import Window
from hcl.model import Check, Flip
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
LIVES = range(200)
SIGNALS = ("success", "success", "fail", "start", "start", "log")
RIDS = (None, "a", "b")


class Life:
    """One check, its windows, and what became of it."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = NOW
        self.calendar = Calendar(self._windows())
        self.check = make_check(**self._settings())
        self.flips: list[Flip] = []

    def _windows(self) -> Iterator[Window]:
        chance = self.chance
        for _ in range(chance.randint(0, 5)):
            start = NOW + chance.randint(0, 600) * MINUTE
            end = start + chance.choice((1, 7, 45, 180)) * MINUTE
            yield Window("", start=start, end=end)
        if chance.random() < 0.4:
            length = chance.choice((5, 25)) * MINUTE
            yield Window("", schedule="30 */2 * * *", length=length)

    def _settings(self) -> dict[str, Any]:
        pick = self.chance.choice
        simple = {"timeout": pick((3, 20, 90)) * MINUTE}
        cron = {"kind": "cron", "schedule": pick(("*/20 * * * *", "15 * * * *"))}
        return {
            **pick((simple, simple, cron)),
            "grace": pick((1, 10, 60)) * MINUTE,
            "max_run": pick((None, None, 2 * MINUTE, 30 * MINUTE, 3 * HOUR)),
            "min_run": pick((None, None, 2 * MINUTE)),
            "down_after": pick((1, 1, 2, 4)),
            "early": pick((0, 0, 5)) * MINUTE,
        }

    def take(self, transition: Transition) -> None:
        """Take what became of it; look at what must hold after anything."""
        before, (self.check, flip, problem) = self.check, transition
        assert not problem
        if flip is not None:
            self.flips.append(flip)
            assert (flip.old_status, flip.new_status) == (
                before.status,
                self.check.status,
            )
            if flip.new_status == "down":
                assert not self.calendar.open_at(flip.created, "")
        else:
            assert self.check.status == before.status
        nothing_is_left(self.check)
        # Whatever works it out anew comes to the same.
        again = holding.held(rules.on_edit(self.check, self.now).check, self.calendar)
        assert again == self.check

    def pass_time(self, until: datetime) -> None:
        """Let the checker look at each deadline, and people at every moment."""
        lazily = holding.on_deadline(self.check, until, self.calendar).check
        while True:
            due = self.check.alert_after
            end = until if due is None else min(due, until)
            self.is_shown_until(end)
            if due is None or due > until:
                break
            self.now = due
            shown = rules.shown_status(self.check, due)
            self.take(holding.on_deadline(self.check, due, self.calendar))
            assert shown == rules.shown_status(self.check, due)
            assert self.check.alert_after is None or self.check.alert_after > due
        self.now = until
        # One late look finds all that many would.
        assert lazily == self.check

    def is_shown_until(self, end: datetime) -> None:
        """Look at what is shown: it changes when it was said to, and goes down once."""
        now = self.now
        while now < end:
            shown = rules.shown_status(self.check, now)
            assert (shown == "down") == (self.check.status == "down")
            turn = min(rules.next_turn(self.check, now) or end, end)
            for moment in (self.chance.uniform(0, 1), 1):
                at = max(now, now + (turn - now) * moment - MICROSECOND)
                assert rules.shown_status(self.check, at) == shown
            now = turn

    def signal(self) -> None:
        """Let anything come."""
        began = late.begins(self.check, self.calendar, self.now)
        if began is not None and began <= self.now:
            self.check = late.seen_to(self.check, began)
        chance, check = self.chance, self.check
        what = chance.random()
        if what < 0.04:
            self.take(rules.on_pause(check, self.now))
        elif what < 0.08 and check.status == "paused":
            self.take(rules.on_resume(check, self.now))
        elif what < 0.12:
            edited = check._replace(**self._settings())
            edited = rules.on_edit(edited, self.now).check
            self.take(Transition(holding.held(edited, self.calendar)))
        elif what < 0.15:
            self._be_away()
        else:
            self._ping()

    def _be_away(self) -> None:
        """Let hcl be away for a while: nobody goes down for what was due meanwhile."""
        before, went = self.check, self.now
        self.now += self.chance.choice((1, 20, 200)) * MINUTE
        after = absence.on_return(before, went, self.now)
        self.take(Transition(holding.held(after, self.calendar)))
        due = self.check.alert_after
        assert due is None or due > self.now
        assert self.check.bad_outcomes == before.bad_outcomes

    def _ping(self) -> None:
        chance, before = self.chance, self.check
        rid = chance.choice(RIDS)
        ping = make_ping(
            action=chance.choice(SIGNALS), rid=rid, created=self.now, n=before.n_pings
        )
        transition, kept = rules.on_ping(before, ping)
        if kept.action in ("log", "ign"):
            assert transition.check == before._replace(n_pings=kept.n)
            return
        transition, is_held = holding.on_ping(before, transition, kept, self.calendar)
        self.take(transition)
        if not is_held:
            # After a crash it is counted anew, from the inbox.
            counted = rules.on_counted(before, kept).check
            assert holding.held(counted, self.calendar) == self.check
        if kept.action == "success":
            assert (self.check.excused, self.check.bad_outcomes) == (0, 0)
            assert (self.check.missed, self.check.late_since) == (None, None)
        if kept.action == "fail" and self.calendar.open_at(self.now, ""):
            assert is_held == (before.status != "down")
            assert (self.check.status, self.check.bad_outcomes) == (
                before.status,
                before.bad_outcomes,
            )

    def live(self) -> None:
        """Let signals come at any moment, for half a day."""
        while self.now < NOW + DAY / 2:
            step = self.chance.choice((0, 1, 3, 15, 40, 130)) * MINUTE
            self.pass_time(self.now + step + self.chance.choice((0, 1)) * MICROSECOND)
            self.signal()


def nothing_is_left(check: Check) -> None:
    """Check that what was counted is gone when that is over."""
    if check.status in ("down", "paused") and not check.open_runs:
        assert check.alert_after is None or check.last_start
    if check.alert_after is None:
        assert not check.spared
    if check.status != "up":
        assert (check.missed, check.late_since) == (None, None)
    if check.status in ("new", "paused") and not check.last_start:
        assert check.bad_outcomes == 0
    if not check.is_finer:
        assert (check.missed, check.bad_outcomes, check.open_runs) == (None, 0, ())


@pytest.mark.parametrize("seed", LIVES)
def test_life(seed: int) -> None:
    life = Life(seed)

    life.live()

    # The job is dead from here on: who can go down does, by a bound.
    silent, check = life.now, life.check
    life.pass_time(silent + 5 * DAY)
    if check.status in ("down", "paused", "new") and not check.alert_after:
        assert life.check.status == check.status
        return
    period = schedule.distance(check, silent) or DAY
    # Each outcome is put off once by each window: by its length, and a grace.
    each, once = period + check.grace, check.run_limit + absence.LAST_CHANCE
    if check.early:
        # The last success counted for the next occurrence.
        once += period
    for window in life.calendar.windows:
        if window.schedule:
            each += window.length + check.grace
        elif window.start and window.end and window.end > silent:
            once += window.end - window.start + check.grace
    assert life.check.status == "down"
    assert life.flips[-1].created - silent <= once + check.down_after * each
