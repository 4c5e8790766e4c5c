"""When a check goes down, with a schedule that can be read or not."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import rules
from hcl.checks.deadlines import Transition
from hcl.model import Check, Flip, Status
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_ping
from tests.checks.stored import (
    BEFORE,
    MINUTE,
    RUN,
    STATUSES,
    stored,
)


@pytest.mark.parametrize(
    ("check", "due"),
    [
        pytest.param(stored("up"), BEFORE + DAY + HOUR, id="up, late"),
        pytest.param(
            stored("up", last_start=RUN),
            RUN + HOUR,
            id="up, run before the ping is due",
        ),
        pytest.param(
            stored("up", last_start=NOW, timeout=20 * MINUTE),
            BEFORE + 20 * MINUTE + HOUR,
            id="up, run after the ping was due",
        ),
        pytest.param(
            stored("up", last_start=NOW, timeout=30 * MINUTE),
            NOW + HOUR,
            id="up, run when the ping was due",
        ),
        pytest.param(
            stored("up", kind="cron", schedule="0 13 * * *"),
            NOW + 2 * HOUR,
            id="up, cron",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="13:00"),
            NOW + 2 * HOUR,
            id="up, oncalendar",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", last_start=RUN),
            RUN + HOUR,
            id="up, run, schedule that never fires again",
        ),
        pytest.param(stored("new", last_start=RUN), RUN + HOUR, id="new, run"),
        pytest.param(stored("paused", last_start=RUN), RUN + HOUR, id="paused, run"),
    ],
)
@pytest.mark.parametrize(
    "late", [timedelta(), MICROSECOND, timedelta(days=3)], ids=["now", "late", "later"]
)
def test_check_goes_down_at_its_deadline_exactly(
    check: Check, due: datetime, late: timedelta
) -> None:
    check = check._replace(alert_after=due)

    early = rules.on_deadline(check, due - MICROSECOND)
    transition = rules.on_deadline(check, due + late)

    assert early == Transition(check)
    # The run stays open: started stays true.
    assert transition == Transition(
        check._replace(status="down", alert_after=None),
        Flip(due, check.status, "down", "timeout"),
    )


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(stored("down"), id="down"),
        pytest.param(stored("down", last_start=RUN), id="down, run"),
        pytest.param(stored("new"), id="new"),
        pytest.param(stored("paused"), id="paused"),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", alert_after=None),
            id="up, schedule that never fires again",
        ),
    ],
)
def test_check_without_a_deadline_never_goes_down(check: Check) -> None:
    transition = rules.on_deadline(check, NOW + 1000 * DAY)

    assert transition == Transition(check)


@pytest.mark.parametrize(
    "stale",
    [None, RUN, BEFORE + DAY, NOW + 9 * DAY],
    ids=["none", "far too early", "early", "late"],
)
def test_wrong_deadline_is_corrected_before_it_does_harm(
    stale: datetime | None,
) -> None:
    check = stored("up", alert_after=stale)

    transition = rules.on_deadline(check, NOW)

    assert transition == Transition(check._replace(alert_after=BEFORE + DAY + HOUR))


def test_wrong_deadline_of_a_down_check_is_taken_away() -> None:
    check = stored("down", alert_after=BEFORE)

    transition = rules.on_deadline(check, NOW)

    assert transition == Transition(check._replace(alert_after=None))


def test_check_goes_down_by_the_true_deadline_not_by_the_stored_one() -> None:
    check = stored("up", alert_after=BEFORE)

    transition = rules.on_deadline(check, NOW + 2 * DAY)

    assert transition.flip == Flip(BEFORE + DAY + HOUR, "up", "down", "timeout")


def test_overdue_check_goes_down_once() -> None:
    check = stored("up", last_start=RUN)

    first = rules.on_deadline(check, NOW + HOUR)
    second = rules.on_deadline(first.check, NOW + 2 * HOUR)

    assert first.flip is not None
    assert second == Transition(first.check)


def test_success_after_an_overrun_times_the_run_and_brings_the_check_up() -> None:
    down = rules.on_deadline(stored("up", last_start=RUN), NOW + HOUR).check

    transition, _ = rules.on_ping(down, make_ping(created=NOW + 2 * HOUR))

    assert transition.flip == Flip(NOW + 2 * HOUR, "down", "up", "")
    assert transition.check.last_duration == 2 * HOUR + 10 * MINUTE
    assert transition.check.last_start is None
    assert transition.check.alert_after == NOW + 2 * HOUR + DAY + HOUR


UNREADABLE = [
    pytest.param({"kind": "cron", "schedule": "garbage"}, id="cron"),
    pytest.param({"kind": "cron", "schedule": "0 0 31 2 *"}, id="no such date"),
    pytest.param({"kind": "oncalendar", "schedule": "garbage"}, id="oncalendar"),
    pytest.param({"kind": "oncalendar", "schedule": ""}, id="empty"),
    pytest.param({"kind": "oncalendar", "schedule": "1:00 America"}, id="own zone"),
    pytest.param({"kind": "cron", "tz": "America"}, id="zone is a directory"),
    pytest.param({"kind": "cron", "tz": "Europe/Nowhere"}, id="unknown zone"),
    pytest.param({"kind": "cron", "tz": ""}, id="empty zone"),
    pytest.param({"kind": "cron", "tz": "../etc/passwd"}, id="path for a zone"),
]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("overrides", UNREADABLE)
def test_success_counts_though_the_schedule_raises(
    overrides: dict[str, Any], status: Status
) -> None:
    check = stored(status, last_start=RUN, **overrides)

    transition, ping = rules.on_ping(check, make_ping())

    assert ping.n == 8
    assert transition.check == check._replace(
        status="up",
        n_pings=8,
        last_ping=NOW,
        last_start=None,
        last_duration=10 * MINUTE,
        alert_after=NOW + HOUR,
    )
    assert transition.problem
    assert f"check {check.id}" in transition.problem
    assert transition.flip == (None if status == "up" else Flip(NOW, status, "up", ""))


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_fail_needs_no_schedule(overrides: dict[str, Any]) -> None:
    check = stored("up", **overrides)

    transition, _ = rules.on_ping(check, make_ping(action="fail"))

    assert transition.flip == Flip(NOW, "up", "down", "fail")
    assert (transition.check.alert_after, transition.problem) == (None, "")


@pytest.mark.parametrize("status", ["new", "paused"])
@pytest.mark.parametrize("overrides", UNREADABLE)
def test_start_of_a_check_that_is_not_up_needs_no_schedule(
    overrides: dict[str, Any], status: Status
) -> None:
    check = stored(status, **overrides)

    transition, _ = rules.on_ping(check, make_ping(action="start"))

    assert (transition.check.alert_after, transition.problem) == (NOW + HOUR, "")


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_edit_and_deadline_postpone_a_check_whose_schedule_raises(
    overrides: dict[str, Any],
) -> None:
    check = stored("up", **overrides)

    edited = rules.on_edit(check, NOW)
    overdue = rules.on_deadline(check, NOW)

    expected = check._replace(alert_after=NOW + HOUR)
    assert (edited.check, edited.flip) == (expected, None)
    assert (overdue.check, overdue.flip) == (expected, None)
    assert edited.problem
    assert overdue.problem


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_pause_and_resume_need_no_schedule(overrides: dict[str, Any]) -> None:
    paused = rules.on_pause(stored("up", **overrides), NOW)
    resumed = rules.on_resume(paused.check, NOW)

    assert (paused.problem, resumed.problem) == ("", "")
    assert (paused.check.status, resumed.check.status) == ("paused", "new")


@pytest.mark.parametrize("overrides", UNREADABLE)
def test_overrun_goes_down_though_the_schedule_raises(
    overrides: dict[str, Any],
) -> None:
    check = stored("up", last_start=RUN, **overrides)

    transition = rules.on_deadline(check, RUN + HOUR)

    assert transition.flip == Flip(RUN + HOUR, "up", "down", "timeout")
