"""What pings do to a check that are told late, each with the time it is of."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcl.checks import causes, rules, told_late
from hcl.checks.deadlines import Transition
from hcl.model import Check, Run
from tests.build import DAY, HOUR, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
RID, OTHER = (
    "3b4c1f6e-9a2d-4f0b-8c5e-1d2e3f4a5b6a",
    "1a2b3c4d-0000-4000-8000-000000000000",
)
BACK = NOW + 5 * HOUR + 5 * MINUTE
HOURLY: dict[str, Any] = {"timeout": HOUR, "grace": 10 * MINUTE}


def up(**overrides: Any) -> Check:
    """Return a check that was heard at NOW, and its deadline."""
    values = {"status": "up", "last_ping": NOW, "n_pings": 1}
    return rules.on_edit(make_check(**(values | overrides)), NOW).check


def told(
    check: Check,
    at: datetime,
    received: datetime = BACK,
    turned: datetime | None = None,
    **ping: Any,
) -> Transition:
    late = make_ping(created=at, **ping)
    return told_late.on_late_ping(check, late, received, turned=turned)[0]


def runs_of(hours: Iterable[float]) -> list[tuple[str, datetime]]:
    """Return starts and successes of runs of a minute that end at these hours."""
    ends = [NOW + hour * HOUR for hour in hours]
    return [
        told
        for end in ends
        for told in (("start", end - MINUTE), ("success", end))
    ]  # fmt: skip


def flips_of(check: Check, signals: Iterable[tuple[str, datetime]]) -> list[str]:
    """Tell signals late one by one; time calls down, as a checker that never sleeps."""
    flips: list[str] = []
    for action, at in signals:
        transition = told(check, at, action=action)
        later = rules.on_deadline(transition.check, BACK)
        check = later.check
        flips += [each.flip.new_status for each in (transition, later) if each.flip]
    assert check.status == "up"
    assert check.alert_after == NOW + 6 * HOUR + 10 * MINUTE
    return flips


FINER: list[dict[str, Any]] = [
    {},
    {"max_run": HOUR},
    {"down_after": 2},
    {"early": HOUR},
]


# --- an outage of hours is over


@pytest.mark.parametrize("finer", FINER, ids=str)
def test_an_absence_is_excused_still_while_its_signals_are_told(
    finer: dict[str, Any],
) -> None:
    """hcl was away for five hours, and a job ran every hour."""
    check = up(**HOURLY, **finer, counted_from=BACK, excused=1)

    assert flips_of(check, runs_of(range(1, 6))) == []


def test_the_last_chance_after_many_absences_is_left_to_what_is_told() -> None:
    check = up(**HOURLY, excused=3, not_before=BACK + MINUTE)

    assert flips_of(check, runs_of(range(1, 6))) == []


@pytest.mark.parametrize("finer", FINER, ids=str)
def test_who_is_down_comes_up_once_by_the_signals_of_hours(
    finer: dict[str, Any],
) -> None:
    """The network was away for five hours: it went down, which was told."""
    down = make_check(**HOURLY, **finer, status="down", last_ping=NOW, n_pings=1)

    assert flips_of(down, runs_of(range(1, 6))) == ["up"]


def test_who_would_be_due_again_stays_down() -> None:
    down = make_check(**HOURLY, status="down", last_ping=NOW, n_pings=1)

    transition = told(down, NOW + 2 * HOUR)

    after = transition.check
    assert (transition.flip, after.status, after.alert_after) == (None, "down", None)
    assert (after.last_ping, after.n_pings) == (NOW + 2 * HOUR, 2)
    # What is told next has its length.
    after = told(after, NOW + 3 * HOUR - MINUTE, action="start").check
    assert told(after, NOW + 3 * HOUR).check.last_duration == MINUTE


def test_with_an_excuse_it_goes_down_as_soon_as_without_the_signal() -> None:
    """The job died while hcl was away; what it told is from before."""
    check = up(**HOURLY, counted_from=BACK, excused=1)

    after = told(check, NOW + HOUR).check

    assert after.alert_after == check.alert_after == BACK + HOUR + 10 * MINUTE
    assert (after.last_ping, after.excused) == (NOW + HOUR, 1)


@pytest.mark.parametrize(
    ("ahead", "excused", "minutes", "is_newer"),
    [
        # It was heard at noon, by a clock that was set since.
        (HOUR, 0, 10, True),
        (HOUR, 0, -10, False),
        (-HOUR, 0, 10, True),
        (-HOUR, 0, -10, False),
        # Before a return at noon, and nobody knows when.
        (HOUR, 1, -10, True),
    ],
)
def test_what_was_heard_by_a_clock_that_was_set_is_no_newer_for_that(
    ahead: timedelta, excused: int, minutes: int, is_newer: bool
) -> None:
    """What a clock showed that was ahead passes over no signals of an hour since."""
    check = up(**HOURLY, last_ping=NOW + ahead, counted_from=NOW, excused=excused)
    at = NOW + minutes * MINUTE

    after = told(check, at, NOW + 20 * MINUTE, action="fail").check

    assert (after.status == "down") == (after.last_ping == at) == is_newer


@pytest.mark.parametrize("finer", FINER, ids=str)
def test_what_is_of_after_the_return_ends_the_excuse(finer: dict[str, Any]) -> None:
    """Though the next one is nearly due as well."""
    check = up(**HOURLY, **finer, counted_from=NOW, excused=1, last_ping=NOW - HOUR)
    received = NOW + 69.75 * MINUTE

    after = told(check, NOW + MINUTE / 2, received).check

    assert (after.counted_from, after.excused, after.missed) == (None, 0, None)
    is_last = "down_after" not in finer
    assert after.alert_after == (received + MINUTE if is_last else NOW + 70.5 * MINUTE)


def test_what_was_missed_before_is_over() -> None:
    """It takes two, and both runs that are too long."""
    check = up(**HOURLY, down_after=2, last_ping=NOW - HOUR)
    check = rules.on_deadline(check, NOW + 11 * MINUTE).check
    assert (check.missed, check.bad_outcomes) == (NOW, 1)
    for rid, minutes in ((RID, 56), (OTHER, 56.25)):
        at = NOW + minutes * MINUTE
        start = make_ping(action="start", rid=rid, created=at)
        check = rules.on_ping(check, start)[0].check

    third = str(UUID(int=3))
    after = told(check, NOW + 58 * MINUTE, NOW + 65.75 * MINUTE, rid=third).check

    assert (after.status, after.missed, after.bad_outcomes) == ("up", None, 0)
    assert after.alert_after == NOW + 66.75 * MINUTE


def test_a_new_check_goes_down_a_minute_after_a_signal_of_days_ago() -> None:
    """Others may follow, and then it goes down later than it came up."""
    first = told(make_check(), NOW - 4 * DAY, received=NOW)
    second = told(first.check, NOW - 3 * DAY, received=NOW + MINUTE / 2)

    assert first.flip is not None
    assert (first.flip.created, first.check.alert_after) == (NOW, NOW + MINUTE)
    assert second.check.alert_after == NOW + 1.5 * MINUTE
    flip = rules.on_deadline(second.check, NOW + HOUR).flip
    assert flip is not None
    assert (flip.created, flip.new_status) == (NOW + 1.5 * MINUTE, "down")
    # It was due long ago, and had its grace then.
    down = rules.on_deadline(second.check, NOW + HOUR).check
    assert causes.missed(down, flip.created) == (NOW - 2 * DAY, HOUR)


@pytest.mark.parametrize("finer", FINER[:2], ids=str)
@pytest.mark.parametrize("status", ["up", "new", "paused"])
def test_a_run_that_is_over_is_not_too_long_while_its_end_may_follow(
    finer: dict[str, Any], status: str
) -> None:
    check = up(**finer) if status == "up" else make_check(**finer, status=status)

    begun = told(check, NOW + HOUR, action="start", rid=RID).check

    assert begun.alert_after == BACK + MINUTE
    assert rules.shown_status(begun, BACK) != "down"
    assert rules.next_turn(begun, BACK) == BACK + MINUTE
    assert rules.shown_status(begun, BACK + MINUTE) == "down"
    after = told(begun, NOW + 1.5 * HOUR, rid=RID).check
    assert (after.status, after.alert_after) == ("up", NOW + 26.5 * HOUR)
    assert after.last_duration == HOUR / 2


@pytest.mark.parametrize("finer", FINER[:2], ids=str)
def test_its_end_may_follow_though_another_run_ends_meanwhile(
    finer: dict[str, Any],
) -> None:
    begun = told(up(**finer), NOW + HOUR, action="start", rid=RID).check
    at = BACK + timedelta(seconds=10)

    ended = make_ping(created=at, rid=OTHER)
    after = rules.on_ping(begun, ended)[0].check

    assert after.alert_after == BACK + MINUTE
    assert rules.shown_status(after, at) != "down"
    after = told(after, NOW + 1.5 * HOUR, at, rid=RID).check
    assert after.last_start is None
    assert rules.shown_status(after, at) == "up"


def test_a_run_that_hangs_is_told_a_minute_later() -> None:
    begun = told(up(), NOW + HOUR, action="start").check

    flip = rules.on_deadline(begun, BACK + MINUTE).flip

    assert flip is not None
    assert (flip.created, flip.new_status) == (BACK + MINUTE, "down")
    overrun = causes.overrun(begun._replace(status="down"), "timeout", flip.created)
    assert overrun == (NOW + HOUR, HOUR, None)


@pytest.mark.parametrize(
    ("finer", "action", "behind"),
    [
        # Each hangs, and what tells of it is as late as ever.
        ({}, "start", 2 * HOUR),
        # One hangs, others end, and each is told by a slow network.
        ({"max_run": 10 * MINUTE}, "success", MINUTE / 12),
        ({}, "success", MINUTE / 12),
    ],
    ids=str,
)
def test_who_is_always_late_keeps_up_nothing_that_hangs(
    finer: dict[str, Any], action: str, behind: timedelta
) -> None:
    # hcl was away as long.
    check = up(**HOURLY, **finer, counted_from=NOW + behind, excused=1)
    check = rules.on_ping(check, make_ping(action="start", rid=RID))[0].check
    received = NOW + behind

    while received < NOW + behind + 12 * MINUTE and check.status == "up":
        check = told(check, received - behind, received, action=action, rid=OTHER).check
        received += MINUTE - timedelta(seconds=10)
        check = rules.on_deadline(check, received).check

    assert check.status == "down"


def test_who_is_due_in_a_window_comes_up() -> None:
    """By windows of maintenance it is due again tomorrow."""
    down = make_check(**HOURLY, status="down", last_ping=NOW, n_pings=1)
    late = make_ping(created=NOW + HOUR)

    def hold(check: Check) -> Check:
        assert check.alert_after is not None
        return check._replace(alert_after=check.alert_after + DAY)

    transition, _ = told_late.on_late_ping(down, late, BACK, hold=hold)

    assert transition.flip is not None
    assert (transition.flip.new_status, transition.flip.created) == ("up", BACK)


# --- runs that began later


@pytest.mark.parametrize("finer", [*FINER, {"min_run": HOUR}], ids=str)
@pytest.mark.parametrize("action", ["success", "fail"])
@pytest.mark.parametrize(("rid", "other"), [(None, None), (None, OTHER), (RID, OTHER)])
def test_an_outcome_ends_no_run_that_began_later(
    finer: dict[str, Any], action: str, rid: str | None, other: str | None
) -> None:
    begun = BACK - MINUTE
    check = up(**finer)
    start = make_ping(action="start", rid=rid, created=begun)
    check = rules.on_ping(check, start)[0].check

    transition = told(check, BACK - 2 * MINUTE, action=action, rid=other)

    after = transition.check
    assert (after.last_start, after.last_start_rid) == (begun, rid)
    assert after.last_duration is None
    assert after.last_ping == BACK - 2 * MINUTE
    is_down = action == "fail" and "down_after" not in finer
    assert after.status == ("down" if is_down else "up")
    assert after.open_runs == ((Run(begun, rid),) if after.is_finer else ())
    # Its own end tells how long it took.
    ended = rules.on_ping(after, make_ping(rid=rid, created=begun + 2 * HOUR))[0].check
    assert (ended.last_start, ended.last_duration) == (None, 2 * HOUR)


@pytest.mark.parametrize("finer", [*FINER, {"min_run": HOUR}], ids=str)
@pytest.mark.parametrize("is_past", [False, True])
def test_an_outcome_ends_the_run_that_it_names_whatever_the_clocks_say(
    finer: dict[str, Any], *, is_past: bool
) -> None:
    """The start was told at once, and timed here; the job's own clock is behind."""
    check = up(**finer)
    start = make_ping(action="start", rid=RID, created=BACK - MINUTE)
    check = rules.on_ping(check, start)[0].check
    if is_past:
        other = make_ping(rid=OTHER, created=BACK - MINUTE / 2)
        check = rules.on_ping(check, other)[0].check

    transition = told(check, BACK - 2 * MINUTE, rid=RID)

    after = transition.check
    assert (transition.flip, after.status) == (None, "up")
    assert (after.last_start, after.open_runs, after.bad_outcomes) == (None, (), 0)
    heard = BACK - (MINUTE / 2 if is_past else 2 * MINUTE)
    assert (after.last_ping, after.alert_after) == (heard, heard + DAY + HOUR)


