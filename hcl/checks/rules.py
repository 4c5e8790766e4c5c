"""What a ping, a pause, an edit and the passing of time do to a check; pure."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hcl.checks import deadlines, runs, schedule
from hcl.checks.deadlines import Transition
from hcl.model import Action, Check, Ping, Reason, ShownStatus, Status
from hcl.words import mail as mails


class NotPausedError(Exception):
    """Only a paused check can be resumed."""


def new_check(project_id: int, code: str, badge_key: str) -> Check:
    """Return a check with the API's defaults; the store gives it its id."""
    return Check(0, project_id, code, badge_key)


def on_ping(
    check: Check,
    ping: Ping,
    *,
    loose: bool = False,
    guessed_at: datetime | None = None,
) -> tuple[Transition, Ping]:
    """Receive a ping whose action is the signal of its URL or mail.

    Returns the ping as it is to be kept, numbered, with the action it counted as.
    `loose`: the wall may be wrong, see `schedule.expected_after`. `guessed_at` as in
    `runs.is_short`.
    """
    n, action, is_short = check.n_pings + 1, action_of(check, ping), False
    if check.min_run is not None and runs.is_short(check, ping, action, guessed_at):
        action, is_short = "fail", True
    # As ping._replace(n=n, action=action), which takes four times as long.
    kept = tuple.__new__(Ping, (n, ping.created, action, *ping[3:]))
    return on_counted(check, kept, loose=loose, is_short=is_short), kept


def on_counted(
    check: Check, ping: Ping, *, loose: bool = False, is_short: bool = False
) -> Transition:
    """Receive a ping that is numbered, and whose action is what it counts as.

    `is_short`: it is a fail since its run ended too soon.
    """
    n, now, action = ping.n, ping.created, ping.action
    if action in ("log", "ign"):
        return Transition(check._replace(n_pings=n))
    if action == "start":
        before = check
        if check.is_finer:
            check = check._replace(open_runs=runs.begun(check, ping))
        if check.late_since is not None and late_still(check) is None:
            # Nobody was told while another run was open.
            check = check._replace(late_since=now)
        check = check._replace(
            n_pings=n, last_start=now, last_start_rid=ping.rid, run_excused=False
        )
        return deadlines.after_signal(before, check, now, begins=True, loose=loose)
    if check.is_finer:
        return _on_outcome(check, ping, "short" if is_short else "fail", loose=loose)
    status: Status = "down" if action == "fail" else "up"
    flip = deadlines.flip_to(check, status, now, "fail" if action == "fail" else "")
    start, rid, duration = runs.ended(check, ping)
    # Another run than this ping's may have ended unheard, still.
    is_excused = check.run_excused and start is not None
    due = None if is_excused else start
    deadline, problem = None, ""
    try:
        deadline = schedule.deadline_heard(check, status, now, due, loose=loose)
    except schedule.ScheduleError as error:
        deadline, problem = deadlines.postponed(check, due, now, error)
    last = check.not_before if due else None
    check = check.faring(status, n, now, start, rid, duration, deadline)
    if is_excused:
        check = check._replace(run_excused=True)
    if last and deadline and last > now:
        # The run that is open still is put off, as it was.
        check = check._replace(not_before=last, alert_after=max(deadline, last))
    return tuple.__new__(Transition, (check, flip, problem))


def _on_outcome(
    check: Check, ping: Ping, failure: Reason, *, loose: bool
) -> Transition:
    """Receive a success or fail of a check that has finer rules.

    A fail that does not call it down yet was heard all the same: the next ping counts
    from it.
    """
    status, bad = _status_after(check, ping.action)
    why = failure if status == "down" else ""
    flip = deadlines.flip_to(check, status, ping.created, why)
    start, rid, duration = runs.ended(check, ping)
    open_runs = runs.left(check, ping)
    if check.status == "down" and status == "up":
        # Nobody is told, once it is up, of what was too long while it was down.
        before = check._replace(open_runs=open_runs)
        open_runs = runs.told(before, ping.created)
    is_excused = check.run_excused and start is not None
    late_since = late_still(check) if bad and status == "up" else None
    last = check.not_before
    check = check.faring(status, ping.n, ping.created, start, rid, duration, None)
    check = check._replace(
        run_excused=is_excused, late_since=late_since, bad_outcomes=bad
    )
    if check.is_finer:
        check = check._replace(open_runs=open_runs)
    if check.open_runs and last and last > ping.created:
        # What is open still is put off, as it was.
        check = check._replace(not_before=last)
    transition = deadlines.with_deadline(check, ping.created, loose=loose)
    return transition._replace(flip=flip)


