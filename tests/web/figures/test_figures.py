"""What speed and size depend on and can be counted, without a clock."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from aiosqlite import Connection

from hcl import store
from hcl.model import Check, Ping
from hcl.pings.arrival import Receipt, Target
from hcl.web.http.fast import HTTPTOOLS
from tests.app import READ_KEY, App
from tests.build import make_ping
from tests.patience import ENDS
from tests.server.process import Serve
from tests.store import put_check, put_flip, traced, writer_of

BATCH = 50

# What the first request does not need, and costs memory or time to import.
LATE = {
    "aiosmtpd",
    "aiosmtplib",
    "cronsim",
    "email.policy",
    "h11",
    "hcl.checks.why",
    "hcl.cli.welcome",
    "hcl.client.sync.jobs",
    "hcl.web.figures.metrics",
    "httpx2",
    "importlib.resources",
    "jinja2",
    "oncalendar",
    "unittest",
    "zipfile",
}
# Of others: how finely hcl's own rooms are split costs next to nothing. Each Python has
# some more or fewer.
OTHERS_AT_START = 326


@contextmanager
def hops(conn: Connection) -> Iterator[list[int]]:
    """Count what is asked of a connection's thread."""
    count = [0]
    execute = conn._execute

    async def counted(*arguments: object) -> object:
        count[0] += 1
        return await execute(*arguments)  # type: ignore[no-untyped-call]

    with mock.patch.object(conn, "_execute", counted):
        yield count


async def ping_all(app: App, checks: list[Check], ping: Ping) -> None:
    receive = app.parts.pinging.receive
    async with asyncio.timeout(ENDS):
        receipts = [receive(Target(code=check.code), ping) for check in checks]
        assert set(await asyncio.gather(*receipts)) == {Receipt.RECORDED}


async def known_checks(app: App, count: int) -> list[Check]:
    """Put checks that are up, and remembered."""
    checks = [await put_check(app.database, 1, 2) for _ in range(count)]
    await ping_all(app, checks, make_ping())
    return checks


async def test_batch_of_pings_is_one_hop_and_one_insert_each(app: App) -> None:
    checks = await known_checks(app, BATCH)
    writer = await writer_of(app.database)

    async with traced(writer) as statements:
        with hops(writer) as count:
            await ping_all(app, checks, make_ping())

    assert count == [1]
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    inserts = statements[1:-1]
    assert len(inserts) == BATCH
    assert all(sql.startswith("INSERT INTO inbox") for sql in inserts)


async def test_hops_of_a_batch_that_flips_do_not_grow_with_it(app: App) -> None:
    counts = []
    for size in (2, BATCH):
        checks = await known_checks(app, size)
        with hops(await writer_of(app.database)) as count:
            await ping_all(app, checks, make_ping(action="fail"))
        counts += count

    assert counts[0] == counts[1] <= 10


async def test_filed_or_not_a_ping_is_looked_for_in_one_hop(app: App) -> None:
    [check] = await known_checks(app, 1)
    reader = app.database.committed

    # Between two hops the filer may take it from one table to the other.
    with hops(reader) as count:
        found = await store.pings.by_n(reader, check.id, 1)

    assert found is not None
    assert count == [1]


async def test_ids_of_the_inbox_are_read_in_one_hop(app: App) -> None:
    checks = await known_checks(app, 3)
    reader = app.database.committed

    # With a cursor that stays open, all others would read what was there before.
    with hops(reader) as count:
        ids = json.loads(await store.inbox.by_log(reader, 3))

    assert len(ids) == len(checks)
    assert count == [1]


def written(serve: Serve) -> int:
    """Return how many bytes the process has handed to write calls."""
    text = Path(f"/proc/{serve.process.pid}/io").read_text()
    return int(dict(line.split(": ") for line in text.splitlines())["wchar"])


async def send_pings(serve: Serve, code: str, connections: int, each: int) -> None:
    request = f"GET /ping/{code} HTTP/1.1\r\nHost: hcl\r\n\r\n".encode()

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", serve.port)
        for _ in range(each):
            writer.write(request)
            assert (await reader.readuntil(b"\r\n\r\nOK")).startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*(send() for _ in range(connections)))


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("connections", "each", "most"), [(1, 300, 6000), (50, 60, 1500)]
)
async def test_ping_writes_few_bytes(
    tmp_path: Path, connections: int, each: int, most: int
) -> None:
    with Serve(tmp_path) as serve:
        code = serve.api("POST", "checks/", name="Backup")["uuid"]
        await send_pings(serve, code, connections, each)
        before = written(serve)
        await send_pings(serve, code, connections, each)
        bytes_each = (written(serve) - before) / (connections * each)
        size = (tmp_path / "hcl.sqlite-wal").stat().st_size

    # The answer, of which all are sent by write calls too, has about 250.
    assert 300 < bytes_each < most
    # It is cut, and begun anew, after each checkpoint.
    assert size < 8_000_000


def test_start_imports_only_what_the_first_request_needs(tmp_path: Path) -> None:
    Serve(tmp_path).write_config("")
    script = """
import json, os, pathlib, signal, sys
from hcl import config
from hcl.server import serving

async def greet(_):
    print(json.dumps(sorted(sys.modules)), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

settings = config.load(pathlib.Path("hcl.toml"))
serving.run(settings, lambda: settings, greet)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
    )

    modules = json.loads(done.stdout)
    packages = [name.partition(".")[0] for name in modules]
    # Without httptools uvicorn's protocol for it is the frame of ours.
    frame = set() if HTTPTOOLS else {"h11"}
    assert LATE & set(modules) == frame
    assert len(packages) - packages.count("hcl") <= OTHERS_AT_START


async def fill(app: App, count: int) -> str:
    """Put checks with pings and flips; return the code of the last."""
    checks = await known_checks(app, count)
    await ping_all(app, checks, make_ping(action="start"))
    for check in checks:
        await put_flip(app.database, check)
    return checks[-1].code


@pytest.mark.parametrize(
    "path",
    [
        "checks/",
        "checks/?tag=a",
        "checks/{code}",
        "checks/{code}/pings/",
        "checks/{code}/pings/1/body",
        "checks/{code}/flips/",
        "channels/",
        "badges/",
        "status/",
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
async def test_queries_of_a_call_do_not_grow_with_the_checks(
    app: App, path: str, read_only: bool
) -> None:
    counts = []
    for size in (1, 8):
        code = await fill(app, size)
        async with traced(app.database.committed) as statements:
            if read_only:
                await app.api("GET", path.format(code=code), key=READ_KEY)
            else:
                await app.api("GET", path.format(code=code))
        counts.append(len(statements))

    assert counts[0] == counts[1] <= 5
