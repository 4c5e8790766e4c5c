"""The incident card: what is wrong with a check, since when, and who heard of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from aiosqlite import Connection

from hcl import store
from hcl.alerts.messages.output import output_of
from hcl.checks import causes, rules, schedule
from hcl.checks.availability import change, goes_on
from hcl.checks.why.explain import Known, heard, overrun_of
from hcl.checks.why.told import Heard, heard_by
from hcl.checks.windows.holding import start_too_long_ago
from hcl.db import Gaps
from hcl.model import Check, Flip, Ping, ShownStatus
from hcl.words.lengths import duration
from hcl.words.outcomes import in_a_row, then, too_soon

# Lines of what a job printed that are shown, and characters at most.
_LINES, _LENGTH = 10, 2000


class Reason(NamedTuple):
    """A sentence on what is wrong, with a moment in it; `at` None: there is none."""

    text: str
    at: datetime | None = None
    rest: str = ""


class Outage(NamedTuple):
    """When an outage began, and how long it took."""

    began: datetime
    length: timedelta

    def day(self, zone: tzinfo) -> str:
        """Return the day of a zone on which it began, as the log's filter has it."""
        return f"{self.began.astimezone(zone):%Y-%m-%d}"


class Printed(NamedTuple):
    """The last lines that a ping brought; `is_cut`: there are more before them."""

    n: int
    text: str
    lines: int
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Incident:
    """What the card of a check that is down or late shows.

    `since` is when it went down, or was due. `deadline` is when its next bad outcome
    is if it is late, and `then` what that means. `missed` is when a ping was expected
    that did not come; None: it failed, or ran too long. `told` has a line for each
    channel, and `untold` counts older messages that were not looked at. `reminder` is
    when somebody is reminded next.
    """

    status: ShownStatus
    since: datetime | None
    reason: Reason
    missed: datetime | None = None
    told: tuple[Heard, ...] = ()
    untold: int = 0
    printed: Printed | None = None
    last_success: datetime | None = None
    last_outage: Outage | None = None
    reminder: datetime | None = None
    deadline: datetime | None = None
    then: str = ""


async def incident_of(
    conn: Connection,
    known: Known,
    signals: Sequence[Ping],
    flips: Sequence[Flip],
    now: datetime,
    gaps: Gaps,
    *,
    readonly: bool,
) -> Incident | None:
    """Return what is wrong with a check; None: nothing is.

    `signals` are its last ones, oldest first, `flips` its last ones, newest first.
    """
    status = rules.shown_status(known.check, now)
    if status not in ("down", "grace"):
        return None
    known = heard(known, now)
    is_down = known.check.status == "down"
    records = known.records if is_down else ()
    printed = None
    if is_down and not readonly:
        printed = await _printed(conn, known, gaps)
    return Incident(
        status,
        _since(known, status, now),
        reason(known, status, now, readonly=readonly),
        missed=_missed(known, status),
        told=tuple(heard_by(records)),
        untold=known.untold * is_down,
        printed=printed,
        last_success=next(
            (min(p.created, now) for p in reversed(signals) if p.action == "success"),
            None,
        ),
        last_outage=last_outage(known.check, flips),
        reminder=min(
            (r.next_try for r in records if r.reminder and r.next_try), default=None
        ),
        deadline=known.check.alert_after if status == "grace" else None,
        then=then(known.check),
    )


def _since(known: Known, status: ShownStatus, now: datetime) -> datetime | None:
    check = known.check
    if check.status == "down":
        return known.flip.created if known.flip else None
    if check.alert_after is None:
        return None
    if status == "grace":
        return schedule.shown_late_since(check, now)
    return check.alert_after


def _missed(known: Known, status: ShownStatus) -> datetime | None:
    """Return when the ping was expected that is missing; None: none is."""
    check, flip = known.check, known.flip
    if status == "grace" or check.status != "down" or flip is None:
        return None
    if flip.reason not in ("timeout", "missed") or overrun_of(known) is not None:
        return None
    return causes.missed(check, flip.created).due


def reason(
    known: Known, status: ShownStatus, now: datetime, *, readonly: bool = False
) -> Reason:
    """Say what is wrong, in the words of the mail.

    The exit status of a job is not for readers, as in the list and the log.
    """
    check, flip, ping = known.check, known.flip, known.ping
    grace = duration(check.grace)
    if status == "grace" and check.bad_outcomes:
        text = f"That makes {in_a_row(check)}; it goes down at the last. The newest:"
        return Reason(text, schedule.shown_late_since(check, now), ".")
    if status == "grace":
        begun = start_too_long_ago(check, now)
        if begun is not None:
            words = f" has not ended within {duration(check.run_limit)}."
            return Reason("It runs too long: the run from", begun, words)
        due = schedule.next_ping(check)
        return Reason("No ping has come since", due, ", when one was due.")
    if check.status != "down" or flip is None:
        run = schedule.run_deadline(check)
        if run is not None and run == check.alert_after:
            limit = duration(check.run_limit)
            start = run - check.run_limit if check.open_runs else check.last_start
            words = f" did not end within {limit}."
            return Reason("It ran too long: the run from", start, words)
        return Reason(f"No ping came in time, and the grace of {grace} is over.")
    if flip.reason == "fail":
        if not readonly and ping and ping.action == "fail" and ping.exitstatus:
            return Reason(f"The job failed with exit status {ping.exitstatus}.")
        return Reason("The job reported a failure.")
    if flip.reason == "short":
        return Reason(f"The run {too_soon(check, flip.created)}.")
    overrun = overrun_of(known)
    if overrun is not None:
        words = f" did not end within {duration(overrun.limit)}."
        return Reason("It ran too long: the run from", overrun.started, words)
    due, had = causes.missed(check, flip.created)
    rest = f", and the grace of {duration(had)} is over."
    return Reason("No ping came in time: one was due", due, rest)


async def _printed(conn: Connection, known: Known, gaps: Gaps) -> Printed | None:
    """Return the last lines of what the job printed when it failed, or since."""
    last, flip = known.last, known.flip
    is_failure = flip is not None and flip.reason in ("fail", "short")
    ping = known.ping if is_failure else None
    if last is not None and last.n > known.flip_n and last.body:
        newest = store.pings.by_n(conn, known.check.id, last.n)
        ping = await gaps.readable(newest, None)
    if ping is None or not ping.body:
        return None
    # A mail is dear to decode, and pings wait for none.
    output = await asyncio.to_thread(output_of, ping)
    kept = output.end(_LENGTH)
    lines = kept.text.splitlines()
    if not lines:
        return None
    shown = lines[-_LINES:]
    is_cut = kept.is_cut or output.is_cut or len(shown) < len(lines)
    return Printed(ping.n, "\n".join(shown), len(shown), is_cut)


def last_outage(check: Check, flips: Sequence[Flip]) -> Outage | None:
    """Return the outage before the one that lasts, of flips that come newest first."""
    changes: list[Flip] = []
    for flip in flips:
        if changes and goes_on(check, change(flip), change(changes[-1])):
            changes.pop()
        else:
            changes.append(flip)
    ended: datetime | None = None
    for flip in changes:
        if flip.old_status == "down":
            ended = flip.created
        elif flip.new_status == "down" and ended is not None:
            return Outage(flip.created, max(ended - flip.created, timedelta(0)))
    return None
