"""Whether replication goes on: the real Litestream is stopped, or something else is."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.clock import Clock
from hcl.db import Database, open_database
from hcl.server.announcer import Announcer
from hcl.server.standby.replication import EVERY, PATIENCE, STANDS_AFTER, Replication
from tests.patience import ENDS
from tests.server.standby.litestream import Litestream

MINUTE = 60.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "hcl.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
def replication(tmp_path: Path, database: Database) -> Replication:
    clock = Clock()
    announcer = Announcer(database, clock, Alarm(clock.now), Changes())
    path = tmp_path / "hcl.sqlite"
    looks = Replication(tmp_path / "ls.sock", path, announcer, clock)
    looks.patience = 1.0
    return looks


@pytest.fixture
def litestream(tmp_path: Path, database: Database) -> Iterator[Litestream]:
    with Litestream(tmp_path, tmp_path / "replica") as running:
        yield running


async def told(database: Database) -> list[tuple[str, list[str]]]:
    """Return what was announced, the oldest first: subjects and stories."""
    made = await store.announcements.since(database.committed, Clock().at(0))
    return [(one.subject, list(one.story)) for one in reversed(made)]


def test_stand_still_is_told_within_five_minutes() -> None:
    assert STANDS_AFTER + EVERY + PATIENCE < 5 * MINUTE


async def test_litestream_that_hangs_is_told_and_so_is_that_it_goes_on(
    database: Database, replication: Replication, litestream: Litestream
) -> None:
    begun = time.monotonic()
    await replication.look_once(begun)
    litestream.process.send_signal(signal.SIGSTOP)
    try:
        # What it has answered before the signal may still be under way.
        await replication.look_once(begun)
        await replication.look_once(begun + STANDS_AFTER - 1)
        early = await told(database)
        await replication.look_once(begun + STANDS_AFTER)
        await replication.look_once(begun + STANDS_AFTER + 5 * MINUTE)
        late = await told(database)
        trouble = replication.trouble
    finally:
        litestream.process.send_signal(signal.SIGCONT)
    await asyncio.to_thread(litestream.wait_for_sync)
    await replication.look_once(begun + STANDS_AFTER + 6 * MINUTE)
    at_last = await told(database)

    assert early == []
    [(subject, story)] = late
    assert subject.startswith("replication stands still since ")
    assert story[0] == (
        "What was written since is on no other machine: Litestream does not answer"
        " within 1 s."
    )
    assert trouble == "replication stands still: Litestream does not answer within 1 s"
    assert [line for line, _ in at_last][1:] == ["replication goes on"]
    assert replication.trouble == ""


async def test_replica_that_cannot_be_written_is_told(
    tmp_path: Path,
    database: Database,
    replication: Replication,
    litestream: Litestream,
) -> None:
    (tmp_path / "replica").rename(tmp_path / "away")
    (tmp_path / "replica").write_text("no folder")
    async with database.transaction() as conn:
        await store.settings.put(conn, "something", "to replicate")
    log = tmp_path / "litestream.log"
    async with asyncio.timeout(ENDS):
        while "not a directory" not in log.read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await replication.look_once(0.0)
    await replication.look_once(MINUTE)

    await replication.look_once(STANDS_AFTER)

    [(_, story)] = await told(database)
    assert "Litestream brings nothing" in story[0]


async def test_idle_replication_is_well(
    database: Database, replication: Replication, litestream: Litestream
) -> None:
    begun = time.monotonic()
    for look in range(3):
        before = replication.stamp
        async with asyncio.timeout(ENDS):
            while replication.stamp == before:
                await replication.look_once(begun + look * (STANDS_AFTER - 1))
    assert await told(database) == []


@asynccontextmanager
async def somebody(path: Path, answer: bytes) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield


OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "Litestream's answer cannot be read: its answer is none"),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", "its answer is none that Litestream gives"),
        (OK + b"{", "Litestream's answer cannot be read"),
        (OK + b"[]", "Litestream's answer cannot be read"),
        (OK + b'{"databases": [{}]}', "Litestream's answer cannot be read"),
        (OK + b'{"databases": []}', "Litestream's config does not name /"),
        (OK + b"x" * 2_000_000, "it answers without end"),
    ],
)
async def test_answer_that_makes_no_sense_is_told_as_such(
    tmp_path: Path,
    database: Database,
    replication: Replication,
    answer: bytes,
    why: str,
) -> None:
    async with somebody(tmp_path / "ls.sock", answer):
        await replication.look_once(time.monotonic() + STANDS_AFTER)

    [(_, story)] = await told(database)
    assert why in story[0]


async def test_litestream_that_is_not_there_is_told_once(
    database: Database, replication: Replication
) -> None:
    for minute in range(1, 10):
        await replication.look_once(time.monotonic() + minute * MINUTE)

    [(_, story)] = await told(database)
    assert "Litestream cannot be asked: No such file or directory" in story[0]


async def test_moments_are_told_in_the_zone_that_a_reload_has_brought(
    tmp_path: Path, database: Database
) -> None:
    zone, clock = "UTC", Clock()
    announcer = Announcer(database, clock, Alarm(clock.now), Changes())
    path = tmp_path / "hcl.sqlite"
    socket = tmp_path / "nobody.sock"
    looks = Replication(socket, path, announcer, clock, home=lambda: zone)
    zone = "Asia/Tokyo"

    await looks.look_once(time.monotonic() + STANDS_AFTER)

    [(subject, _)] = await told(database)
    assert subject.endswith(" Asia/Tokyo")
