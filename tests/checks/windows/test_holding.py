"""What signals and deadlines do while a window is open, cell by cell."""

from datetime import timedelta
from typing import Any

import pytest

from hcl.checks import rules, schedule, told_late
from hcl.checks.deadlines import Transition
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar
from hcl.config.settings import Window
from hcl.model import Check, Flip, Ping
from tests.build import DAY, HOUR, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
# It opened an hour ago, and has an hour to go.
END = NOW + HOUR
OPEN = Calendar([Window("Updates", start=NOW - HOUR, end=END)])
OVER = Calendar([Window("Updates", start=NOW - 3 * HOUR, end=NOW - 2 * HOUR)])

# A period of a day, an hour of grace: due half an hour ago, down in half an hour.
LATE: dict[str, Any] = {
    "status": "up",
    "last_ping": NOW - DAY - HOUR / 2,
    "n_pings": 5,
}


def known(calendar: Calendar, **state: Any) -> Check:
    """Make a check as the tables have it."""
    check = rules.on_edit(make_check(**state), NOW).check
    return holding.held(check, calendar)


def pinged(
    check: Check, calendar: Calendar, **ping: Any
) -> tuple[Transition, Ping, bool]:
    transition, kept = rules.on_ping(check, make_ping(**ping))
    transition, is_held = holding.on_ping(check, transition, kept, calendar)
    return transition, kept, is_held


STATES: dict[str, dict[str, Any]] = {
    "new": {},
    "up": {"status": "up", "last_ping": NOW - HOUR},
    "late": LATE,
    "running": LATE | {"last_start": NOW - 10 * MINUTE},
    "down": {"status": "down", "last_ping": NOW - 9 * DAY},
    "paused": {"status": "paused"},
}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("new", "new"),
        ("up", "up"),
        ("late", "up"),
        ("running", "up"),
        ("down", "down"),
        ("paused", "paused"),
    ],
)
def test_a_fail_in_a_window_changes_no_status(state: str, status: str) -> None:
    before = known(OPEN, **STATES[state])

    (after, flip, problem), kept, is_held = pinged(
        before, OPEN, action="fail", exitstatus=3
    )

    assert (after.status, flip, problem) == (status, None, "")
    assert is_held == (state != "down")
    # The ping counts, and its run has ended.
    assert (kept.action, kept.n, after.n_pings) == ("fail", before.n_pings + 1, kept.n)
    assert after.last_ping == NOW
    assert after.last_start is None
    assert after.last_duration == (10 * MINUTE if state == "running" else None)


@pytest.mark.parametrize(
    ("state", "deadline"),
    [
        # What was due is due still: at the end of the window it has its grace.
        ("late", END + HOUR),
        ("running", END + HOUR),
        # What is due later is due then.
        ("up", NOW + DAY),
    ],
)
def test_after_a_fail_in_a_window_what_was_due_is_due(
    state: str, deadline: Any
) -> None:
    before = known(OPEN, **STATES[state])

    after = pinged(before, OPEN, action="fail")[0].check

    assert after.counted_from == before.last_ping
    assert after.alert_after == deadline
    # Whatever works it out anew comes to the same.
    again = rules.on_edit(after, NOW + MINUTE).check
    assert holding.held(again, OPEN).alert_after == deadline
    # And down it goes, if nothing comes.
    assert holding.on_deadline(after, deadline - MINUTE, OPEN).flip is None
    flip = holding.on_deadline(after, deadline, OPEN).flip
    assert flip == Flip(deadline, "up", "down", "timeout")


@pytest.mark.parametrize(
    ("max_run", "deadline"),
    [(3.5 * HOUR, END + HOUR), (5 * HOUR, NOW + 2 * HOUR)],
)
def test_a_fail_in_a_window_calls_nobody_down_whose_run_stood_for_what_was_due(
    max_run: timedelta, deadline: Any
) -> None:
    """It began when its ping was due, longer ago than grace."""
    started = NOW - 3 * HOUR
    state = {"status": "up", "last_ping": started - DAY, "last_start": started}
    before = known(OPEN, **state, max_run=max_run)

    after = pinged(before, OPEN, action="fail")[0].check

    assert (before.alert_after, after.alert_after) == (deadline, deadline)
    assert rules.shown_status(after, NOW) == "grace"
    again = rules.on_edit(after, NOW + MINUTE).check
    assert holding.held(again, OPEN).alert_after == deadline
    flip = holding.on_deadline(after, deadline, OPEN).flip
    assert flip == Flip(deadline, "up", "down", "missed")


@pytest.mark.parametrize("finer", [{}, {"early": HOUR}], ids=str)
@pytest.mark.parametrize("status", ["late", "running"])
def test_next_ping_is_what_it_is_without_windows(
    status: str, finer: dict[str, Any]
) -> None:
    before = known(OPEN, **STATES[status], **finer)

    # The window is taken out of the file; what is due has its grace from then.
    gone = holding.reckoned(before, NOW + 45 * MINUTE, None)
    again = holding.reckoned(gone, NOW + 46 * MINUTE, OPEN)

    assert gone.alert_after == NOW + 45 * MINUTE + HOUR
    for check in (before, gone, again):
        assert schedule.next_ping(check) == NOW - HOUR / 2


