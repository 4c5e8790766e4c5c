from datetime import timedelta

import pytest

from hcl.checks import trends
from hcl.model import Action, Ping
from tests.build import NOW, make_ping


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


STEADY = seconds(*[100] * 10)
SPREAD = seconds(80, 90, 95, 100, 100, 105, 110, 115, 120, 100)


@pytest.mark.parametrize(
    ("before", "length", "is_slow", "differs"),
    [
        (STEADY, 150, False, False),
        (STEADY, 151, True, True),
        (STEADY, 49, False, True),
        # Five deviations of 7.5 s are less than half of it.
        (SPREAD, 150, False, False),
        (SPREAD, 151, True, True),
        # What varies by itself may vary.
        (seconds(*[10, 100, 200] * 5), 540, False, False),
        (seconds(*[10, 100, 200] * 5), 601, True, True),
        # A few that went wrong make no habit.
        ([*STEADY, *seconds(9000, 9000)], 151, True, True),
        # What is over in a moment may take another.
        (seconds(*[0] * 10), 1, False, False),
        (seconds(*[0] * 10), 1.1, True, True),
    ],
)
def test_slow_is_far_longer_than_usual(
    before: list[timedelta], length: float, is_slow: bool, differs: bool
) -> None:
    found = trends.habit(before)

    assert found is not None
    assert found.is_slow(timedelta(seconds=length)) is is_slow
    assert found.differs(timedelta(seconds=length)) is differs


def test_few_runs_are_no_habit() -> None:
    assert trends.habit(STEADY[1:]) is None
    assert trends.slow([*STEADY[1:], *seconds(900)]) == []


def test_habit_is_that_of_the_last_runs() -> None:
    lengths = seconds(*[1000] * 60, *[10] * 50)

    found = trends.habit(lengths)

    assert found == trends.Habit(*seconds(10, 5))


def test_run_is_judged_by_those_before_it() -> None:
    lengths = [*STEADY, *seconds(400, 100, 400)]

    assert [place for place, _ in trends.slow(lengths)] == [10, 12]


@pytest.mark.parametrize(
    ("lengths", "slow"),
    [
        ([], None),
        ([*STEADY[1:], *seconds(900)], None),
        ([*STEADY, *seconds(900)], tuple(seconds(900, 100))),
        ([*STEADY, *seconds(900, 100)], None),
    ],
)
def test_last_run_is_told_if_it_was_slow(
    lengths: list[timedelta], slow: tuple[timedelta, timedelta] | None
) -> None:
    assert trends.last_slow(lengths) == slow


def signals(*runs: tuple[float, float], action: Action = "success") -> list[Ping]:
    """Make starts and ends, of runs that begin and end so many minutes after NOW."""
    pings = []
    for n, (began, ended) in enumerate(runs):
        for k, (what, at) in enumerate((("start", began), (action, ended)), 1):
            moment = NOW + timedelta(minutes=at)
            pings.append(make_ping(n=2 * n + k, action=what, created=moment))
    return pings


HOURLY = [(60 * hour, 60 * hour + 2) for hour in range(12)]


@pytest.mark.parametrize(
    ("last", "found"),
    [
        ((720, 722), []),
        ((720, 760), [(26, 40)]),
        # It is told late, and others have followed.
        ((600, 640), []),
        # The clock was set back.
        ((720, 700), []),
    ],
)
def test_pace_tells_slow_runs_of_now(
    last: tuple[float, float], found: list[tuple[int, int]]
) -> None:
    slow = list(trends.Pace().take(signals(*HOURLY, last)))

    assert [
        (n, round((run.ended - run.began) / timedelta(minutes=1)))
        for n, run in slow
        if run.ended
    ] == found
    assert all(run.usual == timedelta(minutes=2) for _, run in slow)


def test_pace_passes_over_what_it_took_and_what_is_known() -> None:
    pings = signals(*HOURLY, (720, 760), (780, 820))
    pace = trends.Pace()

    assert [n for n, _ in pace.take(pings[:26], known=26)] == []
    assert [n for n, _ in pace.take(pings)] == [28]
    assert list(pace.take(pings)) == []
    assert pace.n == 28


def test_pace_keeps_no_runs_without_end() -> None:
    """Each start has a name of its own, and none ends."""
    pace = trends.Pace()
    starts = [
        make_ping(n=n, action="start", rid=str(n), created=NOW) for n in range(1, 1000)
    ]

    list(pace.take(starts))

    assert len(pace._runs._starts) == 100