def late_still(check: Check) -> datetime | None:
    """Return since when a check is late, as people were told, though it fails now.

    A fail that does not call it down does not end that. Of one that is late since its
    run began they were not told.
    """
    since, start = check.late_since, check.last_start
    return None if since is None or (start and start <= since) else since


def _status_after(check: Check, action: Action) -> tuple[Status, int]:
    """Return the status after a success or fail, and the bad outcomes in a row."""
    if action == "success":
        return "up", 0
    if check.status == "down":
        return "down", check.bad_outcomes
    bad = check.bad_outcomes + 1
    if bad < check.down_after:
        return "up", bad
    return "down", bad if check.down_after > 1 else 0


def action_of(check: Check, ping: Ping) -> Action:
    """Decide what a ping counts as: methods, manual_resume and keywords have a say.

    The body of a ping by mail is the whole mail.
    """
    by_http = ping.scheme != "email"
    if by_http and check.methods == "POST" and ping.method != "POST":
        return "ign"
    if check.status == "paused" and check.manual_resume:
        return "ign"
    if by_http and check.filter_http_body:
        return classify(check, ping.body.decode("utf-8", "replace"))
    if not by_http and (check.filter_subject or check.filter_body):
        return classify(check, *_searched_texts(check, ping.body))
    return ping.action


def _searched_texts(check: Check, mail: bytes) -> Iterator[str]:
    """Yield what the check's filters look at in a mail."""
    if check.filter_subject:
        yield mails.subject(mail)
    if check.filter_body:
        yield from mails.searched(mail)


def classify(check: Check, *texts: str) -> Action:
    """Search texts for the check's keywords: failure, success, start, in this order.

    A run of white space is one space, in the texts and in the keywords.
    """
    for keywords, action in (
        (check.failure_kw, "fail"),
        (check.success_kw, "success"),
        (check.start_kw, "start"),
    ):
        wanted = [word for word in map(str.strip, keywords.split(",")) if word]
        if any(_says(text, word) for word in wanted for text in texts):
            return action  # type: ignore[return-value]  # the tuple's literals widen to str
    return "fail" if check.filter_default_fail else "ign"


def _says(text: str, keyword: str) -> bool:
    first, *others = keyword.split()
    # Most keywords are one word. Others are dear: their first word is tried first.
    if not others or first not in text:
        return first in text
    return re.search(r"\s++".join(map(re.escape, (first, *others))), text) is not None


def on_deadline(check: Check, now: datetime, *, loose: bool = False) -> Transition:
    """Let the check go down if its deadline has passed; else correct the deadline.

    If it takes several bad outcomes in a row, all that passed are counted.
    """
    if check.is_finer:
        return deadlines.pass_due(check, now, loose=loose)
    transition = deadlines.with_deadline(check, now, loose=loose)
    due = transition.check.alert_after
    if due is None or due > now:
        return transition
    came = deadlines.came_due(check, due, now)
    flip = deadlines.flip_to(check, "down", came, "timeout")
    check = transition.check._replace(status="down", alert_after=None, late_since=None)
    return Transition(check, flip)


def on_edit(check: Check, now: datetime, *, loose: bool = False) -> Transition:
    """Work the deadline out anew after fields changed; the stored status stays."""
    check = runs.adopted(check, now)
    return deadlines.with_deadline(check, now, loose=loose)


def on_pause(check: Check, now: datetime) -> Transition:
    """Pause: no deadline, no open run. A paused check stays as it is."""
    if check.status == "paused":
        return Transition(check)
    flip = deadlines.flip_to(check, "paused", now)
    return Transition(
        check._replace(
            status="paused",
            last_start=None,
            last_start_rid=None,
            alert_after=None,
            **_NOTHING_COUNTED,
        ),
        flip,
    )


def on_resume(check: Check, now: datetime) -> Transition:
    """Make a paused check new; raise NotPausedError for any other."""
    if check.status != "paused":
        raise NotPausedError
    flip = deadlines.flip_to(check, "new", now)
    return Transition(
        check._replace(
            status="new",
            last_ping=None,
            last_start=None,
            last_start_rid=None,
            alert_after=None,
            **_NOTHING_COUNTED,
        ),
        flip,
    )