@pytest.mark.parametrize("was_told", [True, False])
def test_what_people_were_not_told_before_a_fail_is_told_after_it(
    was_told: bool,
) -> None:
    # Late since its run began is what nobody is told; late before it, what they were.
    began = NOW - 10 * MINUTE
    since = NOW - HOUR / 2 if was_told else began
    before = known(OPEN, **LATE, last_start=began, late_since=since)

    after = pinged(before, OPEN, action="fail")[0].check

    assert after.late_since == (since if was_told else None)


def test_fails_in_a_window_do_not_put_off_what_is_due() -> None:
    check = known(OPEN, **LATE)

    for minutes in (1, 2, 3):
        moment = NOW + timedelta(minutes=minutes)
        check = pinged(check, OPEN, action="fail", created=moment)[0].check

    assert (check.n_pings, check.counted_from) == (8, LATE["last_ping"])
    assert check.alert_after == END + HOUR


def test_a_fail_that_comes_late_calls_down_in_no_window() -> None:
    """It is of the time before the window, and becomes known in it."""
    before = known(OPEN, **STATES["up"] | {"last_ping": NOW - 3 * HOUR})
    ping = make_ping(action="fail", created=NOW - 2 * HOUR)

    transition, kept = told_late.on_late_ping(before, ping, NOW)
    assert transition.flip == Flip(NOW, "up", "down", "fail")
    transition, is_held = holding.on_ping(before, transition, kept, OPEN)

    assert (transition.flip, transition.check.status, is_held) == (None, "up", True)


def test_a_run_that_began_after_a_window_has_no_more_time_for_it() -> None:
    """Its limit is shorter than grace; the window closed before it began."""
    before = known(OPEN, **STATES["up"], max_run=5 * MINUTE)
    start = END + 10 * MINUTE

    after = pinged(before, OPEN, action="start", created=start)[0].check

    assert after.alert_after == start + 5 * MINUTE
    assert after.spared == timedelta(0)
    # One that began in it has its grace from the end.
    began = pinged(before, OPEN, action="start", created=END - MINUTE)[0].check
    assert began.alert_after == END + HOUR


@pytest.mark.parametrize("taken_away", [False, True])
def test_all_that_was_due_in_a_window_is_one_bad_outcome(taken_away: bool) -> None:
    """A check that pings each five minutes, and hangs; the window is taken away."""
    check = known(
        OPEN,
        status="up",
        last_ping=NOW,
        timeout=5 * MINUTE,
        grace=10 * MINUTE,
        max_run=5 * MINUTE,
        down_after=4,
    )
    for name in "abc":
        start = make_ping(action="start", rid=name, created=NOW + MINUTE)
        transition, kept = rules.on_ping(check, start)
        check = holding.on_ping(check, transition, kept, OPEN)[0].check
    calendar, end = OPEN, END
    if taken_away:
        calendar, end = Calendar([]), NOW + 40 * MINUTE
        check = holding.reckoned(check, end, calendar)
    deadline = end + 10 * MINUTE
    assert check.alert_after == deadline

    after, flip, _ = holding.on_deadline(check, deadline, calendar)

    assert (after.bad_outcomes, flip, after.status) == (1, None, "up")
    # Nobody hears of these runs any more, and what comes next counts from here.
    assert {run.is_told for run in after.open_runs} == {True}
    assert after.alert_after == deadline + 5 * MINUTE + 10 * MINUTE


@pytest.mark.parametrize("state", ["new", "up", "late", "running"])
@pytest.mark.parametrize("calendar", [OVER, Calendar([])])
def test_a_fail_outside_of_a_window_calls_down(state: str, calendar: Calendar) -> None:
    before = known(calendar, **STATES[state])

    transition, _, is_held = pinged(before, calendar, action="fail")

    assert transition.flip == Flip(NOW, before.status, "down", "fail")
    assert not is_held


@pytest.mark.parametrize(
    ("state", "flips"),
    [
        ("new", ("new", "up")),
        ("up", None),
        ("late", None),
        ("running", None),
        # Who is down comes up, and that is told.
        ("down", ("down", "up")),
        ("paused", ("paused", "up")),
    ],
)
def test_a_success_in_a_window_is_one_like_others(
    state: str, flips: tuple[str, str] | None
) -> None:
    before = known(OPEN, **STATES[state])

    transition, _, is_held = pinged(before, OPEN)

    flip = transition.flip
    assert (flip and (flip.old_status, flip.new_status)) == flips
    assert (transition.check.counted_from, is_held) == (None, False)
    assert transition.check.alert_after == NOW + DAY + HOUR
    assert transition.check.spared == timedelta(0)


