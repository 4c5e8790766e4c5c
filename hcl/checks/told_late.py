"""What a ping that bears a time of its own does to a check: it was told late; pure.

Source: spec.md, "Beyond the protocol".
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from hcl.checks import deadlines, rules, runs, schedule
from hcl.checks.deadlines import Hold, Transition
from hcl.model import Check, Ping

# Who tells one signal late mostly tells the next at once: nobody goes down sooner.
MORE_MAY_FOLLOW = timedelta(seconds=60)


def on_late_ping(
    check: Check,
    ping: Ping,
    received: datetime,
    *,
    turned: datetime | None = None,
    hold: Hold = deadlines.unmoved,
    loose: bool = False,
    guessed_at: datetime | None = None,
    is_ahead: bool = False,
) -> tuple[Transition, Ping]:
    """Receive a ping that bears the time its signal is of, and was `received` later.

    What is older than the last ping changes nothing but the log, as does a start that
    is older than that of the open run, and what is older than the pause or resumption
    at which the check `turned` last; nor does the last outcome, told twice. A flip is
    of when it became known: until then the check was shown as it was. It ends no run
    that began later. Nobody goes down for what was due before it was told, while more
    may follow, and nobody comes up by what others must have followed. `hold` has
    windows move deadlines. `guessed_at` as in `runs.is_short`; `is_ahead`: its own time
    lay ahead, and nobody knows how long its run took.
    """
    action = rules.action_of(check, ping)
    if _is_past(check, ping._replace(action=action), received, turned):
        kept = ping._replace(n=check.n_pings + 1, action=action)
        check = check._replace(n_pings=kept.n)
        return _of_the_past(check, kept, received, loose=loose), kept
    if action in ("log", "ign"):
        return rules.on_ping(check, ping, loose=loose)
    before = _rewound(check, ping.created, received, hold=hold, loose=loose)
    if action != "start":
        # Until when what is due since is put off is for `_in_time` to say.
        before = before._replace(not_before=None)
    if is_ahead:
        guessed_at = received + timedelta.resolution
    transition, kept = _beside_later_runs(
        before, ping, received, loose=loose, guessed_at=guessed_at
    )
    if transition.flip is not None:
        flip = replace(transition.flip, created=received)
        transition = transition._replace(flip=flip)
    until = received + MORE_MAY_FOLLOW
    if not _catches_up(check, ping, received):
        until = check.not_before or until
    transition = _in_time(check, transition, received, until, hold=hold, loose=loose)
    after = _late_still(check, transition.check, received)
    return transition._replace(check=after), kept


def _rewound(
    check: Check, at: datetime, now: datetime, *, hold: Hold, loose: bool
) -> Check:
    """Take back what was counted of a check since a moment of which it is told late.

    What is told counts first: a fail in its grace and that nothing came in it are one
    bad outcome. What is due since is counted anew by what was told.
    """
    heard = check.counted_from or check.last_ping
    if heard is None or check.status != "up" or check.down_after == 1:
        return check
    # A return of hcl counts as heard, and what it had not heard may be too long by now.
    open_runs = runs.untold(check, _heard(check, now) or heard)
    if check.missed is None and open_runs == check.open_runs:
        return check
    then = last = check._replace(
        not_before=None, bad_outcomes=0, missed=None, open_runs=open_runs
    )
    counts = deadlines.bad_outcomes(then, hold=hold, loose=loose)
    try:
        # No more have been counted: it would be down.
        for due, last in islice(counts, check.down_after - 1):
            if due <= at:
                then = last
            if _has_counted(last, check):
                break
    except schedule.ScheduleError:
        return check
    before = max(check.bad_outcomes - last.bad_outcomes, 0)
    return then._replace(bad_outcomes=before + then.bad_outcomes)


def _has_counted(check: Check, all_of: Check) -> bool:
    """Tell whether all has been counted of a check that had been of another."""
    if any(run.is_told and run not in check.open_runs for run in all_of.open_runs):
        return False
    missed = all_of.missed
    return missed is None or (check.missed is not None and check.missed >= missed)


def _is_past(check: Check, ping: Ping, now: datetime, turned: datetime | None) -> bool:
    """Tell whether a check knows of something newer already."""
    known = [_heard(check, now)]
    if ping.action == "start":
        known.append(check.last_start)
    if check.status in ("new", "paused"):
        known.append(turned)
    is_older = any(at is not None and ping.created < at for at in known)
    return is_older or _is_told_twice(check, ping)


def _is_told_twice(check: Check, ping: Ping) -> bool:
    """Tell whether a ping is the last outcome once more: its answer was lost.

    But not if its run is open still: another ended at the same moment.
    """
    if ping.action not in ("success", "fail") or ping.created != check.last_ping:
        return False
    starts = runs.starts_of(check, ping.rid)
    return not any(started <= ping.created for started in starts)


def _heard(check: Check, now: datetime) -> datetime | None:
    """Return when a check was heard last, by the time of now; None: that is not known.

    A step of the clock leaves `last_ping` where it was, and moves what deadlines count
    from in its place, unless that is a return of hcl.
    """
    last, counted = check.last_ping, check.counted_from
    if last is None or counted is None:
        return last
    if last > now:
        return None if check.excused else counted
    return last if check.excused else max(last, counted)


def _of_the_past(check: Check, ping: Ping, now: datetime, *, loose: bool) -> Transition:
    """Let an outcome that others have followed end its own run, and nothing else."""
    if ping.action not in ("success", "fail"):
        return Transition(check)
    started, rid = check.last_start, check.last_start_rid
    ended = check
    if started is not None and rid == ping.rid and not _is_later(started, rid, ping):
        ended = ended._replace(last_start=None, last_start_rid=None, run_excused=False)
    left = tuple(
        run
        for run in check.open_runs
        if run.rid != ping.rid or _is_later(run.started, run.rid, ping)
    )
    ended = ended._replace(open_runs=left)
    if ended == check:
        return Transition(check)
    transition = deadlines.after_signal(check, ended, now, loose=loose)
    # It changes no status: nor does it by what that run had stood for.
    after = deadlines.no_sooner(check, transition.check, now)
    return transition._replace(check=after)


def _is_later(started: datetime, rid: str | None, ping: Ping) -> bool:
    """Tell whether a run began after a ping, which is then not its end.

    But of a run that both name: its start was timed by another clock, or came late.
    """
    return started > ping.created and (rid is None or rid != ping.rid)


def _beside_later_runs(
    check: Check,
    ping: Ping,
    now: datetime,
    *,
    loose: bool,
    guessed_at: datetime | None,
) -> tuple[Transition, Ping]:
    """Let a ping have its effect, but on no run that began after it."""
    start, rid = check.last_start, check.last_start_rid
    ended = {run.rid: run.started for run in check.open_runs}.get(ping.rid, start)
    if ended is not None and ended > ping.created:
        # How long a run took that began after its end nobody knows.
        guessed_at = now
    if start is None or not _is_later(start, rid, ping):
        return rules.on_ping(check, ping, loose=loose, guessed_at=guessed_at)
    later = [run for run in check.open_runs if _is_later(*run[:2], ping)]
    earlier = check._replace(
        last_start=None,
        last_start_rid=None,
        run_excused=False,
        open_runs=tuple(run for run in check.open_runs if run not in later),
    )
    transition, kept = rules.on_ping(earlier, ping, loose=loose, guessed_at=guessed_at)
    after = transition.check._replace(
        last_start=start,
        last_start_rid=rid,
        run_excused=check.run_excused,
    )
    if after.is_finer:
        after = after._replace(open_runs=(*after.open_runs, *later))
    again = deadlines.with_deadline(after, now, loose=loose)
    return again._replace(flip=transition.flip), kept


def _catches_up(before: Check, ping: Ping, received: datetime) -> bool:
    """Tell whether what is told late is told at least twice as fast as it happened.

    Where it goes on and on being as late, who is put off by each would never go down.
    """
    last = before.not_before
    if last is None or last <= received:
        return True
    known = [
        at
        for at in (before.last_ping, before.last_start)
        if at is not None and at <= ping.created
    ]
    waited = received - (last - MORE_MAY_FOLLOW)
    return not known or ping.created - max(known) >= 2 * waited


def _in_time(
    before: Check,
    transition: Transition,
    now: datetime,
    until: datetime,
    *,
    hold: Hold,
    loose: bool,
) -> Transition:
    """Let nobody go down before a moment for what was due since a ping of long ago.

    Where an absence, say, had put off what is due, that counts still. A check that is
    down stays so, rather than come up and go down again.
    """
    after = transition.check

    def goes_down(check: Check) -> bool:
        if check.is_finer:
            passed = deadlines.pass_due(check, until, hold=hold, loose=loose)
            return passed.check.status == "down"
        due = hold(check).alert_after
        return due is not None and due <= until

    if after.status == "down" or not goes_down(after):
        return transition
    if before.status == "down":
        after = after._replace(
            status="down",
            alert_after=None,
            bad_outcomes=before.bad_outcomes,
            missed=None,
        )
        return Transition(after)
    after = _counted_as_before(before, after)
    again = deadlines.with_deadline(after, until, loose=loose)
    if goes_down(again.check):
        after = _but_for_the_last(again.check, now, hold=hold, loose=loose)
        after = after._replace(not_before=until)
        again = deadlines.with_deadline(after, until, loose=loose)
    return again._replace(flip=transition.flip)


def _but_for_the_last(check: Check, now: datetime, *, hold: Hold, loose: bool) -> Check:
    """Count what was due by now, but for the bad outcome that calls down."""
    if not check.is_finer:
        return check
    # A schedule that cannot be worked out tells of no more.
    with suppress(schedule.ScheduleError):
        for due, counted in deadlines.bad_outcomes(check, hold=hold, loose=loose):
            is_up = counted.status == check.status and not deadlines.is_last(counted)
            if due > now or not is_up:
                break
            check = counted
    return check


def _counted_as_before(before: Check, after: Check) -> Check:
    """Count from the return of hcl, if that came after a ping: it counts as one."""
    heard, returned = after.last_ping, before.counted_from
    if returned is None or heard is None or heard < returned:
        after = after._replace(counted_from=returned, excused=before.excused)
    return after._replace(not_before=before.not_before)


def _late_still(before: Check, after: Check, now: datetime) -> Check:
    """Return a check that is late still by what was told late, since it was before."""
    if after.status != "up" or before.late_since is None or after.late_since:
        return after
    due = schedule.next_ping(after)
    if due is None or due > now:
        return after
    return after._replace(late_since=before.late_since)
