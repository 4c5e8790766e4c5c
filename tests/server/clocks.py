"""The clocks of a server process, moved by a test: by a library loaded before it."""

import mmap
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Self

import pytest

_SOURCE = Path(__file__).with_suffix(".c")


def build(folder: Path) -> Path:
    """Build the library; skip where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library = folder / "clocks.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl", "-lm"],
        check=True,
        timeout=60,
    )
    return library


class Clocks:
    """By how many seconds a process's clocks are ahead of the machine's."""

    def __init__(self, library: Path, file: Path) -> None:
        self.env = {"LD_PRELOAD": str(library), "HCL_TEST_CLOCKS": str(file)}
        self._file = file
        self._moved = [0.0, 0.0, 0.0, 1.0]
        file.write_bytes(struct.pack("4d", *self._moved))

    def set_wall(self, seconds: float) -> Self:
        """Set the wall, by somebody's hand, ahead or back."""
        return self._move(wall=seconds)

    def pass_by(self, seconds: float) -> Self:
        """Let all clocks go on at once, as they do while a process is not there."""
        return self._move(wall=seconds, boot=seconds, monotonic=seconds)

    def suspend(self, seconds: float) -> Self:
        """Let the machine sleep: the monotonic clock does not count it."""
        return self._move(wall=seconds, boot=seconds)

    def boot(self, seconds: float) -> Self:
        """Set the boot clock and the monotonic one back, as a new boot does."""
        return self._move(boot=-seconds, monotonic=-seconds)

    def synchronise(self, synchronised: bool) -> Self:
        """Say whether the wall is known to be right."""
        self._moved[3] = float(synchronised)
        return self._move()

    def _move(
        self, *, wall: float = 0.0, boot: float = 0.0, monotonic: float = 0.0
    ) -> Self:
        for index, seconds in enumerate((wall, boot, monotonic)):
            self._moved[index] += seconds
        # All at once, as far as the process can see: in one write to its memory.
        with (
            self._file.open("r+b") as file,
            mmap.mmap(file.fileno(), struct.calcsize("4d")) as memory,
        ):
            memory[:] = struct.pack("4d", *self._moved)
        return self
