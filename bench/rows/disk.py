"""What a ping has the disk write: an SD card lives only so many bytes."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bench import load, machine, proc
from bench.client import Connection, request
from bench.load import Traffic
from bench.machine import DiskUse
from bench.plan import BenchError, Plan, say
from bench.seed import seed
from bench.servers import Hcl
from bench.table import NO_GOAL, Row, at_most
from hcl import config as configuration
from hcl.clock import Clock
from hcl.db import open_database
from hcl.pings.arrival import Target
from hcl.pings.filer import FILE_AT_LATEST
from hcl.server.parts import assemble
from tests.build import make_ping

N_CHECKS = 1000


@dataclass(frozen=True, slots=True)
class _Written:
    """What one server wrote: `total` with what its end moved out of the WAL."""

    pings: int
    seconds: float
    running: int
    total: int
    device: DiskUse | None


def measure_card(plan: Plan) -> list[Row]:
    """Measure hours of one ping a second, of few checks and of many."""
    sizes = (20,) if plan.goals else (20, 1000)
    return [asyncio.run(_quiet_hours(plan, checks)) for checks in sizes]


def measure(plan: Plan) -> list[Row]:
    """Measure a quiet server, one client that does not rest, and full load."""
    seconds = plan.pick(30, 10)

    def quiet(traffic: Traffic) -> int:
        return asyncio.run(_ping_each_second(traffic, seconds))

    def busy(hcl: Hcl, connections: int) -> Callable[[Traffic], int]:
        return lambda traffic: (
            load.run(traffic, connections, seconds, hcl.folder).requests
        )

    rows: list[Row] = []
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


class _Times:
    """A clock that is moved by the second, so that hours pass in a minute."""

    boot_id = "bench"

    def __init__(self) -> None:
        self._wall, self._boot = time.time(), 1000.0

    def wall(self) -> float:
        return self._wall

    def boot(self) -> float:
        return self._boot

    def monotonic(self) -> float:
        return self._boot

    def is_synchronised(self) -> bool:
        return True

    def pass_a_second(self) -> None:
        self._wall += 1
        self._boot += 1


async def _quiet_hours(plan: Plan, n_checks: int) -> Row:
    """Ping once in each second of some hours; what is filed and pruned counts too."""
    hours = 2 * FILE_AT_LATEST // timedelta(hours=1)
    say(f"disk: {hours} h of 1 ping a second, {n_checks} checks")
    folder, times = plan.new_folder(), _Times()
    Hcl(folder)
    codes = await asyncio.to_thread(seed, folder, n_checks, 100 * n_checks)
    config = configuration.load(folder / "hcl.toml")
    database = await open_database(config.database.path, "full")
    own, seconds = os.getpid(), hours * 3600
    try:
        clock = Clock(times)
        async with assemble(config, database, clock=clock) as assembly:
            before = proc.written_bytes(own)
            for number in range(seconds):
                code = codes[number * 7 % n_checks]
                ping = make_ping(created=clock.now(), body=b"")
                await assembly.parts.pinging.receive(Target(code=code), ping)
                times.pass_a_second()
                if (number + 1) * 2 % seconds == 0:
                    await assembly.filer.file_once()
                    await assembly.pruner.prune_once(0.0)
            await database.settle()
    finally:
        await database.close()
    each = (proc.written_bytes(own) - before) / seconds
    years = _CARD_BYTES / (each * _PINGS_A_YEAR)
    lives = ", ".join(
        f"{60 / rate * years:,.1f} years at {rate}" for rate in (10, 100, 1000)
    )
    goal = at_most(_GOAL, each / 1000, "kB") if n_checks < 1000 else NO_GOAL
    return Row(
        f"written in {hours} h of 1 ping a second, {n_checks} checks, with its end",
        f"{each:,.0f} bytes a ping; a card of 32 GB lives {lives} pings a minute",
        goal,
    )


_GOAL = 9
_PINGS_A_YEAR = 365.25 * 86_400
# A cheap card's cells take some thousand writes, and its controller writes more than it
# is told to: a thousand times its size is careful.
_CARD_BYTES = 32e9 * 1000
