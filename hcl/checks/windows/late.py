"""When people are told that a check is late; pure."""

from datetime import datetime, timedelta

from hcl.checks import schedule
from hcl.checks.windows.calendar import Calendar
from hcl.model import Check

# For so long a check is put off while more may follow what is told late.
_MOMENT = timedelta(seconds=60)


def begins(check: Check, calendar: Calendar | None, now: datetime) -> datetime | None:
    """Return when people are told that a check is late; None: not, or they have been.

    That is when its grace begins, or at the end of the windows that are open then. A
    run that is open is at work, and not late. Nor is who is put off for a moment, by a
    ping that was told late: their deadline does not tell when one was due.
    """
    if check.not_before is not None and not check.excused:
        is_put_off = check.not_before == check.alert_after
        if is_put_off and check.not_before - now <= _MOMENT < check.grace:
            return None
    began = schedule.next_ping(check)
    if check.status != "up" or check.late_since is not None or began is None:
        return None
    if calendar is not None:
        began = calendar.until(began, check.tags) or began
    if check.alert_after is not None and began >= check.alert_after:
        return None
    return began


def seen_to(check: Check, began: datetime) -> Check:
    """Note that a check is late since a moment, whether or not people are told.

    While a run is open they are not, see `rules.late_still`: it is noted as of the run.
    """
    if check.last_start is not None:
        began = max(began, check.last_start)
    return check._replace(late_since=began)


def edited(before: Check, check: Check, now: datetime) -> Check:
    """Forget a lateness that an edit has ended: what was overdue is not any more.

    It lasts where something else is due by now, after a bad outcome, or as hcl was
    away: only a success ends it.
    """
    if check.late_since is None or check.bad_outcomes:
        return check
    due, now_due = schedule.next_ping(before), schedule.next_ping(check)
    was_overdue = due is not None and due <= now
    if not was_overdue or (now_due is not None and now_due <= now):
        return check
    return check._replace(late_since=None)
