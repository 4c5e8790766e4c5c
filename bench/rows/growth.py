"""How speed changes with the number of checks and of stored pings."""

import math
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from statistics import fmean, median

from bench import load
from bench.client import get, median_ms
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.rows.rates import sample
from bench.seed import seed
from bench.servers import PROJECT, READ_KEY, Hcl, badge_of_all
from bench.table import NO_GOAL, Row, at_least, spread

_CONNECTIONS = 64
_GOAL = 0.85
_BASE = (1000, 0)

# Checks, stored pings; the goal counts for the last.
_SIZES = (
    (100, 0),
    (1000, 0),
    (10_000, 0),
    (100_000, 0),
    (100_000, 1_000_000),
    (100_000, 5_000_000),
)

# How long the judgement of the start may take, in seconds.
_PATIENCE = 120

# How many flips the single check has whose log is read.
_FLIPS = 20


def measure(plan: Plan) -> list[Row]:
    """Measure each size beside the first 1000 checks."""
    rows = []
    sizes = _SIZES[-1:] if plan.goals else _SIZES[: plan.pick(6, 5)]
    for size in sizes:
        say(f"growth: {size[0]:,} checks, {size[1]:,} stored pings")
        rows += _measure_size(plan, *size)
    return rows


def _measure_size(plan: Plan, n_checks: int, n_pings: int) -> list[Row]:
    base, base_traffic = _prepare(plan.new_folder(), *_BASE)
    hcl, traffic = _prepare(plan.new_folder(), n_checks, n_pings)
    seconds = plan.pick(3, 1)
    with base, hcl:
        for server, paths in ((base, base_traffic), (hcl, traffic)):
            _get_going(server, paths)
        rounds = [
            (
                sample(hcl, traffic, _CONNECTIONS, seconds),
                sample(base, base_traffic, _CONNECTIONS, seconds),
            )
            for _ in range(plan.rounds)
        ]
        calls = _calls(hcl, traffic.paths[0].rpartition("/")[2])
    size = f"{n_checks:,} checks, {n_pings:,} stored pings"
    ratios = [now.load.rate / then.load.rate for now, then in rounds]
    overall = fmean(a.load.rate for a, _ in rounds) / fmean(
        b.load.rate for _, b in rounds
    )
    cpu = spread([now.cpu / then.cpu for now, then in rounds])
    compared = (
        f"{spread(ratios)} × the rate with 1,000 and none ({overall:.2f} over all"
        f" rounds); CPU {cpu} ×"
    )
    is_last = (n_checks, n_pings) == _SIZES[-1]
    goal = at_least(_GOAL, median(ratios), "×") if is_last else NO_GOAL
    return [
        Row(f"{size}: pings, {_CONNECTIONS} connections", compared, goal),
        Row(f"{size}: API calls, median", calls),
    ]


def _prepare(folder: Path, n_checks: int, n_pings: int) -> tuple[Hcl, Traffic]:
    hcl = Hcl(folder)
    paths = [f"/ping/{code}" for code in seed(folder, n_checks, n_pings)]
    return hcl, Traffic(hcl.port, load.shuffled(paths))


def _get_going(hcl: Hcl, traffic: Traffic) -> None:
    """Have the start judged, and each check known, as after a day."""
    rate = load.run(traffic, _CONNECTIONS, 1, hcl.folder).rate
    deadline = time.monotonic() + _PATIENCE
    with closing(sqlite3.connect(hcl.folder / "hcl.sqlite")) as connection:
        while connection.execute("SELECT 1 FROM absences WHERE NOT judged").fetchall():
            if time.monotonic() > deadline:
                raise BenchError("the start is not judged")
            time.sleep(0.1)
    seconds = math.ceil(len(traffic.paths) / rate)
    load.run(traffic, _CONNECTIONS, seconds, hcl.folder)


def _calls(hcl: Hcl, code: str) -> str:
    get(hcl.port, [f"/ping/{code}/fail", f"/ping/{code}"] * (_FLIPS // 2))
    api = "/api/v3/"
    calls = {
        "list": f"{api}checks/",
        "one check": f"{api}checks/{code}",
        "its pings": f"{api}checks/{code}/pings/",
        "its flips": f"{api}checks/{code}/flips/",
        "badge URLs": f"{api}badges/",
        "badge of all": badge_of_all(hcl),
        "Prometheus": f"/projects/{PROJECT}/metrics/{READ_KEY}",
        "status": f"{api}status/",
    }
    return ", ".join(
        f"{name} {median_ms(hcl.port, path, times=20):.1f} ms"
        for name, path in calls.items()
    )
