"""A small machine: what starting, pinging, listing and looking take there."""

import asyncio
import time
from statistics import median

from bench import load, proc
from bench.browser import LIST, Browser
from bench.client import Connection, median_ms, request
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.small import small
from bench.table import Row, delays

N_CHECKS = 1000

_MB = 1_000_000
# Between single pings, in seconds.
_PAUSE = 0.2


def measure(plan: Plan) -> list[Row]:
    """Measure one server, from its start on."""
    # trio comes with the development tools.
    hcl = Hcl(plan.new_folder(), lacks=("trio",))
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    # Compiles the packages, if they were not.
    with hcl:
        pass
    say("pi: start, ping, list, page")
    begun = time.perf_counter()
    with small(hcl) as limits:
        started = time.perf_counter() - begun
        single = asyncio.run(_ping(hcl.port, codes, plan.pick(100, 20)))
        traffic = Traffic(hcl.port, [f"/ping/{code}" for code in codes])
        many = load.run(traffic, 8, plan.pick(10, 3), hcl.folder)
        path, ping = "/api/v3/checks/", f"/ping/{codes[0]}"
        listed = median_ms(hcl.port, path, times=10, between=ping)
        first, page = _look(hcl, plan.pick(10, 3))
        held = proc.resident_bytes(hcl.pid) / _MB
    where = f"on a small machine ({limits}), {N_CHECKS} checks"
    measured = {
        "from `hcl serve` to the first 200": f"{started:.1f} s",
        f"a ping each {_PAUSE:g} s": delays(single),
        "pings, 8 connections": f"{many.rate:,.0f}/s, p99 {many.p99 * 1000:.0f} ms",
        "`GET checks/`, each after a ping, median": f"{listed:.0f} ms",
        "the dashboard's list": f"first {first:.1f} s, then {page * 1000:.0f} ms",
        "memory (RSS) after it": f"{held:.1f} MB",
    }
    return [Row(f"{where}: {what}", shown) for what, shown in measured.items()]


async def _ping(port: int, codes: list[str], times: int) -> list[float]:
    taken = []
    async with Connection(port) as connection:
        for code in codes[:times]:
            sent = time.perf_counter()
            if await connection.ask(request(f"/ping/{code}")) != 200:
                raise BenchError("a ping was refused")
            taken.append(time.perf_counter() - sent)
            await asyncio.sleep(_PAUSE)
    return taken


def _look(hcl: Hcl, times: int) -> tuple[float, float]:
    """Return how long the first look at the list took, and the median of others."""
    begun = time.perf_counter()
    browser = Browser(hcl)
    try:
        browser.look(LIST)
        first = time.perf_counter() - begun
        taken = []
        for _ in range(times):
            begun = time.perf_counter()
            browser.look(LIST)
            taken.append(time.perf_counter() - begun)
    finally:
        browser.close()
    return first, median(taken)
