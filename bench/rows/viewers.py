"""What open pages cost at each change of a check."""

import asyncio

from bench import proc
from bench.browser import open_pages
from bench.client import Connection, request
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row

N_CHECKS = 1000

_VIEWERS = 20


def measure(plan: Plan) -> list[Row]:
    """Measure changes that nobody sees, and the same ones while many look."""
    hcl = Hcl(plan.new_folder())
    codes = seed(hcl.folder, N_CHECKS)
    changes = plan.pick(20, 5)
    say(f"viewers: {changes} changes, without and with {_VIEWERS} open pages")
    with hcl:
        return asyncio.run(_measure(hcl, codes, changes))


async def _measure(hcl: Hcl, codes: list[str], changes: int) -> list[Row]:
    # One page has been open before: what it imports is no part of a change.
    async with open_pages(hcl, 1):
        await _change(hcl, codes, 2)
    alone = await _change(hcl, codes, changes)
    async with open_pages(hcl, 1):
        one = await _change(hcl, codes, changes)
    async with open_pages(hcl, _VIEWERS) as streams:
        many = await _change(hcl, codes, changes)
        if not all(stream.bytes for stream in streams):
            raise BenchError("nothing came to an open page")
        size = sum(stream.bytes for stream in streams) / _VIEWERS / changes
    figure = f"CPU of a change at {N_CHECKS} checks, seen on {_VIEWERS} open pages"
    shown = (
        f"{many * 1000:.1f} ms, and {size:,.0f} bytes to each;"
        f" on one {one * 1000:.1f} ms, unseen {alone * 1000:.1f} ms"
    )
    return [Row(figure, shown)]


async def _change(hcl: Hcl, codes: list[str], changes: int) -> float:
    """Change a check each second; return the CPU time of each, in seconds."""
    before = proc.run_seconds(hcl.pid)
    async with Connection(hcl.port) as connection:
        for code in codes[:changes]:
            if await connection.ask(request(f"/ping/{code}/fail")) != 200:
                raise BenchError("a ping was refused")
            await asyncio.sleep(0.5)
            await connection.ask(request(f"/ping/{code}"))
            await asyncio.sleep(0.5)
    return (proc.run_seconds(hcl.pid) - before) / changes / 2
