"""What pings wait for while others list, and while the filer works."""

import asyncio
from collections.abc import Sequence
from statistics import median

from bench import load
from bench.client import keep_listing, keep_pinging
from bench.load import Traffic
from bench.plan import Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most, delays, percentile, spread

N_CHECKS = 1000

_LISTS_GOAL = 10
_FILER_GOALS = {0: 5, 1000: 10}


def measure_beside(plan: Plan) -> list[Row]:
    """Measure pings beside clients that list without pause."""
    hcl = Hcl(plan.new_folder())
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    with hcl:
        return [asyncio.run(_beside_lists(plan, hcl, codes))]


def measure_filer(plan: Plan) -> list[Row]:
    """Measure pings while the filer works, without a body and with one."""
    hcl = Hcl(plan.new_folder())
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    with hcl:
        return [_while_filing(plan, hcl, codes, size) for size in _FILER_GOALS]


async def _beside_lists(plan: Plan, hcl: Hcl, codes: Sequence[str]) -> Row:
    seconds = plan.pick(10, 3)
    say(f"waits: pings beside 4 clients that list, {seconds} s")
    taken: list[float] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(keep_listing(hcl.port, seconds))
        group.create_task(keep_pinging(hcl.port, codes, seconds, taken))
    figure = f"a ping while 4 clients list {N_CHECKS} checks without pause, p99"
    p99 = percentile(taken, 99) * 1000
    return Row(figure, delays(taken), at_most(_LISTS_GOAL, p99, "ms"))


def _while_filing(plan: Plan, hcl: Hcl, codes: Sequence[str], size: int) -> Row:
    """Ping for so long that the inbox is filed several times in all."""
    seconds = plan.pick(20, 5)
    what = f"POST with {size // 1000} kB" if size else "GET"
    say(f"waits: {what} while the filer works, {plan.rounds_of(3)} × {seconds} s")
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in codes], size)
    done = [
        load.run(traffic, 64, seconds, hcl.folder) for _ in range(plan.rounds_of(3))
    ]
    p99s = [one.p99 * 1000 for one in done]
    p50, rate = median(one.p50 for one in done) * 1000, median(o.rate for o in done)
    figure = (
        f"{what} at 64 connections for {len(done)} × {seconds} s while the filer works,"
        " p99"
    )
    shown = f"{spread(p99s, 1)} ms, p50 {p50:.1f} ms, {rate:,.0f}/s"
    return Row(figure, shown, at_most(_FILER_GOALS[size], median(p99s), "ms"))
