"""What took a check down, told from its flip and what is known of it now; pure.

Its settings may be others since: who is told that a run took too long gives it more
time. What is told here are the lengths of then, as far as they can be known.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from hcl.checks import runs, schedule
from hcl.model import Check, Reason


class Overrun(NamedTuple):
    """A run that took a check down: when it began, and by how long it had to end."""

    started: datetime
    limit: timedelta
    rid: str | None


class Missed(NamedTuple):
    """A ping that was missing: when it was due, and the grace it had."""

    due: datetime
    grace: timedelta


def overrun(
    check: Check, reason: Reason, at: datetime, newest: datetime | None = None
) -> Overrun | None:
    """Return the run that took a check down by its length; None: none did.

    `reason` and `at` are those of the flip, `newest` is a start that is known besides
    the check's own.
    """
    if reason not in ("overran", "timeout"):
        return None
    told = [run for run in check.open_runs if run.is_told and run.started < at]
    told.sort(key=lambda run: run.started, reverse=True)
    for run in told:
        if reason == "overran" or runs.end(check, run) <= at:
            return Overrun(run.started, _limit(check, run.started, at), run.rid)
    if reason == "overran":
        # It has ended since.
        return Overrun(at - check.run_limit, check.run_limit, None)
    for start in (*(run.started for run in told), check.last_start, newest):
        if start is None or (start == check.last_start and _is_excused(check)):
            continue
        if _took_down(check, start, at):
            rid = check.last_start_rid if start == check.last_start else None
            return Overrun(start, _limit(check, start, at), rid)
    return None


def _is_excused(check: Check) -> bool:
    """Tell whether the run that is open has no deadline, since hcl was away."""
    return check.run_excused and check.last_ping is not None


def _limit(check: Check, start: datetime, at: datetime) -> timedelta:
    """Return how long a run had that took a check down then."""
    # It has a max_run only since, maybe.
    for limit in (check.run_limit, check.grace):
        if start + limit == at:
            return limit
    # Maintenance may have given it more.
    return min(check.run_limit, at - start)


def _took_down(check: Check, start: datetime, at: datetime) -> bool:
    """Tell whether a check went down since a run took too long, and no ping missing.

    A start that was not overdue at the flip is a later run's.
    """
    if start >= at or start + check.grace == at:
        return start < at
    if check.status == "down" and check.last_ping is None:
        # No ping was ever expected.
        return True
    expected = _expected(check, at) if check.down_after == 1 else None
    if expected is None:
        return start + check.grace <= at
    # Grace ran from what was first.
    return start <= expected


def missed(check: Check, at: datetime) -> Missed:
    """Return the ping whose grace was over when a check went down then."""
    due, expected = at - check.grace, _expected(check, at)
    is_only = check.down_after == 1 or check.not_before == at
    if expected is not None and is_only and expected < due:
        # It went down later, since hcl was away before, or more might be told late; or
        # in maintenance its grace began anew.
        return Missed(expected, check.grace)
    if expected is not None and due < expected < at:
        # Grace was shorter. Of several that were missed it was the last.
        due = expected
        for _ in range(check.down_after - 1):
            later = schedule.expected_after(check, due)
            if later is None or later >= at:
                break
            due = later
    return Missed(due, at - due)


def _expected(check: Check, at: datetime) -> datetime | None:
    """Return when a ping was expected first before a check went down then.

    None: that is not known any more, or it was not up.
    """
    if check.status != "down" or check.last_ping is None or check.last_ping > at:
        return None
    try:
        return schedule.expected_ping(check)
    except schedule.ScheduleError:
        return None
