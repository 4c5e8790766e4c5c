"""What max_run, min_run, down_after and early do, with and without maintenance.

A cell for each signal, status and window. Of overlapping runs see test_open_runs.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from hcl.checks import rules, schedule
from hcl.checks.windows import holding
from hcl.checks.windows.calendar import Calendar
from hcl.config.settings import Window
from hcl.model import Check, Flip, Ping, Run
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
RUN = NOW - 10 * MINUTE  # the start of the run that is open

RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "max_run": {"max_run": 20 * MINUTE},
    "min_run": {"min_run": 15 * MINUTE},
    "down_after": {"down_after": 3},
    "early": {"early": 15 * MINUTE, "kind": "cron", "schedule": "10 12 * * *"},
}
STATUSES: dict[str, dict[str, Any]] = {
    "new": {},
    "up": {"status": "up", "last_ping": NOW - HOUR},
    # A ping was due, and its grace is not over.
    "late": {"status": "up", "last_ping": NOW - DAY - HOUR / 2},
    "1 bad": {"status": "up", "last_ping": NOW - HOUR, "bad_outcomes": 1},
    "2 bad": {"status": "up", "last_ping": NOW - HOUR, "bad_outcomes": 2},
    "down": {"status": "down", "last_ping": NOW - HOUR, "bad_outcomes": 3},
    "paused": {"status": "paused", "last_ping": NOW - HOUR},
}


def window(*minutes: int) -> Calendar:
    """Make windows that open and close so many minutes from NOW on."""
    times = [NOW + minute * MINUTE for minute in minutes]
    pairs = zip(times[::2], times[1::2], strict=True)
    return Calendar([Window("", start=start, end=end) for start, end in pairs])


WINDOWS = {
    "none": window(),
    "open": window(-60, 60),
    # It opened after the check was heard last, and has closed.
    "between": window(-50, -20),
    # It is closed, and opens before what is due next is over: today's, tomorrow's.
    "within grace": window(5, 120, 1410, 1500),
}

# Rule, signal: what becomes of a check of each status. The new status and the reason of
# the flip; "=": no flip. "*": it is shown as late. A run is open, but for "missed":
# then a deadline passes without any ping. "-": there is no such deadline.
# While a window is open, a bad signal leaves the status as it is.
CELLS = """
rule        signal  new           up            late          down  paused
plain       success up            =             =             up    up
plain       fail    down:fail     down:fail     down:fail     =     down:fail
plain       status0 up            =             =             up    up
plain       status7 down:fail     down:fail     down:fail     =     down:fail
plain       start   =             =             =*            =     =
plain       log     =             =             =*            =     =
plain       ign     =             =             =*            =     =
plain       overrun down:timeout  down:timeout  down:timeout  =     down:timeout
plain       missed  -             down:timeout  down:timeout  -     -

rule        signal  new           up            late          down  paused
max_run     success up            =             =             up    up
max_run     fail    down:fail     down:fail     down:fail     =     down:fail
max_run     status0 up            =             =             up    up
max_run     status7 down:fail     down:fail     down:fail     =     down:fail
max_run     start   =             =             =*            =     =
max_run     log     =             =             =*            =     =
max_run     ign     =             =             =*            =     =
max_run     overrun down:overran  down:overran  down:overran  =     down:overran
max_run     missed  -             down:missed   down:missed   -     -
min_run     success down:short    down:short    down:short    =     down:short
min_run     fail    down:fail     down:fail     down:fail     =     down:fail
min_run     status0 down:short    down:short    down:short    =     down:short
min_run     status7 down:fail     down:fail     down:fail     =     down:fail
min_run     start   =             =             =*            =     =
min_run     log     =             =             =*            =     =
min_run     ign     =             =             =*            =     =
min_run     overrun down:timeout  down:timeout  down:missed   =     down:timeout
min_run     missed  -             down:missed   down:missed   -     -
early       success up            =             =             up    up
early       fail    down:fail     down:fail     down:fail     =     down:fail
early       status0 up            =             =             up    up
early       status7 down:fail     down:fail     down:fail     =     down:fail
early       start   =             =             =*            =     =
early       log     =             =             =*            =     =
early       ign     =             =             =*            =     =
early       overrun down:timeout  down:timeout  down:missed   =     down:timeout
early       missed  -             down:missed   down:missed   -     -

