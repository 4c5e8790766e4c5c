"""What holds the loop for how long: pings wait meanwhile, and alerts."""

import asyncio
import http.client
import json
import os
import signal
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from bench import load, proc
from bench.client import get
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.probed import REPORT
from bench.seed import seed
from bench.servers import API_KEY, PROJECT, READ_KEY, Hcl, badge_of_all
from bench.table import Row, at_most

_GOAL = 10
_SIZES = (100, 1000, 10_000, 100_000)
_MB = 1_000_000

# How long the report of the probe may take to come, in seconds.
_PATIENCE = 120


class Probed(Hcl):
    """`hcl serve`, with a probe of its loop inside."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._command = [sys.executable, "-m", "bench.probed", str(folder)]

    def held(self) -> tuple[float, float]:
        """Return for how long the loop was held at most since this was asked last.

        By the clock, and by the time that its thread ran, in seconds.
        """
        report = self.folder / REPORT
        report.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        deadline = time.monotonic() + _PATIENCE
        while not report.exists():
            if time.monotonic() > deadline:
                raise BenchError("the probe does not report")
            time.sleep(0.005)
        seen = json.loads(report.read_text())
        return seen["wall"], seen["cpu"]


def measure(plan: Plan) -> list[Row]:
    """Have it do all that may be long, at each size."""
    rows = []
    for n_checks in _SIZES[-1:] if plan.goals else _SIZES:
        stored = plan.pick(5_000_000, 0) if n_checks == _SIZES[-1] else 0
        say(f"hold: {n_checks:,} checks, {stored:,} stored pings")
        rows.append(_measure_size(plan, n_checks, stored))
    return rows


def _measure_size(plan: Plan, n_checks: int, stored: int) -> Row:
    hcl = Probed(plan.new_folder())
    codes = seed(hcl.folder, n_checks, stored)
    seen = {}
    with hcl:
        time.sleep(1)
        hcl.held()
        for name, act in acts(plan, hcl, codes).items():
            act()
            seen[name] = hcl.held()
        memory = proc.resident_bytes(hcl.pid)
    told = ", ".join(
        f"{name} {cpu * 1000:.1f} ({wall * 1000:.1f})"
        for name, (wall, cpu) in seen.items()
    )
    most = max(cpu for _, cpu in seen.values()) * 1000
    return Row(
        f"the longest hold of the loop, {n_checks:,} checks, {stored:,} stored pings:"
        " ms that its thread ran (by the clock)",
        f"{most:.1f} ms: {told}; memory after it {memory / _MB:.1f} MB",
        at_most(_GOAL, most, "ms"),
    )


def acts(plan: Plan, hcl: Hcl, codes: list[str]) -> dict[str, Callable[[], None]]:
    """Return all that may be long, by what it is called."""
    api = "/api/v3/"
    pages = f"/projects/{PROJECT}/"
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in load.shuffled(codes)])

    def ask(*paths: str) -> Callable[[], None]:
        return lambda: get(hcl.port, paths)

    def look(*paths: str) -> Callable[[], None]:
        return lambda: _look_at(hcl, paths)

    def ping() -> None:
        load.run(traffic, 64, plan.pick(10, 3), hcl.folder)

    def reload() -> None:
        os.kill(hcl.pid, signal.SIGHUP)
        time.sleep(2)

    return {
        "pings": ping,
        "list": ask(f"{api}checks/"),
        "list by tag": ask(f"{api}checks/?tag=home"),
        "log": ask(f"{api}checks/{codes[0]}/pings/", f"{api}checks/{codes[0]}/flips/"),
        "badge URLs": ask(f"{api}badges/"),
        "badge of all": ask(badge_of_all(hcl)),
        "project's metrics": ask(f"/projects/{PROJECT}/metrics/{READ_KEY}"),
        "metrics, status": ask("/metrics", f"{api}status/"),
        "page of the list": look(pages),
        "search": look(f"{pages}?q=check+77"),
        "wall": look(f"{pages}wall"),
        "a check's page": look(f"/checks/{codes[0]}"),
        "other pages": look(f"{pages}integrations", f"{pages}badges", "/server"),
        "live": lambda: _live(hcl, pages, codes),
        "reload": reload,
        "filing": lambda: time.sleep(plan.pick(70, 5)),
    }


def _look_at(hcl: Hcl, paths: tuple[str, ...]) -> None:
    """Sign in, and look at pages."""
    connection = http.client.HTTPConnection("127.0.0.1", hcl.port, timeout=120)
    headers = {"Cookie": _cookie(hcl)}
    try:
        for path in paths:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            if response.status >= 400:
                raise BenchError(f"{path}: {response.status}")
    finally:
        connection.close()


def _cookie(hcl: Hcl) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", hcl.port, timeout=120)
    try:
        connection.request(
            "POST",
            "/sign-in",
            urllib.parse.urlencode({"key": API_KEY}),
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"http://127.0.0.1:{hcl.port}",
            },
        )
        response = connection.getresponse()
        response.read()
        cookie = response.getheader("Set-Cookie")
    finally:
        connection.close()
    if cookie is None:
        raise BenchError(f"nobody was signed in: {response.status}")
    return cookie.partition(";")[0]


def _live(hcl: Hcl, pages: str, codes: list[str]) -> None:
    """Follow the changes of the list by a few viewers, while pings come."""
    asyncio.run(_follow(hcl, f"{pages}live?rows=", codes, viewers=5))


async def _follow(hcl: Hcl, path: str, codes: list[str], viewers: int) -> None:
    cookie = await asyncio.to_thread(_cookie, hcl)
    host = f"Host: 127.0.0.1:{hcl.port}"
    head = f"GET {path} HTTP/1.1\r\n{host}\r\nCookie: {cookie}\r\n\r\n"
    streams = []
    try:
        for _ in range(viewers):
            reader, writer = await asyncio.open_connection("127.0.0.1", hcl.port)
            writer.write(head.encode())
            await reader.readuntil(b"retry:")
            streams.append(writer)
        for code in codes[:5]:
            await asyncio.to_thread(get, hcl.port, [f"/ping/{code}"])
            await asyncio.sleep(1)
    finally:
        for writer in streams:
            writer.transport.abort()
