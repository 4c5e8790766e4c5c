"""Overlapping runs: each has its own end, and one that hangs is told once."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hcl.checks import causes, rules, runs, schedule, told_late
from hcl.checks.away import absence
from hcl.checks.check_json import Site, check_json
from hcl.checks.deadlines import Transition
from hcl.model import Action, Check, Flip, Run
from tests.build import DAY, HOUR, MICROSECOND, NOW, make_check, make_ping

MINUTE = timedelta(minutes=1)
LIMIT = 10 * MINUTE  # of a run

CHECK = make_check(status="up", last_ping=NOW - HOUR, max_run=LIMIT)


def rid(letter: str) -> str | None:
    """Name a run by a letter; "-" names none."""
    return None if letter == "-" else f"00000000-0000-4000-8000-0000000000{ord(letter)}"


def at(minute: float) -> datetime:
    """Return a moment so many minutes from NOW on."""
    return NOW + minute * MINUTE


class Story:
    """What became of a check: its flips as minutes and reasons."""

    def __init__(self, check: Check = CHECK) -> None:
        self.check = check
        self.flips: list[tuple[float, str]] = []

    def live(self, until: float) -> None:
        """Let time pass, and the checker look whenever it has to."""
        while (due := self.check.alert_after) is not None and due <= at(until):
            self.take(rules.on_deadline(self.check, due))

    def take(self, transition: Transition) -> None:
        """Take note of what became of it."""
        self.check, flip, problem = transition
        assert not problem
        if flip is not None:
            minute = (flip.created - NOW) / MINUTE
            self.flips.append((minute, flip.reason or flip.new_status))

    def signal(self, word: str) -> None:
        """Let a signal come: >a0 is the start of run a at minute 0."""
        actions: dict[str, Action] = {">": "start", "+": "success", "!": "fail"}
        minute = float(word[2:])
        self.live(minute)
        ping = make_ping(action=actions[word[0]], rid=rid(word[1]), created=at(minute))
        self.take(rules.on_ping(self.check, ping)[0])


# Signals: > start, + success, ! fail, the run's letter (-: no rid), the minute. What
# flips come of it until the check has been silent for a while: minute and reason.
STORIES: dict[str, tuple[str, list[tuple[float, str]]]] = {
    "one run that ends well": (">a0 +a5", []),
    "one that hangs": (">a0", [(10, "overran")]),
    "one that hangs beside one that ends well": (">a0 >b2 +b4", [(10, "overran")]),
    "the newer hangs": (">a0 >b2 +a4", [(12, "overran")]),
    "both end well, in order": (">a0 >b2 +a4 +b6", []),
    "both end well, crosswise": (">a0 >b2 +b4 +a6", []),
    "both hang: the first takes it down": (">a0 >b2", [(10, "overran")]),
    "what hangs while it is down is not told after": (
        ">a0 >b2 >c8 +c15",
        [(10, "overran"), (15, "up")],
    ),
    "one that hangs later, though it came up between": (
        ">a0 >b8 >c9 +c15",
        [(10, "overran"), (15, "up"), (18, "overran")],
    ),
    "one that was told ends late": (">a0 +a30", [(10, "overran"), (30, "up")]),
    "one that was told fails late": (">a0 !a30", [(10, "overran")]),
    "one that was told is not told again": (
        ">a0 >b11 +b12 >c40 +c41 >d80 +d81",
        [(10, "overran"), (12, "up")],
    ),
    "a fail ends its own run only": (
        ">a0 >b2 !b4 +c6",
        [(4, "fail"), (6, "up"), (10, "overran")],
    ),
    "a success without rid ends the newest": (">a0 >b2 +-4", [(10, "overran")]),
    "a success without rid ends the run without": (">-0 >b2 +-4 +b5", []),
    "a start without rid takes the place of one without": (
        ">-0 >-8 +-15",
        [],
    ),
    "and has an end of its own": (">-0 >-8", [(18, "overran")]),
    "a start with the same rid too": (">a0 >a8 +a15", []),
    "a success of another run leaves it": (">a0 +b5", [(10, "overran")]),
    "a run after the one that hangs": (
        ">a0 >b20 +b21 >c30",
        [(10, "overran"), (21, "up"), (40, "overran")],
    ),
}


@pytest.mark.parametrize(("signals", "flips"), STORIES.values(), ids=STORIES)
def test_story(signals: str, flips: list[tuple[float, str]]) -> None:
    story = Story()

    for word in signals.split():
        story.signal(word)
    story.live(24 * 60 - 1)

    assert story.flips == flips


# --- twenty at once: which of them end, and when; all began a minute apart

TWENTY = "abcdefghijklmnopqrst"
ENDS: dict[str, tuple[dict[str, float], list[tuple[float, str]], str]] = {
    # Letters and the minute of their success; flips; which are open at the end.
    "all end well": ({letter: n + 9 for n, letter in enumerate(TWENTY)}, [], ""),
    "none ends": ({}, [(10, "overran")], TWENTY),
    "the first hangs": (
        {letter: n + 9 for n, letter in enumerate(TWENTY) if letter != "a"},
        [(10, "overran"), (10, "up")],
        "a",
    ),
    "the seventh hangs": (
        {letter: n + 9 for n, letter in enumerate(TWENTY) if letter != "g"},
        [(16, "overran"), (16, "up")],
        "g",
    ),
    "the last hangs": (
        {letter: n + 9 for n, letter in enumerate(TWENTY) if letter != "t"},
        [(29, "overran")],
        "t",
    ),
    "two hang": (
        {letter: n + 9 for n, letter in enumerate(TWENTY) if letter not in "cq"},
        [(12, "overran"), (12, "up"), (26, "overran"), (26, "up")],
        "cq",
    ),
    "only the last ends": ({"t": 28}, [(10, "overran"), (28, "up")], TWENTY[:-1]),
}


@pytest.mark.parametrize(("ends", "flips", "left"), ENDS.values(), ids=ENDS)
def test_twenty_overlapping_runs(
    ends: dict[str, float], flips: list[tuple[float, str]], left: str
) -> None:
    story = Story()
    signals = [(float(n), f">{letter}{n}") for n, letter in enumerate(TWENTY)]
    signals += [(minute, f"+{letter}{minute}") for letter, minute in ends.items()]

    for _, word in sorted(signals, key=lambda signal: signal[0]):
        story.signal(word)
    story.live(60)

    assert story.flips == flips
    assert {run.rid for run in story.check.open_runs} == {rid(name) for name in left}
    is_down = story.check.status == "down"
    assert is_down or all(run.is_told for run in story.check.open_runs)


def test_run_that_hangs_is_known_by_its_rid_and_start() -> None:
    story = Story()
    for word in [">a0", ">b2", "+b4"]:
        story.signal(word)

    transition = rules.on_deadline(story.check, at(10))

    assert transition.flip == Flip(at(10), "up", "down", "overran")
    run = causes.overrun(transition.check, "overran", at(10))
    assert run == causes.Overrun(NOW, at(10) - NOW, rid("a"))


def test_api_sees_the_newest_run_as_ever() -> None:
    story = Story()
    seen = []
    for word in [">a0", ">b2", "+b4", ">c5", "+a6", "!d7"]:
        story.signal(word)
        check = story.check
        seen.append((check.last_start, check.last_start_rid, check.last_duration))

    assert seen == [
        (at(0), rid("a"), None),
        (at(2), rid("b"), None),
        (None, None, 2 * MINUTE),
        (at(5), rid("c"), 2 * MINUTE),
        (at(5), rid("c"), None),
        (None, None, None),
    ]
    # Of a and c: c has its own end, though a fail closed it for the API.
    assert [run.rid for run in story.check.open_runs] == [rid("c")]


def test_next_ping_is_when_the_newest_began() -> None:
    story = Story()
    story.signal(">a0")
    story.signal(">b2")

    assert schedule.next_ping(story.check) == at(2)


def test_oldest_runs_are_forgotten_beyond_the_most() -> None:
    check = CHECK
    for n in range(runs.MOST_OPEN + 5):
        ping = make_ping(action="start", rid=str(n), created=at(n / 1000))
        check = rules.on_ping(check, ping)[0].check

    assert len(check.open_runs) == runs.MOST_OPEN
    assert check.open_runs[0].rid == "5"
    assert check.alert_after == at(5 / 1000) + LIMIT


def test_none_is_kept_where_nothing_is_set() -> None:
    story = Story(make_check(status="up", last_ping=NOW - HOUR))

    for word in [">a0", ">b2", "+b4"]:
        story.signal(word)

    # As Healthchecks does: the newest start alone counts.
    assert story.check.open_runs == ()
    assert story.check.alert_after == at(4) + DAY + HOUR


def test_pause_forgets_all() -> None:
    story = Story()
    story.signal(">a0")
    story.signal(">b2")

    assert rules.on_pause(story.check, at(3)).check.open_runs == ()


def test_outcome_that_arrives_late_ends_its_run() -> None:
    """A client kept it back while hcl could not be reached; another ended since."""
    story = Story()
    for word in [">a0", ">b2", "+b6"]:
        story.signal(word)
    late = make_ping(rid=rid("a"), created=at(5))

    transition, kept = told_late.on_late_ping(story.check, late, at(8))

    assert transition.flip is None
    assert (kept.action, kept.n) == ("success", story.check.n_pings + 1)
    assert transition.check.open_runs == ()
    assert transition.check.last_ping == at(6)
    assert transition.check.alert_after == at(6) + DAY + HOUR


# --- while hcl was away


def test_runs_that_were_open_have_no_deadline_until_their_next_signal() -> None:
    story = Story()
    story.signal(">a0")
    story.signal(">b2")

    check = absence.on_return(story.check, at(5), at(60))

    assert (check.open_runs, check.run_excused, check.status) == ((), True, "up")
    assert check.alert_after == at(60) + DAY + HOUR
    # A start after the return has its own end again.
    story = Story(check)
    story.signal(">c61")
    assert story.check.alert_after == at(71)


def test_run_that_was_too_long_before_is_told() -> None:
    story = Story()
    story.signal(">a0")

    check = absence.on_return(story.check, at(10.5), at(60))

    assert rules.on_deadline(check, at(60)).flip == Flip(
        at(10), "up", "down", "overran"
    )


@pytest.mark.parametrize("excused", range(5))
def test_what_a_run_had_answered_does_not_fall_due_at_once(excused: int) -> None:
    """It began in time, had hours left, and may have ended unheard."""
    check = make_check(
        kind="cron",
        schedule="0 12 * * *",
        grace=10 * MINUTE,
        max_run=6 * HOUR,
        status="up",
        last_ping=NOW - DAY,
        excused=excused,
    )
    story = Story(check)
    story.signal(">a1")

    check = absence.on_return(story.check, at(60), at(65))

    assert check.alert_after is not None
    assert check.alert_after >= at(65) + MINUTE
    assert (check.excused <= 3) == (excused < 3) or check.excused == excused


def test_missed_moments_before_are_counted_and_those_within_excused() -> None:
    check = rules.on_edit(
        make_check(
            status="up",
            last_ping=NOW,
            timeout=HOUR,
            grace=5 * MINUTE,
            down_after=3,
        ),
        NOW,
    ).check

    # Due at 60 + 5 and 120 + 5; hcl goes at 70 and is back at 600.
    check = absence.on_return(check, at(70), at(600))

    assert (check.bad_outcomes, check.excused) == (1, 1)
    assert check.alert_after == at(600 + 65)
    assert rules.shown_status(check, at(601)) == "grace"
    # A success neither came nor failed to come: the next bad outcome is the second.
    check = rules.on_deadline(check, at(665)).check
    assert (check.bad_outcomes, check.status) == (2, "up")


def test_last_bad_outcome_before_calls_down() -> None:
    check = rules.on_edit(
        make_check(
            status="up",
            last_ping=NOW,
            timeout=HOUR,
            grace=5 * MINUTE,
            down_after=2,
        ),
        NOW,
    ).check

    check = absence.on_return(check, at(130), at(600))

    assert rules.on_deadline(check, at(600)).flip == Flip(
        at(125), "up", "down", "missed"
    )


def test_end_is_a_microsecond_sharp() -> None:
    story = Story()
    story.signal(">a0")

    assert rules.shown_status(story.check, at(10) - MICROSECOND) == "up"
    assert rules.shown_status(story.check, at(10)) == "down"


# --- whatever comes

SIGNALS = st.tuples(
    st.sampled_from(["start", "success", "fail", "log"]),
    st.sampled_from([None, "a", "b", "c"]),
    st.sampled_from([0, 0.1, 1, 4, 11, 70]),
)
FIELDS = st.fixed_dictionaries(
    {
        "max_run": st.sampled_from([None, 3 * MINUTE, 90 * MINUTE]),
        "min_run": st.sampled_from([None, MINUTE]),
        "down_after": st.sampled_from([1, 2, 5]),
        "timeout": st.just(HOUR),
        "grace": st.just(5 * MINUTE),
    }
)


@settings(deadline=None, derandomize=True, database=None)
@given(FIELDS, st.lists(SIGNALS, max_size=30), st.integers(0, 30))
def test_what_is_counted_anew_after_a_crash_is_what_was_counted(
    fields: dict[str, Any],
    signals: list[tuple[Action, str | None, float]],
    crash: int,
) -> None:
    check = counted = make_check(**fields)
    minute = 0.0
    for n, (action, name, wait) in enumerate(signals):
        minute += wait
        # The checker writes what it finds; what pings do lies in the inbox.
        looked = rules.on_deadline(check, at(minute)).check
        if looked != check:
            check = counted = looked
        elif n < crash:
            counted = check
        ping = make_ping(action=action, rid=name, created=at(minute))
        (check, _, _), kept = rules.on_ping(check, ping)
        counted = rules.on_counted(counted, kept).check

        assert counted == check
        assert check.alert_after == schedule.deadline(check)
        assert check.alert_after is None or check.alert_after > at(minute)
        names = [run.rid for run in check.open_runs]
        assert len(names) == len(set(names))
        assert check.bad_outcomes <= check.down_after
        assert check.is_finer or not check.open_runs


@pytest.mark.parametrize(
    ("down_after", "shown"),
    [(1, ["started", "down", "down"]), (2, ["started", "grace", "grace"])],
)
def test_v1_says_started_until_the_newest_has_to_end(
    down_after: int, shown: list[str]
) -> None:
    story = Story(CHECK._replace(down_after=down_after))
    story.signal(">a0")
    seen = []
    for minute in (9, 10, 11):
        if minute == 11:
            story.live(11)
        answer = check_json(
            story.check,
            site=Site("http://h", "http://h/ping/"),
            channels=(),
            version=1,
            readonly=False,
            now=at(minute),
        )
        seen.append(json.loads(answer)["status"])

    assert seen == shown


@pytest.mark.parametrize("is_newest", [True, False])
def test_excused_run_of_a_new_check_has_twice_as_long_as_a_run_may_take(
    is_newest: bool,
) -> None:
    """Though a run that began later has failed, in a window of maintenance."""
    check = make_check(status="new", grace=HOUR, max_run=5 * HOUR)
    begun = rules.on_ping(check, make_ping(action="start", rid=rid("a")))[0].check
    if not is_newest:
        begun = begun._replace(last_start=None, last_start_rid=None)
    went, returned = NOW + MINUTE, NOW + HOUR

    after = absence.on_return(begun, went, returned)

    assert after.run_excused
    assert after.alert_after == returned + 10 * HOUR
    flip = rules.on_deadline(after, returned + 10 * HOUR).flip
    assert flip is not None
    assert (flip.new_status, flip.reason) == ("down", "timeout")


def test_what_came_after_a_run_was_too_long_is_heard_though_that_is_counted_later() -> (
    None
):
    """As where a window had put it off: the next counts from the last success."""
    run = Run(NOW, rid("a"))
    check = CHECK._replace(
        timeout=HOUR,
        grace=5 * MINUTE,
        down_after=2,
        last_ping=at(30),
        open_runs=(run,),
        alert_after=at(10),
    )

    check, flip, _ = rules.on_deadline(check, at(31))

    assert (flip, check.bad_outcomes) == (None, 1)
    assert check.alert_after == at(95)


def test_a_run_too_long_is_what_the_next_counts_from_also_after_a_step_back() -> None:
    """The last ping stays in a time that is to come, though it came before the run."""
    run = Run(NOW, rid("a"))
    check = CHECK._replace(
        timeout=HOUR,
        grace=5 * MINUTE,
        down_after=2,
        last_ping=at(30 * 24 * 60),
        counted_from=at(-60),
        last_start=NOW,
        last_start_rid=rid("a"),
        open_runs=(run,),
        alert_after=at(10),
    )

    check, flip, _ = rules.on_deadline(check, at(11))

    assert (flip, check.bad_outcomes) == (None, 1)
    assert check.alert_after == at(75)
