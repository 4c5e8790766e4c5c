"""The real systemd as process 1 of namespaces of its own, with units of the test."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.patience import ENDS

PROGRAM = "/lib/systemd/systemd"
_CGROUPS = Path("/sys/fs/cgroup")

# In cgroups of its own ($1), above which it sees nothing, with these units ($2) alone.
_BOOT = """
set -e
for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -w "$top/cgroup.procs" ] || continue
    mkdir "$top/$1" && echo $$ > "$top/$1/cgroup.procs" || rmdir "$top/$1"
done 2> /dev/null
exec unshare --pid --fork --mount --cgroup --uts --ipc --mount-proc --kill-child=KILL \
    sh -c '
        set -e
        mount -t tmpfs tmpfs /run
        mkdir -p /run/systemd/system /run/dev
        for name in null zero full random urandom tty; do
            touch "/run/dev/$name"
            mount --bind "/dev/$name" "/run/dev/$name"
        done
        mount --rbind /run/dev /dev
        if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
            mount -t cgroup2 cgroup2 /sys/fs/cgroup
        else
            mount -t tmpfs tmpfs /sys/fs/cgroup
            mkdir /sys/fs/cgroup/unified /sys/fs/cgroup/systemd
            mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
            mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd
        fi
        export container=test SYSTEMD_UNIT_PATH="$1"
        exec /lib/systemd/systemd --system --log-target=null --unit=empty.target
    ' sh "$2"
"""


def is_possible() -> bool:
    """Tell whether namespaces can be made here, and systemd is installed."""
    if os.geteuid() != 0 or not shutil.which("nsenter") or not Path(PROGRAM).exists():
        return False
    if not any(os.access(path, os.W_OK) for path in _CGROUPS.glob("*")):
        return False
    tried = ["unshare", "--pid", "--fork", "--mount", "--cgroup", "--uts", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class Systemd:
    """A system whose units stand in `units`."""

    def __init__(self, units: Path) -> None:
        self.units = units
        self._name = f"hcl-test-{os.getpid()}"
        units.mkdir(parents=True, exist_ok=True)
        (units / "empty.target").write_text("[Unit]\nDefaultDependencies=no\n")
        self._outside = subprocess.Popen(
            ["sh", "-c", _BOOT, "sh", self._name, str(units)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        begun = time.monotonic()
        while self.run("systemctl", "is-system-running").stdout.strip() != "running":
            if self._outside.poll() is not None or time.monotonic() - begun > ENDS:
                self.close()
                raise RuntimeError("systemd does not start")
            time.sleep(0.05)

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, to its end."""
        outside = self._outside.pid
        children = Path(f"/proc/{outside}/task/{outside}/children")
        pid = (children.read_text().split() or ["0"])[0] if children.exists() else "0"
        return subprocess.run(
            ["nsenter", "--target", pid, "--all", "--wdns=/", *command],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENDS,
            check=False,
        )

    def close(self) -> None:
        """End all that is in it."""
        self._outside.kill()
        self._outside.wait(ENDS)
        begun = time.monotonic()
        tops = [_CGROUPS / self._name, *_CGROUPS.glob(f"*/{self._name}")]
        # Who was killed may need a moment to be gone.
        while not all(map(_remove, tops)) and time.monotonic() - begun < ENDS:
            time.sleep(0.02)


def _remove(top: Path) -> bool:
    """Remove a cgroup and those below it; tell whether they are gone."""
    folders = [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()
    return not top.exists()
