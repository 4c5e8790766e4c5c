"""python -m bench: measure hcl, and print what was found as a Markdown table.

For Linux, since nearly all is read from /proc. The table goes to standard output, what
is being done to standard error.
"""

import argparse
import compileall
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import load, machine
from bench.groups import GROUPS, described
from bench.machine import IN_MEMORY, LOAD_CORE, SERVER_CORE
from bench.plan import BenchError, Plan, say
from bench.servers import ROOT
from bench.table import Row, render

# Nothing takes so many times as long as it should, and so many seconds more.
_PATIENCE_FACTOR = 4
_PATIENCE = 120


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; groups come in the order of the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds")
    parser.add_argument(
        "--goals", action="store_true", help="measure only what has a goal"
    )
    parser.add_argument(
        "--only", nargs="+", choices=GROUPS, metavar="NAME",
        help="measure these groups",
    )  # fmt: skip
    parser.add_argument(
        "--part", nargs="+", type=int, choices=(1, 2, 3), metavar="N",
        help="measure the groups of these parts: 1, 2, 3",
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
    parts = options.part or ([] if options.only else [1, 2, 3])
    options.only = [
        name
        for name, group in GROUPS.items()
        if name in (options.only or ()) or group.part in parts
    ]
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
    # As pip does where hcl is installed: a server that compiles itself takes longer to
    # start, and 0.6 MB of memory.
    compileall.compile_dir(ROOT / "hcl", quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="hcl-bench-", dir=parent)).resolve()
    try:
        plan = Plan(folder, options.quick, options.goals, options.rounds)
        run = _Run(plan)
        with machine.on_core(LOAD_CORE):
            for name in options.only:
                run.measure(name)
        print(f"{machine.describe(folder)}\n\n{render(run.rows)}\n")
        for note in [*_notes(plan), *run.noise(), *run.failures]:
            print(f"- {note}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if run.failures else 0


class _Run:
    """Measures groups, and remembers what else the machine did meanwhile."""

    def __init__(self, plan: Plan) -> None:
        self.rows: list[Row] = []
        self.failures: list[str] = []
        self._plan = plan
        self._busy, self._before = os.getloadavg()[0], machine.cpu_times()
        self._others: list[str] = []

    def measure(self, name: str) -> None:
        """Measure a group; what fails is told at the end."""
        group, before = GROUPS[name], machine.cpu_times()
        begun = time.monotonic()
        try:
            with _at_most(group.seconds * _PATIENCE_FACTOR + _PATIENCE):
                self.rows += group.measure(self._plan)
        except Exception as error:  # noqa: BLE001 - the other groups are worth having
            traceback.print_exc()
            inner = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            self.failures.append(f"**{name} could not be measured**: {inner}")
        others = machine.cpu_times().others_since(before)
        self._others.append(f"{name} {others:.0f} %")
        say(f"{name}: took {time.monotonic() - begun:.0f} s")
        # Some databases are large.
        for folder in self._plan.folder.iterdir():
            shutil.rmtree(folder, ignore_errors=True)

    def noise(self) -> Iterator[str]:
        """Tell how quiet the machine was."""
        stolen = machine.cpu_times().stolen_since(self._before)
        yield (
            f"Noise: the load average was {self._busy:.1f} before the first group, and"
            f" {stolen:.1f} % of the time was stolen by other virtual machines."
        )
        yield (
            "Of the machine's time other processes, and the kernel for itself, took"
            f" meanwhile: {', '.join(self._others)}."
        )


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Raise BenchError in what takes longer."""

    def give_up(*_: object) -> None:
        raise BenchError(f"not done after {seconds} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


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


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        sys.exit(str(error))
