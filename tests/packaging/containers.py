"""What a container would run, in a root of its own: another user, nothing writable."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.patience import ENDS

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "packaging/Containerfile").read_text()

# What the last stage says.
[*_, LAST] = re.split(r"(?m)^FROM ", CONTAINERFILE)
[USER] = re.findall(r"(?m)^USER (\d+):\1$", LAST)
[_ENV] = re.findall(r"(?m)^ENV (.*)$", LAST)
ENV = dict(pair.split("=", 1) for pair in _ENV.split())

_HCL = sys.executable, "-m", "hcl"

# Makes a root of what is there: $1 is where, the others are folders that Python needs.
# Each line is for one mount; all of it is gone with the last process in there.
_SCRIPT = """
set -eu
root=$1 data=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -m 1777 "$root/tmp"; mount -t tmpfs tmpfs "$root/tmp"
mkdir "$root/proc" "$root/data"; mount --bind /proc "$root/proc"
mkdir "$root/dev"; mount --bind /dev "$root/dev"
for folder in /usr /etc /lib /lib64 /bin "$@"; do
    [ -d "$folder" ] || continue
    mkdir -p "$root$folder"
    mount --bind "$folder" "$root$folder"
    mount -o remount,ro,bind "$root$folder"
done
mount --bind "$data" "$root/data"
mount -o remount,ro "$root"
"""


def is_possible() -> bool:
    """Tell whether mounts can be made here."""
    if os.geteuid() != 0 or sys.platform != "linux":
        return False
    tried = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class Container:
    """A root made of this machine's files, with the volume `data` of a user."""

    def __init__(self, folder: Path, owner: int = int(USER)) -> None:
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        os.chown(self.data, owner, owner)
        if owner != int(USER):
            self.data.chmod(0o755)
        self._root = folder / "root"
        self._root.mkdir()

    def start(
        self, *command: str, program: Sequence[str] = _HCL, **env: str
    ) -> subprocess.Popen[str]:
        """Start a command of hcl's as the image would, with more environment."""
        prefixes = dict.fromkeys([sys.base_prefix, sys.prefix, str(ROOT)])
        inside = shlex.join(
            [
                *("chroot", str(self._root)),
                *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"),
                *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
                *("env", "--chdir=/data", *program, *command),
            ]
        )
        own = {name: value for name, value in ENV.items() if name != "PATH"}
        return subprocess.Popen(
            [
                *("unshare", "--mount", "--propagation=private", "sh", "-c"),
                *(f"{_SCRIPT}\nexec {inside}", "sh", str(self._root), str(self.data)),
                *prefixes,
            ],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **own, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **env: str) -> tuple[int, str]:
        """Run a command to its end; return its status, and all that it said."""
        process = self.start(*command, **env)
        out, err = process.communicate(timeout=ENDS)
        return process.returncode, out + err
