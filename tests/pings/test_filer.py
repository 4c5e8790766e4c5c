import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl import store
from hcl.alarm import Alarm
from hcl.db import PATIENCE, write_at_once
from hcl.model import Check
from hcl.pings import filer
from hcl.pings import filer as module
from hcl.pings.arrival import Target
from hcl.pings.filer import (
    BATCH_LIMIT,
    CLEAR_BYTES,
    CLEAR_LIMIT,
    DROP_LIMIT,
    FILE_AFTER,
    FILE_AT_LATEST,
    FILE_BYTES,
    FILE_PINGS,
    MANY_PINGS,
    Filer,
)
from tests.app import App, running_app
from tests.build import MICROSECOND, NOW, make_ping
from tests.damage import damage, damage_where
from tests.db.writing import run_cancelled
from tests.patience import ENDS, idle
from tests.pings.crashes import crash, crashes
from tests.store import change, pragma, put_check, put_pings, rows, traced, writer_of


@pytest.fixture
def app(app: App) -> App:
    """The app with room for all pings in its logs."""
    app.filer.log_limit = 1_000_000
    return app


async def put_inbox(app: App, number: int, **state: Any) -> Check:
    """Put a check whose pings are all in the inbox, and counted."""
    check = await put_check(app.database, n_pings=number, **state)
    pings = [(check.id, make_ping(n=n)) for n in range(1, number + 1)]
    await put_pings(app.database, *pings, filed=False)
    return check


async def ping(app: App, check: Check, *bodies: bytes, **fields: Any) -> None:
    """Let pings arrive together, one for each body."""
    pinging, address = app.parts.pinging, Target(code=check.code)
    await asyncio.gather(
        *(pinging.receive(address, make_ping(body=body, **fields)) for body in bodies)
    )


async def log(app: App) -> list[Any]:
    return await rows(app.database, "SELECT * FROM log ORDER BY check_id, n")


async def filed(app: App, check: Check) -> list[int]:
    return await rows(
        app.database, "SELECT n FROM pings WHERE check_id = ? ORDER BY n", check.id
    )


async def numbers(app: App, check: Check) -> list[int]:
    return await rows(
        app.database, "SELECT n FROM log WHERE check_id = ? ORDER BY n", check.id
    )


async def inbox(app: App) -> list[int]:
    return await rows(app.database, "SELECT id FROM inbox")


def wal_size(app: App) -> int:
    return Path(f"{app.parts.config.database.path}-wal").stat().st_size


async def n_pings(app: App, check: Check) -> int:
    found = await store.checks.by_id(app.database.committed, check.id)
    assert found is not None
    return found.n_pings


async def test_all_pings_are_filed_as_they_came(app: App) -> None:
    one, two = [await put_check(app.database) for _ in range(2)]
    for n in range(5):
        created = NOW + n * MICROSECOND
        await ping(app, two, b"", b"\0\xff" * 9000, b"%d" % n, created=created)
        await ping(app, one, b"x", action="start", rid=str(n), exitstatus=n, ua="ü")
    before = await log(app)

    await app.filer.file_once()

    assert len(before) == 20
    assert await log(app) == before
    filed = await rows(app.database, "SELECT * FROM pings ORDER BY check_id, n")
    assert filed == before
    assert await inbox(app) == []


async def test_states_are_saved_before_their_pings_are_filed(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW)
    await ping(app, check, b"", b"")
    assert await n_pings(app, check) == 0

    await app.filer.file_once()

    assert await n_pings(app, check) == 2


async def test_filing_again_writes_nothing(app: App) -> None:
    await put_inbox(app, 3)
    await app.filer.file_once()
    before = await log(app)

    async with traced(await writer_of(app.database)) as statements:
        await app.filer.file_once()

    assert await log(app) == before
    assert not any("INTO pings" in sql for sql in statements)


async def test_pings_after_a_filing_are_filed_by_the_next(app: App) -> None:
    check = await put_inbox(app, 3)
    await app.filer.file_once()

    await ping(app, check, b"4")
    await app.filer.file_once()

    assert await filed(app, check) == [1, 2, 3, 4]
    assert await inbox(app) == []


