"""Memory: at rest, and after very many pings, lists and pages."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path

from bench import load, proc
from bench.browser import LIST, Browser, open_pages
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

# A rest between an alert and what memory is measured after, in seconds.
_REST = 7

_FIGURE = f"memory (RSS), {N_CHECKS} checks, a channel of each kind"

# The file that the command makes: it tells that it ran.
_TOLD = "told"


# What an hour of dashboards is: so many people, each of whom looks at a page so often
# while they have the list open.
_PEOPLE = 5
_LOOK_EVERY = 10


def measure(plan: Plan) -> list[Row]:
    """Measure one server that has sent an alert over each of its channels."""
    return asyncio.run(_measure(plan))


def measure_pings(plan: Plan) -> list[Row]:
    """Measure it after a million pings."""
    return asyncio.run(_after(plan, _pings))


def measure_lists(plan: Plan) -> list[Row]:
    """Measure it after very many lists."""
    return asyncio.run(_after(plan, _lists))


def measure_pages(plan: Plan) -> list[Row]:
    """Measure it after so many pages as an hour of dashboards asks for."""
    return asyncio.run(_after(plan, _pages))


async def _measure(plan: Plan) -> list[Row]:
    async with _alerted(plan) as (hcl, _, at_start):
        seconds = plan.pick(60, 10)
        say(f"memory: at rest for {seconds} s")
        await asyncio.sleep(seconds)
        resting = proc.resident_bytes(hcl.pid)
    return [
        Row(f"{_FIGURE}: at the first 200", f"{at_start / _MB:.1f} MB"),
        Row(
            f"{_FIGURE}: {seconds} s after start, one request and one alert",
            f"{resting / _MB:.1f} MB",
            at_most(_GOAL, resting / _MB, "MB"),
        ),
    ]


@asynccontextmanager
async def _alerted(plan: Plan) -> AsyncIterator[tuple[Hcl, list[str], int]]:
    """Run a server that has sent an alert; yield its checks, and its first memory."""
    folder = plan.new_folder()
    async with Hook() as hook, Mailbox() as mailbox, Hook() as phone:
        others = _others(folder, phone.port)
        # trio comes with the development tools, and is imported where it is.
        hcl = Hcl(
            folder,
            hook=hook.port,
            smtp=mailbox.port,
            channels=others,
            lacks=("trio",),
        )
        codes = await asyncio.to_thread(seed, hcl.folder, N_CHECKS)
        with hcl:
            at_start = proc.resident_bytes(hcl.pid)
            get(hcl.port, ["/api/v3/checks/", f"/ping/{codes[0]}/fail"])
            await hook.wait_for(1, seconds=20)
            await phone.wait_for(1, seconds=20)
            await _wait(lambda: bool(mailbox.mails) and (folder / _TOLD).exists())
            # The first is down: a ping would have it alert again.
            yield hcl, codes[1:], at_start


async def _wait(is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_done():
        if time.monotonic() > end:
            raise BenchError("the mail did not come, or the command did not run")
        await asyncio.sleep(0.1)


# Loads a server, and returns what was done.
_Load = Callable[[Plan, Hcl, list[str]], Awaitable[str]]


async def _after(plan: Plan, work: _Load) -> list[Row]:
    async with _alerted(plan) as (hcl, codes, _):
        # The process that runs Apprise is gone by then.
        await asyncio.sleep(_REST)
        before = proc.resident_bytes(hcl.pid)
        done = await work(plan, hcl, codes)
        after, peak = proc.resident_bytes(hcl.pid), proc.peak_bytes(hcl.pid)
        threads = proc.threads(hcl.pid)
    return [
        Row(
            f"{_FIGURE}: after {done}",
            f"{after / _MB:.1f} MB (peak {peak / _MB:.1f} MB, before"
            f" {before / _MB:.1f} MB), {threads} threads",
            at_most(_LOADED_GOAL, after / _MB, "MB"),
        )
    ]


def _others(folder: Path, phone: int) -> str:
    """Write the channels beside the webhook and the mail."""
    names = ["Hook", "Mail", "Script", "Phone"]
    return (
        toml.channel("Script", "shell", down=f"touch '{folder / _TOLD}'")
        + toml.channel("Phone", "ntfy", url=f"ntfy://127.0.0.1:{phone}/alerts")
        + toml.channel("All", "group", channels=names)
    )


async def _pings(plan: Plan, hcl: Hcl, codes: list[str]) -> str:
    sent = await asyncio.to_thread(_ping, hcl, codes, plan.pick(1_000_000, 100_000))
    return f"{sent:,} pings"


async def _lists(plan: Plan, hcl: Hcl, _codes: list[str]) -> str:
    """Have 64 clients list all checks again and again."""
    seconds = plan.pick(10, 3)
    say(f"memory: 64 clients list for {seconds} s")
    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(keep_listing(hcl.port, seconds))
    return f"64 clients listed them for {seconds} s"


async def _pages(plan: Plan, hcl: Hcl, codes: list[str]) -> str:
    """Look at as many pages as in an hour, in as short a time as it takes."""
    looks = plan.pick(3600, 120) * _PEOPLE // _LOOK_EVERY
    say(f"memory: {looks:,} pages")
    begun = time.monotonic()
    async with open_pages(hcl, _PEOPLE):
        await asyncio.to_thread(_look, hcl, codes, looks)
    seconds = time.monotonic() - begun
    return (
        f"{looks:,} pages and {_PEOPLE} open ones, as in"
        f" {looks * _LOOK_EVERY // _PEOPLE // 60} min of {_PEOPLE} people, but within"
        f" {seconds:.0f} s"
    )


def _look(hcl: Hcl, codes: list[str], looks: int) -> None:
    """Look at pages in turn, and ping a check before each."""
    browser = Browser(hcl)
    pages = cycle(("", "wall", "integrations", "badges", "new", "?q=check+7"))
    try:
        for number, code in zip(range(looks), cycle(codes), strict=False):
            get(hcl.port, [f"/ping/{code}"])
            page = f"{LIST}{next(pages)}" if number % 2 else f"/checks/{code}"
            browser.look(page)
    finally:
        browser.close()


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
