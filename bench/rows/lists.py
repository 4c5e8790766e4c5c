"""The list of all checks, which dashboards and agents ask for again and again."""

import time
from statistics import median
from typing import NamedTuple

from bench import load, proc
from bench.client import median_ms
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_least, at_most, spread

N_CHECKS = 1000

_PATH = "/api/v3/checks/"
_TIMES = 100
_AFTER_GOAL = 0.9

# How long the pings may take in all, in seconds.
_PATIENCE = 120

# Name, schedule, the goal in milliseconds.
_KINDS = (("simple", "", 15), ("cron", "17 3 * * 1-5", 15))


class _Listed(NamedTuple):
    """What a list takes: by the clock, and the time of all threads, in seconds."""

    milliseconds: float
    cpu: float


def measure(plan: Plan) -> list[Row]:
    """Measure `GET checks/` for each kind of check."""
    rows = []
    for kind, schedule, goal in _KINDS:
        say(f"list: {N_CHECKS} {kind} checks")
        hcl = Hcl(plan.new_folder())
        codes = seed(hcl.folder, N_CHECKS, schedule=schedule)
        with hcl:
            taken = median_ms(hcl.port, _PATH, between=f"/ping/{codes[0]}")
            again = median_ms(hcl.port, _PATH)
        figure = f"`GET checks/`, {N_CHECKS} {kind} checks, each after a ping, median"
        shown = f"{taken:.1f} ms; {again:.1f} ms if nothing has changed"
        rows.append(Row(figure, shown, at_most(goal, taken, "ms")))
    return rows


def measure_after(plan: Plan) -> list[Row]:
    """Measure lists before and right after very many pings, each after a ping."""
    pings = plan.pick(500_000, 50_000)
    sent, rates, cpu = [], [], []
    for _ in range(plan.rounds_of(3)):
        say(f"listings: before and after {pings:,} pings")
        hcl = Hcl(plan.new_folder())
        codes = load.shuffled(seed(hcl.folder, N_CHECKS))
        with hcl:
            before = _listed(hcl, codes[0])
            sent.append(_ping(hcl, codes, pings))
            after = _listed(hcl, codes[0])
        rates.append(before.milliseconds / after.milliseconds)
        cpu.append(after.cpu / before.cpu)
    figure = f"lists of {N_CHECKS} checks a second after {min(sent):,} pings : before"
    shown = (
        f"{spread(rates)} × (the last {after.milliseconds:.1f} ms after,"
        f" {before.milliseconds:.1f} ms before); CPU of each {spread(cpu)} ×"
    )
    return [Row(figure, shown, at_least(_AFTER_GOAL, median(rates), "×"))]


def _listed(hcl: Hcl, code: str) -> _Listed:
    ran = proc.run_seconds(hcl.pid)
    milliseconds = median_ms(hcl.port, _PATH, times=_TIMES, between=f"/ping/{code}")
    return _Listed(milliseconds, (proc.run_seconds(hcl.pid) - ran) / _TIMES)


def _ping(hcl: Hcl, codes: list[str], wanted: int) -> int:
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in codes])
    sent, begun = 0, time.monotonic()
    while sent < wanted:
        if time.monotonic() - begun > _PATIENCE:
            raise BenchError(f"only {sent:,} pings in {_PATIENCE} s")
        sent += load.run(traffic, 64, 3, hcl.folder).requests
    return sent