async def test_exactly_the_newest_pings_of_each_check_are_filed(app: App) -> None:
    app.filer.log_limit = 10
    every = [await put_inbox(app, number) for number in (1, 9, 10, 11, 25)]

    await app.filer.file_once()

    for check in every:
        last = check.n_pings
        assert await filed(app, check) == list(range(max(1, last - 9), last + 1))
    assert await inbox(app) == []


async def test_pings_of_deleted_checks_vanish(app: App) -> None:
    gone, check = [await put_inbox(app, 3) for _ in range(2)]

    await app.parts.managing.delete(app.synced.projects[0], gone.code)
    await app.filer.file_once()

    assert await filed(app, check) == [1, 2, 3]
    assert len(await log(app)) == 3
    assert await inbox(app) == []


async def test_check_deleted_meanwhile_harms_nobody(app: App) -> None:
    every = [await put_inbox(app, 2 * BATCH_LIMIT) for _ in range(3)]

    filing = asyncio.create_task(app.filer.file_once())
    await change(app.database, "DELETE FROM checks WHERE id = ?", every[1].id)
    await filing

    counts = [len(await filed(app, check)) for check in every]
    assert counts == [2 * BATCH_LIMIT, 0, 2 * BATCH_LIMIT]
    assert await inbox(app) == []


@pytest.mark.parametrize(("at_once", "drops"), [(CLEAR_LIMIT, 1), (DROP_LIMIT, 2)])
async def test_many_pings_are_filed_in_small_transactions(
    app: App, monkeypatch: pytest.MonkeyPatch, at_once: int, drops: int
) -> None:
    monkeypatch.setattr(module, "CLEAR_LIMIT", at_once)
    check = await put_inbox(app, DROP_LIMIT + 1)

    async with traced(await writer_of(app.database)) as statements:
        await app.filer.file_once()

    assert await filed(app, check) == list(range(1, DROP_LIMIT + 2))
    assert await inbox(app) == []
    # One more than fills them, to copy and to drop.
    assert statements.count("COMMIT") == DROP_LIMIT // BATCH_LIMIT + 1 + drops


async def test_heavy_pings_are_not_dropped_all_at_once(app: App) -> None:
    check = await put_check(app.database)
    await ping(app, check, b"", bytes(CLEAR_BYTES + 1))

    async with traced(await writer_of(app.database)) as statements:
        await app.filer.file_once()

    assert store.inbox.clearing()[0] not in statements
    assert await inbox(app) == []


async def test_what_is_filed_is_dropped_without_writing_its_pages_again(
    app: App,
) -> None:
    await put_inbox(app, 5 * BATCH_LIMIT)

    async with app.database.turn() as conn:
        await conn.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        await write_at_once(conn, store.inbox.clearing())

    # The first of all pages, the table's first, and what tells of free ones.
    assert wal_size(app) < 8 * 4096


async def test_large_pings_are_filed_one_by_one(app: App) -> None:
    small, large = await put_check(app.database), await put_check(app.database)
    await ping(app, small, *([b""] * 3))
    await ping(app, large, *([b"x" * 100_000] * 2))
    await ping(app, small, b"x" * 4000)

    async with traced(await writer_of(app.database)) as statements:
        await app.filer.file_once()

    parts = [re.search(r"json_each\('(.*?)'\)", text) for text in statements]
    assert [part[1] for part in parts if part] == ["[1,2,3,6]", "[4]", "[5]"]
    assert await filed(app, small) == [1, 2, 3, 4]
    assert await filed(app, large) == [1, 2]
    assert await inbox(app) == []


async def test_ping_that_comes_meanwhile_does_not_wait_for_the_end(app: App) -> None:
    await put_inbox(app, 5 * BATCH_LIMIT)
    check = await put_check(app.database)
    waits = []

    async with traced(await writer_of(app.database)) as statements:
        filing = asyncio.create_task(app.filer.file_once())
        while not filing.done():
            before = statements.count("COMMIT")
            await ping(app, check, b"")
            waits.append(statements.count("COMMIT") - before)
        await filing

    # One that was under way, its own, and one that began before it was told.
    assert max(waits) <= 3
    assert len(waits) > 5
    assert await numbers(app, check) == list(range(1, len(waits) + 1))