@pytest.mark.parametrize("finer", FINER[:2], ids=str)
@pytest.mark.parametrize(("rid", "other"), [(RID, OTHER), (None, OTHER)])
def test_an_outcome_that_others_have_followed_ends_its_run(
    finer: dict[str, Any], rid: str | None, other: str
) -> None:
    """Else it would be taken to run on, and to be too long."""
    check = up(**finer)
    for action, name, minutes in (("start", rid, 10), ("success", other, 30)):
        at = NOW + minutes * MINUTE
        check = rules.on_ping(check, make_ping(action=action, rid=name, created=at))[
            0
        ].check
    assert check.last_start == NOW + 10 * MINUTE

    transition = told(check, NOW + 20 * MINUTE, NOW + 40 * MINUTE, rid=rid)

    after = transition.check
    assert (transition.flip, after.last_start, after.open_runs) == (None, None, ())
    assert after.last_ping == NOW + 30 * MINUTE
    assert after.alert_after == NOW + 30 * MINUTE + DAY + HOUR
    # One of before that run ends nothing, unless it names it.
    before = told(check, NOW + 5 * MINUTE, rid=rid).check
    assert before.last_start == (None if rid else check.last_start)


@pytest.mark.parametrize("action", ["success", "fail"])
@pytest.mark.parametrize("down_after", [1, 2])
def test_an_end_that_others_have_followed_calls_nobody_down(
    action: str, down_after: int
) -> None:
    """It is of the run that was waited for, by a clock that is far behind."""
    check = up(**HOURLY, max_run=2 * HOUR, down_after=down_after)
    start = make_ping(action="start", rid=RID, created=NOW + HOUR / 2)
    check = rules.on_ping(check, start)[0].check
    received = NOW + 1.5 * HOUR

    after = told(check, NOW - HOUR, received, action=action, rid=RID).check

    assert after.open_runs == ()
    assert rules.on_deadline(after, received).check == after
    # If nothing else comes, it is told when that run would have had to end.
    assert after.alert_after == NOW + 2.5 * HOUR
    then = rules.on_deadline(after, NOW + 2.5 * HOUR).check
    assert then.status == ("down" if down_after == 1 else "up")
    assert rules.shown_status(then, NOW + 2.5 * HOUR) != "up"


