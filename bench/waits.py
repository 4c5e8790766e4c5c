"""What pings wait for while others ask for much, and the filer works."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle

from bench import load
from bench.client import Connection, keep_listing, median_ms, request
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_least, at_most, delays, percentile

N_CHECKS = 1000

_LISTS_GOAL = 10
_FILER_GOALS = {0: 5, 1000: 10}
_LISTINGS_GOAL = 0.9


def measure(plan: Plan) -> list[Row]:
    """Measure pings beside lists, pings while the filer works, and lists after both."""
    hcl = Hcl(plan.new_folder())
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    ping = f"/ping/{codes[0]}"
    with hcl:
        before = median_ms(hcl.port, "/api/v3/checks/", between=ping)
        rows = [asyncio.run(_beside_lists(plan, hcl, codes))]
        rows += [_while_filing(plan, hcl, codes, size) for size in _FILER_GOALS]
        after = median_ms(hcl.port, "/api/v3/checks/", between=ping)
    ratio = before / after
    shown = f"{ratio:.2f} × ({before:.1f} ms before, {after:.1f} ms after)"
    figure = f"listings of {N_CHECKS} checks a second right after these pings : before"
    return [*rows, Row(figure, shown, at_least(_LISTINGS_GOAL, ratio, "×"))]


async def _beside_lists(plan: Plan, hcl: Hcl, codes: Sequence[str]) -> Row:
    seconds = plan.pick(10, 3)
    say(f"waits: pings beside 4 clients that list, {seconds} s")
    taken: list[float] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(keep_listing(hcl.port, seconds))
        group.create_task(_ping(hcl.port, codes, seconds, taken))
    figure = f"a ping while 4 clients list {N_CHECKS} checks without pause, p99"
    p99 = percentile(taken, 99) * 1000
    return Row(figure, delays(taken), at_most(_LISTS_GOAL, p99, "ms"))


async def _ping(
    port: int, codes: Sequence[str], seconds: float, taken: list[float]
) -> None:
    end = time.perf_counter() + seconds
    async with Connection(port) as connection:
        for code in cycle(codes):
            sent = time.perf_counter()
            if sent > end:
                return
            if await connection.ask(request(f"/ping/{code}")) != 200:
                raise BenchError("a ping was refused")
            taken.append(time.perf_counter() - sent)
            await asyncio.sleep(0.002)


def _while_filing(plan: Plan, hcl: Hcl, codes: Sequence[str], size: int) -> Row:
    """Ping for so long that the inbox is filed several times."""
    seconds = plan.pick(70, 5)
    what = f"POST with {size // 1000} kB" if size else "GET"
    say(f"waits: {what} while the filer works, {seconds} s")
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in codes], size)
    done = load.run(traffic, 64, seconds, hcl.folder)
    figure = f"{what} at 64 connections for {seconds} s while the filer works, p99"
    p50, p99 = done.p50 * 1000, done.p99 * 1000
    shown = f"{p99:.1f} ms, p50 {p50:.1f} ms, {done.rate:,.0f}/s"
    return Row(figure, shown, at_most(_FILER_GOALS[size], p99, "ms"))
