"""Durable pings a second, beside what the framework and the disk allow."""

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import fmean, median

from bench import load, proc
from bench.load import Load, Traffic
from bench.plan import Plan, say
from bench.seed import seed
from bench.servers import PING_KEY, Hcl, Server, Yardstick
from bench.table import NO_GOAL, Row, at_least, spread
from bench.yardsticks import CODES

_OTHER_CONNECTIONS = (1, 8, 256)
N_CHECKS = 1000

# By connections, address and bytes of a body: what it is compared with, and the ratio.
_GOALS = {
    (64, "UUID", 0): [("starlette", 1.0), ("asgi", 0.75)],
    (64, "UUID", 1000): [("starlette", 0.75)],
}

_YARDSTICKS = {
    "starlette": "Starlette's constant",
    "asgi": "bare ASGI",
    "aiosqlite": "one transaction a ping",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one server; `cpu` is its time for each request, in seconds."""

    load: Load
    cpu: float


def measure_get(plan: Plan) -> list[Row]:
    """Measure GET at 64 connections, by UUID and by slug."""
    return _case(plan, 64, 0)


def measure_post(plan: Plan) -> list[Row]:
    """Measure POST with 1 kB at 64 connections, by UUID and by slug."""
    return _case(plan, 64, 1000)


def measure_others(plan: Plan) -> list[Row]:
    """Measure both at other numbers of connections."""
    rows: list[Row] = []
    # None has a goal.
    for connections in () if plan.goals else _OTHER_CONNECTIONS:
        for body_size in (0, 1000):
            rows += _case(plan, connections, body_size)
    return rows


def sample(server: Server, traffic: Traffic, connections: int, seconds: int) -> Sample:
    """Load a server for one round."""
    before = proc.cpu_seconds(server.pid)
    done = load.run(traffic, connections, seconds, server.folder)
    cpu = proc.cpu_seconds(server.pid) - before
    return Sample(done, cpu / done.requests)


def _case(plan: Plan, connections: int, body_size: int) -> list[Row]:
    """Measure in rounds A B C D A B C D …, so that what drifts drifts for all."""
    say(f"rates: {connections} connections, body of {body_size} bytes")
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    seconds = plan.pick(3, 1)
    with ExitStack() as stack:
        runs = _start(stack, plan, body_size)
        for server, traffic in runs.values():
            load.run(traffic, connections, 1, server.folder)
        for _ in range(plan.rounds):
            for name, (server, traffic) in runs.items():
                samples[name].append(sample(server, traffic, connections, seconds))
    return _rows(samples, connections, body_size)


def _start(
    stack: ExitStack, plan: Plan, body_size: int
) -> dict[str, tuple[Server, Traffic]]:
    """Start all servers, each with a fresh database."""
    hcl = Hcl(plan.new_folder())
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    slugs = load.shuffled([f"check-{number}" for number in range(N_CHECKS)])
    by_code = [f"/ping/{code}" for code in codes]
    by_slug = [f"/ping/{PING_KEY}/{slug}" for slug in slugs]
    stack.enter_context(hcl)
    runs: dict[str, tuple[Server, Traffic]] = {
        "UUID": (hcl, Traffic(hcl.port, by_code, body_size)),
        "slug": (hcl, Traffic(hcl.port, by_slug, body_size)),
    }
    for name in _YARDSTICKS:
        server = Yardstick(plan.new_folder(), name)
        (server.folder / CODES).write_text("\n".join(codes))
        stack.enter_context(server)
        # The constants stand at the path that costs the router least.
        paths = by_code if name == "aiosqlite" else ["/"]
        runs[name] = (server, Traffic(server.port, paths, body_size))
    return runs


def _rows(
    samples: dict[str, list[Sample]], connections: int, body_size: int
) -> list[Row]:
    method = f"POST with {body_size // 1000} kB" if body_size else "GET"
    where = f"{connections} connection{'s' * (connections > 1)}"
    rows = []
    for address in ("UUID", "slug"):

        def overall(name: str, address: str = address) -> float:
            return _mean(samples[address]) / _mean(samples[name])

        ratios = {
            name: [
                one.load.rate / other.load.rate
                for one, other in zip(samples[address], samples[name], strict=True)
            ]
            for name in _YARDSTICKS
        }
        compared = [
            f"{spread(ratios[name])} × {title} ({overall(name):.2f} over all rounds)"
            for name, title in _YARDSTICKS.items()
        ]
        goals = [
            at_least(wanted, median(ratios[name]), f"× {_YARDSTICKS[name]}")
            for name, wanted in _GOALS.get((connections, address, body_size), ())
        ]
        goal = "; ".join(goals) or NO_GOAL
        figure = f"pings, {method} by {address}, {where}"
        rows.append(Row(figure, "; ".join([_shown(samples[address]), *compared]), goal))
    yardsticks = "; ".join(
        f"{title}: {_shown(samples[name])}" for name, title in _YARDSTICKS.items()
    )
    rows.append(Row(f"for comparison, {method}, {where}", yardsticks))
    return rows


def _mean(samples: list[Sample]) -> float:
    return fmean(one.load.rate for one in samples)


def _shown(samples: list[Sample]) -> str:
    rate = median(one.load.rate for one in samples)
    p50 = median(one.load.p50 for one in samples) * 1e3
    p99 = median(one.load.p99 for one in samples) * 1e3
    cpu = median(one.cpu for one in samples) * 1e6
    return f"{rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {cpu:.0f} µs"
