"""python -m bench.probed FOLDER: serve as hcl does, with a probe of its loop inside.

On SIGUSR1 it writes what it has seen since the last time to FOLDER/probe.json.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from hcl import config as configuration
from hcl.server import serving
from hcl.web.parts import Parts

# The file that it writes to.
REPORT = "probe.json"

# How often it looks, in seconds.
_EVERY = 0.001


class _Probe:
    """Wakes again and again, and notes by how much it was held up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begin()

    def start(self) -> None:
        """Begin to look, on the running loop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._report)
        self._look()

    def _begin(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self._most_wall = self._most_cpu = 0.0

    def _look(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        self._most_wall = max(self._most_wall, wall - self._wall - _EVERY)
        # What the loop itself has done in one go: other processes have no part in it.
        self._most_cpu = max(self._most_cpu, cpu - self._cpu)
        self._wall, self._cpu = wall, cpu
        asyncio.get_running_loop().call_later(_EVERY, self._look)

    def _report(self) -> None:
        seen = {"wall": self._most_wall, "cpu": self._most_cpu}
        path = self._folder / REPORT
        path.with_suffix(".new").write_text(json.dumps(seen))
        path.with_suffix(".new").rename(path)
        self._begin()


def main(folder: Path) -> None:
    """Serve until SIGTERM."""
    os.chdir(folder)
    path = folder / "hcl.toml"
    config = configuration.load(path)
    probe = _Probe(folder)

    async def start(_: Parts) -> None:
        probe.start()

    serving.run(config, lambda: configuration.load(path), start, new=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
