"""Up to which ping the stamps of a check's log are fixed: no step moves them any more.

A clock that is set back makes stamps come twice; which of two pings was written since
the clock was right then only their numbers tell. Known while the server runs.
"""

from datetime import datetime

from aiosqlite import Connection

from hcl.store.times import stamp

# Whether a row of check_states has pings that are not fixed.
HAS_MORE = (
    "n_pings > coalesce((SELECT fixed.n FROM temp.fixed"
    " WHERE fixed.check_id = check_states.check_id), 0)"
)


async def fix(conn: Connection, since: datetime) -> None:
    """Fix all logs up to what was written before a moment, by the time now.

    What was received has to be filed before.
    """
    await _make(conn)
    await conn.execute(
        "INSERT INTO temp.fixed SELECT check_id, coalesce((SELECT n FROM pings"
        ' WHERE "key" BETWEEN s.check_id << 32 AND (s.check_id << 32) + 4294967295'
        ' AND created < :since ORDER BY "key" DESC LIMIT 1), 0)'
        " FROM check_states s WHERE true"
        " ON CONFLICT (check_id) DO UPDATE SET n = max(n, excluded.n)",
        {"since": stamp(since)},
    )


async def fix_all(conn: Connection) -> None:
    """Fix all logs as they are: where they cannot be read, nothing of them moves."""
    await _make(conn)
    await conn.execute(
        "INSERT OR REPLACE INTO temp.fixed SELECT check_id, n_pings FROM check_states"
    )


async def fix_ahead(conn: Connection, now: datetime) -> None:
    """Fix the logs of checks that were heard in a future which is none."""
    await _make(conn)
    await conn.execute(
        "INSERT OR REPLACE INTO temp.fixed SELECT check_id, n_pings"
        " FROM check_states WHERE last_ping > :now",
        {"now": stamp(now)},
    )


async def _make(conn: Connection) -> None:
    await conn.execute(
        "CREATE TEMP TABLE IF NOT EXISTS fixed"
        " (check_id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"
    )
