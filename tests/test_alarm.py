import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from hcl.alarm import Alarm
from tests.patience import ENDS, idle

HOUR = timedelta(hours=1)


def from_now(ahead: timedelta | None) -> datetime | None:
    """Return that moment; None stays None."""
    return None if ahead is None else datetime.now(UTC) + ahead


@asynccontextmanager
async def sleeper(
    alarm: Alarm, until: datetime | None
) -> AsyncIterator[asyncio.Task[None]]:
    """Sleep on the alarm in a task of its own."""
    async with asyncio.timeout(ENDS):
        task = asyncio.create_task(alarm.sleep(until))
        await idle()
        yield task
        task.cancel()
        await asyncio.wait([task])


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("ahead", [None, HOUR])
async def test_ring_wakes(ahead: timedelta | None) -> None:
    alarm = Alarm(now)

    async with sleeper(alarm, from_now(ahead)) as task:
        assert not task.done()
        alarm.ring()
        await task


@pytest.mark.parametrize("ahead", [timedelta(0), -HOUR])
async def test_past_moment_is_not_slept_for(ahead: timedelta) -> None:
    alarm = Alarm(now)

    async with sleeper(alarm, datetime.now(UTC) + ahead) as task:
        await task


async def test_wakes_at_its_time_and_not_before() -> None:
    alarm = Alarm(now)
    start = time.monotonic()
    until = datetime.now(UTC) + timedelta(seconds=0.2)

    await alarm.sleep(until)

    assert datetime.now(UTC) >= until
    assert time.monotonic() - start < ENDS


async def test_ring_for_an_earlier_moment_wakes() -> None:
    alarm = Alarm(now)
    until = datetime.now(UTC) + HOUR

    async with sleeper(alarm, until) as task:
        alarm.ring(until - timedelta(microseconds=1))
        await task


async def test_ring_for_any_moment_wakes_who_sleeps_for_ever() -> None:
    alarm = Alarm(now)

    async with sleeper(alarm, None) as task:
        alarm.ring(datetime.now(UTC) + 1000 * HOUR)
        await task


@pytest.mark.parametrize("later", [timedelta(0), HOUR])
async def test_ring_for_the_same_or_a_later_moment_does_not_wake(
    later: timedelta,
) -> None:
    alarm = Alarm(now)
    until = datetime.now(UTC) + HOUR

    async with sleeper(alarm, until) as task:
        alarm.ring(until + later)
        await idle()
        assert not task.done()


async def test_ring_for_a_later_moment_does_not_delay_the_waking() -> None:
    alarm = Alarm(now)
    until = datetime.now(UTC) + timedelta(seconds=0.2)

    async with sleeper(alarm, until) as task:
        alarm.ring(until + HOUR)
        await task

    assert until <= datetime.now(UTC) < until + timedelta(seconds=ENDS)


@pytest.mark.parametrize("at", [None, HOUR, -HOUR])
async def test_ring_before_the_first_sleep_is_heard(at: timedelta | None) -> None:
    alarm = Alarm(now)

    alarm.ring(from_now(at))

    async with sleeper(alarm, None) as task:
        await task


@pytest.mark.parametrize("at", [None, -HOUR, HOUR, 9 * HOUR])
async def test_ring_while_at_work_is_heard_at_the_next_sleep(
    at: timedelta | None,
) -> None:
    alarm = Alarm(now)
    until = datetime.now(UTC) + HOUR
    async with sleeper(alarm, until) as task:
        alarm.ring()
        await task

    # What the loop slept for before says nothing of what it will sleep for next.
    alarm.ring(from_now(at))

    async with sleeper(alarm, None) as task:
        await task


async def test_rings_count_once() -> None:
    alarm = Alarm(now)
    for _ in range(3):
        alarm.ring()
    await alarm.sleep(None)

    async with sleeper(alarm, None) as task:
        assert not task.done()


async def test_ring_between_waking_and_running_again_wakes_once() -> None:
    alarm = Alarm(now)

    async with sleeper(alarm, None) as task:
        alarm.ring()
        alarm.ring(datetime.now(UTC))
        await task

    async with sleeper(alarm, None) as task:
        assert not task.done()


async def test_cancelled_sleep_leaves_an_alarm_that_works() -> None:
    alarm = Alarm(now)
    async with sleeper(alarm, None) as task:
        task.cancel()

    alarm.ring(datetime.now(UTC) + HOUR)

    async with sleeper(alarm, None) as task:
        await task


async def test_awake_counts_only_while_the_loop_is_at_work() -> None:
    alarm = Alarm(now)
    async with sleeper(alarm, None) as task:
        asleep = alarm.awake
        alarm.ring()
        await task

    begun = time.monotonic()
    while time.monotonic() - begun < 0.01:
        pass

    assert asleep == 0
    assert alarm.awake >= 0.01


async def test_what_stays_due_holds_up_nobody() -> None:
    """A clock that a step has moved may show a moment as due that is not."""
    when = now()
    alarm = Alarm(lambda: when)
    begun, others = time.monotonic(), asyncio.create_task(asyncio.sleep(0))

    await alarm.sleep(when)

    assert others.done()
    assert time.monotonic() > begun + 0.0005
