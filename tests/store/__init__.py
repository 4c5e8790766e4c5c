"""What tests of the store and of the loops share: checks to begin with, and rows."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiosqlite import Connection

from hcl import store
from hcl.db import Database
from hcl.model import Check, Flip, Notification, Ping
from hcl.store.outbox import Outcome
from tests.build import NOW, make_check


async def rows(database: Database, sql: str, *parameters: Any) -> list[Any]:
    """Read what is committed: tuples, or the bare values of a single column."""
    found = await database.committed.execute_fetchall(sql, parameters)
    return [row[0] if len(row) == 1 else tuple(row) for row in found]


async def change(database: Database, sql: str, *parameters: Any) -> None:
    """Write what no function of the store would."""
    async with database.transaction() as conn:
        await conn.execute(sql, parameters)


async def pragma(database: Database, what: str) -> None:
    """Set how the connection that writes goes on, as by "busy_timeout = 10"."""
    async with database.turn() as conn:
        await conn.execute(f"PRAGMA {what}")


async def writer_of(database: Database) -> Connection:
    """Return the connection that writes, for who only looks on at others' turns."""
    async with database.turn() as conn:
        return conn


async def put_check(database: Database, *channel_ids: int, **overrides: Any) -> Check:
    """Insert a check with codes of its own, of project 1, that uses these channels."""
    codes = {"code": str(uuid.uuid4()), "badge_key": str(uuid.uuid4())}
    check = make_check(**(codes | overrides))
    async with database.transaction() as conn:
        check = check._replace(id=await store.checks.add(conn, check))
        await store.channels.assign(conn, check.id, channel_ids)
    return check


async def put_copies(database: Database, check: Check, count: int) -> None:
    """Insert many copies of a check, with codes and names of their own."""
    own = {"code", "unique_key", "badge_key", "name"}
    numbers = (
        "WITH RECURSIVE n (i) AS"
        f" (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT {count})"
    )
    async with database.transaction() as conn:
        for table in ("checks", "check_states", "checks_channels"):
            columns = await conn.execute_fetchall(f"PRAGMA table_info({table})")
            names = [row[1] for row in columns]
            key = "id" if table == "checks" else "check_id"
            values = [
                f"{key} + i" if n == key else f'"{n}" || i' if n in own else f'"{n}"'
                for n in names
            ]  # fmt: skip
            quoted = ", ".join(f'"{name}"' for name in names)
            await conn.execute(
                f"{numbers} INSERT INTO {table} ({quoted}) SELECT {', '.join(values)}"
                f" FROM {table}, n WHERE {key} = ?",
                (check.id,),
            )


async def put_pings(
    database: Database, *received: tuple[int, Ping], filed: bool = True
) -> None:
    """Insert pings, each with its check's id: into the log, or only into the inbox."""
    async with database.transaction() as conn:
        await conn.executemany(*store.inbox.adding(received))
        if filed:
            last = await store.inbox.last_id(conn)
            ids = await store.inbox.by_log(conn, last)
            for part in store.inbox.parts(ids, 1000):
                await conn.executemany(*store.inbox.filing(part, 1_000_000))
            await conn.executemany(*store.inbox.dropping(last, len(received)))


async def put_flip(
    database: Database,
    check: Check,
    created: datetime = NOW,
    old_status: Any = "up",
    new_status: Any = "down",
) -> int:
    """Insert a flip, with its notifications; return its id."""
    flip = Flip(created, old_status, new_status, "")
    async with database.transaction() as conn:
        before = await store.flips.add(conn, [(check, flip)])
        await store.notifications.add_for_flips(conn, before, created)
    return before + 1


async def note(database: Database, notification: Notification, **what: Any) -> None:
    """Note what became of one try."""
    values: dict[str, Any] = {"answer": "", "began": NOW} | what
    outcome = Outcome((notification,), **values)
    async with database.transaction() as conn:
        await store.outbox.note(conn, [outcome])


@asynccontextmanager
async def traced(conn: Connection) -> AsyncIterator[list[str]]:
    """Collect the statements that a connection runs, with their values filled in."""
    statements: list[str] = []
    await conn.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        # mypy takes the callback for one that cannot be taken away.
        await conn.set_trace_callback(None)  # type: ignore[arg-type]


async def plan_of(
    database: Database, act: Callable[[Connection], Awaitable[object]]
) -> str:
    """Return SQLite's plan of the last statement that `act` runs on the reader."""
    async with traced(database.committed) as statements:
        await act(database.committed)
    return "\n".join(
        row[3] for row in await rows(database, f"EXPLAIN QUERY PLAN {statements[-1]}")
    )
