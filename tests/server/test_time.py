"""The real process: its clocks are set, and it is not there for a while.

The clocks of the process are moved by a library that is loaded before it. Checks have a
period and a grace of seconds, which only the database allows.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests import toml
from tests.patience import ENDS
from tests.server.clocks import Clocks, build
from tests.server.process import Serve, until
from tests.sinks import HttpSink

# Period and grace of each check, in seconds.
PERIOD, GRACE = 6, 3

# So much later an alert may come, in seconds: what waits is let in first.
SLACK = 10

HOUR = 3600
DAY = 86_400
YEAR = 365 * DAY

JOBS = ("alive", "dead")


@dataclass(frozen=True)
class Case:
    """A server with a job that goes on pinging, and one that died; who is told."""

    serve: Serve
    clocks: Clocks
    sink: HttpSink
    urls: dict[str, str]

    async def ping(self, name: str) -> None:
        # Hundreds of times: curl would take most of the processor's time.
        answer = await asyncio.to_thread(
            httpx2.get, self.urls[name], trust_env=False, verify=False, timeout=ENDS
        )
        assert answer.text == "OK"

    @property
    def told(self) -> list[str]:
        return [record.target.removeprefix("/") for record in self.sink.records]

    def has_logged(self, words: str) -> bool:
        return words in self.serve.log

    async def ping_for(self, seconds: float, name: str = "alive") -> None:
        """Let a job ping, as it does, for so long."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            await self.ping(name)
            await asyncio.sleep(1)

    async def until_told(self, target: str, begun: float) -> float:
        """Wait, while the one job pings, until something is told; return how long."""
        while target not in self.told:
            assert time.monotonic() - begun < ENDS, self.serve.log
            await self.ping("alive")
            await asyncio.sleep(0.5)
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with both jobs; they have never pinged."""
    folder = tmp_path_factory.mktemp("database")
    with Serve(folder, channels("http://127.0.0.1:9/")) as serve:
        for name in JOBS:
            serve.api("POST", "checks/", name=name, slug=name, channels="*")
        serve.stop()
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn, conn:
        conn.execute("UPDATE checks SET timeout = ?, grace = ?", (PERIOD, GRACE))
    return folder / "hcl.sqlite"


def channels(url: str) -> str:
    return toml.webhook(
        "Hook", down=toml.post(f"{url}$NAME-down"), up=toml.post(f"{url}$NAME-up")
    )


@asynccontextmanager
async def case(folder: Path, library: Path, database: Path) -> AsyncIterator[Case]:
    """Serve both jobs; each has pinged, the dead one for the last time."""
    shutil.copy(database, folder / "hcl.sqlite")
    clocks = Clocks(library, folder / "clocks")
    async with HttpSink() as sink:
        serve = Serve(folder, channels(sink.url))
        serve.env = clocks.env
        try:
            await asyncio.to_thread(serve.start)
            urls = {
                check["name"]: check["ping_url"].replace(
                    check["ping_url"].partition("/ping/")[0], serve.root
                )
                for check in serve.api("GET", "checks/")["checks"]
            }
            one = Case(serve, clocks, sink, urls)
            await one.ping("alive")
            # The start is over: hcl has judged how long it was not there.
            await until(lambda: not unjudged(folder))
            await one.ping("dead")
            yield one
        finally:
            serve.__exit__()


def unjudged(folder: Path) -> int:
    """Return how many absences have not been judged yet."""
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn:
        return int(
            conn.execute("SELECT count(*) FROM absences WHERE NOT judged").fetchone()[0]
        )


@pytest.mark.waits
async def test_a_clock_that_is_set_neither_cries_wolf_nor_deafens(
    tmp_path: Path, library: Path, database: Path
) -> None:
    # Each of them waits for the most part.
    async with asyncio.TaskGroup() as group:
        for seconds in (5, 45, 2 * HOUR, 30 * DAY, YEAR):
            for step in (seconds, -seconds):
                folder = tmp_path / str(step)
                folder.mkdir()
                group.create_task(set_the_clock(folder, library, database, step))


async def set_the_clock(
    folder: Path, library: Path, database: Path, seconds: float
) -> None:
    async with case(folder, library, database) as one:
        begun = time.monotonic()
        one.clocks.set_wall(seconds)

        late = await one.until_told("dead-down", begun)

        assert one.told == ["dead-down"]
        assert (
            PERIOD + GRACE - 1 < late < PERIOD + GRACE + SLACK + one.serve.start_seconds
        )
        assert one.serve.log.count("the clock was set") == 1
        direction = "forward" if seconds > 0 else "back"
        assert f"the clock was set {direction} by" in one.serve.log
        await one.ping("dead")
        await until(lambda: "dead-up" in one.told)
        assert one.told == ["dead-down", "dead-up"]


async def test_a_step_that_is_undone_shows_nowhere(
    tmp_path: Path, library: Path, database: Path
) -> None:
    async with case(tmp_path, library, database) as one:
        before = one.serve.api(
            "GET", "checks/dead-code".replace("dead-code", code(one))
        )
        for word, seconds in (("back", -2 * HOUR), ("forward", 2 * HOUR)):
            one.clocks.set_wall(seconds)
            await one.ping("alive")
            await until(partial(one.has_logged, f"the clock was set {word} by 2 hours"))

        assert one.serve.api("GET", f"checks/{code(one)}") == before
        assert one.serve.log.count("the clock was set") == 2
        assert one.told == []


def code(one: Case) -> str:
    return one.urls["dead"].rpartition("/")[2]


WAYS = {"stop": signal.SIGTERM, "kill": signal.SIGKILL}


@pytest.mark.waits
@pytest.mark.parametrize("way", WAYS)
async def test_what_is_dead_is_told_after_an_absence_and_what_lives_is_not(
    tmp_path: Path, library: Path, database: Path, way: str
) -> None:
    async with asyncio.TaskGroup() as group:
        for seconds in (5, 61, 130, 8 * HOUR, 3 * DAY):
            folder = tmp_path / str(seconds)
            folder.mkdir()
            group.create_task(be_away(folder, library, database, WAYS[way], seconds))


async def be_away(
    folder: Path, library: Path, database: Path, way: signal.Signals, seconds: float
) -> None:
    async with case(folder, library, database) as one:
        await asyncio.to_thread(one.serve.stop, way)
        one.clocks.pass_by(seconds)
        await asyncio.to_thread(one.serve.start)
        begun = time.monotonic()

        late = await one.until_told("dead-down", begun)

        assert one.told == ["dead-down"]
        # As if a success had come at the return: in full, or what was left of it.
        assert late < PERIOD + GRACE + SLACK + 2 * one.serve.start_seconds
        if seconds > PERIOD + GRACE:
            assert late > PERIOD + GRACE - 1 - one.serve.start_seconds


async def test_a_machine_that_slept_was_away(
    tmp_path: Path, library: Path, database: Path
) -> None:
    async with case(tmp_path, library, database) as one:
        one.clocks.suspend(130)
        begun = time.monotonic()

        late = await one.until_told("dead-down", begun)

        assert one.told == ["dead-down"]
        assert (
            PERIOD + GRACE - 1 < late < PERIOD + GRACE + SLACK + one.serve.start_seconds
        )
        assert "hcl was not running" in one.serve.log


@pytest.mark.waits
async def test_a_process_that_was_stopped_was_away(
    tmp_path: Path, library: Path, database: Path
) -> None:
    async with case(tmp_path, library, database) as one:
        await one.ping_for(4)
        os.kill(one.serve.process.pid, signal.SIGSTOP)
        # Longer than the checker may be late, and than both may take.
        await asyncio.sleep(PERIOD + GRACE + 13)
        os.kill(one.serve.process.pid, signal.SIGCONT)
        begun = time.monotonic()

        late = await one.until_told("dead-down", begun)

        assert one.told == ["dead-down"]
        assert (
            PERIOD + GRACE - 1 < late < PERIOD + GRACE + SLACK + one.serve.start_seconds
        )


@pytest.mark.waits
@pytest.mark.parametrize("behind", [HOUR, YEAR])
async def test_a_machine_that_boots_without_the_time_calls_nobody_down(
    tmp_path: Path, library: Path, database: Path, behind: float
) -> None:
    """A Raspberry Pi has no clock of its own: it learns the time after the start."""
    async with case(tmp_path, library, database) as one:
        one.serve.stop()
        # A new boot; the power was off for ten minutes, and the wall shows an old time.
        one.clocks.boot(time.clock_gettime(time.CLOCK_BOOTTIME) - 5)
        one.clocks.set_wall(600 - behind).synchronise(False)
        one.serve.start()
        await one.ping_for(PERIOD + GRACE + 4)
        assert one.told == []

        one.clocks.set_wall(behind).synchronise(True)
        begun = time.monotonic()
        late = await one.until_told("dead-down", begun)

        assert one.told == ["dead-down"]
        assert late < PERIOD + GRACE + SLACK + one.serve.start_seconds
