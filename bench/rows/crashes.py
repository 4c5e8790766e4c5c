"""What kill -9 loses: it must be nothing that was acknowledged."""

import asyncio
import random
import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path

from bench.client import Connection, request
from bench.plan import BenchError, Plan, say
from bench.receivers import Hook
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row, at_most

N_CHECKS = 1000

_CONNECTIONS = 32

# Alerts of each crash, of which one is being sent every few milliseconds.
_ALERTS = 40
_ANSWER_DELAY = 0.01

# How long alerts may take to arrive after the next start, in seconds: a failed try is
# repeated after five.
_PATIENCE = 20


def measure(plan: Plan) -> list[Row]:
    """Kill it under load, then while it sends."""
    times = plan.pick(50, 5)
    return [
        asyncio.run(_lose_pings(plan, times)),
        asyncio.run(_lose_alerts(plan, times)),
    ]


async def _lose_pings(plan: Plan, times: int) -> Row:
    say(f"crashes: {times} under load")
    hcl = Hcl(plan.new_folder())
    codes = await asyncio.to_thread(seed, hcl.folder, N_CHECKS)
    chance = random.Random(1)
    acknowledged: set[str] = set()
    for _ in range(times):
        hcl.start()
        try:
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                for _ in range(_CONNECTIONS):
                    group.create_task(_ping_on(hcl.port, codes, acknowledged))
                await asyncio.sleep(chance.uniform(0.1, 0.6))
                hcl.kill()
        finally:
            hcl.kill()
    lost = len(acknowledged - _kept_rids(hcl.folder / "hcl.sqlite"))
    return Row(
        f"acknowledged pings lost over {times} × kill -9 under load",
        f"{lost} of {len(acknowledged):,}",
        at_most(0, lost),
    )


async def _ping_on(port: int, codes: Sequence[str], acknowledged: set[str]) -> None:
    """Ping until the server is gone, each time with a rid that it is known by."""
    try:
        async with Connection(port) as connection:
            while True:
                rid, code = str(uuid.uuid4()), random.choice(codes)
                if await connection.ask(request(f"/ping/{code}?rid={rid}")) != 200:
                    raise BenchError("a ping was refused")
                acknowledged.add(rid)
    except (OSError, EOFError):
        return


def _kept_rids(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        ((health,),) = connection.execute("PRAGMA integrity_check").fetchall()
        if health != "ok":
            raise BenchError(f"the database is damaged: {health}")
        return {rid for (rid,) in connection.execute("SELECT rid FROM log")}
    finally:
        connection.close()


async def _lose_alerts(plan: Plan, times: int) -> Row:
    say(f"crashes: {times} while sending")
    chance = random.Random(2)
    lost, acknowledged = 0, 0
    async with Hook(_ANSWER_DELAY) as hook:
        hcl = Hcl(plan.new_folder(), hook=hook.port)
        codes = await asyncio.to_thread(seed, hcl.folder, times * _ALERTS)
        try:
            hcl.start()
            for crash in range(times):
                batch = codes[crash * _ALERTS : (crash + 1) * _ALERTS]
                failed: set[str] = set()
                async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                    group.create_task(_fail(hcl.port, batch, failed))
                    await asyncio.sleep(chance.uniform(0.01, 0.12))
                    hcl.kill()
                hcl.start()
                acknowledged += len(failed)
                lost += len(await hook.wait_for_codes(failed, _PATIENCE))
        finally:
            hcl.stop()
    arrivals = [arrival.code for arrival in hook.arrivals]
    repeated = len(arrivals) - len(set(arrivals))
    return Row(
        f"alerts lost over {times} × kill -9 while sending",
        f"{lost} of {acknowledged:,}; {repeated} came twice",
        at_most(0, lost),
    )


async def _fail(port: int, codes: Sequence[str], failed: set[str]) -> None:
    try:
        async with Connection(port) as connection:
            for code in codes:
                if await connection.ask(request(f"/ping/{code}/fail")) != 200:
                    raise BenchError("a ping was refused")
                failed.add(code)
    except (OSError, EOFError):
        return
