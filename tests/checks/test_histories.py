"""Random histories of a check: whatever happens to it, and in whatever order.

The rules are called as the parts of hcl call them, by a checker that never sleeps.
Nothing is said of what a history should come to: only what holds after each event.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from hcl.checks import editing, rules, spec, told_late
from hcl.checks.away import absence
from hcl.checks.deadlines import Transition
from hcl.checks.windows import holding, late
from hcl.checks.windows.calendar import Calendar
from hcl.config.settings import Window
from hcl.model import Check, Flip, Ping
from tests.build import DAY, HOUR, NOW, make_check, make_ping

MINUTE, NOTHING = timedelta(minutes=1), timedelta(0)

# Fields as the API has them, and values of theirs.
FIELDS: dict[str, list[Any]] = {
    "timeout": [60, 300, 1800, 7200],
    "grace": [60, 300, 1800, 7200],
    "schedule": ["*/10 * * * *", "0 * * * *", "30 3 * * *", "*-*-* *:15:00"],
    "tz": ["UTC", "Europe/Riga"],
    "down_after": [1, 2, 3],
    "max_run": [None, 60, 600, 5400],
    "min_run": [None, 30],
    "early": [0, 300],
    "tags": ["", "a", "a b"],
    "name": ["x", "y"],
}

# What no deadline is further away than, if no window moves it: of a schedule that is
# daily, an early ping may have been for the next occurrence.
FARTHEST = 2 * DAY + 3 * HOUR

# What a check has counted since its last success, where there is nothing.
NOTHING_COUNTED: dict[str, Any] = {
    "counted_from": None,
    "excused": 0,
    "not_before": None,
    "bad_outcomes": 0,
    "missed": None,
    "late_since": None,
}


class History:
    """What happens to one check, drawn from a seed; `told` tells people what did."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.told: list[str] = []
        self.now = NOW
        self.check = make_check(timeout=30 * MINUTE, grace=10 * MINUTE)
        self.windows: list[Window] = []
        self._outcomes: list[datetime] = []
        self._turned: datetime | None = None
        for _ in range(self.random.randrange(4)):
            self.edit()

    @property
    def calendar(self) -> Calendar | None:
        return Calendar(self.windows) if self.windows else None

    def one_of(self, *values: Any) -> Any:
        return self.random.choice(values)

    def go_on(self) -> None:
        """Let one thing happen, and look whether all is as it has to be."""
        events: dict[Callable[[], None], int] = {
            self.ping: 30,
            self.edit: 20,
            self.wait: 25,
            self.late_ping: 7,
            self.turn_window: 8,
            self.be_away: 4,
            self.set_clock: 3,
            self.pause_or_resume: 3,
        }
        [event] = self.random.choices(list(events), list(events.values()))
        event()
        self.judge_what_is_shown()
        self.look()
        self.judge()

    def tell(self, what: str) -> None:
        self.told.append(f"{self.now:%d %H:%M:%S} {what}")

    def take(self, transition: Transition) -> None:
        """Have a check be as a rule has it."""
        before, self.check = self.check, transition.check
        if transition.flip is not None:
            self.judge_flip(before, transition.flip)

    def ping(self) -> None:
        action = self.one_of("success", "success", "fail", "start", "start", "log")
        ping = make_ping(created=self.now, action=action, rid=self.some_rid())
        self.tell(f"{action} {ping.rid}")
        before = self.by_windows_of_now()
        transition, kept = rules.on_ping(before, ping)
        self.take_ping(before, transition, kept)
        if kept.action == "success":
            check = self.check
            assert check.status == "up"
            if check.last_start or check.open_runs:
                # What another run has still is put off as it was.
                check = check._replace(not_before=None)
            assert fields_of(check, NOTHING_COUNTED) == NOTHING_COUNTED

    def late_ping(self) -> None:
        ago = self.one_of(0.5, 1, 5, 30, 100) * MINUTE
        action = self.one_of("success", "success", "fail", "start")
        ping = make_ping(created=self.now - ago, action=action, rid=self.some_rid())
        self.tell(f"{action} {ping.rid} of {ago} ago")
        before, hold = self.by_windows_of_now(), self.hold
        transition, kept = told_late.on_late_ping(
            before, ping, self.now, turned=self._turned, hold=hold
        )
        self.take_ping(before, transition, kept)
        if before.status == "up" and kept.action != "fail":
            # What it seems to have missed since may be told next.
            self.judge_that_none_goes_down()

    def some_rid(self) -> str | None:
        rid: str | None = self.one_of(None, None, "a", "b")
        return rid

    @property
    def hold(self) -> Callable[[Check], Check]:
        return partial(holding.held, calendar=self.calendar)

    def by_windows_of_now(self) -> Check:
        """As a batch of pings does."""
        if not self.check.spared:
            return self.check
        return holding.reckoned(self.check, self.now, self.calendar)

    def take_ping(self, before: Check, transition: Transition, ping: Ping) -> None:
        if self.calendar is not None and ping.action not in ("log", "ign"):
            transition, _ = holding.on_ping(before, transition, ping, self.calendar)
        if ping.action in ("success", "fail"):
            self._outcomes.append(ping.created)
        self.take(transition)

    def edit(self) -> None:
        name = self.one_of(*FIELDS)
        fields, before = {name: self.one_of(*FIELDS[name])}, self.check
        self.tell(f"edited: {fields}")
        try:
            self.check = self.edited(fields)
        except spec.SpecError:
            self.tell("refused")
        if not editing.moves_deadline(before, self.check):
            self.judge_that_none_goes_down()
        was_late = before.late_since is not None and not before.spared
        if was_late and rules.shown_status(self.check, self.now) == "grace":
            assert self.check.late_since is not None

    def edited(self, fields: dict[str, Any]) -> Check:
        after = editing.edited(self.check, spec.parse(fields))
        return editing.reckoned(self.check, after, self.now, self.calendar)

    def wait(self) -> None:
        """Let time pass; a checker looks at each deadline in it."""
        until = self.now + self.one_of(0.3, 1, 1, 4, 10, 31, 70) * MINUTE
        while (end := self.check.alert_after) is not None and end < until:
            self.now = end
            self.look()
        self.now = until
        self.tell("")

    def look(self) -> None:
        """As a checker does whose alarm rings in time, for a channel tells of late."""
        check, calendar = self.check, self.calendar
        if check.alert_after is not None and check.alert_after <= self.now:
            self.take(holding.on_deadline(check, self.now, calendar))
        began = late.begins(self.check, calendar, self.now)
        if began is not None and began <= self.now:
            self.check = late.seen_to(self.check, began)

    def turn_window(self) -> None:
        """Open a window, end those that are open, or take all out of the file."""
        is_open = any(w.end and w.end > self.now for w in self.windows)
        turn = self.one_of("opens", "opens", "end", "are gone") if is_open else "opens"
        if turn == "end":
            self.tell("windows end")
            self.windows = [self.ended(window) for window in self.windows]
        elif turn == "are gone":
            self.tell("windows are gone")
            self.windows = []
        else:
            tags = frozenset(self.one_of((), ("a",)))
            end = self.now + self.one_of(5, 20, 90) * MINUTE
            self.windows.append(Window("", tags, start=self.now, end=end))
            self.tell(f"a window until {end:%H:%M:%S} of {set(tags)}")
        self.check = holding.reckoned(self.check, self.now, self.calendar)
        self.judge_that_none_goes_down()

    def ended(self, window: Window) -> Window:
        return replace(window, end=min(window.end or self.now, self.now))

    def be_away(self) -> None:
        went, length = self.now, self.one_of(0.1, 1, 7, 61, 200) * MINUTE
        self.now += length
        self.tell(f"away for {length}")
        before = self.check if self.check.spared else self.hold(self.check)
        pairs = zip(self._outcomes[-6:], self._outcomes[-5:], strict=False)
        intervals = [max(later - earlier, NOTHING) for earlier, later in pairs]
        check = absence.on_return(before, went, self.now, intervals, hold=self.hold)
        if check != before or not check.spared:
            check = self.hold(check)
        self.check = holding.reckoned(check, self.now, self.calendar)
        self.judge_return(before, went)

    def judge_return(self, before: Check, went: datetime) -> None:
        """Three absences in a row call nobody down who was not overdue before."""
        end = before.alert_after
        is_excused = before.excused < absence.MOST_EXCUSED
        if before.status == "up" and is_excused and end is not None and end >= went:
            assert self.check.alert_after is not None
            assert self.check.alert_after > self.now

    def set_clock(self) -> None:
        """As `store.fixed.shift` does, by which nobody fares otherwise."""
        step = self.one_of(-90, -5, 5, 90) * MINUTE
        shown = rules.shown_status(self.check, self.now)
        self.now += step
        self.tell(f"the clock is set by {step}")
        is_history = self.one_of(True, False)
        self.check = shifted(self.check, step, is_history=is_history)
        self.windows = [
            replace(w, start=w.start and w.start + step, end=w.end and w.end + step)
            for w in self.windows
        ]
        self.check = holding.reckoned(self.check, self.now, self.calendar)
        if self.check.kind == "simple":
            assert rules.shown_status(self.check, self.now) == shown

    def pause_or_resume(self) -> None:
        is_paused = self.check.status == "paused"
        self.tell("resumed" if is_paused else "paused")
        turn = rules.on_resume if is_paused else rules.on_pause
        self.take(turn(self.check, self.now))
        self._turned = self.now
        check = self.check
        assert (check.last_start, check.alert_after, check.open_runs) == (
            None,
            None,
            (),
        )
        assert fields_of(check, NOTHING_COUNTED) == NOTHING_COUNTED

    def judge_that_none_goes_down(self) -> None:
        """Let it not be down by what has happened just now."""
        check, end = self.check, self.check.alert_after
        if end is not None and end <= self.now:
            looked = holding.on_deadline(check, self.now, self.calendar)
            assert looked.flip is None

    def judge_flip(self, before: Check, flip: Flip) -> None:
        self.tell(f"{flip.old_status} -> {flip.new_status} {flip.reason}")
        assert (flip.old_status, flip.new_status) == (before.status, self.check.status)
        assert flip.old_status != flip.new_status
        assert flip.created <= self.now
        assert bool(flip.reason) == (flip.new_status == "down")

    def judge_what_is_shown(self) -> None:
        """It is what the checker, which has not looked yet, will make of it."""
        check, end = self.check, self.check.alert_after
        if check.is_finer and self.windows:
            # How often something was missed only the windows tell.
            return
        if end is not None and end <= self.now:
            shown = rules.shown_status(check, self.now)
            check = holding.on_deadline(check, self.now, self.calendar).check
            assert rules.shown_status(check, self.now) == shown

    def judge(self) -> None:
        check = self.check
        assert self.edited({}) == check
        assert (rules.shown_status(check, self.now) == "down") == (
            check.status == "down"
        )
        self.judge_deadline(check)
        judge_lengths(check)
        judge_left_over(check)
        self.judge_turn(check)

    def judge_deadline(self, check: Check) -> None:
        """Who is up is told to be dead; and nobody waits for ever."""
        if check.status == "up":
            assert check.alert_after is not None
        if check.alert_after is not None:
            ends = [window.end for window in self.windows if window.end is not None]
            farthest = max([self.now, *ends]) + FARTHEST
            assert self.now < check.alert_after < farthest

    def judge_end(self) -> None:
        """Who is up, and silent from now on, goes down."""
        looks = 2 * self.check.down_after
        while self.check.status == "up" and looks:
            assert self.check.alert_after is not None
            self.now, looks = self.check.alert_after, looks - 1
            self.look()
        assert self.check.status != "up"

    def judge_turn(self, check: Check) -> None:
        """It is shown as it is until the next turn, as pages believe."""
        turn, shown = (
            rules.next_turn(check, self.now),
            rules.shown_status(check, self.now),
        )
        for minutes in (0.02, 0.5, 5, 31, 70, 150):
            at = self.now + minutes * MINUTE
            if turn is None or at < turn:
                assert rules.shown_status(check, at) == shown


