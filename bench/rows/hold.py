"""What holds the loop for how long: pings wait meanwhile, and alerts."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import load, proc
from bench.browser import LIST, look_at, open_pages
from bench.client import get
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.probed import REPORT
from bench.receivers import Hook, Mailbox
from bench.seed import seed
from bench.servers import API_KEY, PROJECT, READ_KEY, ROOT, Hcl, badge_of_all
from bench.table import Row, at_most
from tests import toml

_GOAL = 10
_SIZES = (100, 1000, 10_000, 100_000)
_MB = 1_000_000

# Where backups go: it is not there at first.
_BACKUPS = "backups"

# Checks that have more pings than are kept, and by how many.
_OVER = (1000, 60)

# How long the report of the probe may take to come, in seconds.
_PATIENCE = 120


class Probed(Hcl):
    """`hcl serve`, with a probe of its loop inside."""

    def __init__(self, folder: Path, hook: int, smtp: int) -> None:
        backup = toml.table("backup", folder=str(folder / _BACKUPS))
        super().__init__(folder, hook=hook, smtp=smtp, channels=backup)
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
    return asyncio.run(_beside_receivers(plan, n_checks, stored))


async def _beside_receivers(plan: Plan, n_checks: int, stored: int) -> Row:
    async with Hook() as hook, Mailbox() as mailbox:
        hcl = Probed(plan.new_folder(), hook.port, mailbox.port)

        async def alert(code: str) -> None:
            await asyncio.to_thread(get, hcl.port, [f"/ping/{code}/fail"])
            await hook.wait_for(1, seconds=60)
            await asyncio.sleep(2)

        loop = asyncio.get_running_loop()

        def first(code: str) -> None:
            asyncio.run_coroutine_threadsafe(alert(code), loop).result()

        return await asyncio.to_thread(_held_by_all, plan, hcl, n_checks, stored, first)


def _held_by_all(
    plan: Plan, hcl: Probed, n_checks: int, stored: int, alert: Callable[[str], None]
) -> Row:
    codes = seed(hcl.folder, n_checks, stored, over=_OVER if stored else (0, 0))
    seen = {}
    with hcl:
        time.sleep(1)
        hcl.held()
        first = {"first alert": partial(alert, codes[-1])}
        for name, act in (first | acts(plan, hcl, codes)).items():
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
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in load.shuffled(codes)])

    def reload() -> None:
        os.kill(hcl.pid, signal.SIGHUP)
        time.sleep(2)

    def edit() -> None:
        _change(hcl, codes[1])
        # Who remembers checks forgets them now.
        get(hcl.port, [f"/ping/{code}" for code in codes[:200]])

    return {
        "pings": lambda: _ping(plan, hcl, traffic),
        "a change": edit,
        **_asking(hcl, codes),
        **_looking(hcl, codes),
        "20 open pages": lambda: asyncio.run(_live(hcl, codes)),
        "reload": reload,
        "backup": lambda: _back_up(hcl),
        "import from here": lambda: _move(plan, hcl, _import(hcl)),
        "export": lambda: _move(plan, hcl, ["export", str(hcl.folder / "out")]),
        "filing, pruning": lambda: time.sleep(plan.pick(70, 5)),
    }


def _ping(plan: Plan, hcl: Hcl, traffic: Traffic) -> None:
    load.run(traffic, 64, plan.pick(10, 3), hcl.folder)


def _change(hcl: Hcl, code: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{hcl.port}/api/v3/checks/{code}",
        data=b'{"desc": "changed"}',
        headers={"X-Api-Key": API_KEY},
    )
    with urllib.request.urlopen(request, timeout=120):
        pass


def _asking(hcl: Hcl, codes: list[str]) -> dict[str, Callable[[], None]]:
    api = "/api/v3/"
    paths = {
        "list": [f"{api}checks/"],
        "list by tag": [f"{api}checks/?tag=home"],
        "log": [f"{api}checks/{codes[0]}/pings/", f"{api}checks/{codes[0]}/flips/"],
        "badge URLs": [f"{api}badges/"],
        "badge of all": [badge_of_all(hcl)],
        "project's metrics": [f"/projects/{PROJECT}/metrics/{READ_KEY}"],
        "metrics, status, channels": ["/metrics", f"{api}status/", f"{api}channels/"],
        "explain": [f"{api}checks/{codes[0]}/explain/"],
        "docs": ["/docs/", f"{api}openapi.json", "/client/hcl"],
    }
    return {name: partial(get, hcl.port, some) for name, some in paths.items()}


def _looking(hcl: Hcl, codes: list[str]) -> dict[str, Callable[[], None]]:
    check = f"/checks/{codes[0]}"
    paths = {
        "page of the list": [LIST],
        "search": [f"{LIST}?q=check+77"],
        "wall": [f"{LIST}wall"],
        "a check's page": [check, f"{check}/log"],
        "forms": [f"{LIST}new", f"{check}/edit", f"{check}/delete"],
        "other pages": [f"{LIST}integrations", f"{LIST}badges", "/server"],
    }
    return {name: partial(look_at, hcl, some) for name, some in paths.items()}


async def _live(hcl: Hcl, codes: list[str]) -> None:
    """Follow the changes of the list on open pages, while pings come."""
    async with open_pages(hcl, 20):
        for code in codes[:5]:
            await asyncio.to_thread(get, hcl.port, [f"/ping/{code}/fail"])
            await asyncio.sleep(1)


def _back_up(hcl: Hcl) -> None:
    """Make the folder that lacked, and wait for the copy."""
    folder = hcl.folder / _BACKUPS
    folder.mkdir()
    os.kill(hcl.pid, signal.SIGHUP)
    end = time.monotonic() + _PATIENCE
    while not list(folder.glob("hcl-*.sqlite")):
        if time.monotonic() > end:
            raise BenchError("no backup was made")
        time.sleep(0.1)


def _import(hcl: Hcl) -> list[str]:
    """Return what has another hcl move in from here."""
    other = hcl.folder / "other"
    other.mkdir()
    source = ["import", f"http://127.0.0.1:{hcl.port}", "--api-key", API_KEY]
    return [*source, "--config", str(other / "hcl.toml")]


def _move(plan: Plan, hcl: Hcl, arguments: list[str]) -> None:
    """Let a command run for a while: with very many checks it takes minutes."""
    with (hcl.folder / "moved").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hcl", *arguments],
            cwd=hcl.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        status = process.wait(plan.pick(20, 4))
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        status = 0
    if status:
        said = (hcl.folder / "moved").read_text()
        raise BenchError(f"hcl {arguments[0]}: {said[-200:]}")
