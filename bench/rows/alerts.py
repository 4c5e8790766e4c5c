"""How soon an alert arrives."""

import asyncio
import os
import time
from datetime import UTC, datetime, timedelta

from bench.client import Connection, request
from bench.plan import BenchError, Plan, say
from bench.receivers import Hook
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most, delays, percentile

_SINGLE_GOAL = 50
_TOGETHER_GOAL = 1.5

# From the end of seeding to the first deadline: the server has started by then.
_LEAD = timedelta(seconds=6)

# Between single alerts: the server has done everything, and sleeps.
_PAUSE = 0.1


def measure(plan: Plan) -> list[Row]:
    """Measure single fail pings, and single deadlines."""
    singles = plan.pick(200, 100)
    return [
        asyncio.run(_fails(plan, 200)),
        asyncio.run(_single_deadlines(plan, singles)),
        _syncs(plan, 200),
    ]


def measure_together(plan: Plan) -> list[Row]:
    """Measure many deadlines at once."""
    return [asyncio.run(_deadlines_together(plan, 1000))]


def _syncs(plan: Plan, count: int) -> Row:
    """Measure what each alert waits for, so that the disk's stalls are told apart."""
    say(f"alerts: {count} syncs")
    taken = []
    file = os.open(plan.new_folder() / "synced", os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(count):
            before = time.perf_counter()
            os.write(file, bytes(4096))
            os.fdatasync(file)
            taken.append(time.perf_counter() - before)
            time.sleep(_PAUSE)
    finally:
        os.close(file)
    return Row(
        f"for comparison, 4 kB appended and synced, {count} times", delays(taken)
    )


async def _fails(plan: Plan, count: int) -> Row:
    say(f"alerts: {count} fail pings")
    taken = []
    async with Hook() as hook:
        hcl = Hcl(plan.new_folder(), hook=hook.port)
        codes = await asyncio.to_thread(seed, hcl.folder, count)
        with hcl:
            async with Connection(hcl.port) as connection:
                for done, code in enumerate(codes):
                    sent = time.time()
                    if await connection.ask(request(f"/ping/{code}/fail")) != 200:
                        raise BenchError("a ping was refused")
                    await hook.wait_for(done + 1, seconds=20)
                    if hook.arrivals[-1].code != code:
                        raise BenchError("the wrong alert came")
                    taken.append(hook.arrivals[-1].at - sent)
                    await asyncio.sleep(_PAUSE)
    goal = at_most(_SINGLE_GOAL, percentile(taken, 99) * 1000, "ms")
    figure = f"a fail ping to the webhook's arrival, idle, {count} single alerts, p99"
    return Row(figure, delays(taken), goal)


async def _single_deadlines(plan: Plan, count: int) -> Row:
    say(f"alerts: {count} deadlines, one after the other")
    first = datetime.now(UTC) + _lead(count)
    step = timedelta(seconds=_PAUSE)
    taken = await _await_deadlines(plan, [first + i * step for i in range(count)])
    goal = at_most(_SINGLE_GOAL, percentile(taken, 99) * 1000, "ms")
    figure = f"a deadline to the webhook's arrival, idle, {count} single alerts, p99"
    return Row(figure, delays(taken), goal)


async def _deadlines_together(plan: Plan, count: int) -> Row:
    say(f"alerts: {count} deadlines at once")
    due = datetime.now(UTC) + _lead(count)
    taken = await _await_deadlines(plan, [due] * count)
    goal = at_most(_TOGETHER_GOAL, max(taken), "s")
    figure = f"{count} checks due at the same moment: the last webhook arrives after"
    return Row(figure, delays(taken), goal)


def _lead(count: int) -> timedelta:
    return _LEAD + timedelta(milliseconds=2 * count)


async def _await_deadlines(plan: Plan, deadlines: list[datetime]) -> list[float]:
    """Return how long after each deadline its webhook came, in seconds."""
    async with Hook() as hook:
        hcl = Hcl(plan.new_folder(), hook=hook.port)
        codes = await asyncio.to_thread(
            seed, hcl.folder, len(deadlines), deadlines=deadlines
        )
        with hcl:
            if datetime.now(UTC) >= deadlines[0]:
                raise BenchError("the server took too long to start")
            until = (deadlines[-1] - datetime.now(UTC)).total_seconds() + 60
            await hook.wait_for(len(deadlines), seconds=until)
    at = {arrival.code: arrival.at for arrival in hook.arrivals}
    return [
        at[code] - deadline.timestamp()
        for code, deadline in zip(codes, deadlines, strict=True)
    ]
