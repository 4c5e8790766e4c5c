"""How speed changes with the number of checks and of stored pings.

As all rates it is that of pings of 1000 checks, wherever among all they lie; and beside
it the rate if each ping is of another check.
"""

import math
import sqlite3
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median

from bench import load
from bench.client import get, median_ms
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.rows.rates import Sample, sample
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
    base, of_base = _prepare(plan.new_folder(), *_BASE)
    hcl, of_all = _prepare(plan.new_folder(), n_checks, n_pings)
    of_some = replace(of_all, paths=of_all.paths[: _BASE[0]])
    seconds = plan.pick(3, 1)
    # What is compared with the base, taking turns with it.
    compared = {"": of_some}
    if n_checks > _BASE[0]:
        compared[", each of another check"] = of_all
    samples: defaultdict[str, list[tuple[Sample, Sample]]] = defaultdict(list)
    with base, hcl:
        for server, traffic in ((base, of_base), (hcl, of_all)):
            _get_going(server, traffic)
        for _ in range(plan.rounds):
            then = sample(base, of_base, _CONNECTIONS, seconds)
            for name, traffic in compared.items():
                now = sample(hcl, traffic, _CONNECTIONS, seconds)
                samples[name].append((now, then))
        calls = _calls(hcl, of_all.paths[0].rpartition("/")[2])
    size = f"{n_checks:,} checks, {n_pings:,} stored pings"
    is_last = (n_checks, n_pings) == _SIZES[-1]
    return [
        *(
            _compare(
                f"{size}: pings, {_CONNECTIONS} connections{name}",
                rounds,
                has_goal=is_last and not name,
            )
            for name, rounds in samples.items()
        ),
        Row(f"{size}: API calls, median", calls),
    ]


def _compare(
    what: str, rounds: Sequence[tuple[Sample, Sample]], *, has_goal: bool
) -> Row:
    ratios = [now.load.rate / then.load.rate for now, then in rounds]
    overall = fmean(a.load.rate for a, _ in rounds) / fmean(
        b.load.rate for _, b in rounds
    )
    cpu = spread([now.cpu / then.cpu for now, then in rounds])
    figure = (
        f"{spread(ratios)} × the rate with 1,000 and none ({overall:.2f} over all"
        f" rounds); CPU {cpu} ×"
    )
    goal = at_least(_GOAL, median(ratios), "×") if has_goal else NO_GOAL
    return Row(what, figure, goal)


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
