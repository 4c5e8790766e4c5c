"""Whether a folder is still on a disk that this machine has mounted.

Under systemd hcl sees the mounts of its start, and of those that come later what lies
beside them. A disk below which a folder is opened for it stays, though the machine has
unmounted it: what is written there goes to a disk that nobody looks at any more.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")


class UnmountedError(Exception):
    """The machine has unmounted the disk of a folder; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Mount:
    """A line of proc(5), mountinfo. `follows` is whether it goes with the machine's."""

    id: str
    device: str
    point: Path
    kind: str
    follows: bool


class Mounts:
    """Remembers which folders were on mounts that go with those of the machine."""

    def __init__(self) -> None:
        # The mount that each was on; what is mounted over it since is another.
        self._followed: dict[Path, str] = {}

    def look(self, folder: Path) -> None:
        """Look at a folder, which may wait for its disk. Raises UnmountedError."""
        # What cannot be found out is no reason not to write there.
        with suppress(OSError, ValueError, LookupError):
            mount, follows = _found(folder)
            if follows:
                self._followed[folder] = mount
            elif self._followed.get(folder) == mount:
                raise UnmountedError(
                    f"{folder}: its disk was unmounted, and hcl still sees that one:"
                    " restart hcl once one is mounted there"
                )


def _found(folder: Path) -> tuple[str, bool]:
    """Return on which mount a folder is, and whether that goes with the machine's."""
    # First: a look at it may have it mounted.
    own = _id_of(folder)
    mounts = [_read(line) for line in _TABLE.read_text().splitlines()]
    [found] = [mount for mount in mounts if mount.id == own]
    # The same disk may be mounted again; an automount comes and goes by itself.
    return own, found.follows or any(
        (mount.follows and mount.device == found.device)
        or (mount.kind == "autofs" and folder.is_relative_to(mount.point))
        for mount in mounts
    )


def _id_of(folder: Path) -> str:
    fd = os.open(folder, os.O_PATH)
    try:
        lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    finally:
        os.close(fd)
    return dict(line.split(":\t", 1) for line in lines)["mnt_id"]


def _read(line: str) -> _Mount:
    before, _, after = line.partition(" - ")
    id_, _, device, _, point, _, *optional = before.split()
    follows = any(word.startswith("master:") for word in optional)
    return _Mount(id_, device, Path(point), after.split()[0], follows)
