"""What each kind of message says: down, up, still down, and several changes at once.

Each function holds all the wording of one purpose; a summary of several checks is made
of their `label` and `clause`, in `letter`.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from hcl.alerts.messages.when import told
from hcl.checks import causes, schedule
from hcl.model import Alert, Flip, Lateness, Reason
from hcl.words.lengths import duration, rough
from hcl.words.lines import counted
from hcl.words.moments import ago
from hcl.words.outcomes import in_a_row, then, too_soon

# A check that flips all night fills no pages: the newest changes are told.
_MOST_CHANGES = 20


class Wording(NamedTuple):
    """What is said of one check.

    `label` begins the subject. `predicate` makes a sentence of the check's name.
    `clause` is the whole story, for the row of a summary.
    """

    label: str
    predicate: str
    story: tuple[str, ...]
    clause: str
    changes: tuple[str, ...] = ()


Purpose = Callable[[Alert, datetime], Wording]


def purpose_of(alert: Alert) -> Purpose:
    """Choose what to say about an alert."""
    if alert.lateness is not None:
        if alert.lateness.usual is not None:
            return slow
        return late if alert.lateness.ended is None else late_no_more
    if alert.earlier or alert.later:
        return changed
    if alert.flip.new_status != "down":
        return up
    return still_down if alert.reminder else down


def down(alert: Alert, now: datetime) -> Wording:
    """Say that a check went down, and why."""
    since = told(alert.flip.created, alert)
    return Wording(
        label="DOWN",
        predicate="is DOWN",
        story=(_why(alert, now),),
        clause=f"{_why_in_short(alert)}, down since {since}",
    )


def late(alert: Alert, now: datetime) -> Wording:
    """Say that a ping is overdue, and when the check goes down without."""
    check, began = alert.check, alert.flip.created
    since = told(began, alert)
    story = [f"No ping has come since one was due at {since}, {ago(began, now)}."]
    due = schedule.next_ping(check)
    if check.spared and due is not None and due < began:
        # It is told when maintenance is over.
        story = [
            f"No ping has come since maintenance was over at {since},"
            f" {ago(began, now)}; one was due at {told(due, alert)}."
        ]
    predicate, clause = f"is late: no ping since {since}", f"no ping since {since}"
    if check.alert_after is not None and check.alert_after > now:
        ends = told(check.alert_after, alert)
        left = rough(check.alert_after - now)
        means = then(check)
        at = f"It {means} at {ends}, in {left}"
        if means != "goes down":
            at = f"At {ends}, in {left}, that is {means}"
        story.append(f"{at}, unless a ping comes.")
        predicate, clause = (
            f"{words}, {means} in {left}" for words in (predicate, clause)
        )
    return Wording("LATE", predicate, tuple(story), clause)


def late_no_more(alert: Alert, now: datetime) -> Wording:  # noqa: ARG001 - as up
    """Say that a check has pinged that was told to be late."""
    lateness = alert.lateness
    when = told(alert.flip.created, alert)
    began = lateness.began if lateness is not None else alert.flip.created
    length = rough(max(alert.flip.created - began, timedelta(0)))
    story, clause = f"It was late by {length}.", f"was late by {length}"
    if alert.flip.created < began:
        # The ping told its own time.
        story, clause = "That was in time, but told late.", "in time, but told late"
    return Wording(
        label="UP",
        predicate="has pinged",
        story=(f"It pinged at {when}. {story}",),
        clause=f"pinged at {when}, {clause}",
    )


def slow(alert: Alert, now: datetime) -> Wording:  # noqa: ARG001 - as up
    """Say that a run took far longer than runs usually do."""
    run = alert.lateness or Lateness(alert.flip.created)
    ended = run.ended or run.began
    took, usual = rough(ended - run.began), rough(run.usual or timedelta(0))
    when = f"from {told(run.began, alert)} to {told(ended, alert)}"
    story = [f"Its run took {took}, {when}. By habit it takes {usual}."]
    if run.others:
        were = "was" if run.others == 1 else "were"
        story.append(f"{counted(run.others, 'run')} before it {were} slow too.")
    return Wording(
        label="SLOW",
        predicate=f"was slow: its run took {took}, usually {usual}",
        story=tuple(story),
        clause=f"a run took {took}, usually {usual}",
    )


def up(alert: Alert, now: datetime) -> Wording:  # noqa: ARG001 - one type for all purposes
    """Say that a check came back, and how long the outage lasted."""
    when = alert.flip.created
    story = [f"It pinged again at {told(when, alert)}."]
    clause = f"up again since {told(when, alert)}"
    if alert.down_since is not None:
        story.append(f"It had been down {_lasted(alert.down_since, when, alert)}.")
        clause += _after(alert.down_since, when)
    return Wording("UP", "is UP again", tuple(story), clause)


def still_down(alert: Alert, now: datetime) -> Wording:
    """Remind that a check is down."""
    began = alert.down_since or alert.flip.created
    lasted = _lasted(began, now, alert)
    return Wording(
        label="STILL DOWN",
        predicate="is STILL DOWN",
        story=(f"It has been down {lasted}.", _why(alert, now)),
        clause=f"{_why_in_short(alert)}, down {lasted}",
    )


def _lasted(began: datetime, ended: datetime, alert: Alert) -> str:
    """Say for how long a check was down, and since when.

    Without the length where the clock was set back: nobody knows it then.
    """
    since = f"since {told(began, alert)}"
    return since if ended < began else f"for {rough(ended - began)}, {since}"


def _after(began: datetime, ended: datetime) -> str:
    """Say after how long an outage ended; "": nobody knows, as in `_lasted`."""
    return "" if ended < began else f", after {rough(ended - began)}"


def changed(alert: Alert, now: datetime) -> Wording:
    """Say what happened since the last message, where more than one thing did."""
    flips = (*alert.earlier, alert.flip, *alert.later)
    status = alert.status
    match [flip.new_status for flip in flips]:
        case ["down", "up"]:
            label, predicate = "DOWN and UP again", "went DOWN and is UP again"
        case ["up", "down"]:
            label, predicate = "UP and DOWN again", "came UP and is DOWN again"
        case ["down", "paused"]:
            label, predicate = "DOWN and paused", "went DOWN and is paused"
        case _:
            word = "RESUMED" if status == "new" else status.upper()
            label = f"{word} after {len(flips)} changes"
            predicate = f"is {label}"
    history = tuple(_history(alert))
    clause = "; ".join(history[-2:])
    left_out = len(history) - _MOST_CHANGES
    if left_out > 0:
        omission = f"… {counted(left_out, 'change')} before these …"
        history = (omission, *history[left_out:])
    return Wording(
        label=label,
        predicate=predicate,
        story=(_why(alert, now),) if status == "down" and not alert.later else (),
        clause=clause,
        changes=history,
    )


def _history(alert: Alert) -> Iterator[str]:
    """Tell each flip in a clause: when, and why or after how long."""
    down_since: datetime | None = None
    for flip in (*alert.earlier, alert.flip, *alert.later):
        when = told(flip.created, alert)
        if flip.new_status == "down":
            down_since = flip.created
            why = _why_in_short(alert, flip)
            yield f"down at {when}: {why}"
            continue
        began = down_since
        if began is None and flip is alert.flip:
            began = alert.down_since
        down_since = None
        after = _after(began, flip.created) if began else ""
        yield f"{_BACK.get(flip.new_status, flip.new_status)} at {when}{after}"


_BACK = {"up": "up again", "paused": "paused", "new": "resumed"}


def _why(alert: Alert, now: datetime) -> str:
    """Say in a sentence or two why the check is down."""
    return " ".join(filter(None, (_cause(alert, now), _in_a_row(alert))))


def _in_a_row(alert: Alert) -> str:
    """Say how many bad outcomes that makes, where it takes several."""
    check = alert.check
    if check.down_after == 1 or not check.bad_outcomes:
        return ""
    return f"That makes {in_a_row(check)}."


def _cause(alert: Alert, now: datetime) -> str:
    check, flip = alert.check, alert.flip
    if flip.reason == "short":
        return f"Its run {too_soon(check, flip.created)}, which counts as a failure."
    if flip.reason not in ("timeout", "missed", "overran"):
        words = _failure(alert)
        return f"It {words}."
    overrun = _overrun(alert)
    if overrun is not None:
        when = f"{told(overrun.started, alert)}, {ago(overrun.started, now)}"
        which = f"The run {overrun.rid}" if overrun.rid else "It"
        verb = "end" if flip.reason == "overran" else "finish"
        return (
            f"It ran too long. {which} started at {when}, and did not {verb} within"
            f" {duration(overrun.limit)}."
        )
    due, grace = causes.missed(check, flip.created)
    return (
        f"No ping came in time. One was expected at {told(due, alert)},"
        f" {ago(due, now)}, and the grace of {duration(grace)} is over."
    )


def _why_in_short(alert: Alert, flip: Flip | None = None) -> str:
    """Say in a few words why a check went down, by its newest flip or another."""
    if flip is not None and flip is not alert.flip:
        return _IN_SHORT.get(flip.reason, "reported failure")
    if alert.flip.reason not in ("timeout", "fail", ""):
        return _IN_SHORT[alert.flip.reason]
    if alert.flip.reason != "timeout":
        return _failure(alert)
    return "ran too long" if _overrun(alert) else "no ping in time"


_IN_SHORT: dict[Reason, str] = {
    "timeout": "no ping in time",
    "missed": "no ping in time",
    "overran": "ran too long",
    "short": "ended too soon",
}


def _failure(alert: Alert) -> str:
    ping = alert.ping
    # A reminder, and what has changed since, know the newest ping only: the flip's own
    # has its moment. And a fail with exit status 0 comes from a filter or a URL, not
    # from the status.
    may_be_newer = alert.reminder or alert.later
    is_its_own = ping and (not may_be_newer or ping.created == alert.flip.created)
    if ping and is_its_own and ping.exitstatus:
        return f"failed with exit status {ping.exitstatus}"
    return "reported failure"


def _overrun(alert: Alert) -> causes.Overrun | None:
    """Return the run that took the check down by its length."""
    ping, flip = alert.ping, alert.flip
    newest = ping.created if ping is not None and ping.action == "start" else None
    return causes.overrun(alert.check, flip.reason, flip.created, newest)
