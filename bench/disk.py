"""What a ping has the disk write: an SD card lives only so many bytes."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import load, machine, proc
from bench.client import Connection, request
from bench.load import Traffic
from bench.machine import DiskUse
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import Row

N_CHECKS = 1000


@dataclass(frozen=True, slots=True)
class _Written:
    """What one server wrote: `total` with what its end moved out of the WAL."""

    pings: int
    seconds: float
    running: int
    total: int
    device: DiskUse | None


def measure(plan: Plan) -> list[Row]:
    """Measure a quiet server, one client that does not rest, and full load."""
    seconds = plan.pick(30, 10)

    def quiet(traffic: Traffic) -> int:
        return asyncio.run(_ping_each_second(traffic, seconds))

    def busy(hcl: Hcl, connections: int) -> Callable[[Traffic], int]:
        return lambda traffic: (
            load.run(traffic, connections, seconds, hcl.folder).requests
        )

    rows = []
    for figure, connections in (
        ("1 ping a second", 0),
        ("1 connection", 1),
        ("64 connections", 64),
    ):
        say(f"disk: {figure}, {seconds} s")
        hcl = Hcl(plan.new_folder())
        written = _measure_one(hcl, busy(hcl, connections) if connections else quiet)
        rows += _rows(figure, written)
    return rows


def _measure_one(hcl: Hcl, drive: Callable[[Traffic], int]) -> _Written:
    codes = load.shuffled(seed(hcl.folder, N_CHECKS))
    traffic = Traffic(hcl.port, [f"/ping/{code}" for code in codes])
    try:
        hcl.start()
        at_start = proc.written_bytes(hcl.pid)
        device, begun = machine.disk_use(hcl.folder), time.perf_counter()
        pings = drive(traffic)
        seconds = time.perf_counter() - begun
        device_end = machine.disk_use(hcl.folder)
        running = proc.written_bytes(hcl.pid) - at_start
        hcl.halt()
        total = proc.written_bytes(hcl.pid) - at_start
    finally:
        hcl.stop()
    used = device_end - device if device and device_end else None
    return _Written(pings, seconds, running, total, used)


async def _ping_each_second(traffic: Traffic, seconds: int) -> int:
    async with Connection(traffic.port) as connection:
        for path in traffic.paths[:seconds]:
            if await connection.ask(request(path)) != 200:
                raise BenchError("a ping was refused")
            await asyncio.sleep(1)
    return seconds


def _rows(figure: str, written: _Written) -> list[Row]:
    pings = written.pings
    each = f"{written.running / pings:,.0f} bytes a ping"
    with_end = f"{written.total / pings:,.0f} with the last checkpoint"
    rows = [Row(f"written by the server, {figure}", f"{each}; {with_end}")]
    if written.device is not None:
        flushes = written.device.flushes / written.seconds
        device = (
            f"{written.device.written / pings:,.0f} bytes a ping;"
            f" {flushes:,.0f} cache flushes a second,"
            f" {pings / max(1, written.device.flushes):.1f} pings to each"
        )
        rows.append(Row(f"written to the whole device meanwhile, {figure}", device))
    return rows
