"""What becomes of a check at its deadlines, of which some do not call it down; pure."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from hcl.checks import runs, schedule
from hcl.model import Check, Flip, Reason, Status

# Moves the deadline of a check, as maintenance windows do.
Hold = Callable[[Check], Check]


def unmoved(check: Check) -> Check:
    """Leave a deadline where it is: there are no windows."""
    return check


# How far a check is pushed ahead whose schedule cannot be worked out.
POSTPONEMENT = timedelta(hours=1)


class Transition(NamedTuple):
    """What became of a check: its new state, the flip if its status changed.

    `problem` is not empty when its schedule could not be worked out: the deadline is
    then an hour ahead, and the text is for the log.
    """

    check: Check
    flip: Flip | None = None
    problem: str = ""


def flip_to(
    check: Check, status: Status, now: datetime, reason: Reason = ""
) -> Flip | None:
    """Return the flip to a status; None: the check has it."""
    if check.status == status:
        return None
    return Flip(now, check.status, status, reason)


def with_deadline(check: Check, now: datetime, *, loose: bool = False) -> Transition:
    """Work the deadline out anew; a schedule that fails is looked at again later."""
    try:
        alert_after, problem = schedule.deadline(check, loose=loose), ""
    except schedule.ScheduleError as error:
        alert_after, problem = postponed(check, check.last_start, now, error)
    # What windows do to it is for `windows.holding` to say.
    check = check._replace(alert_after=alert_after, spared=timedelta(0))
    return Transition(check, None, problem)


def after_signal(
    before: Check,
    after: Check,
    now: datetime,
    *,
    begins: bool = False,
    loose: bool = False,
) -> Transition:
    """Work the deadline out anew after a signal that tells of no outcome.

    The next ping is not due any sooner by that: a step of the clock has moved its
    deadline, and by a clock that was set back an occurrence that was answered comes
    once more. `begins`: it is the start of a run, which has an end of its own.
    """
    transition = with_deadline(after, now, loose=loose)
    due, moved = transition.check.alert_after, before.alert_after
    if due is None or moved is None or before.counted_from is None:
        return transition
    last = moved = moved - before.spared
    if moved <= max(due, now) or transition.problem:
        return transition
    end = schedule.run_deadline(after)
    if schedule.run_deadline(before) is not None:
        if not begins:
            return transition
        # It was that of a run, and of the next ping nothing is known but by the clock.
        # Who begins again and again is not put off for ever: by the occurrence after
        # the next one, at the latest, something was due.
        last = max(moved, _next_but_one(after, loose=loose) or end or due)
    end = min(end or last, last)
    return transition._replace(check=transition.check._replace(alert_after=end))


def no_sooner(before: Check, after: Check, now: datetime) -> Check:
    """Leave what was due where it was, of a check of which a run has ended.

    A clock that was set has moved it; or that run stood for what was expected, and what
    was due for that is over already.
    """
    if before.alert_after is None or after.alert_after is None:
        return after
    due, is_answered = before.alert_after - before.spared, runs.answers(before)
    if due <= after.alert_after or (is_answered and now < after.alert_after):
        return after
    last = due if is_answered else after.not_before
    return after._replace(alert_after=due, not_before=last)


def _next_but_one(check: Check, *, loose: bool) -> datetime | None:
    """Return when grace is over of what is due after the next ping; None: not known."""
    heard = check.missed or check.counted_from
    if check.status != "up":
        return None
    try:
        due = schedule.expected_after(check, heard, loose=True)
        due = schedule.expected_after(check, due, loose=loose)
    except schedule.ScheduleError:
        return None
    return due and due + check.grace


def came_due(check: Check, due: datetime, now: datetime) -> datetime:
    """Return when a deadline came that is over by now, and is read to be `due`.

    A step of the clock may have moved it since: then it came where that is stored.
    """
    moved = check.alert_after
    if moved is None or moved > now or check.counted_from is None:
        return due
    return max(due, moved)


def postponed(
    check: Check, start: datetime | None, now: datetime, error: Exception
) -> tuple[datetime, str]:
    """Return when to look again at a check whose schedule fails, and what to log."""
    later = now + POSTPONEMENT
    if check.is_finer:
        later = min(later, runs.first_end(check) or later)
    elif start is not None:
        later = min(later, start + check.grace)
    return later, f"schedule {check.schedule!r} of check {check.id}: {error}"


def pass_due(
    check: Check, now: datetime, *, hold: Hold = unmoved, loose: bool = False
) -> Transition:
    """Count what passed of a check with finer rules, until that calls it down.

    `hold` has windows move each of its deadlines.
    """
    first, counts_from = check, now
    is_first = True
    while True:
        transition = with_deadline(check, now, loose=loose)
        check = hold(transition.check)
        due = check.alert_after
        if due is None or due > now:
            flip = flip_to(first, check.status, counts_from)
            return transition._replace(check=check, flip=flip)
        if is_first and (came := came_due(first, due, now)) > due:
            due, check = came, check._replace(alert_after=came, spared=first.spared)
        is_first = False
        counted, reason = counted_at(check, due)
        if is_last(counted):
            flip = flip_to(first, "down", due, reason)
            bad = counted.bad_outcomes if check.down_after > 1 else 0
            down = counted._replace(
                status="down",
                alert_after=None,
                late_since=None,
                bad_outcomes=bad,
                missed=None,
            )
            return Transition(_unless_finer(down), flip)
        if check.status != counted.status:
            counts_from = due
        check = counted


def _unless_finer(check: Check) -> Check:
    """Forget open runs where, with the last bad outcome, finer rules have gone."""
    return check if check.is_finer else check._replace(open_runs=())


def counted_at(check: Check, at: datetime) -> tuple[Check, Reason]:
    """Count the bad outcome for which a check's deadline has come; it is not down yet.

    The next ping counts from there, also of a check that was new or paused: from then
    on it is expected. What was missed is told apart from runs that are too long by
    then: each of them is one. All that was due in a window is one: it had its grace at
    the end, and the next ping counts from that.
    """
    is_put_off = bool(check.spared) or at == check.not_before
    first = at - check.spared
    check = check._replace(spared=timedelta(0))
    ran, late = runs.late(check, first), runs.late(check, at)
    if ran or (late and check.status != "up"):
        # By the time that it counts by: a step leaves the last ping where it was.
        heard = check.counted_from or check.last_ping
        heard = heard if check.status == "up" else None
        # An outcome that came since has been heard, and the next counts from that.
        is_over = heard is not None and at < heard
        check = check._replace(
            status="up",
            bad_outcomes=check.bad_outcomes + (1 if is_put_off else len(late)),
            missed=check.missed if is_over else at,
            open_runs=runs.told(check, at),
        )
        return check, "timeout" if check.max_run is None else "overran"
    bad = check.bad_outcomes + 1
    if check.status == "up":
        check = check._replace(
            bad_outcomes=bad, missed=at - check.grace, open_runs=runs.told(check, at)
        )
        return check, "missed"
    # A run that may have ended unheard, of a check that was never heard.
    check = check._replace(bad_outcomes=bad, missed=at, counted_from=None)
    return check._replace(status="up"), "timeout"


def is_last(check: Check) -> bool:
    """Tell whether so many bad outcomes call a check down."""
    return check.bad_outcomes >= check.down_after


def until(
    check: Check, at: datetime, *, hold: Hold = unmoved, loose: bool = False
) -> Check | None:
    """Count the bad outcomes of a check up to a moment; None: they change its status.

    `hold` as in `pass_due`, `loose` as in `schedule.expected_after`. Raises
    ScheduleError.
    """
    for due, counted in bad_outcomes(check, hold=hold, loose=loose):
        if due >= at:
            break
        if is_last(counted) or counted.status != check.status:
            return None
        check = counted
    return check


def bad_outcomes(
    check: Check, *, hold: Hold = unmoved, loose: bool = False
) -> Iterator[tuple[datetime, Check]]:
    """Yield when each deadline of a check comes, and the check once it is counted.

    As if nothing came, and none called down. `hold` as in `pass_due`, `loose` as in
    `schedule.expected_after`. Raises ScheduleError.
    """
    while True:
        deadline = schedule.deadline(check, loose=loose)
        held = hold(check._replace(alert_after=deadline, spared=timedelta(0)))
        if held.alert_after is None:
            return
        check, _ = counted_at(held, held.alert_after)
        yield held.alert_after, check
