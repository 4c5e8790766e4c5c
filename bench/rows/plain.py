"""What hcl reaches without the extra `fast`, as on 32-bit machines."""

from collections.abc import Sequence
from statistics import median

from bench import load, proc
from bench.load import Traffic
from bench.plan import Plan, say
from bench.rows.rates import Sample, sample
from bench.seed import seed
from bench.servers import Hcl
from bench.table import NO_GOAL, Row, at_least, spread

N_CHECKS = 1000

_CONNECTIONS = 64
_GOAL = 0.6
_MB = 1_000_000


def measure(plan: Plan) -> list[Row]:
    """Measure both kinds in turn, without a body and with one."""
    fast = Hcl(plan.new_folder())
    plain = Hcl(plan.new_folder(), lacks=("httptools", "uvloop"))
    codes = [load.shuffled(seed(hcl.folder, N_CHECKS)) for hcl in (fast, plain)]
    with fast, plain:
        rows = [_case(plan, (fast, plain), codes, size) for size in (0, 1000)]
        held = [proc.resident_bytes(hcl.pid) / _MB for hcl in (plain, fast)]
    return [*rows, Row(_MEMORY, f"{held[0]:.1f} MB; with it {held[1]:.1f} MB")]


_MEMORY = "memory (RSS) without the extra `fast` after these pings"


def _case(
    plan: Plan, servers: Sequence[Hcl], codes: Sequence[Sequence[str]], size: int
) -> Row:
    method = f"POST with {size // 1000} kB" if size else "GET"
    say(f"plain: {method}, {_CONNECTIONS} connections")
    seconds = plan.pick(3, 1)
    traffics = [
        Traffic(hcl.port, [f"/ping/{code}" for code in some], size)
        for hcl, some in zip(servers, codes, strict=True)
    ]
    runs = list(zip(servers, traffics, strict=True))
    for hcl, traffic in runs:
        load.run(traffic, _CONNECTIONS, 1, hcl.folder)
    rounds = [
        [sample(hcl, traffic, _CONNECTIONS, seconds) for hcl, traffic in runs]
        for _ in range(plan.rounds)
    ]
    return _row(method, rounds, _GOAL if not size else None)


def _row(method: str, rounds: list[list[Sample]], goal: float | None) -> Row:
    ratios = [plain.load.rate / fast.load.rate for fast, plain in rounds]
    cpu = spread([plain.cpu / fast.cpu for fast, plain in rounds])
    rate = median(plain.load.rate for _, plain in rounds)
    p99 = median(plain.load.p99 for _, plain in rounds) * 1000
    return Row(
        f"{method} without the extra `fast`, {_CONNECTIONS} connections : with it",
        f"{spread(ratios)} ×; {rate:,.0f}/s, p99 {p99:.1f} ms; CPU {cpu} ×",
        at_least(goal, median(ratios), "×") if goal else NO_GOAL,
    )
