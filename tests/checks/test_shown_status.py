"""The status that is shown, and until when."""

from datetime import datetime

import pytest

from hcl.checks import rules
from hcl.model import Check, Run, ShownStatus
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check
from tests.checks.stored import BEFORE, MINUTE, RUN, stored

DUE = BEFORE + DAY  # grace starts
END = BEFORE + DAY + HOUR  # grace ends


@pytest.mark.parametrize(
    ("check", "now", "shown"),
    [
        pytest.param(stored("up"), BEFORE, "up", id="up, at the ping"),
        pytest.param(stored("up"), DUE - MICROSECOND, "up", id="up, before grace"),
        pytest.param(stored("up"), DUE, "grace", id="grace starts"),
        pytest.param(stored("up"), END - MICROSECOND, "grace", id="grace, before end"),
        pytest.param(stored("up"), END, "down", id="grace ends"),
        pytest.param(stored("up"), END + 9 * DAY, "down", id="long after"),
        pytest.param(
            stored("up", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "up",
            id="up, run in grace",
        ),
        pytest.param(
            stored("up", last_start=RUN), RUN + HOUR, "down", id="up, run overdue"
        ),
        pytest.param(
            stored("up", last_start=DUE, alert_after=END),
            DUE,
            "grace",
            id="run at grace start",
        ),
        pytest.param(
            stored("up", last_start=DUE - MINUTE, alert_after=END - MINUTE),
            DUE - MICROSECOND,
            "up",
            id="run, before the ping is due",
        ),
        pytest.param(
            stored("up", last_start=DUE - MINUTE, alert_after=END - MINUTE),
            DUE,
            "grace",
            id="run, after the ping is due",
        ),
        pytest.param(
            stored("up", last_start=DUE - MINUTE, alert_after=END - MINUTE),
            END - MINUTE,
            "down",
            id="run overdue within grace",
        ),
        pytest.param(
            stored("up", last_start=DUE + MINUTE, alert_after=END),
            END - MICROSECOND,
            "grace",
            id="late run, before grace ends",
        ),
        pytest.param(
            stored("up", last_start=DUE + MINUTE, alert_after=END),
            END,
            "down",
            id="late run, grace ends",
        ),
        pytest.param(stored("new"), NOW + 9 * DAY, "new", id="new"),
        pytest.param(
            stored("new", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "new",
            id="new, run in grace",
        ),
        pytest.param(
            stored("new", last_start=RUN), RUN + HOUR, "down", id="new, run overdue"
        ),
        pytest.param(stored("paused"), NOW + 9 * DAY, "paused", id="paused"),
        pytest.param(
            stored("paused", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "paused",
            id="paused, run in grace",
        ),
        pytest.param(
            stored("paused", last_start=RUN),
            RUN + HOUR,
            "down",
            id="paused, run overdue",
        ),
        pytest.param(stored("down"), BEFORE, "down", id="down"),
        pytest.param(
            stored("down", last_start=RUN),
            RUN + HOUR - MICROSECOND,
            "down",
            id="down, run in grace",
        ),
        pytest.param(
            stored("down", last_start=RUN), RUN + HOUR, "down", id="down, run overdue"
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", alert_after=None),
            NOW + 1000 * DAY,
            "up",
            id="schedule that never fires again",
        ),
        pytest.param(
            stored("up", kind="oncalendar", schedule="2019-01-01", last_start=RUN),
            RUN + HOUR,
            "down",
            id="schedule that never fires again, run overdue",
        ),
        pytest.param(
            stored(
                "up",
                kind="cron",
                schedule="0 13 * * *",
                last_start=NOW + 50 * MINUTE,
                alert_after=NOW + 110 * MINUTE,
            ),
            NOW + HOUR,
            "grace",
            id="cron, run, grace starts",
        ),
    ],
)
def test_shown_status(check: Check, now: datetime, shown: ShownStatus) -> None:
    before = rules.shown_status(check, now)
    written = rules.on_deadline(check, now).check
    after = rules.shown_status(written, now)

    # Whether the checker has been there or not, people see the same.
    assert (before, after) == (shown, shown)


@pytest.mark.parametrize(
    "check",
    [
        stored("new"),
        stored("new", last_start=RUN),
        stored("up"),
        stored("up", last_start=RUN),
        stored("up", last_start=NOW + 50 * MINUTE, alert_after=None),
        stored(
            "up",
            last_start=NOW + 50 * MINUTE,
            alert_after=None,
            kind="cron",
            schedule="0 13 * * *",
        ),
        stored("up", kind="oncalendar", schedule="2019-01-01", alert_after=None),
        stored("paused", last_start=RUN),
        stored("down", last_start=RUN),
    ],
)
def test_shown_status_stays_until_its_next_turn(check: Check) -> None:
    check = rules.on_edit(check, NOW).check
    moments = [NOW + step * 5 * MINUTE for step in range(-60, 500)]

    statuses = [rules.shown_status(check, moment) for moment in moments]
    turns = [rules.next_turn(check, moment) for moment in moments]

    for earlier, later, turn in zip(statuses, statuses[1:], turns, strict=False):
        assert earlier == later or turn in moments
    for at, turn in enumerate(turns):
        until = moments.index(turn) if turn in moments else len(moments)
        assert turn is None or turn > moments[at]
        assert set(statuses[at:until]) == {statuses[at]}


@pytest.mark.parametrize(
    ("last_ping", "expected"),
    [
        (None, None),
        (NOW - HOUR, NOW - HOUR),
        (NOW, NOW),
        (NOW + MICROSECOND, NOW),
        (NOW + 9999 * HOUR, NOW),
    ],
)
def test_no_check_is_shown_to_be_heard_in_the_future(
    last_ping: datetime | None, expected: datetime | None
) -> None:
    check = make_check(status="up", last_ping=last_ping)

    shown = rules.as_shown(check, NOW)

    assert shown == check._replace(last_ping=expected)


@pytest.mark.parametrize("finer", [False, True])
def test_run_that_is_too_long_is_late_until_its_grace_after_a_window_is_over(
    finer: bool,
) -> None:
    # The window is gone from the file, and with it what it had spared.
    last = RUN + 3 * HOUR
    more = {"max_run": HOUR, "open_runs": (Run(RUN, None),)} if finer else {}
    check = stored("up", last_start=RUN, alert_after=last, not_before=last, **more)

    for moment, shown in [
        (RUN + HOUR - MICROSECOND, "up"),
        (RUN + HOUR, "grace"),
        (last - MICROSECOND, "grace"),
        (last, "down"),
    ]:
        assert rules.shown_status(check, moment) == shown
    assert rules.next_turn(check, RUN) == RUN + HOUR
    assert rules.next_turn(check, RUN + HOUR) == last