@pytest.mark.parametrize("state", ["new", "up", "late"])
def test_a_run_that_starts_in_a_window_has_its_grace_from_the_end(state: str) -> None:
    before = known(OPEN, **STATES[state])

    after = pinged(before, OPEN, action="start")[0].check

    assert after.last_start == NOW
    assert after.alert_after == END + HOUR
    shown = {m: rules.shown_status(after, NOW + m * MINUTE) for m in (1, 61, 119, 121)}
    waits = "new" if state == "new" else "grace"
    first = waits if state == "late" else before.status
    assert shown == {1: first, 61: waits, 119: waits, 121: "down"}


@pytest.mark.parametrize("action", ["log", "ign"])
def test_what_is_only_recorded_moves_nothing(action: Any) -> None:
    before = known(OPEN, **LATE)

    after = pinged(before, OPEN, action=action)[0].check

    assert after == before._replace(n_pings=6)


def test_it_is_late_in_a_window_and_not_down() -> None:
    check = known(OPEN, **LATE)

    shown = [
        rules.shown_status(check, NOW + m * MINUTE) for m in (-31, 0, 31, 119, 120)
    ]

    assert shown == ["up", "grace", "grace", "grace", "down"]
    # The API's next_ping is as it was.
    assert check.late_from == NOW - 30 * MINUTE
    assert rules.next_turn(check, NOW) == END + HOUR


def test_a_deadline_passes_as_it_was_moved() -> None:
    check = known(OPEN, **LATE)

    transitions = [
        holding.on_deadline(check, NOW + m * MINUTE, OPEN) for m in (31, 119, 121)
    ]

    assert [t.check.status for t in transitions] == ["up", "up", "down"]
    assert [t.flip for t in transitions] == [
        None,
        None,
        Flip(END + HOUR, "up", "down", "timeout"),
    ]


def test_a_window_that_opens_late_moves_what_was_not_known_to_move() -> None:
    """As after a reload: the tables have the deadline of before."""
    check = known(Calendar([]), **LATE)

    after = holding.reckoned(check, NOW, OPEN)

    assert (check.alert_after, after.alert_after) == (NOW + HOUR / 2, END + HOUR)
    assert after.spared == 90 * MINUTE


@pytest.mark.parametrize(
    ("minutes", "deadline"),
    [
        # The deadline was to come: it is as if there had been no window.
        (10, NOW + HOUR / 2),
        # It would be over: the window ends now, and the grace begins.
        (40, NOW + 100 * MINUTE),
    ],
)
@pytest.mark.parametrize("calendar", [None, Calendar([]), OVER])
def test_a_window_that_is_taken_away_has_ended(
    minutes: int, deadline: Any, calendar: Calendar | None
) -> None:
    check, now = known(OPEN, **LATE), NOW + minutes * MINUTE

    after = holding.reckoned(check, now, calendar)

    assert (after.alert_after, after.spared) == (deadline, timedelta(0))
    assert holding.reckoned(after, now + MINUTE, calendar) == after
    flip = holding.on_deadline(after, deadline, calendar).flip
    assert flip == Flip(deadline, "up", "down", "timeout")


def test_a_window_that_ends_sooner_gives_its_grace_from_there() -> None:
    check, now = known(OPEN, **LATE), NOW + 40 * MINUTE
    ended = Calendar([Window("Updates", start=NOW - HOUR, end=now)])

    after = holding.reckoned(check, now, ended)

    assert after.alert_after == now + HOUR


@pytest.mark.parametrize("state", ["new", "down", "paused"])
def test_what_has_no_deadline_has_none(state: str) -> None:
    check = known(OPEN, **STATES[state])

    assert (check.alert_after, check.spared) == (None, timedelta(0))
    assert holding.reckoned(check, NOW, OPEN) == check
    assert holding.on_deadline(check, NOW, OPEN) == Transition(check)


def test_a_schedule_that_fails_is_looked_at_again_all_the_same() -> None:
    check = known(
        OPEN, status="up", kind="cron", schedule="nonsense", last_ping=NOW - HOUR
    )

    transition = holding.on_deadline(check, NOW, OPEN)

    assert transition.flip is None
    assert transition.problem


@pytest.mark.parametrize(
    ("edit", "hours"),
    [
        # The window puts the end of its run off: to come, or over.
        (holding.edited, 6.5),
        (holding.edited, 8.5),
        (holding.edited_before_windows, 6.5),
    ],
)
def test_an_edit_leaves_overdue_what_was_that_before_the_window(
    edit: Any, hours: float
) -> None:
    began = NOW - hours * HOUR
    before = known(OPEN, status="up", last_ping=began - HOUR / 2)
    before = before._replace(last_start=began, max_run=8 * HOUR)
    before = holding.edited(before, NOW, OPEN)
    assert before.alert_after == END + HOUR

    after = before._replace(max_run=None)
    after = edit(after, NOW, OPEN) if edit is holding.edited else edit(after, NOW)
    after = holding.reckoned(after, NOW, OPEN)

    # By its grace the run was too long before the window opened.
    assert after.alert_after == began + HOUR