@pytest.mark.parametrize("rid", [None, RID])
def test_who_tells_the_same_twice_has_failed_once(rid: str | None) -> None:
    """The answer to the first was lost: whoever sent it cannot know that it counted."""
    check = up(**HOURLY, down_after=2)
    fail: dict[str, Any] = {"action": "fail", "rid": rid}

    once = told(check, NOW + HOUR / 2, NOW + HOUR, **fail).check
    twice = told(once, NOW + HOUR / 2, NOW + HOUR + MINUTE, **fail)

    assert twice == Transition(once._replace(n_pings=once.n_pings + 1))
    assert (once.status, once.bad_outcomes) == ("up", 1)
    # Another run may have ended at the same moment.
    start = make_ping(action="start", rid=OTHER, created=NOW + HOUR / 4)
    other = rules.on_ping(once, start)[0].check
    after = told(other, NOW + HOUR / 2, NOW + HOUR, action="fail", rid=OTHER)
    assert after.check.status == "down"


def test_a_run_that_was_too_short_is_so_though_its_end_is_told_twice() -> None:
    check = up(**HOURLY, min_run=10 * MINUTE)
    start = make_ping(action="start", rid=RID, created=NOW + HOUR / 2)
    check = rules.on_ping(check, start)[0].check

    for _ in range(2):
        end = NOW + HOUR / 2 + MINUTE
        check = told(check, end, NOW + HOUR, rid=RID).check

    assert check.status == "down"


