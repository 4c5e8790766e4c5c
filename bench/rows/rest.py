"""What it costs while nothing happens."""

import time

from bench import proc
from bench.plan import Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most

N_CHECKS = 1000
_GOAL = 0.01

# What a start leaves to be done, and the connection that saw it answer, are over then.
_SETTLE_SECONDS = 6


def measure(plan: Plan) -> list[Row]:
    """Measure a server whose checks are all up, and due in a day."""
    hcl = Hcl(plan.new_folder())
    seed(hcl.folder, N_CHECKS)
    wanted = plan.pick(60, 15)
    say(f"rest: {wanted} s")
    with hcl:
        time.sleep(_SETTLE_SECONDS)
        begun = time.perf_counter()
        ran, switched = proc.run_seconds(hcl.pid), proc.switches(hcl.pid)
        time.sleep(wanted)
        ran = proc.run_seconds(hcl.pid) - ran
        switched = proc.switches(hcl.pid) - switched
        seconds = time.perf_counter() - begun
        threads = proc.threads(hcl.pid)
    percent = ran / seconds * 100
    figure = f"at rest, {N_CHECKS} checks, over {wanted} s"
    return [
        Row(
            f"CPU {figure}",
            f"{percent:.4f} % of a core",
            at_most(_GOAL, percent, "% of a core"),
        ),
        Row(
            f"wake-ups {figure}",
            f"{switched / seconds:.2f} voluntary context switches a second,"
            f" {threads} threads",
        ),
    ]
