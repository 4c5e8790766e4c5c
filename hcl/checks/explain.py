"""Why a check has the status it has: a timeline in words, and the rules; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from hcl.checks import rules, schedule
from hcl.checks.absence import MOST_EXCUSED
from hcl.checks.told import told
from hcl.model import Check, Flip, Ping, ShownStatus
from hcl.store.life import Absence
from hcl.store.tries import Record
from hcl.words.lengths import duration
from hcl.words.lines import counted, one_line
from hcl.words.moments import zone
from hcl.words.names import ACTIONS
from hcl.words.schedule import in_full


class Line(NamedTuple):
    """Something that happened, or will, and when; `at` None: it is of no moment."""

    at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that explains a check.

    `flip` is its newest, None if it never had one; `flip_n` how many pings had come by
    then. `ping` is the last ping up to the flip, `last` the newest of all. `records`
    are the messages of the flip, newest first, and `untold` how many more there are.
    `absences` are those since it was heard last, oldest first. `is_alone`: no channel
    serves it.
    """

    check: Check
    flip: Flip | None = None
    flip_n: int = 0
    ping: Ping | None = None
    last: Ping | None = None
    records: Sequence[Record] = ()
    untold: int = 0
    absences: Sequence[Absence] = ()
    is_alone: bool = False


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
    lines = _of_down if known.check.status == "down" else _of_others
    timeline = (*lines(known, now), *_ahead(known, now))
    return Explanation(summary, timeline, tuple(_rules(known, now)))


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


def _why_down(known: Known) -> str:
    flip = known.flip
    if known.check.status != "down" or flip is None:
        return "It is down: its deadline has passed."
    if flip.reason == "fail":
        return "It is down: the job reported a failure."
    if start_that_overran(known):
        return "It is down: a run took too long."
    return "It is down: no ping came in time."


def _of_others(known: Known, now: datetime) -> Iterator[Line]:
    """Tell how a check came to be up, late, new, paused, or overdue."""
    check, flip = known.check, known.flip
    if flip is not None:
        yield Line(flip.created, _TURNS[flip.new_status])
        yield from _messages(known)
    if check.last_ping is not None and check.status == "up":
        yield Line(check.last_ping, "The last success came.")
    yield from _absences(known)
    yield from _run(check, now)
    if check.status == "up":
        yield from _deadlines(check, now)


_TURNS = {
    "up": "It came up: a success came.",
    "new": "It was resumed, and waits for its first ping.",
    "paused": "It was paused.",
    "down": "It went down.",
}


def _deadlines(check: Check, now: datetime) -> Iterator[Line]:
    """Tell when the ping is due, and when the check goes down without."""
    try:
        due = schedule.expected_ping(check)
    except schedule.ScheduleError as error:
        yield Line(None, f"Its schedule cannot be worked out: {one_line(str(error))}.")
        return
    if due is None:
        yield Line(None, "Its schedule never fires again, so nothing is due.")
        return
    is_over = due <= now
    verb = "was due, and has not come" if is_over else "is due"
    yield Line(due, f"A ping {verb}: {in_full(check)}.")
    end = due + check.grace
    if check.not_before is not None and end < check.not_before:
        yield Line(check.not_before, "It is not called down before: hcl was away.")
        return
    grace = f"The grace of {duration(check.grace)}"
    if end <= now:
        yield Line(end, f"{grace} was over: it is down.")
    else:
        yield Line(end, f"{grace} ends: it goes down then, unless a ping comes.")


def _run(check: Check, now: datetime) -> Iterator[Line]:
    """Tell of the open run, and when it is too long."""
    if check.last_start is None:
        return
    rid = f" ({check.last_start_rid})" if check.last_start_rid else ""
    yield Line(check.last_start, f"A run started{rid}, and has not ended.")
    end = schedule.run_deadline(check)
    if end is None:
        yield Line(None, "hcl was away since: the run may have ended unheard.")
    elif end <= now:
        yield Line(end, f"It had not ended within {duration(check.grace)}.")
    else:
        within = duration(end - check.last_start)
        yield Line(end, f"It goes down then, unless the run ends: {within} at most.")