# --- pauses


@pytest.mark.parametrize("status", ["paused", "new"])
@pytest.mark.parametrize("action", ["success", "fail", "start", "log"])
def test_what_is_older_than_a_pause_or_its_end_does_not_undo_it(
    status: str, action: str
) -> None:
    check = make_check(status=status, n_pings=1)

    old = told(check, NOW - MINUTE, NOW + MINUTE, turned=NOW, action=action)
    young = told(check, NOW + MINUTE, NOW + MINUTE, turned=NOW)

    assert old == Transition(check._replace(n_pings=2))
    assert young.check.status == "up"


# --- being late


def test_who_is_late_still_by_what_was_told_is_late_since_before() -> None:
    since = NOW + HOUR
    check = up(**HOURLY, late_since=since)

    still = told(check, NOW + MINUTE, NOW + HOUR + 5 * MINUTE).check
    no_more = told(check, NOW + 30 * MINUTE, NOW + HOUR + 5 * MINUTE).check

    assert (still.late_since, no_more.late_since) == (since, None)


def test_what_was_missed_since_counts_still() -> None:
    """Of several bad outcomes that it takes none is forgotten, and none comes twice."""
    received = NOW + 2 * HOUR + 15 * MINUTE
    check = rules.on_deadline(up(**HOURLY, down_after=3), received).check
    assert check.bad_outcomes == 2

    late = told(check, NOW + 50 * MINUTE, received).check

    after = rules.on_deadline(late, received).check
    assert (after.status, after.bad_outcomes) == ("up", 1)
    assert after.alert_after == NOW + 3 * HOUR


