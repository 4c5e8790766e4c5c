"""What /proc tells of a process: its time, memory and writing."""

import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the time that all threads have run, in user space and in the kernel."""
    # The name in parentheses, which comes before, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def run_seconds(pid: int) -> float:
    """Return the time that the threads now alive have run, to the nanosecond."""
    nanoseconds = 0
    for task in _tasks(pid):
        nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def switches(pid: int) -> int:
    """Return how often the threads now alive gave up the core by themselves."""
    return sum(_status(task, "voluntary_ctxt_switches") for task in _tasks(pid))


def resident_bytes(pid: int) -> int:
    """Return the memory of a process and all below it."""
    return sum(_status(Path(f"/proc/{one}"), "VmRSS") for one in family(pid)) * 1024


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had."""
    return _status(Path(f"/proc/{pid}"), "VmHWM") * 1024


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return len(list(_tasks(pid)))


def written_bytes(pid: int) -> int:
    """Return how much a process had the disk write; also of one not yet waited for."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        name, value = line.split(": ")
        if name == "write_bytes":
            return int(value)
    raise KeyError("write_bytes")


def family(pid: int) -> Iterator[int]:
    """Yield the numbers of a process and of all below it."""
    yield pid
    for task in _tasks(pid):
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def _tasks(pid: int) -> Iterator[Path]:
    return Path(f"/proc/{pid}/task").iterdir()


def _status(process: Path, name: str) -> int:
    for line in (process / "status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(name)