rule        signal  new  up  late  1 bad  2 bad           down  paused
down_after  success up   =   =     =      =               up    up
down_after  fail    up*  =*  =*    =*     down:fail       =     up*
down_after  status0 up   =   =     =      =               up    up
down_after  status7 up*  =*  =*    =*     down:fail       =     up*
down_after  start   =    =   =*    =*     =*              =     =
down_after  log     =    =   =*    =*     =*              =     =
down_after  ign     =    =   =*    =*     =*              =     =
down_after  overrun up*  =*  =*    =*     down:timeout    =     up*
down_after  missed  -    =*  =*    =*     down:missed     -     -
"""


def cells() -> list[tuple[str, str, str, str]]:
    """Read the table: rule, signal, status, and what is expected."""
    found, columns = [], []
    for line in filter(None, CELLS.splitlines()):
        words = line.replace("1 bad", "1_bad").replace("2 bad", "2_bad").split()
        if words[0] == "rule":
            columns = [word.replace("_", " ") for word in words[2:]]
            continue
        for status, expected in zip(columns, words[2:], strict=True):
            found.append((words[0], words[1], status, expected))
    return found


# When deadlines pass, in minutes from NOW on: in a window none does. What was due in
# it, or has its grace while it is open, has its grace (an hour) at its end.
DEADLINES = """
rule        signal   status  none  open  between  within
plain       overrun  *       50    120   50       180
plain       overrun  late    30    120   40       180
plain       missed   *       1440  1440  1440     1560
plain       missed   late    30    120   40       180
max_run     overrun  *       10    120   10       180
max_run     missed   *       1440  1440  1440     1560
max_run     missed   late    30    120   40       180
min_run     overrun  *       50    120   50       180
min_run     overrun  late    30    120   40       180
min_run     missed   *       1440  1440  1440     1560
min_run     missed   late    30    120   40       180
early       overrun  *       50    120   50       180
early       overrun  late    30    120   40       180
early       missed   *       70    120   70       180
early       missed   late    30    120   40       180
down_after  overrun  *       50    120   50       180
down_after  overrun  late    30    120   40       180
down_after  missed   *       1440  1440  1440     1560
down_after  missed   late    30    120   40       180
"""
MOMENTS = {
    (rule, signal, status, window): int(minute)
    for rule, signal, status, *minutes in map(str.split, DEADLINES.split("\n")[2:-1])
    for window, minute in zip(WINDOWS, minutes, strict=True)
}


@pytest.mark.parametrize(("rule", "signal", "status", "expected"), cells())
def test_cell(rule: str, signal: str, status: str, expected: str) -> None:
    for name, calendar in WINDOWS.items():
        run = {} if signal == "missed" else {"last_start": RUN}
        bad = {} if rule == "down_after" else {"bad_outcomes": 0}
        check = make_check(**{**RULES[rule], **STATUSES[status], **run, **bad})
        if rule == "early" and status == "late":
            check = check._replace(schedule="30 11 * * *")
        check = holding.held(rules.on_edit(check, RUN).check, calendar)

        now, after, flip = received(check, signal, calendar)

        assert outcome(check, after, flip, now) == in_window(
            name, rule, signal, status, expected
        ), name
        # Told once: nothing is left that has passed.
        assert after.alert_after is None or after.alert_after > now
        if signal in ("overrun", "missed") and check.alert_after is not None:
            default = MOMENTS[rule, signal, "*", name]
            minute = MOMENTS.get((rule, signal, status, name), default)
            assert (now - NOW) / MINUTE == minute, name


def in_window(name: str, rule: str, signal: str, status: str, expected: str) -> str:
    """Return what is expected in a window, by what is expected without one."""
    is_short = rule == "min_run" and signal in ("success", "status0")
    if name != "open" or not (is_short or signal in ("fail", "status7")):
        return expected
    # Nobody is called down, and nothing counts: what was late is late still.
    return "=*" if status in ("late", "1 bad", "2 bad") else "="


def outcome(check: Check, after: Check, flip: Flip | None, now: datetime) -> str:
    """Put what became of a check as the table does."""
    if check.alert_after is None and now == NOTHING_DUE:
        return "=" if check.last_start else "-"
    assert after.status == (flip.new_status if flip else check.status)
    said = "=" if flip is None else ":".join((flip.new_status, flip.reason)).strip(":")
    return said + "*" * (rules.shown_status(after, now) == "grace")


NOTHING_DUE = NOW - DAY


def received(
    check: Check, signal: str, calendar: Calendar
) -> tuple[datetime, Check, Flip | None]:
    """Let a check have a signal, or its deadline pass."""
    if signal in ("overrun", "missed"):
        now = check.alert_after
        if now is None:
            return NOTHING_DUE, check, None
        assert holding.on_deadline(check, now - MICROSECOND, calendar).flip is None
        after, flip, _ = holding.on_deadline(check, now, calendar)
        shown = rules.shown_status(check, now)
        assert shown == rules.shown_status(after, now)
        return now, after, flip
    ping = make_ping()
    if signal.startswith("status"):
        action = "success" if signal == "status0" else "fail"
        ping = make_ping(action=action, exitstatus=int(signal[-1]))
    elif signal == "ign":
        check = check._replace(methods="POST")
    else:
        ping = make_ping(action=signal)
    transition, kept = rules.on_ping(check, ping)
    if kept.action not in ("log", "ign"):
        transition, _ = holding.on_ping(check, transition, kept, calendar)
    return NOW, transition.check, transition.flip


# --- max_run


def up(**overrides: Any) -> Check:
    """Make a check that was heard an hour ago, with its deadline."""
    check = make_check(**({"status": "up", "last_ping": NOW - HOUR} | overrides))
    return rules.on_edit(check, NOW - HOUR).check


def after(check: Check, *signals: tuple[str, timedelta] | Ping) -> Check:
    """Let a check have signals, at so long after NOW, and let time pass between."""
    for signal in signals:
        if isinstance(signal, Ping):
            ping = signal
        else:
            ping = make_ping(action=signal[0], created=NOW + signal[1])
        check = rules.on_deadline(check, ping.created).check
        check = rules.on_ping(check, ping)[0].check
    return check


@pytest.mark.parametrize(
    ("max_run", "grace"),
    [
        (3 * HOUR, 10 * MINUTE),  # longer than grace
        (timedelta(seconds=5), HOUR),  # shorter than a minute
        (timedelta(seconds=1), MINUTE),
        (HOUR, HOUR),
    ],
)
def test_run_ends_by_max_run_whatever_grace_is(
    max_run: timedelta, grace: timedelta
) -> None:
    check = after(up(max_run=max_run, grace=grace), ("start", 0 * HOUR))

    assert check.alert_after == NOW + max_run
    assert rules.on_deadline(check, NOW + max_run - MICROSECOND).flip is None
    assert rules.on_deadline(check, NOW + max_run).flip == Flip(
        NOW + max_run, "up", "down", "overran"
    )


def test_run_that_began_in_time_is_what_was_expected() -> None:
    """A job of three hours is due at noon, with ten minutes of grace to begin."""
    check = up(kind="cron", schedule="0 12 * * *", grace=10 * MINUTE, max_run=3 * HOUR)
    assert check.alert_after == NOW + 10 * MINUTE

    check = after(check, ("start", 2 * MINUTE))

    assert check.alert_after == NOW + 2 * MINUTE + 3 * HOUR
    assert schedule.next_ping(check) == NOW
    assert rules.shown_status(check, NOW + HOUR) == "grace"
    check = after(check, ("success", 2 * HOUR))
    assert check.alert_after == NOW + DAY + 10 * MINUTE


def test_run_from_before_the_last_outcome_holds_nothing_off() -> None:
    """One that hangs, while others end well, does not stand for what is due."""
    check = up(timeout=HOUR, grace=10 * MINUTE, max_run=DAY)
    hangs = make_ping(action="start", rid="a")
    well = [make_ping(action=action, rid="b") for action in ("start", "success")]

    check = after(check, hangs, *(ping._replace(created=NOW + MINUTE) for ping in well))

    assert check.alert_after == NOW + MINUTE + HOUR + 10 * MINUTE


def test_edit_gives_the_open_run_its_end() -> None:
    check = up(last_start=NOW)

    check = rules.on_edit(check._replace(max_run=5 * MINUTE), NOW + HOUR / 4).check

    assert check.alert_after == NOW + 5 * MINUTE
    # And takes it.
    check = rules.on_edit(check._replace(max_run=None), NOW + HOUR / 4).check
    assert (check.alert_after, check.open_runs) == (NOW + HOUR, ())


# --- min_run


@pytest.mark.parametrize(
    ("length", "kept"),
    [
        (timedelta(0), "fail"),
        (timedelta(seconds=2), "fail"),
        (MINUTE - MICROSECOND, "fail"),
        (MINUTE, "success"),
        (HOUR / 2, "success"),
    ],
)
def test_success_that_comes_too_soon_is_kept_as_a_fail(
    length: timedelta, kept: str
) -> None:
    check = after(up(min_run=MINUTE), ("start", 0 * HOUR))

    (changed, flip, _), ping = rules.on_ping(check, make_ping(created=NOW + length))

    assert ping.action == kept
    assert (flip and flip.reason) == ("short" if kept == "fail" else None)
    assert changed.last_duration == length


def test_success_that_ends_no_run_is_not_too_short() -> None:
    check = up(min_run=MINUTE)

    assert rules.on_ping(check, make_ping())[1].action == "success"
    # Nor one that ends a run by another name.
    check = after(check, make_ping(action="start", rid="a"))
    assert rules.on_ping(check, make_ping(rid="b"))[1].action == "success"


# --- down_after


def test_each_missed_moment_is_a_bad_outcome() -> None:
    check = up(timeout=HOUR, grace=5 * MINUTE, down_after=3)

    for count, moment in ((1, NOW), (2, NOW + HOUR)):
        assert check.alert_after == moment + 5 * MINUTE
        assert schedule.next_ping(check) == moment
        check, flip, _ = rules.on_deadline(check, moment + 5 * MINUTE)
        assert (check.bad_outcomes, flip, check.missed) == (count, None, moment)
        assert rules.shown_status(check, moment + 6 * MINUTE) == "grace"

    third = NOW + 2 * HOUR + 5 * MINUTE
    check, flip, _ = rules.on_deadline(check, third)
    assert flip == Flip(third, "up", "down", "missed")
    assert (check.bad_outcomes, check.alert_after) == (3, None)


def test_missed_occurrences_are_those_of_the_schedule() -> None:
    check = up(kind="cron", schedule="0 13 * * 1-5", grace=5 * MINUTE, down_after=5)
    deadlines = []
    while check.status == "up" and check.alert_after:
        deadlines.append(check.alert_after)
        check = rules.on_deadline(check, check.alert_after).check

    # NOW is a Monday.
    assert deadlines == [NOW + HOUR + days * DAY + 5 * MINUTE for days in range(5)]


def test_late_look_counts_all_that_passed() -> None:
    check = up(timeout=HOUR, grace=5 * MINUTE, down_after=3)

    assert rules.shown_status(check, NOW + 2 * HOUR) == "grace"
    assert rules.on_deadline(check, NOW + 2 * HOUR).check.bad_outcomes == 2
    third = NOW + 2 * HOUR + 5 * MINUTE
    assert rules.shown_status(check, NOW + 9 * HOUR) == "down"
    assert rules.on_deadline(check, NOW + 9 * HOUR).flip == Flip(
        third, "up", "down", "missed"
    )


@pytest.mark.parametrize(
    ("signals", "bad"),
    [
        ("f", 1),
        ("ff", 2),
        ("fsf", 1),
        ("flf", 2),  # what is only logged changes nothing
        ("fif", 2),
        ("fbf", 2),  # nor does a start
        ("ffs", 0),
        ("fffs", 0),
        ("ffff", 3),  # a check that is down counts no further
    ],
)
def test_bad_outcomes_in_a_row(signals: str, bad: int) -> None:
    actions = {"f": "fail", "s": "success", "l": "log", "i": "ign", "b": "start"}

    check = after(
        up(down_after=3),
        *((actions[letter], n * MINUTE) for n, letter in enumerate(signals)),
    )

    assert check.bad_outcomes == bad
    assert check.status == ("down" if "fff" in signals and bad else "up")


def test_fail_was_heard_so_that_the_next_ping_counts_from_it() -> None:
    check = after(up(down_after=2, timeout=HOUR), ("fail", -HOUR / 2))

    assert check.alert_after == NOW + HOUR / 2 + HOUR
    assert rules.on_deadline(check, NOW + 2 * HOUR).flip == Flip(
        NOW + HOUR / 2 + HOUR, "up", "down", "missed"
    )


@pytest.mark.parametrize("status", ["new", "paused"])
def test_job_whose_first_run_hangs_is_told_if_nothing_comes_of_it(status: str) -> None:
    check = make_check(status=status, down_after=3, timeout=HOUR, grace=5 * MINUTE)
    check = after(check, ("start", 0 * HOUR))

    check, flip, _ = rules.on_deadline(check, NOW + 5 * MINUTE)

    assert flip == Flip(NOW + 5 * MINUTE, status, "up", "")  # type: ignore[arg-type]
    third = NOW + 2 * HOUR + 10 * MINUTE
    assert rules.on_deadline(check, third - MICROSECOND).check.status == "up"
    assert rules.on_deadline(check, third).flip == Flip(third, "up", "down", "missed")


def test_fail_that_calls_nobody_down_ends_no_lateness() -> None:
    """Else people were told that it is up."""
    late = up(down_after=3)._replace(late_since=NOW - HOUR / 2)

    assert after(late, ("fail", 0 * HOUR)).late_since == NOW - HOUR / 2
    # What ends it: a success, and going down.
    assert after(late, ("fail", 0 * HOUR), ("success", MINUTE)).late_since is None
    # While its run was open, nobody was told.
    ran = after(up(down_after=3), ("start", 0 * HOUR))._replace(late_since=NOW)
    assert after(ran, ("fail", MINUTE)).late_since is None
    # Nor while another run was, that began before the first had ended.
    assert after(ran, ("start", MINUTE), ("fail", 2 * MINUTE)).late_since is None
    # What they were told lasts, whatever begins.
    both = (("start", MINUTE), ("start", 2 * MINUTE), ("fail", 3 * MINUTE))
    assert after(late, *both).late_since == NOW - HOUR / 2
    third = after(late, *[("fail", n * MINUTE) for n in range(3)])
    assert (third.status, third.late_since) == ("down", None)


def test_hanging_run_is_one_bad_outcome_and_not_told_again() -> None:
    check = after(
        up(down_after=3, max_run=5 * MINUTE, timeout=HOUR, grace=10 * MINUTE),
        ("start", 0 * HOUR),
    )

    check, flip, _ = rules.on_deadline(check, NOW + 5 * MINUTE)

    assert (check.bad_outcomes, flip) == (1, None)
    assert check.open_runs == (Run(NOW, None, True),)
    # The next moment counts from its end.
    assert check.alert_after == NOW + 5 * MINUTE + HOUR + 10 * MINUTE
    check = rules.on_deadline(check, check.alert_after).check
    assert (check.bad_outcomes, check.last_start) == (2, NOW)


def test_pause_and_resume_forget_bad_outcomes() -> None:
    check = after(up(down_after=3), ("fail", 0 * HOUR), ("fail", MINUTE))
    assert check.bad_outcomes == 2

    check = rules.on_pause(check, NOW).check
    assert (check.bad_outcomes, check.missed, check.open_runs) == (0, None, ())
    check = rules.on_resume(check, NOW).check
    assert rules.shown_status(check, NOW) == "new"


@pytest.mark.parametrize("down_after", [1, 2])
def test_edit_leaves_the_status_and_the_next_bad_outcome_counts(
    down_after: int,
) -> None:
    check = after(up(down_after=3), ("fail", 0 * HOUR), ("fail", MINUTE))

    check = rules.on_edit(check._replace(down_after=down_after), NOW).check

    assert (check.status, rules.shown_status(check, NOW)) == ("up", "grace")
    assert after(check, ("fail", 2 * MINUTE)).status == "down"
    assert after(check, ("success", 2 * MINUTE)).bad_outcomes == 0


def test_down_check_stays_down_however_many_it_would_take() -> None:
    check = after(up(), ("fail", 0 * HOUR))

    check = rules.on_edit(check._replace(down_after=5), NOW).check

    assert check.status == "down"
    assert after(check, ("fail", MINUTE)).status == "down"


# --- early


@pytest.mark.parametrize(
    ("minutes", "due"),
    [
        # So many minutes before noon, or after: hours to the next.
        (-20, 0),
        (-15 - 1 / 60_000_000, 0),
        (-15, 24),
        (-1, 24),
        (0, 24),
        (30, 24),
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        {"kind": "cron", "schedule": "0 12 * * *"},
        {"kind": "oncalendar", "schedule": "*-*-* 12:00:00"},
    ],
)
def test_early_success_counts_for_the_occurrence(
    written: dict[str, str], minutes: float, due: int
) -> None:
    check = make_check(status="up", early=15 * MINUTE, **written)
    at = NOW + timedelta(seconds=round(minutes * 60, 6))

    check = after(check, make_ping(created=at))

    assert schedule.next_ping(check) == NOW + due * HOUR
    assert check.alert_after == NOW + due * HOUR + HOUR


def test_one_occurrence_is_skipped_however_early_a_success_may_be() -> None:
    check = make_check(kind="cron", schedule="*/5 * * * *", early=HOUR)

    assert schedule.next_ping(after(check, ("success", 0 * HOUR))) == NOW + 10 * MINUTE


def test_fail_is_never_early() -> None:
    check = up(kind="cron", schedule="0 13 * * *", early=2 * HOUR, down_after=2)

    assert schedule.next_ping(after(check, ("fail", 0 * HOUR))) == NOW + HOUR


# NOW is a Monday.
@pytest.mark.parametrize("minutes", [-15, -1, 0, 30])
@pytest.mark.parametrize(
    ("written", "due"),
    [
        ({"kind": "cron", "schedule": "0 12 * * *"}, DAY),
        ({"kind": "cron", "schedule": "0 12 * * 1"}, 7 * DAY),
        ({"kind": "oncalendar", "schedule": "Mon,Thu *-*-* 12:00:00"}, 3 * DAY),
    ],
)
def test_early_success_is_early_too_while_the_wall_is_not_known(
    written: dict[str, str], due: timedelta, minutes: int
) -> None:
    """It is no reason to expect the next as early."""
    check = make_check(status="up", early=15 * MINUTE, **written)
    success = make_ping(created=NOW + minutes * MINUTE)

    check = rules.on_ping(check, success, loose=True)[0].check

    assert check.alert_after == NOW + due + max(minutes, 0) * MINUTE + HOUR


def test_simple_check_is_never_early() -> None:
    assert after(up(early=HOUR), ("success", 0 * HOUR)).alert_after == NOW + DAY + HOUR


# --- all of them


def test_rules_join() -> None:
    """A short run, one that hangs and a missed moment are three in a row."""
    check = up(
        timeout=HOUR,
        grace=5 * MINUTE,
        max_run=20 * MINUTE,
        min_run=MINUTE,
        down_after=3,
    )
    seconds = timedelta(seconds=1)
    check = after(check, ("start", 0 * HOUR), ("success", 2 * seconds))
    assert (check.bad_outcomes, check.status) == (1, "up")
    check = after(check, ("start", HOUR))
    check = rules.on_deadline(check, NOW + HOUR + 20 * MINUTE).check
    assert check.bad_outcomes == 2

    third = NOW + 2 * HOUR + 25 * MINUTE
    assert check.alert_after == third
    assert rules.on_deadline(check, third).flip == Flip(third, "up", "down", "missed")


def test_lists_work_out_no_schedule_of_jobs_that_do_not_run() -> None:
    """A schedule may take 50 ms, and a list has thousands of checks."""
    check = up(kind="oncalendar", schedule="hourly", max_run=HOUR, down_after=2)
    check = after(check, ("fail", 0 * HOUR))

    broken = check._replace(schedule="is not read")

    for each in (check, broken):
        assert schedule.next_ping(each) == NOW + HOUR
        assert rules.shown_status(each, NOW) == "grace"
        assert rules.next_turn(each, NOW) == NOW + HOUR