# Actions of a check that takes three, with their minutes and rids; it was heard at 0.
STORIES = [
    # It failed twice, and was heard in time.
    "success 2, fail 4, fail 5, start 23 a",
    # Runs that failed, each in time.
    "start 1 a, fail 3 b, fail 5 a, success 14",
    "start 1 a, fail 3 b, fail 4 b, success 6, start 10 b, fail 18 b",
    # By a limit for runs, the run stands for what is expected.
    "success 4, start 13 a, start 25",
]


@pytest.mark.parametrize("limit", [None, 30 * MINUTE])
@pytest.mark.parametrize("story", STORIES)
def test_who_is_told_late_of_fares_as_if_told_in_time(
    story: str, limit: timedelta | None
) -> None:
    """Though a checker looks meanwhile, which counts what was missed until then."""
    rules_of = {"timeout": 10 * MINUTE, "grace": 10 * MINUTE, "max_run": limit}
    late = live = up(**rules_of, down_after=3)
    signals = [[*each.split(), None][:3] for each in story.split(", ")]
    received = NOW + (int(signals[-1][1] or 0) + 1) * MINUTE

    for action, minutes, rid in signals:
        at = NOW + int(minutes or 0) * MINUTE
        live = rules.on_deadline(live, at).check
        ping = make_ping(action=action, created=at, rid=rid)
        live = rules.on_ping(live, ping)[0].check
        late = rules.on_deadline(late, received).check
        late = told(late, at, received, action=action, rid=rid).check

    assert live.status == "up"
    late = rules.on_deadline(late, received).check
    assert late._replace(not_before=None) == live


SIGNALS = st.tuples(
    st.sampled_from(["start", "success", "fail"]),
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([0.02, 1, 4, 11]),
)
LENGTHS = st.fixed_dictionaries(
    {
        "max_run": st.sampled_from([None, 3 * MINUTE, 90 * MINUTE]),
        "down_after": st.sampled_from([2, 3]),
        "timeout": st.sampled_from([MINUTE, 10 * MINUTE, HOUR]),
        "grace": st.sampled_from([MINUTE, 5 * MINUTE]),
    }
)