def fields_of(check: Check, names: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(check, name) for name in names}


def shifted(check: Check, step: timedelta, *, is_history: bool) -> Check:
    """Move a check along with a clock; `is_history`: its log, and last ping, stay."""

    def moved(at: datetime | None) -> datetime | None:
        return at and at + step

    counted_from = check.counted_from
    if counted_from is None and check.status == "up" and is_history:
        counted_from = check.last_ping
    runs = [run._replace(started=run.started + step) for run in check.open_runs]
    return check._replace(
        counted_from=moved(counted_from),
        last_ping=check.last_ping if is_history else moved(check.last_ping),
        last_start=moved(check.last_start),
        not_before=moved(check.not_before),
        missed=moved(check.missed),
        alert_after=moved(check.alert_after),
        late_since=moved(check.late_since),
        open_runs=tuple(runs),
    )


def judge_lengths(check: Check) -> None:
    assert check.spared >= NOTHING
    assert check.last_duration is None or check.last_duration >= NOTHING
    assert 0 <= check.excused <= absence.MOST_EXCUSED
    assert check.bad_outcomes >= 0


def judge_left_over(check: Check) -> None:
    """Nothing is kept that says nothing any more."""
    if check.status == "down":
        assert check.alert_after is None
    if check.status != "up":
        assert check.late_since is None
        assert check.missed is None
    if check.alert_after is None:
        assert not check.spared
    if check.last_start is None:
        assert check.last_start_rid is None
        # Of one that is not up it may be an older run that may have ended unheard.
        assert not (check.run_excused and check.status == "up")
    if check.excused and check.status == "up":
        assert check.counted_from or check.missed
    if not check.bad_outcomes:
        assert check.missed is None
    if not check.is_finer:
        assert check.open_runs == ()


@contextmanager
def telling(history: History) -> Iterator[None]:
    """Tell what happened where something is not as it has to be."""
    try:
        yield
    except Exception as error:
        error.add_note("\n".join([*history.told, repr(history.check)]))
        raise


@pytest.mark.parametrize("first", range(0, 120, 15))
def test_whatever_happens_to_a_check_it_is_as_it_has_to_be(first: int) -> None:
    for seed in range(first, first + 15):
        history = History(seed)
        with telling(history):
            for _ in range(30):
                history.go_on()
            history.judge_end()
