"""What an absence of hcl, or a clock that was set, does to a check; pure.

What hcl could not hear it must not call missing; and what is dead must still be told,
by a bound. The rules were chosen by simulating lives of jobs: docs/promises.md.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from hcl.checks import deadlines, schedule
from hcl.checks.deadlines import Hold
from hcl.model import Check

# From the fourth absence in a row on, nothing is excused: restarts must not deafen.
MOST_EXCUSED = 3

# A deadline of the absence that is not excused passes so long after the return: what is
# being tried again still arrives.
LAST_CHANCE = timedelta(seconds=60)

# Of the last intervals between pings so many are looked at, and so few say nothing.
INTERVALS = 5
_TOO_FEW = 3

# A wall that slews may be so far from what its moments are worked out by.
_SLEWED = timedelta(seconds=1)

# Moments that are no further apart are one: they are kept as seconds.
SAME = timedelta(milliseconds=1)


def usual(check: Check, intervals: Sequence[timedelta]) -> timedelta | None:
    """Return how soon after a ping the next one mostly comes.

    `intervals` are the last ones between its outcomes: of five the second shortest
    counts; of fewer than three, the period or the distance of its occurrences. None:
    its schedule never fires again. Raises ScheduleError.
    """
    if len(intervals) >= _TOO_FEW:
        return sorted(intervals[-INTERVALS:])[1]
    heard = check.counted_from or check.last_ping
    return None if heard is None else schedule.distance(check, heard)


def on_return(
    check: Check,
    went: datetime,
    returned: datetime,
    intervals: Sequence[timedelta] = (),
    *,
    deaf_until: datetime | None = None,
    is_again: bool = False,
    counted: datetime | None = None,
    hold: Hold = deadlines.unmoved,
    loose: bool = False,
) -> Check:
    """Judge a check after hcl was not there from `went` to `returned`.

    `deaf_until`: but now and then, until that moment: a run that began by then may have
    ended unheard. A check whose deadline was before stays overdue. `intervals` are as
    in `usual`. `is_again`: it was judged when nobody knew how long it was, and a run
    that had no end since may have had to end in it. `counted` is the return at which
    this start excused checks before: it is the same absence, and counts once. `hold`
    has windows move what passed before it went, if several outcomes are counted of it.
    `loose` as in `schedule.expected_after`. Raises ScheduleError.
    """
    due = check.alert_after
    if due is not None and due < went and check.is_finer:
        # What passed before is counted; what comes next may be excused.
        check = deadlines.until(check, went, hold=hold, loose=loose) or check
        due = hold(_due(check, loose)).alert_after
    # What began after the return was heard then.
    until = min(max(deaf_until or went, went) + _SLEWED, returned)
    if check.status == "down":
        # What comes next may be of another run, and one of these be open still.
        return _unheard(check, until)[0]
    if due is None or due < went:
        return check
    before, (check, is_waited_for) = check, _unheard(check, until)
    if is_waited_for and due >= returned:
        # The run that was to end later is none any more: what it answered is due.
        due = schedule.deadline(check, loose=loose) or due
    if check.status != "up":
        # It was never heard, so that nothing but its run can be late; maybe not the
        # newest, which has failed in a window of maintenance.
        check = check._replace(run_excused=check.run_excused or is_waited_for)
        if check.run_excused:
            check = _excused(check, returned, counted, last_chance=due < returned)
    elif due < returned or (is_again and _has_run_out(before, went, returned)):
        check = _excused(check, returned, counted, last_chance=due < returned)
    elif _may_have_pinged(check, returned, intervals):
        check = _excused(check, returned, counted)
    fresh = _due(check, loose)
    return check if check == before and _has_moved(check, due, fresh) else fresh


def _has_moved(check: Check, due: datetime, fresh: Check) -> bool:
    """Tell whether windows have moved the deadline that a check has afresh to `due`.

    It keeps the mark of that: once they are gone it has its grace. Not so if it is
    reckoned from other moments by now: those were cut, or moved.
    """
    is_spared = check.spared > timedelta(0)
    return is_spared and is_same(fresh.alert_after, due - check.spared)


def excused(
    check: Check,
    returned: datetime,
    *,
    leapt: timedelta = timedelta(0),
    counted: datetime | None = None,
    loose: bool = False,
) -> Check:
    """Count a check from the return on, however long hcl may have been away.

    By its clock that was `leapt`, which may be wrong: of a check that is not excused
    any more it does not count. Raises ScheduleError.
    """
    if check.status != "up" or check.alert_after is None:
        return check
    check, _ = _unheard(check, returned)
    if check.excused >= MOST_EXCUSED and not is_same(check.counted_from, counted):
        check = _put_off(check, leapt, returned)
    else:
        check = _excused(check, returned, counted)
    return _due(check, loose)


def _put_off(check: Check, length: timedelta, returned: datetime) -> Check:
    """Let a length that is not known have been nothing."""
    missed, since = check.missed, check.counted_from or check.last_ping
    return check._replace(
        counted_from=since and min(since + length, returned),
        missed=missed and min(missed + length, returned),
    )


def _due(check: Check, loose: bool) -> Check:
    """Work out when it goes down; windows are looked at afterwards."""
    due = schedule.deadline(check, loose=loose)
    return check._replace(alert_after=due, spared=timedelta(0))


def _unheard(check: Check, until: datetime) -> tuple[Check, bool]:
    """Let runs that began by then have no deadline: they may have ended unheard.

    Returns whether one of them was kept for its own.
    """
    if check.last_start is not None and check.last_start <= until:
        check = check._replace(run_excused=True)
    later = tuple(run for run in check.open_runs if run.started > until)
    if later == check.open_runs:
        return check, False
    return check._replace(open_runs=later), True


def _has_run_out(check: Check, went: datetime, returned: datetime) -> bool:
    """Tell whether a run that may have ended unheard had to end in an absence."""
    start = check.last_start
    if start is None or not check.run_excused:
        return False
    return went <= start + check.run_limit < returned


def _excused(
    check: Check,
    returned: datetime,
    counted: datetime | None,
    *,
    last_chance: bool = False,
) -> Check:
    """Let it be as if a success had come at the return; but not for ever."""
    is_anew = counted is None or not is_same(check.counted_from, counted)
    if is_anew and check.excused >= MOST_EXCUSED:
        if not last_chance:
            return check
        return check._replace(not_before=returned + LAST_CHANCE)
    return check._replace(
        counted_from=returned,
        excused=check.excused + is_anew,
        not_before=None,
        missed=None,
    )


def _may_have_pinged(
    check: Check, returned: datetime, intervals: Sequence[timedelta]
) -> bool:
    """Tell whether a ping may have gone unheard, by when it mostly comes."""
    heard = _heard(check, intervals)
    if heard is None:
        return False
    if check.excused and heard == check.counted_from:
        # The clock was set back since: that was before, and nobody knows how long.
        return True
    length = usual(check, intervals)
    return length is not None and heard + length / 2 < returned


def _heard(check: Check, intervals: Sequence[timedelta]) -> datetime | None:
    """Return when a check was heard last, by the time that the clock tells now.

    A step of the clock leaves `last_ping`, which is history, where it was, and moves
    what deadlines count from.
    """
    last, counted = check.last_ping, check.counted_from
    if last is None or counted is None:
        return last
    # Where no absence has set it, a step has; or a fail in a window of maintenance, of
    # which what was due before counts still: from an outcome before that one.
    if check.excused:
        return min(last, counted)
    before = accumulate(reversed(intervals))
    is_outcome = any(is_same(last - length, counted) for length in before)
    return last if is_outcome else counted


def is_same(one: datetime | None, other: datetime | None) -> bool:
    """Tell whether two moments are one, however they were kept."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME
