"""What open windows do to the checks that pings and deadlines come for; pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from hcl.checks import deadlines, rules, schedule
from hcl.checks.deadlines import Transition
from hcl.checks.windows.calendar import Calendar
from hcl.model import Check, Ping


def held(check: Check, calendar: Calendar | None) -> Check:
    """Return the check with its deadline as the windows move it.

    Its deadline may be as rules work it out, or as other windows moved it. None: the
    project has no windows.
    """
    deadline = check.alert_after
    if deadline is None:
        return check._replace(spared=timedelta(0)) if check.spared else check
    deadline -= check.spared
    spared = calendar.spared(check, deadline) if calendar else timedelta(0)
    if spared == check.spared:
        return check
    return check._replace(alert_after=deadline + spared, spared=spared)


def on_ping(
    before: Check,
    transition: Transition,
    ping: Ping,
    calendar: Calendar,
    *,
    loose: bool = False,
) -> tuple[Transition, bool]:
    """Have windows a say in what a ping did to a check.

    A fail that comes while a window is open calls nobody down: the ping is kept, its
    run has ended, and the status stays. What was due is due still, as if the fail had
    not come: at the end of the window it has its grace. So it is if the ping came late,
    and the window is open when it would call down. The second value: this was so, and
    nothing but the tables can tell it again.
    """
    after = transition.check
    goes_down = after.status == "down" and before.status != "down"
    is_bad = goes_down or after.bad_outcomes > before.bad_outcomes
    told = ping.created if transition.flip is None else transition.flip.created
    moments = {ping.created, told}
    if not (is_bad and any(calendar.until(at, before.tags) for at in moments)):
        return transition._replace(check=held(after, calendar)), False
    heard = before.counted_from
    if heard is None and before.status == "up":
        heard = before.last_ping
    after = after._replace(
        status=before.status,
        counted_from=heard,
        excused=before.excused,
        not_before=before.not_before,
        late_since=rules.late_still(before),
        bad_outcomes=before.bad_outcomes,
        missed=before.missed,
    )
    again = deadlines.with_deadline(after, ping.created, loose=loose)
    after = deadlines.no_sooner(before, again.check, ping.created)
    return again._replace(check=held(after, calendar)), True


def on_deadline(
    check: Check, now: datetime, calendar: Calendar | None, *, loose: bool = False
) -> Transition:
    """Let the check go down if its deadline has passed, as windows move it."""
    if calendar is None:
        return rules.on_deadline(check, now, loose=loose)
    if check.is_finer:
        hold = partial(held, calendar=calendar)
        return deadlines.pass_due(check, now, hold=hold, loose=loose)
    edited = rules.on_edit(check, now, loose=loose)
    moved = held(edited.check, calendar)
    if moved.alert_after is None or moved.alert_after > now:
        return edited._replace(check=moved)
    transition = rules.on_deadline(check, now, loose=loose)
    if transition.flip is None:
        return transition._replace(check=held(transition.check, calendar))
    came = deadlines.came_due(check, moved.alert_after, now)
    flip = replace(transition.flip, created=came)
    return transition._replace(flip=flip)


def start_too_long_ago(check: Check, now: datetime) -> datetime | None:
    """Return when a run began that for windows alone is not too long; None: none is."""
    end = schedule.run_deadline(check)
    if end is None or end > now or not rules.is_spared(check, now):
        return None
    return check.last_start if check.run_excused else end - check.run_limit


def edited(
    check: Check, now: datetime, calendar: Calendar | None, *, loose: bool = False
) -> Check:
    """Work a deadline out anew, since fields of the check changed, or its windows."""
    fresh = rules.on_edit(check, now, loose=loose).check
    return _moved(check, fresh, now, calendar)


def edited_before_windows(check: Check, now: datetime, *, loose: bool = False) -> Check:
    """Do as `edited` where the windows of now are not known, and `reckoned` follows.

    What windows had put off is put off still: they may be gone, and then it has its
    grace.
    """
    fresh = rules.on_edit(check, now, loose=loose).check
    due, until = fresh.alert_after, check.alert_after
    # Else it is to come still, windows or not.
    is_put_off = _is_let_go(check, now, None)
    if not is_put_off or due is None or until is None or until <= due:
        return fresh
    return fresh._replace(alert_after=until, spared=until - due)


def reckoned(check: Check, now: datetime, calendar: Calendar | None) -> Check:
    """Move a deadline anew, since there are other windows, or another time, now.

    But for windows it stays as it is: a clock that was set has moved it, and a schedule
    that is read by that clock would call down too early who is in time.
    """
    return _moved(check, check, now, calendar)


def _is_let_go(check: Check, now: datetime, calendar: Calendar | None) -> bool:
    """Tell whether windows had put a check off that is overdue by those of now."""
    due = held(check, calendar).alert_after
    return rules.is_spared(check, now) and due is not None and due <= now


def _moved(
    before: Check, fresh: Check, now: datetime, calendar: Calendar | None
) -> Check:
    """Return a check as the windows move its deadline now.

    What was put off by a window that is gone, and would be over by now, has its grace
    from now on: the window has ended. Not so what another field makes overdue.
    """
    moved = held(fresh, calendar)
    due = moved.alert_after
    if due is None or due > now or not _is_let_go(before, now, calendar):
        return moved
    again = now + fresh.grace
    fresh = fresh._replace(not_before=again, alert_after=again, spared=timedelta(0))
    return held(fresh, calendar)
