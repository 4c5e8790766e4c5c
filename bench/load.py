"""Load on a server: wrk, or a small client of our own where wrk is missing."""

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

from bench.client import Connection, request
from bench.plan import BenchError
from bench.table import percentile

# Each request in turn. The answers must all be 2xx or 3xx: wrk counts the others.
_SCRIPT = """
local requests, n = {}, 0
function init(args)
  local body = nil
  if args[3] ~= "0" then body = string.rep("x", tonumber(args[3])) end
  for path in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format(args[2], path, nil, body)
  end
end
function request()
  n = n % #requests + 1
  return requests[n]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is asked of a server: these paths in turn, with POST if there is a body."""

    port: int
    paths: Sequence[str]
    body_size: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: answers, in how many seconds, and latencies in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


@cache
def has_wrk() -> bool:
    """Tell whether wrk is installed."""
    return shutil.which("wrk") is not None


def shuffled(paths: Sequence[str]) -> list[str]:
    """Return the paths in an order that is random, and the same each time."""
    # In order of creation neighbours would share pages of the database.
    return random.Random(0).sample(paths, len(paths))


def run(traffic: Traffic, connections: int, seconds: int, folder: Path) -> Load:
    """Keep so many connections busy for a while; `folder` takes wrk's script.

    Raises BenchError if any answer is not a success.
    """
    if has_wrk():
        return _run_wrk(traffic, connections, seconds, folder)
    return asyncio.run(_run_client(traffic, connections, seconds))


def _run_wrk(traffic: Traffic, connections: int, seconds: int, folder: Path) -> Load:
    script, paths = folder / "wrk.lua", folder / "paths"
    script.write_text(_SCRIPT)
    paths.write_text("\n".join(traffic.paths) + "\n")
    method = "POST" if traffic.body_size else "GET"
    command = ["wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", "10s", "--script"]
    command += [str(script), f"http://127.0.0.1:{traffic.port}/", "--", str(paths)]
    finished = subprocess.run(
        [*command, method, str(traffic.body_size)],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    results = [
        line.split()[1:]
        for line in finished.stdout.splitlines()
        if line.startswith("RESULT ")
    ]
    if not results:
        raise BenchError(f"wrk: {finished.stdout} {finished.stderr}")
    requests, duration, errors, p50, p99 = map(int, results[0])
    if errors or not requests:
        raise BenchError(f"{errors} of {requests} requests failed")
    return Load(requests, duration / 1e6, p50 / 1e6, p99 / 1e6)


async def _run_client(traffic: Traffic, connections: int, seconds: int) -> Load:
    requests = cycle(
        [request(path, b"x" * traffic.body_size) for path in traffic.paths]
    )
    latencies: list[float] = []
    begun = time.perf_counter()

    async def keep_asking() -> None:
        async with Connection(traffic.port) as connection:
            while (before := time.perf_counter()) < begun + seconds:
                status = await connection.ask(next(requests))
                if status >= 400:
                    raise BenchError(f"a request failed: {status}")
                latencies.append(time.perf_counter() - before)

    async with asyncio.timeout(seconds + 30), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(keep_asking())
    taken = time.perf_counter() - begun
    p50, p99 = percentile(latencies, 50), percentile(latencies, 99)
    return Load(len(latencies), taken, p50, p99)
