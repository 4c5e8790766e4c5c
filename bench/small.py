"""A small machine: a share of a core, of the memory and of the disk, by cgroups.

Where there are none, or we may not make any, the process is stopped and continued again
and again, which limits its time alone.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import machine
from bench.servers import Hcl

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD = 100_000
_MB = 1_000_000

# A tenth of a core, as a Raspberry Pi is beside a server; its memory; an SD card.
SHARE = 0.1
MEMORY = 512 * _MB
DISK = 10 * _MB


class _Group:
    """Cgroups of one name, of all controllers that there are, and what each limits."""

    def __init__(self, name: str, disk: str) -> None:
        self._name = name
        self._disk = disk
        self._folders: list[Path] = []
        self.limits: list[str] = []

    def limit_time(self) -> None:
        """Give it a share of a core; raises OSError where that cannot be."""
        quota = round(SHARE * _PERIOD)
        if self._is_old("cpu"):
            self._set("cpu", "cpu.cfs_period_us", f"{_PERIOD}")
            self._set("cpu", "cpu.cfs_quota_us", f"{quota}")
        else:
            self._set("", "cpu.max", f"{quota} {_PERIOD}")
        self.limits.append(f"{SHARE:.0%} of a core")

    def limit_room(self) -> None:
        """Give it so much memory, and so much of the disk, as far as that can be."""
        disk = f"{self._disk} {DISK}"
        rooms = (
            ("memory", "memory.limit_in_bytes", f"{MEMORY}", "memory.max", "512 MB"),
            (
                "blkio", "blkio.throttle.write_bps_device", disk, "io.max",
                "10 MB/s written",
            ),
        )  # fmt: skip
        for controller, old, value, new, said in rooms:
            try:
                if self._is_old(controller):
                    self._set(controller, old, value)
                else:
                    self._set("", new, value.replace(f" {DISK}", f" wbps={DISK}"))
                self.limits.append(said)
            except OSError:
                self.limits.append(f"not {said}, which cannot be set here")

    def _is_old(self, controller: str) -> bool:
        return (_CGROUPS / controller).is_dir()

    def _set(self, controller: str, file: str, value: str) -> None:
        folder = _CGROUPS / controller / self._name
        if folder not in self._folders:
            folder.mkdir()
            self._folders.append(folder)
        (folder / file).write_text(value)

    @property
    def entries(self) -> list[Path]:
        """The files that take the number of a process which is to belong to it."""
        return [folder / "cgroup.procs" for folder in self._folders]

    def remove(self) -> None:
        """Put all that is in it back, and remove it."""
        for entry in self.entries:
            with contextlib.suppress(OSError):
                for pid in entry.read_text().split():
                    with contextlib.suppress(OSError):
                        (entry.parent.parent / "cgroup.procs").write_text(pid)
            with contextlib.suppress(OSError):
                entry.parent.rmdir()


class _Halting:
    """Stops a process for most of the time, as a share of a core would."""

    _SLICE = 0.1

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, pid: int) -> None:
        """Begin with a process, once there is one."""
        self._thread = threading.Thread(target=self._run, args=(pid,), daemon=True)
        self._thread.start()

    def _run(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            while not self._over.wait(self._SLICE * SHARE):
                os.kill(pid, signal.SIGSTOP)
                self._over.wait(self._SLICE * (1 - SHARE))
                os.kill(pid, signal.SIGCONT)

    def end(self) -> None:
        """Leave the process alone."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()


@contextmanager
def small(hcl: Hcl, *, all_of_it: bool = True) -> Iterator[str]:
    """Run a server on a small machine meanwhile; say what is limited.

    `all_of_it` False: only its time.
    """
    name = f"hcl-bench-{os.getpid()}-{hcl.port}"
    group = _Group(name, machine.whole_disk(hcl.folder))
    halting = _Halting()
    try:
        try:
            group.limit_time()
            if all_of_it:
                group.limit_room()
            hcl.enter(group.entries)
            said = ", ".join(group.limits)
        except OSError as error:
            group.remove()
            hcl.enter([])
            hcl.when_started = halting.begin
            said = (
                f"{SHARE:.0%} of a core by stopping it (no cgroup: {error.strerror});"
                " memory and disk as they are"
            )
        with hcl:
            yield said
            # So that it ends soon.
            halting.end()
            group.remove()
    finally:
        halting.end()
        group.remove()
