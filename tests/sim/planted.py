"""Mistakes that somebody could make in hcl, to prove that the simulator finds them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from aiosqlite import Connection

from hcl import store
from hcl.alerts import calm
from hcl.alerts.calm import Bundle
from hcl.alerts.delivery import EndedTry
from hcl.alerts.lines import Line
from hcl.alerts.sender import Sender
from hcl.checks import rules, runs, schedule
from hcl.checks.away import absence
from hcl.checks.deadlines import Transition
from hcl.checks.windows import holding, maintenance
from hcl.checks.windows.calendar import Calendar
from hcl.clock import Now
from hcl.model import Check, Kind, Ping
from hcl.pings.states import States
from hcl.store.outbox import Outcome
from hcl.store.waiting import Waiting
from hcl.words import mail as mails

Patch = AbstractContextManager[object]


def deadlines_stay_when_the_clock_is_set() -> Patch:
    """Have deadlines count by the wall that they were worked out by."""
    return mock.patch.object(store.fixed, "shift", _nothing)


def an_edit_forgets_an_excuse() -> Patch:
    """Have an edit work the deadline out from the last ping, come what may."""
    real = rules.on_edit

    def on_edit(check: Check, now: datetime, *, loose: bool = False) -> Transition:
        return real(check._replace(counted_from=None), now, loose=loose)

    return mock.patch.object(rules, "on_edit", on_edit)


def a_crash_counts_pings_twice() -> Patch:
    """Have the start count a ping in the inbox once more than it was counted."""
    real = store.inbox.uncounted

    async def uncounted(conn: Connection, *which: int) -> Any:
        found = await real(conn, *which)
        return [(at, of, ping._replace(n=ping.n + 1)) for at, of, ping in found]

    return mock.patch.object(store.inbox, "uncounted", uncounted)


def a_crash_forgets_what_was_put_off() -> Patch:
    """Have the start read the tables as if they were up to date."""
    return mock.patch.object(States, "recover", _nothing)


def an_alert_is_ticked_off_before_it_is_sent() -> Patch:
    """Have a message noted as sent, and then sent."""
    real = Sender._deliver

    async def deliver(self: Sender, line: Line, bundle: Bundle, clock: Now) -> None:
        told = tuple(row.notification for row in bundle)
        outcome = Outcome(told, "sent", began=clock(), sent=clock())
        await self._tick_off(EndedTry(line, outcome, clock()))
        await real(self, line, bundle, clock)

    return mock.patch.object(Sender, "_deliver", deliver)


def a_filter_reads_the_wrong_part() -> Patch:
    """Have the filter of the subject look at the text of a mail, and vice versa."""

    def searched(check: Check, mail: bytes) -> Iterator[str]:
        if check.filter_body:
            yield mails.subject(mail)
        if check.filter_subject:
            yield from mails.searched(mail)

    return mock.patch.object(rules, "_searched_texts", searched)


def any_end_ends_a_run() -> Patch:
    """Have a success end the open run, whichever run it names."""
    real = runs.ended

    def end_run(check: Check, ping: Ping) -> Any:
        return real(check, ping._replace(rid=check.last_start_rid))

    return mock.patch.object(runs, "ended", end_run)


def messages_go_newest_first() -> Patch:
    """Have what waits of one check go out in the wrong order."""
    real = calm.by_check

    def by_check(waiting: Iterable[Waiting]) -> list[Bundle]:
        return [tuple(reversed(rows)) for rows in real(waiting)]

    return mock.patch.object(calm, "by_check", by_check)


def a_nearer_deadline_wakes_nobody() -> Patch:
    """Have the checker look when it would have looked before a run began."""
    return mock.patch.object(store.checks, "look_earlier", _nothing)


def a_schedule_is_read_in_utc() -> Patch:
    """Have the time zone of a schedule not count."""
    real = schedule.next_occurrence

    def next_occurrence(
        kind: Kind, expression: str, _tz: str, after: datetime
    ) -> datetime | None:
        return real(kind, expression, "UTC", after)

    return mock.patch.object(schedule, "next_occurrence", next_occurrence)


def absences_excuse_for_ever() -> Patch:
    """Have restarts make deaf."""
    return mock.patch.object(absence, "MOST_EXCUSED", 1000)


def reminders_go_on() -> Patch:
    """Have people reminded of what is over."""
    return mock.patch.object(calm, "_is_over", return_value=False)


def nobody_is_muted() -> Patch:
    """Have a mute change nothing."""
    return mock.patch.object(store.mutes, "mute", _nothing)


def a_window_forgives_for_ever() -> Patch:
    """Have what a window puts off have its grace again and again."""
    real = Calendar.spared

    def spared(self: Calendar, check: Check, deadline: datetime) -> timedelta:
        length = real(self, check, deadline)
        return length + timedelta(days=9) if length else length

    return mock.patch.object(Calendar, "spared", spared)


def a_log_is_a_bad_outcome() -> Patch:
    """Have a log count as a fail does, where several have to come in a row."""
    real = rules.on_counted

    def on_counted(check: Check, ping: Ping, **more: Any) -> Transition:
        after = real(check, ping, **more)
        if ping.action != "log" or check.down_after == 1:
            return after
        bad = after.check.bad_outcomes + 1
        return after._replace(check=after.check._replace(bad_outcomes=bad))

    return mock.patch.object(rules, "on_counted", on_counted)


def an_end_ends_all_runs() -> Patch:
    """Have the end of one run be that of all that are open."""
    return mock.patch.object(runs, "left", return_value=())


def a_step_has_schedules_read_anew() -> Patch:
    """Have deadlines worked out by the wall that was just set, where windows are."""
    return mock.patch.object(maintenance, "reckoned", holding.edited)


def who_is_back_leaves_it_at_that() -> Patch:
    """Have channels that are in the file again say nothing of what has ended."""
    return mock.patch.object(
        store.ends, "told_by_those_back", return_value=nullcontext()
    )


async def _nothing(*_: object, **__: object) -> None:
    pass


PLANTED: dict[str, Callable[[], Patch]] = {
    planted.__name__: planted
    for planted in (
        deadlines_stay_when_the_clock_is_set,
        an_edit_forgets_an_excuse,
        a_crash_counts_pings_twice,
        a_crash_forgets_what_was_put_off,
        an_alert_is_ticked_off_before_it_is_sent,
        a_filter_reads_the_wrong_part,
        any_end_ends_a_run,
        messages_go_newest_first,
        a_nearer_deadline_wakes_nobody,
        a_schedule_is_read_in_utc,
        absences_excuse_for_ever,
        reminders_go_on,
        nobody_is_muted,
        a_window_forgives_for_ever,
        a_log_is_a_bad_outcome,
        an_end_ends_all_runs,
        a_step_has_schedules_read_anew,
        who_is_back_leaves_it_at_that,
    )
}