def _absences(known: Known) -> Iterator[Line]:
    """Tell when hcl could not hear, and what that excused."""
    check = known.check
    for absence in known.absences:
        length = duration(absence.returned - absence.went, units=2)
        yield Line(
            absence.went,
            f"hcl was away for {length} ({AWAY.get(absence.reason, absence.reason)}),"
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
        yield Line(check.counted_from, "The clock was set: it counts from here.")


AWAY = {
    "stopped": "it did not run",
    "suspended": "the machine slept",
    "starved": "the process stood still",
    "clock": "the clock was set",
    "restored": "a backup was restored",
}


def _of_down(known: Known, now: datetime) -> Iterator[Line]:  # noqa: ARG001 - as _of_others
    """Tell what took a check down, who heard of it, and what came since."""
    check, flip, ping = known.check, known.flip, known.ping
    if flip is None:
        yield Line(None, "When it went down is not known any more.")
        return
    started = start_that_overran(known)
    if flip.reason == "fail":
        yield Line(flip.created, f"It went down: {_failure(ping)}.")
    elif started is not None:
        yield Line(started, "A run started.")
        end = f"It had not ended within {duration(check.grace)}: it went down."
        yield Line(flip.created, end)
    else:
        if ping is not None:
            yield Line(ping.created, f"The last ping came: {_named(ping)}.")
        due = flip.created - check.grace
        yield Line(due, f"A ping was due, and none came: {in_full(check)}.")
        over = f"The grace of {duration(check.grace)} was over: it went down."
        yield Line(flip.created, over)
    yield from _messages(known)
    since = check.n_pings - known.flip_n
    if since > 0 and known.last is not None:
        came = f"{counted(since, 'ping')} came since, none a success that counts"
        yield Line(known.last.created, f"{came}; the last was {_named(known.last)}.")


def start_that_overran(known: Known) -> datetime | None:
    """Return the start of the run that took the check down by its length."""
    check, flip, ping = known.check, known.flip, known.ping
    if flip is None or flip.reason != "timeout":
        return None
    starts = [check.last_start]
    if ping is not None and ping.action == "start":
        starts.append(ping.created)
    for start in starts:
        # A start that was not overdue at the flip is a later run's.
        if start is not None and start + check.grace <= flip.created:
            return start
    return None


def _failure(ping: Ping | None) -> str:
    if ping is None or ping.action != "fail":
        return "the job reported a failure"
    number = f"ping {ping.n}"
    if ping.exitstatus:
        return f"the job failed with exit status {ping.exitstatus} ({number})"
    return f"the job reported a failure ({number})"


def _named(ping: Ping) -> str:
    return f"ping {ping.n}, {ACTIONS[ping.action]}"


def _messages(known: Known) -> Iterator[Line]:
    """Tell who heard of the newest flip, oldest first."""
    if known.untold > 0:
        yield Line(None, f"{counted(known.untold, 'message')} before these.")
    for record in reversed(known.records):
        message = told(record)
        colon = ":" if message.mark in ("waits", "dropped") else ""
        text = f"{message.what}{colon} {message.detail}".strip()
        if message.mark == "failed" and message.answer:
            text += f": {message.answer}"
        yield Line(message.at, f"{text}.")


def _ahead(known: Known, now: datetime) -> Iterator[Line]:
    """Tell what is to come that is no deadline."""
    check = known.check
    for record in reversed(known.records):
        message = told(record)
        if message.until is not None and message.until > now:
            verb = "is tried again" if message.mark == "failed" else "is told"
            yield Line(message.until, f"{one_line(record.channel)} {verb}.")
    if check.is_muted(now):
        yield Line(check.muted_until, "The mute ends: nobody is told before.")
    if check.status == "down":
        yield Line(None, "It comes up with the next success.")


def _rules(known: Known, now: datetime) -> Iterator[str]:
    """Name the settings that counted."""
    check = known.check
    grace = duration(check.grace)
    yield f"A ping is expected {in_full(check)}, with a grace of {grace}."
    if check.last_start is not None:
        yield f"A run has to end within {grace} of its start."
    if check.methods == "POST":
        yield "Only pings by POST count."
    if check.filter_http_body or check.filter_body or check.filter_subject:
        otherwise = "a failure" if check.filter_default_fail else "ignored"
        yield f"Keywords decide what a ping is; without any it is {otherwise}."
    if check.status == "paused":
        resumes = "only somebody" if check.manual_resume else "a success or failure"
        yield f"While paused {resumes} resumes it."
    if check.is_muted(now):
        yield "It is muted: it is watched, and nobody is told."
    if known.is_alone:
        yield "Nobody is told: no channel serves it."


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


# So much of a check's past may explain its status.
ABSENCES_SINCE = timedelta(days=93)