@pytest.mark.parametrize("at_once", [CLEAR_LIMIT, 0])
async def test_ping_that_comes_between_two_drops_stays(
    app: App, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(module, "CLEAR_LIMIT", at_once)
    monkeypatch.setattr(module, "DROP_LIMIT", BATCH_LIMIT)
    # Dropped in one go, so that the ids of the inbox begin anew.
    check = await put_inbox(app, BATCH_LIMIT)

    async with traced(await writer_of(app.database)) as statements:
        filing = asyncio.create_task(app.filer.file_once())
        # SQLite sets no Event.
        while not any("DELETE FROM" in sql for sql in statements):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await ping(app, check, b"new")
        await filing

    assert await numbers(app, check) == list(range(1, BATCH_LIMIT + 2))


async def test_ping_that_comes_while_the_inbox_is_looked_at_is_counted(
    app: App, tmp_path: Path
) -> None:
    check = await put_check(app.database)
    await ping(app, check, b"1")
    reader, slow = app.database.committed, threading.Event()
    reading = asyncio.create_task(reader._execute(slow.wait))  # type: ignore[no-untyped-call]  # it has no types

    filing = asyncio.create_task(app.filer.file_once())
    await ping(app, check, b"2")
    slow.set()
    await reading
    await filing
    await crash(app, tmp_path / "after")

    async with running_app(tmp_path / "after") as after:
        assert await n_pings(after, check) == 2
        await ping(after, check, b"3")
        await after.filer.file_once()
        assert await filed(after, check) == [1, 2, 3]


@pytest.mark.parametrize(("at_once", "moments"), [(CLEAR_LIMIT, 13), (0, 15)])
async def test_crash_before_any_statement_loses_and_doubles_nothing(
    app: App,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    moments: int,
) -> None:
    monkeypatch.setattr(module, "CLEAR_LIMIT", at_once)
    monkeypatch.setattr(module, "DROP_LIMIT", BATCH_LIMIT)
    check = await put_check(app.database, status="up", alert_after=NOW)
    number = BATCH_LIMIT + 1
    await ping(app, check, *[b"x"] * number)
    before = await log(app)

    async with crashes(app, tmp_path / "after") as folders:
        await app.filer.file_once()

    # Before a statement that writes, of the states, two transactions to copy, and one
    # or two to drop.
    assert len(folders) == moments
    for folder in folders:
        async with running_app(folder) as after:
            assert await log(after) == before
            assert await n_pings(after, check) == number
            after.filer.log_limit = number
            await after.filer.file_once()
            assert await log(after) == before
            assert await inbox(after) == []


@pytest.mark.parametrize("table", ["pings", "inbox"])
async def test_filing_that_fails_is_completed_by_the_next(app: App, table: str) -> None:
    check = await put_inbox(app, 2 * BATCH_LIMIT + 1)
    event = "INSERT ON pings" if table == "pings" else "DELETE ON inbox"
    row = "new" if table == "pings" else "old"
    await change(
        app.database,
        f"CREATE TRIGGER broken BEFORE {event} WHEN {row}.n = {BATCH_LIMIT + 1}"
        " BEGIN SELECT raise(ABORT, 'no'); END",
    )
    with pytest.raises(sqlite3.IntegrityError, match="no"):
        await app.filer.file_once()
    every = list(range(1, 2 * BATCH_LIMIT + 2))
    assert await numbers(app, check) == every

    await change(app.database, "DROP TRIGGER broken")
    await app.filer.file_once()

    assert await filed(app, check) == every
    assert await inbox(app) == []


async def test_a_log_that_is_damaged_keeps_no_others_from_being_filed(
    tmp_path: Path,
) -> None:
    marker, long = b"here the card is bad", b"-" * 2100
    async with running_app(tmp_path) as app:
        first, bad, last = [await put_check(app.database) for _ in range(3)]
        await ping(app, first, long, long)
        await ping(app, bad, long, long)
        # Each has a page to itself, and what comes before it would get into it.
        await ping(app, last, marker * 105, long)
        await app.filer.file_once()
    damage_where(tmp_path / "hcl.sqlite", marker)

    async with running_app(tmp_path) as app:
        for check in (first, bad, last):
            await ping(app, check, b"")
        await app.filer.file_once()
        waiting = await rows(app.database, "SELECT check_id, n FROM inbox")
        await ping(app, last, b"")
        await app.filer.file_once()

        assert waiting == [(bad.id, 3)]
        assert await rows(app.database, "SELECT check_id, n FROM inbox") == waiting
        for check, n in ((first, 3), (last, 3), (last, 4)):
            key = f'SELECT n FROM pings WHERE "key" = ({check.id} << 32) + {n}'
            assert await rows(app.database, key) == [n]


@pytest.mark.parametrize("most", [2, 2000])
async def test_where_all_logs_are_damaged_filing_gives_up_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(module, "MOST_REFUSED", most)
    # Those of four checks are three parts: of two checks each.
    each = BATCH_LIMIT // 4 * 3
    async with running_app(tmp_path) as app:
        checks = [await put_check(app.database, n_pings=each + 1) for _ in range(4)]
    damage(tmp_path / "hcl.sqlite", "pings")

    async with running_app(tmp_path) as app:
        for check in checks:
            waiting = [(check.id, make_ping(n=n)) for n in range(2, each + 2)]
            await put_pings(app.database, *waiting, filed=False)
        async with traced(await writer_of(app.database)) as statements:
            await app.filer.file_once()

        tried = sum("INTO pings" in statement for statement in statements)
        # Each part, and each check of that, but none of them ping by ping.
        assert tried == (3 if most == 2 else 9)
        assert len(await inbox(app)) == 4 * each


async def test_filing_that_is_cancelled_anywhere_harms_nobody(app: App) -> None:
    check = await put_check(app.database, status="up", alert_after=NOW)
    number, n, waits = 0, 0, 0
    while waits >= n:
        n += 1
        await ping(app, check, b"1", b"2")
        number += 2

        waits = await run_cancelled(app.filer.file_once(), n)

        assert await numbers(app, check) == list(range(1, number + 1))

    assert n > 5
    assert await filed(app, check) == list(range(1, number + 1))
    assert await n_pings(app, check) == number


class Diary(Alarm):
    """An alarm that notes until when its loop means to sleep."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.sleeps: asyncio.Queue[datetime | None] = asyncio.Queue()

    async def sleep(
        self, until: datetime | None, *, at_most: timedelta | None = None
    ) -> None:
        self.sleeps.put_nowait(until)
        await super().sleep(until, at_most=at_most)

    async def next(self) -> datetime | None:
        async with asyncio.timeout(ENDS):
            return await self.sleeps.get()


class Loop:
    """A filer of its own, and the alarms it hears and rings."""

    def __init__(self, app: App) -> None:
        now = app.clock.now
        self.diary, self.pruner = Diary(now), Alarm(now)
        self.filer = Filer(
            app.database,
            clock=app.clock,
            alarm=self.diary,
            pruner=self.pruner,
            log_limit=1000,
        )

    async def filed(self) -> None:
        """Wait until it has filed."""
        async with asyncio.timeout(ENDS):
            await self.pruner.sleep(None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.filer.run())
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait([task])


def is_soon(moment: datetime | None, wait: timedelta) -> bool:
    """Tell whether a moment was set just now, so far ahead."""
    assert moment is not None
    return abs(moment - datetime.now(UTC) - wait) < timedelta(seconds=ENDS)


async def test_loop_looks_a_minute_after_the_start(app: App) -> None:
    loop = Loop(app)

    async with loop.running():
        until = await loop.diary.next()

    assert timedelta(minutes=1) == FILE_AFTER
    assert is_soon(until, FILE_AFTER)


async def test_loop_files_what_a_process_before_it_left(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = await put_inbox(app, 3)
    monkeypatch.setattr(filer, "FILE_AFTER", timedelta(seconds=0.05))
    loop = Loop(app)

    async with loop.running():
        await loop.filed()

    assert await filed(app, check) == [1, 2, 3]


async def test_loop_sleeps_without_end_while_the_inbox_is_empty(app: App) -> None:
    loop = Loop(app)
    await loop.filer.file_once()

    writer, reader = await writer_of(app.database), app.database.committed
    async with loop.running(), traced(writer) as writes, traced(reader) as reads:
        until = await loop.diary.next()
        # What was refused, or cannot be found, is in no inbox.
        loop.filer.note([])
        await idle()

    assert until is None
    assert loop.diary.sleeps.empty()
    assert writes == reads == []


async def test_loop_is_due_in_an_hour_or_a_minute_after_many_have_come(
    app: App,
) -> None:
    loop = Loop(app)
    await loop.filer.file_once()

    async with loop.running():
        assert await loop.diary.next() is None
        loop.filer.note([(1, make_ping())])
        few = await loop.diary.next()
        loop.filer.note([(1, make_ping())] * (MANY_PINGS - 2))
        await idle()
        # Those that come later neither wake it nor put it off.
        assert loop.diary.sleeps.empty()
        loop.filer.note([(1, make_ping())])
        many = await loop.diary.next()
        loop.filer.note([(1, make_ping())] * (FILE_PINGS - MANY_PINGS - 2))
        await idle()

    assert is_soon(few, FILE_AT_LATEST)
    assert is_soon(many, FILE_AFTER)
    assert loop.diary.sleeps.empty()


async def test_loop_files_when_it_is_due(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop(app)
    await loop.filer.file_once()

    async with loop.running():
        assert await loop.diary.next() is None
        monkeypatch.setattr(filer, "FILE_AT_LATEST", timedelta(seconds=0.05))
        check = await put_inbox(app, 3)
        loop.filer.note([(1, make_ping())])
        await loop.filed()
        assert await loop.diary.next() is not None
        assert await loop.diary.next() is None

    assert await filed(app, check) == [1, 2, 3]


@pytest.mark.parametrize(
    ("number", "size"), [(FILE_PINGS, 0), (1, FILE_BYTES), (2, FILE_BYTES // 2)]
)
async def test_loop_files_at_once_when_there_is_much(
    app: App, number: int, size: int
) -> None:
    check = await put_inbox(app, 3)
    loop = Loop(app)
    noted = [(check.id, make_ping(body=bytes(size)))] * number

    async with loop.running():
        assert await loop.diary.next() is not None
        loop.filer.note(noted[1:])
        await asyncio.sleep(0)
        loop.filer.note(noted[:1])
        await loop.filed()
        # Once for all.
        assert await loop.diary.next() is None

    assert await filed(app, check) == [1, 2, 3]


async def test_loop_tries_again_on_a_database_that_cannot_be_written(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    check = await put_inbox(app, 3)
    loop = Loop(app)
    much = [(check.id, make_ping())] * FILE_PINGS
    await pragma(app.database, "busy_timeout = 10")

    async with loop.running():
        await loop.diary.next()
        with closing(sqlite3.connect(app.config.database.path)) as other:
            other.execute("BEGIN IMMEDIATE")
            loop.filer.note(much)
            until = await loop.diary.next()
        assert is_soon(until, PATIENCE)
        assert await filed(app, check) == []
        assert await numbers(app, check) == [1, 2, 3]

        loop.filer.note(much)
        await loop.filed()

    assert caplog.messages == ["cannot file pings: database is locked"]
    assert await filed(app, check) == [1, 2, 3]


async def test_pings_are_filed_without_their_checks_being_forgotten(app: App) -> None:
    check = await put_check(app.database)
    await ping(app, check, b"")
    before = app.database.edition

    await app.filer.file_once()

    assert app.database.edition == before


async def test_two_filings_at_once_lose_no_ping(app: App) -> None:
    check = await put_inbox(app, 4 * BATCH_LIMIT)

    async def ping() -> None:
        for _ in range(50):
            await app.parts.pinging.receive(Target(code=check.code), make_ping())

    await asyncio.gather(app.filer.file_once(), ping(), app.filer.file_once(), ping())
    await app.filer.file_once()

    conn = await app.database.current()
    kept = await rows(app.database, "SELECT count(*) FROM log")
    after = await store.checks.by_id(conn, check.id)
    assert after is not None
    assert kept == [after.n_pings] == [4 * BATCH_LIMIT + 100]
