"""The dashboard's list of very many checks."""

import time
from statistics import median

from bench import proc
from bench.browser import LIST, Browser
from bench.client import get
from bench.plan import Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most

N_CHECKS = 10_000

_TIME_GOAL = 100
_SIZE_GOAL = 100


def measure(plan: Plan) -> list[Row]:
    """Measure the list, and a search, each after a ping."""
    say(f"page: {N_CHECKS:,} checks")
    hcl = Hcl(plan.new_folder())
    codes = seed(hcl.folder, N_CHECKS)
    with hcl:
        browser = Browser(hcl)
        try:
            return [
                _row(plan, hcl, browser, codes[0], LIST, "list"),
                _row(plan, hcl, browser, codes[0], f"{LIST}?q=check+77", "search"),
            ]
        finally:
            browser.close()


def _row(
    plan: Plan, hcl: Hcl, browser: Browser, code: str, path: str, what: str
) -> Row:
    size = browser.look(path)
    times, taken = plan.pick(20, 5), []
    ran = 0.0
    for _ in range(times):
        get(hcl.port, [f"/ping/{code}"])
        before, begun = proc.run_seconds(hcl.pid), time.perf_counter()
        browser.look(path)
        taken.append(time.perf_counter() - begun)
        ran += proc.run_seconds(hcl.pid) - before
    clock, kilobytes = median(taken) * 1000, size / 1000
    goals = [
        at_most(_TIME_GOAL, clock, "ms"),
        at_most(_SIZE_GOAL, kilobytes, "kB"),
    ]
    return Row(
        f"the dashboard's {what} of {N_CHECKS:,} checks, each after a ping, median",
        f"{clock:.0f} ms, CPU {ran / times * 1000:.0f} ms, {kilobytes:.0f} kB",
        "; ".join(goals),
    )
