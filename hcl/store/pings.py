"""Pings: the log of each check, whether they are filed in it yet or not."""

from datetime import UTC, datetime
from typing import Any

from aiosqlite import Connection

from hcl.model import Ping
from hcl.store.times import stamp

# See the migration that made the table.
_ALL = '"key" BETWEEN :check_id << 32 AND (:check_id << 32) + 4294967295'
_COLUMNS = "n, created, action, scheme, remote_addr, method, ua, rid, exitstatus, body"


def _ping(row: Any) -> Ping:
    return Ping(row[0], datetime.fromtimestamp(row[1], UTC), *row[2:])


async def newest(conn: Connection, check_id: int, limit: int) -> list[Ping]:
    """Return a check's last pings, the newest first, bodies cut to their first byte."""
    rows = await conn.execute_fetchall(
        "SELECT n, created, action, scheme, remote_addr, method, ua, rid, exitstatus,"  # noqa: S608 - constants
        f" coalesce(substr(body, 1, 1), x'') FROM log WHERE {_ALL}"
        ' ORDER BY "key" DESC LIMIT :limit',
        {"check_id": check_id, "limit": limit},
    )
    return [_ping(row) for row in rows]


async def signals_before(
    conn: Connection, check_id: int, n: int, since: datetime
) -> list[Ping]:
    """Return the starts, successes and fails with a number below `n`, oldest first.

    Only those since a moment; their bodies are left out.
    """
    rows = await conn.execute_fetchall(
        "SELECT n, created, action, scheme, remote_addr, method, ua, rid, exitstatus,"
        " x'' FROM log WHERE \"key\" > :check_id << 32"
        ' AND "key" < (:check_id << 32) + :n AND created >= :since'
        " AND action IN ('start', 'success', 'fail') ORDER BY \"key\"",
        {"check_id": check_id, "n": n, "since": stamp(since)},
    )
    return [_ping(row) for row in rows]


async def by_n(conn: Connection, check_id: int, n: int) -> Ping | None:
    """Return a check's ping of this number, None if it is not in the log."""
    # In one statement, lest the filer takes it from one table to the other meanwhile.
    # The inbox is looked through from its end: mostly the newest is asked for.
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM pings"  # noqa: S608 - constants
        ' WHERE "key" = (:check_id << 32) + :n'
        f" UNION ALL SELECT * FROM (SELECT {_COLUMNS} FROM inbox"
        " WHERE check_id = :check_id AND n = :n ORDER BY id DESC LIMIT 1) LIMIT 1",
        {"check_id": check_id, "n": n},
    )
    return next((_ping(row) for row in rows), None)


async def checks_over(conn: Connection, log_limit: int) -> list[tuple[int, int]]:
    """Return (check id, highest n to drop) of the checks over the limit.

    Of the pings that are filed, and drops none that are not.
    """
    rows = await conn.execute_fetchall(
        "SELECT s.check_id, s.n_pings - :limit FROM check_states s"
        " WHERE s.n_pings > :limit AND EXISTS (SELECT 1 FROM pings"
        ' WHERE "key" > s.check_id << 32'
        ' AND "key" <= (s.check_id << 32) + s.n_pings - :limit)',
        {"limit": log_limit},
    )
    return [(row[0], row[1]) for row in rows]


async def drop(conn: Connection, check_id: int, up_to: int, limit: int) -> int:
    """Delete a check's oldest pings up to a number; return how many."""
    cursor = await conn.execute(
        'DELETE FROM pings WHERE "key" IN (SELECT "key" FROM pings'
        ' WHERE "key" > :check_id << 32 AND "key" <= (:check_id << 32) + :up_to'
        ' ORDER BY "key" LIMIT :limit)',
        {"check_id": check_id, "up_to": up_to, "limit": limit},
    )
    return cursor.rowcount


async def highest_id(conn: Connection) -> int | None:
    """Return how many pings were ever received, None if none were.

    It stands for the greatest id of a ping, which hcl does not give them; pings of
    deleted checks count, so it never falls.
    """
    rows = await conn.execute_fetchall(
        "SELECT (SELECT coalesce(sum(n_pings), 0) FROM check_states)"
        " + coalesce((SELECT CAST(value AS INTEGER) FROM settings"
        " WHERE name = 'pings_of_deleted_checks'), 0)"
    )
    return next(iter(rows))[0] or None


async def count_deleted(conn: Connection, n_pings: int) -> None:
    """Remember that a check with so many pings was deleted."""
    await conn.execute(
        "INSERT INTO settings (name, value) VALUES ('pings_of_deleted_checks', :n)"
        " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + :n",
        {"n": n_pings},
    )