@settings(deadline=None, derandomize=True, database=None)
@given(LENGTHS, st.lists(SIGNALS, min_size=1, max_size=8))
def test_whatever_is_told_late_nobody_fares_worse_by_that(
    lengths: dict[str, timedelta], signals: list[tuple[Any, str | None, float]]
) -> None:
    """Who would not have been down, had it been told in time, is not called down."""
    late = live = up(**lengths)
    received = NOW + sum(wait for *_, wait in signals) * MINUTE
    at = NOW
    if rules.on_deadline(late, received).flip:
        # It was called down before any of it was told.
        return
    for action, rid, wait in signals:
        at += wait * MINUTE
        live = rules.on_deadline(live, at).check
        ping = make_ping(action=action, created=at, rid=rid)
        live = rules.on_ping(live, ping)[0].check
        if live.status == "down":
            return
        late = rules.on_deadline(late, received).check
        late = told(late, at, received, action=action, rid=rid).check

        assert late.status == "up"
        assert (late.last_start, late.last_ping) == (live.last_start, live.last_ping)
    assert rules.on_deadline(late, received).check.bad_outcomes <= live.bad_outcomes


def test_a_fail_that_is_told_late_is_what_was_missed() -> None:
    """Both are of the same run, and it takes two."""
    received = NOW + 1.5 * HOUR
    check = rules.on_deadline(up(**HOURLY, down_after=2), received).check
    assert (check.bad_outcomes, check.missed) == (1, NOW + HOUR)

    in_grace = told(check, NOW + 65 * MINUTE, received, action="fail")
    after_it = told(check, NOW + 75 * MINUTE, received, action="fail")

    assert (in_grace.flip, in_grace.check.bad_outcomes) == (None, 1)
    assert in_grace.check.alert_after == NOW + 2 * HOUR + 15 * MINUTE
    assert after_it.check.status == "down"


@pytest.mark.parametrize("ends", ["fail", "start"])
def test_a_run_that_hcl_had_not_heard_is_not_too_long_besides(ends: str) -> None:
    """Its end, or the next start, is told after its start, and a checker looks between.

    It takes two, and hcl was away for hours.
    """
    check = up(**HOURLY, down_after=2, counted_from=BACK, excused=1)
    begun = told(check, NOW + HOUR, action="start").check
    assert rules.on_deadline(begun, BACK).check.bad_outcomes == 1

    begun = rules.on_deadline(begun, BACK).check
    after = told(begun, NOW + HOUR + 5 * MINUTE, action=ends).check

    assert (after.status, after.bad_outcomes) == ("up", int(ends == "fail"))


def test_who_takes_several_and_is_dead_is_told_a_minute_later() -> None:
    """What it told last is of hours ago; nothing that was missed since is forgotten."""
    after = told(up(**HOURLY, down_after=3), NOW + HOUR).check

    assert (after.bad_outcomes, after.missed) == (2, NOW + 3 * HOUR)
    flip = rules.on_deadline(after, BACK + MINUTE).flip
    assert flip is not None
    assert (flip.created, flip.new_status) == (BACK + MINUTE, "down")
    # Its next signals may follow, and those moments were not missed then.
    for hours in (2, 3, 4, 5):
        after = told(
            after, NOW + hours * HOUR, action="fail" if hours < 4 else "success"
        ).check
        assert after.status == "up"
    assert (after.bad_outcomes, after.alert_after) == (0, NOW + 6 * HOUR + 10 * MINUTE)


def test_a_log_entry_that_is_told_late_puts_nothing_off() -> None:
    check = up(**HOURLY)
    received = NOW + 70 * MINUTE - timedelta(seconds=1)

    after = told(check, received - MINUTE, received, action="log").check

    assert after == check._replace(n_pings=2)


def test_a_schedule_that_cannot_be_worked_out_keeps_no_late_ping_out() -> None:
    """Its open run is too long all the same, which is what calls it down."""
    rules_of = {"kind": "cron", "schedule": "* * * * *", "tz": "America"}
    check = up(**rules_of, max_run=10 * MINUTE)._replace(
        last_start=NOW, open_runs=(Run(NOW, OTHER),), last_start_rid=OTHER
    )

    after = told(check, NOW + HOUR, action="success", rid=RID)

    assert (after.check.status, after.check.last_ping) == ("up", NOW + HOUR)
    assert "America" in after.problem
