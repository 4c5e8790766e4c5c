"""Memory: at rest, and after very many pings."""

import asyncio
import time
from pathlib import Path

from bench import load, proc
from bench.client import get, keep_listing
from bench.load import Traffic
from bench.plan import BenchError, Plan, say
from bench.receivers import Hook, Mailbox
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most
from tests import toml

N_CHECKS = 1000
_GOAL = 45
_LOADED_GOAL = 60
_MB = 1_000_000

# How long the pings may take in all, in seconds.
_PATIENCE = 600

_FIGURE = f"memory (RSS), {N_CHECKS} checks, a channel of each kind"

# The file that the command makes: it tells that it ran.
_TOLD = "told"


def measure(plan: Plan) -> list[Row]:
    """Measure one server that has sent an alert over each of its channels."""
    return asyncio.run(_measure(plan))


async def _measure(plan: Plan) -> list[Row]:
    folder = plan.new_folder()
    async with Hook() as hook, Mailbox() as mailbox, Hook() as phone:
        others = _others(folder, phone.port)
        hcl = Hcl(folder, hook=hook.port, smtp=mailbox.port, channels=others)
        codes = await asyncio.to_thread(seed, hcl.folder, N_CHECKS)
        with hcl:
            at_start = proc.resident_bytes(hcl.pid)
            get(hcl.port, ["/api/v3/checks/", f"/ping/{codes[0]}/fail"])
            await hook.wait_for(1, seconds=20)
            await phone.wait_for(1, seconds=20)
            seconds = plan.pick(60, 10)
            say(f"memory: at rest for {seconds} s")
            await asyncio.sleep(seconds)
            if not mailbox.mails or not (folder / _TOLD).exists():
                raise BenchError("the mail did not come, or the command did not run")
            resting = proc.resident_bytes(hcl.pid)
            rows = [
                Row(f"{_FIGURE}: at the first 200", f"{at_start / _MB:.1f} MB"),
                Row(
                    f"{_FIGURE}: {seconds} s after start, one request and one alert",
                    f"{resting / _MB:.1f} MB",
                    at_most(_GOAL, resting / _MB, "MB"),
                ),
            ]
            if not plan.goals:
                rows.append(_under_load(plan, hcl, codes))
                rows.append(await _after_lists(plan, hcl))
    return rows


def _others(folder: Path, phone: int) -> str:
    """Write the channels beside the webhook and the mail."""
    names = ["Hook", "Mail", "Script", "Phone"]
    return (
        toml.channel("Script", "shell", down=f"touch '{folder / _TOLD}'")
        + toml.channel("Phone", "ntfy", url=f"ntfy://127.0.0.1:{phone}/alerts")
        + toml.channel("All", "group", channels=names)
    )


def _under_load(plan: Plan, hcl: Hcl, codes: list[str]) -> Row:
    pings = _ping(hcl, codes, plan.pick(1_000_000, 100_000))
    after, peak = proc.resident_bytes(hcl.pid), proc.peak_bytes(hcl.pid)
    return Row(
        f"{_FIGURE}: after {pings:,} pings",
        f"{after / _MB:.1f} MB (peak {peak / _MB:.1f} MB),"
        f" {proc.threads(hcl.pid)} threads",
        at_most(_LOADED_GOAL, after / _MB, "MB"),
    )


async def _after_lists(plan: Plan, hcl: Hcl) -> Row:
    """Have 64 clients list all checks again and again, then look at what is left."""
    seconds = plan.pick(10, 3)
    say(f"memory: 64 clients list for {seconds} s")
    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(keep_listing(hcl.port, seconds))
    after, peak = proc.resident_bytes(hcl.pid), proc.peak_bytes(hcl.pid)
    return Row(
        f"{_FIGURE}: after 64 clients listed them for {seconds} s",
        f"{after / _MB:.1f} MB (peak {peak / _MB:.1f} MB)",
        at_most(_LOADED_GOAL, after / _MB, "MB"),
    )


def _ping(hcl: Hcl, codes: list[str], wanted: int) -> int:
    """Send at least so many pings, and return how many."""
    say(f"memory: {wanted:,} pings")
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in load.shuffled(codes)])
    sent, begun = 0, time.monotonic()
    while sent < wanted:
        if time.monotonic() - begun > _PATIENCE:
            raise BenchError(f"only {sent:,} pings in {_PATIENCE} s")
        sent += load.run(traffic, 64, 5, hcl.folder).requests
    return sent