# Of a check for which nothing is counted there is nothing to excuse.
_NOTHING_COUNTED: dict[str, Any] = {
    "counted_from": None,
    "excused": 0,
    "not_before": None,
    "run_excused": False,
    "spared": timedelta(0),
    "late_since": None,
    "bad_outcomes": 0,
    "missed": None,
    "open_runs": (),
}


def as_shown(check: Check, now: datetime) -> Check:
    """Return the check as people see it: a clock that was ahead has heard it just now.

    Its log tells when each ping came by the clock of then.
    """
    if check.last_ping is None or check.last_ping <= now:
        return check
    return check._replace(last_ping=now)


def shown_status(check: Check, now: datetime) -> ShownStatus:
    """Return the status people see: also grace, and down once a deadline has passed."""
    if check.is_finer:
        return _shown_finer(check, now)
    if check.last_start is not None:
        run = schedule.run_deadline(check)
        if run is not None and now >= run:
            if not (is_spared(check, now) or awaits_end(check, now)):
                return "down"
            return "grace" if check.status == "up" else check.status
    if check.status != "up":
        return check.status
    grace = _grace(check)
    if grace is None or now < grace[0]:
        return "up"
    return "grace" if now < grace[1] else "down"


def is_spared(check: Check, now: datetime) -> bool:
    """Tell whether it is for maintenance alone that a check may not be down yet."""
    return bool(
        check.spared and check.alert_after is not None and now < check.alert_after
    )


def awaits_end(check: Check, now: datetime) -> bool:
    """Tell whether a run that is too long is waited for: its start was told late.

    Its end may follow, see `told_late`; the check goes down if it does not.
    """
    end, last = schedule.run_deadline(check), check.not_before
    return end is not None and last is not None and end <= now < last


def _shown_finer(check: Check, now: datetime) -> ShownStatus:
    """Return the status people see: grace too while a bad outcome stands."""
    if check.alert_after is not None and check.alert_after <= now:
        if check.spared:
            # What passed in windows is one bad outcome.
            is_last = check.bad_outcomes + 1 >= check.down_after
            return "down" if is_last else "grace"
        check = deadlines.pass_due(check, now).check
    if check.bad_outcomes and check.status in ("new", "up"):
        return "grace"
    if check.status != "up":
        return check.status
    if check.spared and check.alert_after and now >= check.alert_after - check.spared:
        # Without the windows it would be down by now.
        return "grace"
    if (end := runs.first_end(check)) is not None and end <= now:
        # Its run is too long, and has its grace since no window is open any more.
        return "grace"
    due = schedule.known_ping(check)
    return "up" if due is None or now < due else "grace"


def next_turn(check: Check, now: datetime) -> datetime | None:
    """Return until when a check is shown as it is, if nothing happens; None: for good.

    Its status may change, and a mute may end.
    """
    turn, mute = _next_status(check, now), check.muted_until
    if mute is None or mute <= now:
        return turn
    return mute if turn is None else min(mute, turn)


def _next_status(check: Check, now: datetime) -> datetime | None:
    if check.is_finer:
        known = schedule.known_ping(check)
        turns = [check.alert_after, known, runs.first_end(check)]
        if check.spared and check.alert_after is not None:
            turns.append(check.alert_after - check.spared)
        return min((at for at in turns if at is not None and at > now), default=None)
    if check.last_start is None:
        # Nearly all, in a list of thousands.
        end = check.alert_after
        if end is None or check.status != "up" or end <= now:
            return None
        late = end - check.spared - check.grace
        return late if late > now else end
    is_moved = bool(check.spared) or check.not_before is not None
    ends = [schedule.run_deadline(check), check.alert_after if is_moved else None]
    if check.status == "up" and (grace := _grace(check)) is not None:
        ends += grace
    return min((end for end in ends if end is not None and end > now), default=None)


def _grace(check: Check) -> tuple[datetime, datetime] | None:
    """Return when an up check is late, and down, for want of a ping, run or not."""
    end = check.alert_after
    if check.last_start is None or check.run_excused:
        # The stored deadline is this moment, and costs no look at the schedule.
        return None if end is None else (end - check.spared - check.grace, end)
    try:
        raw = schedule.deadline(check._replace(last_start=None))
    except schedule.ScheduleError:
        return None
    if raw is None:
        return None
    if end is None:
        return raw - check.grace, raw
    # The stored deadline is this moment, or that of the run, which comes sooner: by a
    # clock that was set a schedule may be read to be due before.
    return (raw if check.spared else max(raw, end)) - check.grace, max(raw, end)
