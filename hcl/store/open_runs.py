"""Open runs of checks: how a column keeps them, and how they follow the clock."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from aiosqlite import Connection

from hcl.model import Run


def read(text: str) -> tuple[Run, ...]:
    """Read the open runs that a column keeps; most checks have none."""
    if not text:
        return ()
    return tuple(
        Run(datetime.fromtimestamp(started, UTC), rid, bool(is_told))
        for started, rid, is_told in json.loads(text)
    )


def kept(runs: tuple[Run, ...]) -> str:
    """Return open runs as they are kept."""
    if not runs:
        return ""
    rows = [(run.started.timestamp(), run.rid, int(run.is_told)) for run in runs]
    return json.dumps(rows, separators=(",", ":"))


async def shift(conn: Connection, by: timedelta, since: datetime | None = None) -> None:
    """Move when they started, after a step of the clock; or those since a moment."""
    await _move(conn, lambda at: at + by if since is None or at >= since else at)


async def cut_to(conn: Connection, now: datetime) -> None:
    """Let none have started in the future."""
    await _move(conn, lambda at: min(at, now))


async def _move(conn: Connection, moved: Callable[[datetime], datetime]) -> None:
    # SQLite's own JSON would round what it writes.
    rows = await conn.execute_fetchall(
        "SELECT check_id, open_runs FROM check_states WHERE open_runs != ''"
    )
    await conn.executemany(
        "UPDATE check_states SET open_runs = ? WHERE check_id = ?",
        [
            (
                kept(tuple(r._replace(started=moved(r.started)) for r in read(text))),
                check_id,
            )
            for check_id, text in rows
        ],
    )
