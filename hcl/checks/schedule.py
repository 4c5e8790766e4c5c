"""When a check is due: simple, cron and OnCalendar schedules."""

from datetime import datetime, timedelta

from hcl.checks import runs
from hcl.model import Check, Status
from hcl.occurrences import (
    ScheduleError,
    canonical_zone,
    kind_of,
    next_occurrence,
    next_occurrences,
    pasted,
    validate,
    zones,
)

__all__ = [
    "ScheduleError",
    "canonical_zone",
    "kind_of",
    "next_occurrence",
    "next_occurrences",
    "pasted",
    "validate",
    "zones",
]


def expected_ping(check: Check, *, loose: bool = False) -> datetime | None:
    """Return when the next ping is due, as `expected_after` the last one.

    Or after hcl's return, if an absence excused the check, or after what was missed.
    """
    heard = check.missed or check.counted_from or check.last_ping
    due = expected_after(check, heard, loose=loose)
    if not check.early or check.kind == "simple" or due is None:
        return due
    # For which one it counts the wall alone can tell, though it may be wrong.
    coming = expected_after(check, heard) if loose else due
    # It counts as a success at hcl's return, if that was away.
    is_success = not check.bad_outcomes or (check.excused and not check.missed)
    if is_success and heard and coming and coming - heard <= check.early:
        return expected_after(check, coming, loose=loose)
    return due


def expected_after(
    check: Check, heard: datetime | None, *, loose: bool = False
) -> datetime | None:
    """Return when the ping after `heard` is due.

    `loose`: the wall may be wrong, so that a cron or OnCalendar check counts like a
    simple one, by the distance of its occurrences. None: nothing is due, since no ping
    came yet or the schedule never fires again. Raises ScheduleError.
    """
    if heard is None:
        return None
    if check.kind == "simple":
        return heard + check.timeout
    if loose:
        length = distance(check, heard)
        return None if length is None else heard + length
    return next_occurrence(check.kind, check.schedule, check.tz, heard)


def distance(check: Check, at: datetime) -> timedelta | None:
    """Return how far the occurrences around a moment are apart, or the period.

    None: the schedule never fires again. Raises ScheduleError.
    """
    if check.kind == "simple":
        return check.timeout
    kind, expression, tz = check.kind, check.schedule, check.tz
    following = next_occurrence(kind, expression, tz, at)
    if following is None:
        return None
    for back in _LOOKS_BACK:
        before = next_occurrence(kind, expression, tz, at - back)
        if before is not None and before <= at:
            return following - _last_before(check, before, at)
    return following - at


# How far it is looked for the occurrence before a moment: few are looked through, and
# one that fires on 29 February is found.
_LOOKS_BACK = tuple(
    timedelta(hours=hours)
    for hours in (0.25, 2, 30, 9 * 24, 33 * 24, 367 * 24, 4 * 366 * 24)
)


def _last_before(check: Check, first: datetime, at: datetime) -> datetime:
    """Return the last occurrence up to a moment, of those from `first` on."""
    while True:
        later = next_occurrence(check.kind, check.schedule, check.tz, first)
        if later is None or later > at:
            return first
        first = later


def deadline(check: Check, *, loose: bool = False) -> datetime | None:
    """Return the moment the check goes down if nothing happens before.

    It is grace after the expected ping, or after the start of an open run if that is
    earlier. None: it cannot go down. Not yet down, if it takes several bad outcomes:
    the moment of the next one. Raises ScheduleError.
    """
    if check.status == "down":
        return None
    due = None
    if check.status == "up" and not runs.answers(check):
        expected = expected_ping(check, loose=loose)
        due = expected and expected + check.grace
    run = run_deadline(check)
    if run is not None and (due is None or run < due):
        due = run
    if due is not None and check.not_before is not None:
        due = max(due, check.not_before)
    return due


def deadline_heard(
    check: Check,
    status: Status,
    heard: datetime,
    started: datetime | None,
    *,
    loose: bool = False,
) -> datetime | None:
    """Return the deadline of a check that was just heard, and has this open run.

    As `deadline` does, before there is such a check: each ping comes by here. Raises
    ScheduleError.
    """
    if status == "down":
        return None
    due = expected_after(check, heard, loose=loose)
    if started is not None and (due is None or started < due):
        due = started
    return due and due + check.grace


def next_ping(check: Check) -> datetime | None:
    """Return when grace begins: when a ping is due, or the open run began, if earlier.

    None: nothing is due.
    """
    if not check.is_finer and not _is_put_off(check):
        # So no schedule is worked out.
        return check.late_from
    if check.status == "down":
        return None
    start = None if check.run_excused else check.last_start
    due = known_ping(check)
    return min((at for at in (due, start) if at is not None), default=None)


def _is_put_off(check: Check) -> bool:
    """Tell whether a deadline says nothing of when a ping was due."""
    end, last = check.alert_after, check.not_before
    return last is not None and end is not None and last == end - check.spared


def shown_late_since(check: Check, now: datetime) -> datetime | None:
    """Return since when a check that is shown as late is so; None: not known.

    Since its last bad outcome, where that is why: its next ping is still to come. So it
    may be of a run that only windows of maintenance let last.
    """
    if check.bad_outcomes:
        since = check.missed or check.last_ping
        # By a clock that was ahead it may lie in the future.
        return since and min(since, now)
    due, end = next_ping(check), check.alert_after
    if not check.spared or end is None:
        return due
    return min(due or end, end - check.spared)


def known_ping(check: Check) -> datetime | None:
    """Return when the next ping is due, by the stored deadline where that tells.

    So that lists work out few schedules, which may be dear: those of jobs that run.
    None: nothing is due, or that is not known.
    """
    if check.status != "up":
        return None
    if runs.first_end(check) is None and not _is_put_off(check):
        return check.late_from
    try:
        return expected_ping(check)
    except ScheduleError:
        return check.late_from


def due_ping(check: Check) -> datetime | None:
    """Return when a ping is due of a check that is up, as people are told that.

    By the stored deadline, which a clock that was set has moved, unless that is of
    something else. Raises ScheduleError.
    """
    expected = expected_ping(check)
    is_of_ping = run_deadline(check) is None and check.not_before is None
    if expected is None or check.alert_after is None or not is_of_ping:
        return expected
    return check.late_from


def run_deadline(check: Check) -> datetime | None:
    """Return when an open run is too long; None: none is open, or it may be.

    A run that was open while hcl was away may have ended unheard. Of a check that was
    never heard nothing else would tell, so it has twice as long as a run may take, from
    the return on.
    """
    if check.last_start is None and not (check.open_runs or check.run_excused):
        return None
    if check.is_finer:
        ends = runs.first_end(check), _excused_end(check)
        return min((at for at in ends if at is not None), default=None)
    if check.last_start is None:
        return None
    if not check.run_excused:
        return check.last_start + check.grace
    return _excused_end(check)


def newest_end(check: Check) -> datetime | None:
    """Return when the newest run has to end, told or not; None: it may be open."""
    if check.is_finer and check.last_start is not None and not check.run_excused:
        return check.last_start + check.run_limit
    return run_deadline(check)


def _excused_end(check: Check) -> datetime | None:
    if not check.run_excused:
        return None
    if check.status == "up" or check.counted_from is None:
        return None
    return check.counted_from + 2 * check.run_limit
