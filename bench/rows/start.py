"""How soon it serves, and which modules it waits for."""

import subprocess
import sys
from statistics import median

from bench.machine import SERVER_CORE, on_core
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most, spread

N_CHECKS = 1000
_GOAL = 0.35
_SHOWN_MODULES = 15


def measure(plan: Plan) -> list[Row]:
    """Start it again and again, then import its modules by themselves."""
    times = plan.pick(10, 3)
    say(f"start: {times} times")
    hcl = Hcl(plan.new_folder())
    seed(hcl.folder, N_CHECKS)
    try:
        hcl.start()  # compiles the packages, if they were not
        hcl.stop()
        seconds = []
        for _ in range(times):
            seconds.append(hcl.start())
            hcl.stop()
    finally:
        hcl.stop()
    figure = f"from `hcl serve` to the first 200, {N_CHECKS} checks, median of {times}"
    goal = at_most(_GOAL, median(seconds), "s")
    return [Row(figure, f"{spread(seconds)} s", goal), _imports()]


def _imports() -> Row:
    own, total = min((_import_times() for _ in range(3)), key=lambda times: times[1])
    slowest = sorted(own, key=lambda module: own[module], reverse=True)
    shown = ", ".join(
        f"{module} {own[module] / 1000:.1f}" for module in slowest[:_SHOWN_MODULES]
    )
    measured = f"{total / 1000:.0f} ms for {len(own)} modules; ms of their own: {shown}"
    return Row("interpreter and `import hcl.server.serving`, best of 3", measured)


def _import_times() -> tuple[dict[str, int], int]:
    """Return each module's own time, and that of all, in microseconds."""
    with on_core(SERVER_CORE):
        finished = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", "import hcl.server.serving"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if finished.returncode:
        raise BenchError(finished.stderr)
    own = {}
    for line in finished.stderr.splitlines():
        # import time: self [us] | cumulative | imported package
        fields = line.removeprefix("import time:").split("|")
        if len(fields) == 3 and fields[0].strip().isdigit():
            own[fields[2].strip()] = int(fields[0])
    return own, sum(own.values())
