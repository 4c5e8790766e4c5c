"""The machine: what it is, how busy others keep it, what its disk was made to write."""

import os
import platform
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")

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
    """How the machine's time went so far, in seconds of all cores.

    `busy` is what anybody ran, `own` what we and our processes that have ended did.
    """

    total: float
    busy: float
    stolen: float
    own: float

    def stolen_since(self, before: "CpuTimes") -> float:
        """Return the percentage of the time that other virtual machines took."""
        return (self.stolen - before.stolen) / self._since(before) * 100

    def others_since(self, before: "CpuTimes") -> float:
        """Return the percentage of the time that was neither ours nor free."""
        others = (self.busy - before.busy) - (self.own - before.own)
        return max(0.0, others) / self._since(before) * 100

    def _since(self, before: "CpuTimes") -> float:
        return max(0.01, self.total - before.total)


def cpu_times() -> CpuTimes:
    """Read how the machine's time went so far."""
    with open("/proc/stat") as file:
        counts = [int(count) / _TICKS for count in file.readline().split()[1:9]]
    own = sum(os.times()[:4])
    # The fourth and fifth are idle, and waiting for a disk, which is idle too.
    return CpuTimes(sum(counts), sum(counts) - sum(counts[3:5]), counts[7], own)


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What a block device did: bytes written, and caches flushed (at every sync)."""

    written: int
    flushes: int

    def __sub__(self, before: "DiskUse") -> "DiskUse":
        return DiskUse(self.written - before.written, self.flushes - before.flushes)


def whole_disk(folder: Path) -> str:
    """Return the numbers of the disk under a folder, not of a partition of it.

    Flushes are counted, and writing is limited, for whole disks only.
    """
    number = folder.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if (device / "partition").exists():
        return (device.resolve().parent / "dev").read_text().strip()
    return device.name


def disk_use(folder: Path) -> DiskUse | None:
    """Read what the device under a folder did so far; None if it cannot be told."""
    try:
        device = Path("/sys/dev/block", whole_disk(folder))
        counts = [int(count) for count in (device / "stat").read_text().split()]
    except OSError:
        return None
    if len(counts) < 17:
        return None
    return DiskUse(written=counts[6] * 512, flushes=counts[15])
