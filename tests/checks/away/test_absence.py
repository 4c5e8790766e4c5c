"""The table of judgements of spec.md, section 8, row by row."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import rules
from hcl.checks.away import absence
from hcl.checks.deadlines import Transition
from hcl.model import Check, Run
from tests.build import DAY, HOUR, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
WENT = NOW
RETURNED = NOW + 10 * MINUTE


def up(heard: datetime, **overrides: Any) -> Check:
    """Make a check that is up: a period of a day, an hour of grace."""
    check = make_check(status="up", last_ping=heard, n_pings=9)._replace(**overrides)
    return rules.on_edit(check, NOW).check


def judged(check: Check, *intervals: timedelta) -> Check:
    return absence.on_return(check, WENT, RETURNED, intervals)


def due_at(moment: datetime, **overrides: Any) -> Check:
    """Make a check that goes down at a moment."""
    return up(moment - DAY - HOUR, **overrides)


@pytest.mark.parametrize("before", [SECOND, HOUR, 30 * DAY])
def test_deadline_before_it_went_stays_overdue(before: timedelta) -> None:
    check = due_at(WENT - before)

    after = judged(check)

    assert after == check
    assert rules.on_deadline(after, RETURNED).check.status == "down"


@pytest.mark.parametrize(
    "into", [timedelta(0), SECOND, 5 * MINUTE, 10 * MINUTE - SECOND]
)
def test_deadline_in_the_absence_counts_from_the_return(into: timedelta) -> None:
    after = judged(due_at(WENT + into))

    assert (after.counted_from, after.excused) == (RETURNED, 1)
    assert after.alert_after == RETURNED + DAY + HOUR
    assert after.last_ping == WENT + into - DAY - HOUR
    assert rules.shown_status(after, RETURNED) == "up"


@pytest.mark.parametrize("fails", [1, 3])
def test_a_fail_in_a_window_was_heard(fails: int) -> None:
    # What was due counts from before the fail, which came an hour ago.
    check = up(RETURNED - HOUR, counted_from=RETURNED - HOUR - fails * DAY)
    check = check._replace(alert_after=RETURNED + HOUR, spared=2 * HOUR)

    after = judged(check, DAY, DAY, DAY)

    assert (after.counted_from, after.excused) == (check.counted_from, 0)


def test_an_absence_of_a_second_excuses_too() -> None:
    check = due_at(WENT + SECOND)

    after = absence.on_return(check, WENT, WENT + 2 * SECOND)

    assert after.counted_from == WENT + 2 * SECOND


@pytest.mark.parametrize(
    ("heard", "intervals", "may_have_pinged"),
    [
        # Half of its period of a day has passed, or not.
        (RETURNED - 12 * HOUR - SECOND, (), True),
        (RETURNED - 12 * HOUR + SECOND, (), False),
        # Fewer than three intervals say nothing.
        (RETURNED - HOUR, (HOUR, HOUR), False),
        (RETURNED - 31 * MINUTE, (HOUR, HOUR, HOUR), True),
        (RETURNED - 29 * MINUTE, (HOUR, HOUR, HOUR), False),
        # The second shortest of the last five counts.
        (RETURNED - 61 * MINUTE, (MINUTE, 2 * HOUR, DAY, DAY, DAY), True),
        (RETURNED - 59 * MINUTE, (MINUTE, 2 * HOUR, DAY, DAY, DAY), False),
        (RETURNED - 61 * MINUTE, (SECOND, MINUTE, 2 * HOUR, DAY, DAY, DAY), True),
        (RETURNED - 59 * MINUTE, (SECOND, MINUTE, 2 * HOUR, DAY, DAY, DAY), False),
    ],
)
def test_deadline_after_it_returned(
    heard: datetime, intervals: tuple[timedelta, ...], may_have_pinged: bool
) -> None:
    check = up(heard)

    after = judged(check, *intervals)

    if may_have_pinged:
        assert (after.counted_from, after.excused) == (RETURNED, 1)
        assert after.alert_after == RETURNED + DAY + HOUR
    else:
        assert after == check


@pytest.mark.parametrize("step", [-365 * DAY, -2 * HOUR, 30 * DAY])
@pytest.mark.parametrize("ago", [11 * HOUR, 13 * HOUR])
def test_a_clock_that_was_set_hides_nobody_from_the_table(
    ago: timedelta, step: timedelta
) -> None:
    # What deadlines count from moved with the clock; when it was heard is history.
    counted_from = RETURNED - ago
    check = up(counted_from - step, counted_from=counted_from)

    after = judged(check)

    assert after.excused == (ago > 12 * HOUR)


def test_excused_check_may_have_pinged_again_though_the_clock_was_set_back() -> None:
    counted_from = WENT - HOUR
    check = up(WENT + 300 * DAY, counted_from=counted_from, excused=1)

    assert judged(check).excused == 2


def test_check_with_a_schedule_goes_by_the_distance_of_its_occurrences() -> None:
    # It was heard on Monday; the next is a week away.
    check = up(NOW, kind="cron", schedule="0 0 * * 1")
    middle = NOW + 3.5 * DAY

    soon = absence.on_return(check, middle - HOUR, middle - SECOND)
    late = absence.on_return(check, middle - HOUR, middle + SECOND)

    # Its deadline is that of the first occurrence after the return.
    monday = datetime(2026, 6, 22, tzinfo=NOW.tzinfo)
    assert soon == check
    assert (late.excused, late.alert_after) == (1, monday + HOUR)


def test_run_that_may_have_ended_unheard_stays_excused_when_another_ends() -> None:
    started = WENT - 10 * MINUTE
    check = judged(up(started, last_start=started, last_start_rid="one"))
    assert check.run_excused

    heard = make_ping(rid="two", created=started + 3 * HOUR)
    after = rules.on_ping(check, heard)[0].check

    assert (after.last_start, after.last_start_rid) == (started, "one")
    assert after.alert_after == heard.created + DAY + HOUR
    assert rules.on_edit(after, NOW).check.alert_after == after.alert_after
    assert rules.shown_status(after, heard.created) == "up"


@pytest.mark.parametrize("status", ["new", "paused", "down"])
def test_check_that_is_not_up_is_left_alone(status: str) -> None:
    check = make_check(status=status, last_ping=NOW - 9 * DAY)

    assert judged(check) == check


@pytest.mark.parametrize("into", [SECOND, 5 * MINUTE, 20 * MINUTE])
def test_open_run_has_no_deadline_of_its_own(into: timedelta) -> None:
    started = WENT + into - HOUR
    check = up(WENT - 2 * HOUR, last_start=started, last_start_rid="r")
    assert check.alert_after == WENT + into

    after = judged(check)

    assert (after.last_start, after.last_start_rid) == (started, "r")
    assert after.run_excused
    assert rules.shown_status(after, RETURNED + 2 * HOUR) == "up"
    # Its period still counts.
    assert after.alert_after is not None
    assert after.alert_after >= WENT - 2 * HOUR + DAY + HOUR


def test_open_run_of_a_new_check_has_twice_its_grace() -> None:
    check = make_check(status="new", last_start=WENT - MINUTE)
    check = rules.on_edit(check, NOW).check

    after = judged(check)

    assert after.run_excused
    assert after.excused == 1
    assert after.alert_after == RETURNED + 2 * HOUR
    assert rules.shown_status(after, RETURNED + 2 * HOUR - SECOND) == "new"
    assert rules.on_deadline(after, RETURNED + 2 * HOUR).check.status == "down"


def test_open_run_that_was_overdue_before_stays_so() -> None:
    check = make_check(status="new", last_start=WENT - HOUR - SECOND)
    check = rules.on_edit(check, NOW).check

    assert judged(check) == check


@pytest.mark.parametrize("deaf_until", [None, RETURNED])
@pytest.mark.parametrize("rule", [{}, {"max_run": HOUR}])
def test_run_that_began_after_the_return_counts(
    deaf_until: datetime | None, rule: dict[str, Any]
) -> None:
    began = RETURNED + SECOND / 10
    check = up(WENT - HOUR, last_start=began, open_runs=(Run(began, None),), **rule)

    after = absence.on_return(check, WENT, RETURNED, deaf_until=deaf_until)

    assert not after.run_excused
    assert after.alert_after == began + HOUR


def test_run_that_began_while_it_heard_now_and_then_may_have_ended_unheard() -> None:
    check = up(WENT - HOUR, last_start=WENT + MINUTE)
    until = WENT + 2 * MINUTE

    deaf = absence.on_return(check, WENT, RETURNED, deaf_until=until)
    later = absence.on_return(
        check._replace(last_start=until + 2 * SECOND), WENT, RETURNED, deaf_until=until
    )

    assert deaf.run_excused
    assert not later.run_excused


def absences(check: Check, count: int) -> Check:
    """Let hcl be away so often, each time when the check is due."""
    for _ in range(count):
        due = check.alert_after
        assert due is not None
        check = absence.on_return(check, due - SECOND, due + SECOND)
    return check


def test_three_absences_in_a_row_excuse_and_no_more() -> None:
    check = absences(due_at(NOW), 3)
    assert check.excused == 3
    due = check.alert_after
    assert due is not None

    fourth = absence.on_return(check, due - SECOND, due + SECOND)

    last_chance = due + SECOND + MINUTE
    assert fourth.excused == 3
    assert fourth.counted_from == check.counted_from
    assert fourth.alert_after == last_chance
    assert rules.shown_status(fourth, last_chance - SECOND) != "down"
    # What is late by then goes down, and not before.
    early = rules.on_deadline(fourth, last_chance - SECOND)
    assert early.check.status == "up"
    down = rules.on_deadline(fourth, last_chance)
    assert down.flip is not None
    assert down.flip.created == last_chance


def test_a_start_in_the_last_chance_does_not_end_it() -> None:
    check = absences(due_at(NOW), 4)
    assert check.not_before is not None
    start = make_ping(action="start", created=check.not_before - 30 * SECOND)

    after = rules.on_ping(check, start)[0].check

    assert after.alert_after == check.not_before


def test_from_the_fourth_on_a_later_deadline_stays() -> None:
    check = absences(due_at(NOW), 3)
    assert check.counted_from is not None
    went = check.counted_from + 20 * HOUR

    after = absence.on_return(check, went, went + MINUTE)

    assert after == check


def test_one_start_counts_once_however_often_it_judges() -> None:
    first = judged(due_at(WENT + MINUTE))

    again = absence.on_return(
        first,
        RETURNED + MINUTE,
        RETURNED + 2 * DAY,
        counted=RETURNED,
    )

    assert again.counted_from == RETURNED + 2 * DAY
    assert again.excused == 1


@pytest.mark.parametrize("action", ["success", "fail"])
def test_an_outcome_that_is_heard_ends_it_all(action: str) -> None:
    check = absences(due_at(NOW), 4)._replace(run_excused=True)

    after = rules.on_ping(check, make_ping(action=action, created=RETURNED))[0].check

    heard = (after.counted_from, after.excused, after.not_before, after.run_excused)
    assert heard == (None, 0, None, False)
    if action == "success":
        assert after.alert_after == RETURNED + DAY + HOUR


@pytest.mark.parametrize("action", ["log", "ign"])
def test_what_is_only_recorded_ends_nothing(action: str) -> None:
    check = judged(due_at(WENT + MINUTE))
    ping = make_ping(action="log", created=RETURNED + HOUR)

    after = rules.on_ping(check, ping)[0].check

    assert after.counted_from == RETURNED
    assert after.alert_after == check.alert_after


def test_an_excuse_survives_an_edit_and_the_next_look() -> None:
    check = judged(due_at(WENT + MINUTE))

    edited = rules.on_edit(check._replace(grace=2 * HOUR), RETURNED + HOUR).check
    looked = rules.on_deadline(edited, RETURNED + HOUR)

    assert edited.counted_from == RETURNED
    assert edited.alert_after == RETURNED + DAY + 2 * HOUR
    assert looked.flip is None
    assert looked.check == edited


@pytest.mark.parametrize("ways", [rules.on_pause, rules.on_resume])
def test_pause_and_resume_forget_it(
    ways: Callable[[Check, datetime], Transition],
) -> None:
    check = judged(due_at(WENT + MINUTE))
    check = check._replace(status="paused") if ways is rules.on_resume else check

    after = ways(check, RETURNED + HOUR).check

    assert (after.counted_from, after.excused) == (None, 0)


def test_a_dead_job_is_told_by_its_bound_whatever_absences_come() -> None:
    # Three excuses of a period and a grace each, and the last chance.
    check = due_at(NOW)
    truth = check.alert_after
    assert truth is not None
    away, now = timedelta(0), truth
    for _ in range(9):
        due = check.alert_after
        assert due is not None
        check = absence.on_return(check, due - SECOND, due + SECOND)
        away += 2 * SECOND
        now = due + SECOND
        if check.not_before is not None:
            break

    told = rules.on_deadline(check, now + MINUTE)

    assert told.check.status == "down"
    assert now + MINUTE <= truth + away + 3 * (DAY + HOUR) + MINUTE


def test_excused_counts_from_the_return_whatever_the_deadline() -> None:
    soon, late = due_at(RETURNED + MINUTE), up(RETURNED - SECOND)

    assert absence.excused(soon, RETURNED).alert_after == RETURNED + DAY + HOUR
    assert absence.excused(late, RETURNED).counted_from == RETURNED
    new = make_check(status="new")
    assert absence.excused(new, RETURNED) == new


@pytest.mark.parametrize(
    ("tz", "schedule", "heard", "expected"),
    [
        # Weekdays: from Friday to Monday are three days.
        ("UTC", "0 3 * * 1-5", "2026-06-12T03:05", "2026-06-15T03:05"),
        ("UTC", "0 3 * * 1-5", "2026-06-11T03:05", "2026-06-12T03:05"),
        # A ping before its occurrence.
        ("UTC", "0 3 * * *", "2026-06-12T02:59", "2026-06-13T02:59"),
        # The night that has no three o'clock.
        ("Europe/Riga", "30 3 * * *", "2026-03-28T02:00", "2026-03-29T01:30"),
        ("UTC", "0 0 29 2 *", "2026-06-12T00:00", "2030-06-12T00:00"),
    ],
)
def test_a_schedule_counts_loosely_while_the_wall_may_be_wrong(
    tz: str, schedule: str, heard: str, expected: str
) -> None:
    at = datetime.fromisoformat(f"{heard}+00:00")
    check = make_check(kind="cron", schedule=schedule, tz=tz)
    check = check._replace(status="up", last_ping=at)

    after = rules.on_edit(check, at, loose=True).check

    assert after.alert_after == datetime.fromisoformat(f"{expected}+00:00") + HOUR
