"""What took a check down, though its settings are others since."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import causes, rules
from hcl.checks.away import absence
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar
from hcl.config.settings import Window
from hcl.model import Check, Flip
from tests.build import DAY, HOUR, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
GRACE = 20 * MINUTE
# Heard an hour ago, and due now.
UP: dict[str, Any] = {
    "status": "up",
    "last_ping": NOW - HOUR,
    "timeout": HOUR,
    "grace": GRACE,
}
CRON = {"kind": "cron", "schedule": "0 12 * * *"}
# So many minutes after NOW a run starts.
EARLY, LATE = -5, 5


def gone_down(
    check: Check, start: int | None, calendar: Calendar
) -> tuple[Check, Flip]:
    """Let a check go down for want of a ping, or of the end of a run."""
    check = rules.on_edit(check, NOW - HOUR).check
    if start is not None:
        ping = make_ping(action="start", created=NOW + start * MINUTE)
        check = rules.on_ping(check, ping)[0].check
    check = holding.held(check, calendar)
    check, flip, _ = holding.on_deadline(check, NOW + DAY, calendar)
    assert flip is not None
    return check, flip


def told(check: Check, flip: Flip) -> tuple[datetime, timedelta, str]:
    """Say since when, for how long and for what people waited in vain."""
    overrun = causes.overrun(check, flip.reason, flip.created)
    if overrun is not None:
        return overrun.started, overrun.limit, "run"
    due, grace = causes.missed(check, flip.created)
    return due, grace, "ping"


@pytest.mark.parametrize("edit", [0, 5, 45, 300])
@pytest.mark.parametrize("kind", [{}, CRON])
@pytest.mark.parametrize(
    ("state", "start", "expected"),
    [
        (UP, None, (NOW, GRACE, "ping")),
        (UP, EARLY, (NOW - 5 * MINUTE, GRACE, "run")),
        # Its grace was that of the ping.
        (UP, LATE, (NOW, GRACE, "ping")),
        ({"grace": GRACE}, LATE, (NOW + 5 * MINUTE, GRACE, "run")),
    ],
)
def test_what_was_waited_for_is_told_whatever_grace_is_now(
    kind: dict[str, Any],
    state: dict[str, Any],
    start: int | None,
    expected: Any,
    edit: int,
) -> None:
    check, flip = gone_down(make_check(**{**state, **kind}), start, Calendar([]))
    assert told(check, flip) == expected

    if edit:
        check = rules.on_edit(check._replace(grace=edit * MINUTE), NOW + DAY).check

    since, limit, what = told(check, flip)
    assert what == expected[2]
    # Of a grace that is shorter now it is not known that it was longer.
    if edit != 5:
        assert (since, limit) == expected[:2]


@pytest.mark.parametrize("kind", [{}, CRON, {"max_run": HOUR}])
def test_what_a_window_put_off_was_due_before_its_end(kind: dict[str, Any]) -> None:
    window = Window("", start=NOW - HOUR, end=NOW + HOUR)

    check, flip = gone_down(make_check(**UP | kind), None, Calendar([window]))

    # It went down by a grace that began anew then.
    assert flip.created == NOW + HOUR + GRACE
    assert told(check, flip) == (NOW, GRACE, "ping")


def test_an_outcome_since_hides_what_was_expected_before() -> None:
    check, flip = gone_down(make_check(**UP), None, Calendar([]))
    fail = make_ping(action="fail", created=NOW + 2 * HOUR)
    check = rules.on_ping(check, fail)[0].check

    assert told(check, flip) == (NOW, GRACE, "ping")


def test_a_run_that_hcl_could_not_hear_the_end_of_is_no_cause() -> None:
    """It was open while hcl was away; what took the check down is a ping, a day on."""
    heard = make_check(status="up", last_ping=NOW - DAY, last_start=NOW - HOUR / 2)
    check = rules.on_edit(heard, NOW).check
    check = absence.on_return(check, NOW, NOW + 2 * HOUR, [DAY] * 5)
    assert check.run_excused
    due = check.alert_after
    assert due is not None

    check, flip, _ = rules.on_deadline(check, due)

    assert flip is not None
    assert causes.overrun(check, flip.reason, flip.created) is None
