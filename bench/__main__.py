"""python -m bench: measure hcl, and print what was found as a Markdown table.

For Linux, since nearly all is read from /proc. The table goes to standard output, what
is being done to standard error.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    alerts,
    crashes,
    disk,
    growth,
    hold,
    lists,
    load,
    machine,
    memory,
    rates,
    rest,
    start,
    tenth,
    waits,
)
from bench.machine import IN_MEMORY, LOAD_CORE, SERVER_CORE, CpuTimes
from bench.plan import BenchError, Plan, say
from bench.table import Row, render

GROUPS: dict[str, Callable[[Plan], list[Row]]] = {
    "rates": rates.measure,
    "growth": growth.measure,
    "list": lists.measure,
    "waits": waits.measure,
    "hold": hold.measure,
    "disk": disk.measure,
    "memory": memory.measure,
    "start": start.measure,
    "tenth": tenth.measure,
    "rest": rest.measure,
    "alerts": alerts.measure,
    "crashes": crashes.measure,
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; groups come in the order of the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds")
    parser.add_argument(
        "--goals", action="store_true", help="measure only what has a goal"
    )
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="NAME",
        help=f"measure these groups: {', '.join(GROUPS)}",
    )  # fmt: skip
    parser.add_argument(
        "--folder", type=Path,
        help="make databases in a new folder in here, on a real disk (default: ..)",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=int,
        help="how often rates are measured (default: 5, with --quick 2)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.rounds is None:
        options.rounds = 2 if options.quick else 5
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return the exit status: 1 if a group could not be measured."""
    options = parse(arguments)
    # So that servers are stopped, and folders removed, when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parent: Path = options.folder or Path.cwd().parent
    if options.folder is None and machine.file_system(parent) in IN_MEMORY:
        say(f"{parent.resolve()} is not on a disk: name a --folder that is")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hcl-bench-", dir=parent)).resolve()
    try:
        plan = Plan(folder, options.quick, options.goals, options.rounds)
        busy, before = os.getloadavg()[0], machine.cpu_times()
        with machine.on_core(LOAD_CORE):
            rows, failures = _measure(plan, [g for g in GROUPS if g in options.only])
        print(f"{machine.describe(folder)}\n\n{render(rows)}\n")
        for note in [*_notes(plan), _noise(busy, before), *failures]:
            print(f"- {note}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failures else 0


def _measure(plan: Plan, names: Sequence[str]) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    failures = []
    for name in names:
        try:
            rows += GROUPS[name](plan)
        except Exception as error:  # noqa: BLE001 - the other groups are worth having
            traceback.print_exc()
            inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            failures.append(f"**{name} could not be measured**: {inner}")
        # Some databases are large.
        for folder in plan.folder.iterdir():
            shutil.rmtree(folder, ignore_errors=True)
    return rows, failures


def _notes(plan: Plan) -> list[str]:
    cores = f"Servers run on core {SERVER_CORE}, load on core {LOAD_CORE}"
    if SERVER_CORE == LOAD_CORE:
        cores = "**Servers and load share the only core**"
    client = "wrk" if load.has_wrk() else "a client in Python, since wrk is missing"
    notes = [
        f"{cores}. Load comes from {client}, over 127.0.0.1.",
        f"Rates: {plan.rounds} rounds of {plan.pick(3, 1)} s, the servers taking turns;"
        " ratios are taken in each round, and stand as their median (least–greatest)."
        " CPU is what all threads of the server used for each request, and steadier"
        " than a rate.",
        "Bytes written are pages that the server had the kernel write. The device's"
        " count adds the file system's journal, and whatever else wrote to the disk.",
        "kill -9 ends the process, not the kernel: it proves the order of commit and"
        " answer, not that the disk keeps its word in a power cut.",
    ]
    if machine.file_system(plan.folder) in IN_MEMORY:
        notes.insert(0, "**The databases were in memory: syncing cost nothing.**")
    return notes


def _noise(busy: float, before: CpuTimes) -> str:
    stolen = machine.cpu_times().stolen_since(before)
    return (
        f"Noise: the load average was {busy:.1f} before the first measurement, and"
        f" {stolen:.1f} % of the time was stolen by other virtual machines."
    )


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        sys.exit(str(error))
