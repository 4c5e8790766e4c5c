"""The machine: what it is, how busy others keep it, what its disk was made to write."""

import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}

_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _CORES[0], _CORES[-1]


def describe(folder: Path) -> str:
    """Return the line that stands before the table."""
    return (
        f"{_cpu_model()}, {os.cpu_count()} cores;"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version};"
        f" database on {file_system(folder)}; Linux {platform.release()};"
        f" {datetime.now(UTC):%Y-%m-%d}"
    )


def _cpu_model() -> str:
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    # On ARM the last line names the board.
    return fields.get("model name") or fields.get("Model") or platform.machine()


def file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on."""
    best, kind = "", "an unknown file system"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, fstype, *_ = line.split(" ")
        # Spaces in a path are written as octal numbers there.
        point = mount.replace(r"\040", " ")
        if folder.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, fstype
    return kind


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Run on one core meanwhile; a process that is started here stays on it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """What /proc/stat has counted since the start: all time, and what was stolen."""

    total: int
    stolen: int

    def stolen_since(self, before: "CpuTimes") -> float:
        """Return the percentage of the time that other virtual machines took."""
        return (self.stolen - before.stolen) / max(1, self.total - before.total) * 100


def cpu_times() -> CpuTimes:
    """Read how the machine's time went so far."""
    with open("/proc/stat") as file:
        counts = [int(count) for count in file.readline().split()[1:9]]
    return CpuTimes(sum(counts), counts[7])


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What a block device did: bytes written, and caches flushed (at every sync)."""

    written: int
    flushes: int

    def __sub__(self, before: "DiskUse") -> "DiskUse":
        return DiskUse(self.written - before.written, self.flushes - before.flushes)


def disk_use(folder: Path) -> DiskUse | None:
    """Read what the device under a folder did so far; None if it cannot be told."""
    number = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    try:
        # Flushes are counted for whole disks only.
        if (device / "partition").exists():
            device = device.resolve().parent
        counts = [int(count) for count in (device / "stat").read_text().split()]
    except OSError:
        return None
    if len(counts) < 17:
        return None
    return DiskUse(written=counts[6] * 512, flushes=counts[15])
