import time
from datetime import UTC, datetime, timedelta

import pytest

from hcl.clock import Clock, SystemSource
from tests.build import NOW
from tests.clocks import a_clock

HOURS = timedelta(hours=2)


def test_now_is_the_wall() -> None:
    clock, times = a_clock()

    first = clock.now()
    times.run(90)

    assert first == NOW
    assert clock.now() == NOW + timedelta(seconds=90)
    assert clock.timestamp() == NOW.timestamp() + 90
    assert clock.step == timedelta(0)


@pytest.mark.parametrize("seconds", [2.5, -2.5, 45, -45, 7200, -7200, 31_536_000])
def test_a_step_counts_once_it_is_taken(seconds: float) -> None:
    clock, times = a_clock()
    noticed: list[datetime] = []
    clock.on_step = lambda: noticed.append(NOW)

    times.set_wall(seconds)
    times.run(10)
    before = clock.now()
    clock.now()
    step = clock.step
    clock.take(step)

    assert before == NOW + timedelta(seconds=10)
    assert step == timedelta(seconds=seconds)
    assert clock.now() == before + step
    assert clock.step == timedelta(0)
    assert len(noticed) == 1


def test_it_runs_for_as_long_as_there_is_a_process_that_is_awake() -> None:
    clock, times = a_clock()

    at_first = clock.ran
    times.run(60)
    times.suspend(7200)
    times.set_wall(-86_400)
    after_a_minute = clock.ran
    clock.has_run(1_000_000)
    times.run(1)

    assert (at_first, after_a_minute, clock.ran) == (0, 60, 1_000_001)


def test_a_step_that_is_undone_before_it_is_taken_is_none() -> None:
    clock, times = a_clock()

    times.set_wall(7200)
    clock.now()
    times.set_wall(-7200)

    assert clock.step == timedelta(0)
    assert clock.now() == NOW


def test_slewing_is_no_step() -> None:
    clock, times = a_clock()
    clock.on_step = pytest.fail

    # As fast as the kernel slews at most, for an hour.
    for _ in range(60):
        times.run(60)
        times.set_wall(0.03)
        clock.now()

    shown = clock.now() - NOW - timedelta(seconds=3600 + 60 * 0.03)
    assert abs(shown) < timedelta(milliseconds=1)


def test_who_is_stopped_between_two_looks_has_seen_no_step() -> None:
    clock, times = a_clock()
    clock.on_step = pytest.fail

    times.late = 30
    shown = clock.now()
    times.late = 0

    assert timedelta(seconds=30) <= shown - NOW <= timedelta(seconds=90)
    assert clock.step == timedelta(0)


def test_a_suspend_is_no_step() -> None:
    clock, times = a_clock()

    times.suspend(28_800)

    assert clock.now() == NOW + timedelta(hours=8)
    assert clock.step == timedelta(0)
    assert clock.boot() - clock.monotonic() == 28_800


def test_a_held_clock_goes_by_the_boot_clock_from_the_later_moment() -> None:
    clock, times = a_clock()

    clock.hold(NOW + HOURS)
    times.run(60)
    ahead = clock.now()
    times.set_wall(2 * 7200)
    times.run(60)
    still = clock.now()
    step = clock.step
    clock.take(step)

    assert ahead == NOW + HOURS + timedelta(minutes=1)
    assert still == NOW + HOURS + timedelta(minutes=2)
    assert step == HOURS
    assert clock.now() == NOW + 2 * HOURS + timedelta(minutes=2)
    assert not clock.is_held


def test_a_held_clock_is_not_behind_the_wall() -> None:
    clock, times = a_clock()

    clock.hold(NOW - HOURS)
    times.run(1)

    assert clock.now() == NOW + timedelta(seconds=1)


def test_moments_of_the_boot_clock_are_told() -> None:
    clock, times = a_clock()
    then = clock.boot()

    times.run(30)

    assert clock.at(then) == NOW
    assert clock.asked == then
    clock.now()
    assert clock.asked == then + 30


def test_the_machine_has_all_clocks() -> None:
    clock = Clock()

    shown = clock.now()

    assert abs(shown - datetime.now(UTC)) < timedelta(minutes=1)
    assert clock.boot() >= clock.monotonic() - 1
    assert abs(clock.monotonic() - time.monotonic()) < 60
    assert isinstance(SystemSource().is_synchronised(), bool)
    assert len(SystemSource().boot_id) in (0, 36)
