"""Why a check has the status it has: a timeline in words, and the rules; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hcl.checks import causes, rules, runs, schedule
from hcl.checks.away.absence import MOST_EXCUSED
from hcl.checks.why.settings import rules_of
from hcl.checks.why.timeline import Line, in_order, place
from hcl.checks.why.told import told
from hcl.checks.windows.calendar import Opening
from hcl.checks.windows.holding import start_too_long_ago
from hcl.model import Check, Flip, Ping, ShownStatus
from hcl.store.life import Absence
from hcl.store.tries import Record
from hcl.words.lengths import duration
from hcl.words.lines import counted, one_line
from hcl.words.moments import zone
from hcl.words.names import ACTIONS, AWAY
from hcl.words.outcomes import failure, in_a_row, named, then, too_soon
from hcl.words.refusals import DAMAGED
from hcl.words.schedule import in_full


@dataclass(frozen=True, slots=True)
class Known:
    """All that explains a check.

    `flip` is its newest, None if it never had one; `flip_n` how many pings had come by
    then. `ping` is the last ping up to the flip, `last` the newest of all, `outcome`
    the success or fail that `last_ping` tells of. `records` are the messages of the
    flip, newest first, and `untold` how many more there are. `absences` are those since
    it was heard last, oldest first. `is_alone`: it has no channel that tells when it
    goes down. `windows` are of maintenance, and open now. `has_gaps`: what is missing
    of all that may be damaged.
    """

    check: Check
    flip: Flip | None = None
    flip_n: int = 0
    ping: Ping | None = None
    last: Ping | None = None
    outcome: Ping | None = None
    records: Sequence[Record] = ()
    untold: int = 0
    absences: Sequence[Absence] = ()
    is_alone: bool = False
    windows: Sequence[Opening] = ()
    has_gaps: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """A sentence that sums up, what happened and will, and the rules that counted."""

    summary: str
    timeline: tuple[Line, ...]
    rules: tuple[str, ...]


def explain(known: Known, now: datetime) -> Explanation:
    """Say why a check has the status it has now, and what comes next."""
    status = rules.shown_status(known.check, now)
    known = heard(known, now)
    summary = _why_down(known) if status == "down" else _SUMMARIES[status]
    if status == "up" and _failed(known):
        summary = _HELD
    if status == "paused" and known.check.alert_after is not None:
        summary = "It is paused: no ping is expected, but the open run has to end."
    if status == "grace" and start_too_long_ago(known.check, now):
        summary = _RUNS_LONG if known.windows else _RAN_LONG
    elif status == "grace" and rules.awaits_end(known.check, now):
        summary = "It is shown as late: a run took too long, but its end may follow."
    if status == "grace" and known.check.bad_outcomes:
        summary = f"It is shown as late: {in_a_row(known.check)}."
    if known.has_gaps:
        summary = f"{summary} {DAMAGED}"
    lines = _of_down if known.check.status == "down" else _of_others
    timeline = in_order([*lines(known, now), *_ahead(known, now)], now)
    counted = rules_of(
        known.check, now, in_window=bool(known.windows), is_alone=known.is_alone
    )
    return Explanation(summary, tuple(timeline), tuple(counted))


def heard(known: Known, now: datetime) -> Known:
    """Let nothing that has happened lie in the future: a clock was ahead."""
    flip = known.flip
    if flip is not None and flip.created > now:
        flip = replace(flip, created=now)
    ping, last = (
        ping and ping._replace(created=min(ping.created, now))
        for ping in (known.ping, known.last)
    )
    check = rules.as_shown(known.check, now)
    return replace(known, check=check, flip=flip, ping=ping, last=last)


_SUMMARIES: dict[ShownStatus, str] = {
    "new": "It is new: no success or failure has come that counts.",
    "up": "It is up: the last outcome was a success, and the next ping is not overdue.",
    "grace": "It is late: the ping is overdue, but its grace is not over.",
    "paused": "It is paused: nothing is expected, and nobody is told.",
}


_HELD = (
    "It is up: the last outcome was a failure, but in maintenance, and the next ping is"
    " not overdue."
)

_RUNS_LONG = "It is shown as late: a run takes too long, in maintenance."
_RAN_LONG = (
    "It is shown as late: a run takes too long, and has a grace from the end of the"
    " maintenance."
)


def _why_down(known: Known) -> str:
    flip = known.flip
    if known.check.status != "down" or flip is None:
        return "It is down: its deadline has passed."
    if flip.reason == "fail":
        return "It is down: the job reported a failure."
    if flip.reason == "short":
        return "It is down: a run ended too soon."
    if overrun_of(known):
        return "It is down: a run took too long."
    return "It is down: no ping came in time."


def _of_others(known: Known, now: datetime) -> Iterator[Line]:
    """Tell how a check came to be up, late, new, paused, or overdue."""
    check, flip = known.check, known.flip
    if flip is not None:
        yield Line(flip.created, _turn(flip))
        yield from _messages(known)
    counted = list(_absences(known))
    if check.last_ping is not None and check.status == "up":
        last = Line(check.last_ping, f"{_last_heard(known)}.")
        # A failure in maintenance comes later than what is counted from.
        counted.insert(place(last, counted), last)
    yield from counted
    if check.missed is not None:
        text = "A ping did not come, or a run took too long: it counts from here."
        yield Line(check.missed, text)
    yield from _runs(check, now)
    if check.status == "up":
        yield from _deadlines(check, now)


def _turn(flip: Flip) -> str:
    if flip.new_status == "up" and flip.old_status != "down":
        # With down_after, a failure does that too, or a run that hangs.
        return "It counts as up from here on: pings are expected."
    return _TURNS[flip.new_status]


_TURNS = {
    "up": "It came up: a success came.",
    "new": "It was resumed, and waits for its first ping.",
    "paused": "It was paused.",
    "down": "It went down.",
}


def _deadlines(check: Check, now: datetime) -> Iterator[Line]:
    """Tell when the ping is due, and when the check goes down without."""
    try:
        due = schedule.due_ping(check)
    except schedule.ScheduleError as error:
        yield Line(None, f"Its schedule cannot be worked out: {one_line(str(error))}.")
        return
    if due is None:
        yield Line(None, "Its schedule never fires again, so nothing is due.")
        return
    is_over = due <= now
    verb = "was due, and has not come" if is_over else "is due"
    yield Line(due, f"A ping {verb}: {in_full(check)}.")
    if runs.answers(check):
        yield Line(None, "The run that is open stands for it, until that has to end.")
        return
    end = due + check.grace
    if check.not_before is not None and end < check.not_before:
        why = ": hcl was away" if check.excused else ""
        yield Line(check.not_before, f"It is not called down before{why}.")
        return
    grace = f"The grace of {duration(check.grace)}"
    if rules.is_spared(check, now) and _is_put_off(check, end):
        yield Line(check.alert_after, f"{grace} ends: {_SPARED}.")
        return
    if end <= now:
        is_down = rules.shown_status(check, now) == "down"
        means = "it is down" if is_down else f"that is {then(check)}"
        yield Line(end, f"{grace} was over: {means}.")
    else:
        yield Line(end, f"{grace} ends: {_then(check)}, unless a ping comes.")


def _then(check: Check) -> str:
    """Say what the next bad outcome means."""
    if check.bad_outcomes + 1 >= check.down_after:
        return "it goes down then"
    return f"that is bad outcome {check.bad_outcomes + 1} of {check.down_after} then"


def _runs(check: Check, now: datetime) -> Iterator[Line]:
    """Tell of the open runs, and when each is too long."""
    if not check.open_runs:
        yield from _run(check, now)
        return
    limit = duration(check.run_limit)
    for run in check.open_runs:
        yield Line(run.started, f"A run started{named(run.rid)}, and has not ended.")
        end = runs.end(check, run)
        if rules.is_spared(check, now) and _is_put_off(check, end) and not run.is_told:
            yield Line(None, _RUN_SPARED)
        elif run.is_told and end > now:
            # It is given more time since.
            yield Line(None, "It had not ended in time: that counted.")
        elif end <= now and not run.is_told and rules.awaits_end(check, now):
            yield Line(end, f"It had not ended within {limit}{_MAY_FOLLOW}.")
        elif run.is_told or end <= now:
            yield Line(end, f"It had not ended within {limit}: that counted.")
        else:
            means = f"{_then(check)}, unless the run{named(run.rid)} ends"
            yield Line(end, f"{means[0].upper()}{means[1:]}: {limit} at most.")


_SPARED = (
    "it goes down then, unless a ping comes; it began anew at the end of a maintenance"
    " window"
)
_RUN_SPARED = "The run may last until a grace after the maintenance window."
# Told late, as its start was.
_MAY_FOLLOW = ", but its end may follow within a minute"


def _is_put_off(check: Check, end: datetime) -> bool:
    """Tell whether it is this end that windows have moved, and not a later one."""
    return check.alert_after is not None and end < check.alert_after


def _run(check: Check, now: datetime) -> Iterator[Line]:
    """Tell of the open run, and when it is too long."""
    if check.last_start is None:
        return
    rid = named(check.last_start_rid)
    yield Line(check.last_start, f"A run started{rid}, and has not ended.")
    end = schedule.run_deadline(check)
    if rules.is_spared(check, now):
        yield Line(None, _RUN_SPARED)
    elif end is None:
        yield Line(None, "hcl was away since: the run may have ended unheard.")
    elif end <= now:
        more = _MAY_FOLLOW if rules.awaits_end(check, now) else ""
        yield Line(end, f"It had not ended within {duration(check.grace)}{more}.")
    else:
        within = duration(end - check.last_start)
        yield Line(end, f"It goes down then, unless the run ends: {within} at most.")


def _failed(known: Known) -> bool:
    """Tell whether a check is up though it failed last, by a window or its rules."""
    is_up, outcome = known.check.status == "up", known.outcome
    return is_up and outcome is not None and outcome.action == "fail"


def _last_heard(known: Known) -> str:
    """Say what the last ping of a check that is up was."""
    if not _failed(known):
        return "The last success came"
    in_window = "" if known.check.bad_outcomes else ", in maintenance"
    return f"{'A' if in_window else 'The last'} failure came{in_window}"


def _absences(known: Known) -> Iterator[Line]:
    """Tell when hcl could not hear, and what that excused."""
    check = known.check
    for absence in known.absences:
        length = duration(absence.returned - absence.went, units=2)
        yield Line(
            absence.went,
            f"hcl was away for {length} ({AWAY[absence.reason]}),"
            " and could not hear the job.",
        )
    if check.excused and check.counted_from is not None:
        number = f"excuse {check.excused} of {MOST_EXCUSED} in a row"
        yield Line(
            check.counted_from,
            "Not heard since: it counts from here, as if a success had come"
            f" ({number}).",
        )
    elif check.counted_from is not None:
        was_held = _failed(known) and not check.bad_outcomes
        why = "What was due is due still" if was_held else "The clock was set"
        yield Line(check.counted_from, f"{why}: it counts from here.")


def _of_down(known: Known, now: datetime) -> Iterator[Line]:  # noqa: ARG001 - as _of_others
    """Tell what took a check down, who heard of it, and what came since."""
    check, flip, ping = known.check, known.flip, known.ping
    if flip is None:
        yield Line(None, "When it went down is not known any more.")
        return
    overrun = overrun_of(known)
    if flip.reason == "fail":
        yield Line(flip.created, f"It went down: {failure(ping)}.")
    elif flip.reason == "short":
        ended = too_soon(check, flip.created)
        number = f" (ping {ping.n})" if ping else ""
        yield Line(flip.created, f"It went down: the run {ended}{number}.")
    elif overrun is not None:
        yield Line(overrun.started, f"A run started{named(overrun.rid)}.")
        end = f"It had not ended within {duration(overrun.limit)}: it went down."
        yield Line(flip.created, end)
    else:
        due, grace = causes.missed(check, flip.created)
        lines = [Line(due, f"A ping was due, and none came: {in_full(check)}.")]
        # One that came between the deadline and the look at it was not the last then.
        if ping is not None and ping.created <= flip.created:
            last = Line(ping.created, f"The last ping came: {_named(ping)}.")
            # A start or a log may have come when the ping was due already.
            lines.insert(0 if ping.created <= due else 1, last)
        yield from lines
        over = f"The grace of {duration(grace)} was over: it went down."
        yield Line(flip.created, over)
    yield from _messages(known)
    since = check.n_pings - known.flip_n
    if since > 0 and known.last is not None:
        came = f"{counted(since, 'ping')} came since, none a success that counts"
        yield Line(known.last.created, f"{came}; the last was {_named(known.last)}.")


def overrun_of(known: Known) -> causes.Overrun | None:
    """Return the run that took the check down by its length."""
    flip, ping = known.flip, known.ping
    if flip is None:
        return None
    newest = ping.created if ping is not None and ping.action == "start" else None
    return causes.overrun(known.check, flip.reason, flip.created, newest)


def _named(ping: Ping) -> str:
    return f"ping {ping.n}, {ACTIONS[ping.action]}"


def _messages(known: Known) -> Iterator[Line]:
    """Tell who heard of the newest flip, oldest first."""
    if known.untold > 0:
        yield Line(None, f"{counted(known.untold, 'message')} before these.")
    for record in reversed(known.records):
        message = told(record)
        is_apart = message.mark in ("waits", "dropped") or record.kind == "group"
        colon = ":" if is_apart and message.detail else ""
        text = f"{message.what}{colon} {message.detail}".strip()
        if message.mark == "failed" and message.answer:
            text += f": {message.answer}"
        yield Line(message.at, f"{text}.")


def _ahead(known: Known, now: datetime) -> Iterator[Line]:
    """Tell what is to come that is no deadline."""
    check = known.check
    for record in reversed(known.records):
        message = told(record)
        if record.hold == "remind":
            # It stands at that moment already, with what it depends on.
            continue
        if message.until is not None and message.until > now:
            verb = "is tried again" if message.mark == "failed" else "is told"
            yield Line(message.until, f"{one_line(record.channel)} {verb}.")
    for opening in known.windows:
        name = f": {one_line(opening.window.name)}" if opening.window.name else ""
        yield Line(opening.end, f"The maintenance window closes{name}.")
    if check.is_muted(now):
        yield Line(check.muted_until, "The mute ends: nobody is told before.")
    if check.status == "down":
        yield Line(None, "It comes up with the next success.")


def lines(explanation: Explanation, tz: str) -> Iterator[str]:
    """Write an explanation as lines of text, with moments of a zone.

    A zone that is none counts as UTC.
    """
    named = zone(tz) or zone("UTC")
    yield explanation.summary
    for at, text in explanation.timeline:
        # Lines of no moment stand below those that have one.
        when = f"{at.astimezone(named):%a %Y-%m-%d %H:%M:%S}" if at else ""
        yield f"{when:23}  {text}"
    yield from explanation.rules
    yield f"Times are those of {one_line(tz) if zone(tz) else 'UTC'}."
