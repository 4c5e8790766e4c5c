"""The real systemd as process 1 of namespaces of its own."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests.patience import ENDS

_CGROUPS = Path("/sys/fs/cgroup")

# In cgroups of its own ($1), above which it sees nothing.
_BOOT = """
set -e
for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -w "$top/cgroup.procs" ] || continue
    mkdir "$top/$1" && echo $$ > "$top/$1/cgroup.procs" || rmdir "$top/$1"
done
shift
exec unshare --pid --fork --mount --cgroup --uts --ipc --mount-proc --kill-child=KILL \
    ${2:+--net} sh -c "$INSIDE" sh "$@"
"""

# $1: where units stand. $2: what is written to /etc, /opt, /usr/local and /var goes
# there, and all else of this machine may only be read; "": they are this machine's own.
# The others, two and two: a name in /run/shown, and the folder that is shown there, to
# be read.
_INSIDE = """
set -ex
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/dev/pts /run/dev/shm
units=$1 over=$2
shift 2
if [ -n "$over" ]; then
    cp -r "$units" /run/units
    units=/etc/systemd/system:/run/units
    while [ $# -gt 0 ]; do
        mkdir -p "/run/shown/$1"
        mount --bind "$2" "/run/shown/$1"
        mount -o remount,bind,ro "/run/shown/$1"
        shift 2
    done
    for name in etc opt usr/local var; do
        mkdir -p "$over/$name" "$over/work/$name"
        mount -t overlay overlay \
            -o "lowerdir=/$name,upperdir=$over/$name,workdir=$over/work/$name" "/$name"
    done
    mount -t tmpfs tmpfs /run/dev/shm
    mount -t tmpfs tmpfs /tmp
    mount -o remount,bind,ro /
else
    # Tests may have their folders there.
    mount --bind /dev/shm /run/dev/shm
fi
for name in null zero full random urandom tty; do
    touch "/run/dev/$name"
    mount --bind "/dev/$name" "/run/dev/$name"
done
mount --bind /dev/pts /run/dev/pts
ln -s pts/ptmx /run/dev/ptmx
mount --rbind /run/dev /dev
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
    mount -t tmpfs tmpfs /sys/fs/cgroup
    mkdir /sys/fs/cgroup/unified /sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd
fi
export container=test SYSTEMD_UNIT_PATH="$units"
exec /lib/systemd/systemd --system --log-target=null --unit=empty.target
"""


def is_possible() -> bool:
    """Tell whether namespaces can be made here, and systemd is installed."""
    programs = "/lib/systemd/systemd", "/usr/bin/nsenter", "/usr/bin/systemctl"
    if os.geteuid() != 0 or not all(map(shutil.which, programs)):
        return False
    if not any(os.access(path, os.W_OK) for path in _CGROUPS.glob("*")):
        return False
    tried = ["unshare", "--pid", "--fork", "--mount", "--cgroup", "--uts", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class Systemd:
    """A system whose units stand in `units`.

    `over`: it may write to /etc, /opt, /usr/local and /var, which comes to lie there,
    to /run and /tmp, and to nothing else; it has a network of its own, and what is
    `shown` in /run/shown, to be read. Without `over` all is this machine's.
    """

    def __init__(
        self,
        units: Path,
        over: Path | None = None,
        shown: Mapping[str, Path] | None = None,
    ) -> None:
        self.units = units
        self._name = f"hcl-test-{os.getpid()}"
        units.mkdir(parents=True, exist_ok=True)
        (units / "empty.target").write_text("[Unit]\nDefaultDependencies=no\n")
        folders = [str(word) for pair in (shown or {}).items() for word in pair]
        log = units.parent / f"{units.name}.log"
        with log.open("w") as file:
            self._outside = subprocess.Popen(
                [
                    "sh",
                    "-xc",
                    _BOOT,
                    "sh",
                    self._name,
                    units,
                    str(over or ""),
                    *folders,
                ],
                env={**os.environ, "INSIDE": _INSIDE},
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        begun = time.monotonic()
        while self.run("systemctl", "is-system-running").stdout.strip() != "running":
            if self._outside.poll() is not None or time.monotonic() - begun > ENDS:
                self.close()
                raise RuntimeError(f"systemd does not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, to its end."""
        outside = self._outside.pid
        children = Path(f"/proc/{outside}/task/{outside}/children")
        pids = children.read_text().split() if children.exists() else []
        if not pids:
            # Not with --target 0 or without one: that would be this machine.
            return subprocess.CompletedProcess(command, 1, "", "it does not run")
        return subprocess.run(
            ["nsenter", "--target", pids[0], "--all", "--wdns=/", *command],
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
