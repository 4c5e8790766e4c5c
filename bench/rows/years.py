"""Simulated months of bad days: false alarms, and dead jobs told too late."""

import random
import subprocess
import sys
import time

from bench.plan import BenchError, Plan, say
from bench.table import Row, at_most

_DAYS = 30

# How long one month may take, in seconds.
_PATIENCE = 300


def measure(plan: Plan) -> list[Row]:
    """Tell months of fresh seeds for a while; each in which hcl was wrong counts."""
    seconds = plan.pick(120, 1)
    say(f"years: months of fresh seeds for {seconds} s")
    end, told, wrong = time.monotonic() + seconds, 0, []
    while not told or time.monotonic() < end:
        number = random.SystemRandom().randrange(2**32)
        if _goes_wrong(number):
            wrong.append(str(number))
        told += 1
    seeds = f": seeds {', '.join(wrong)}" if wrong else ""
    return [
        Row(
            f"months of {_DAYS} simulated days in which hcl did something wrong",
            f"{len(wrong)} of {told}{seeds}; a hundred years are `scripts/simulate`",
            at_most(0, len(wrong)),
        )
    ]


def _goes_wrong(number: int) -> bool:
    command = [sys.executable, "-m", "tests.sim", "--days", str(_DAYS)]
    try:
        finished = subprocess.run(
            [*command, "--seed", str(number), "--no-shrink"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"seed {number} takes over {_PATIENCE} s") from error
    if not finished.stdout.startswith("seed"):
        raise BenchError(finished.stderr)
    return finished.returncode == 1
