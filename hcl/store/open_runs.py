"""Open runs of checks: how a column keeps them, and how they follow the clock."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from aiosqlite import Connection

from hcl.model import Run
from hcl.store.times import JUST, moment


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
    await _move(conn, lambda at, _: at + by if since is None or at >= since else at)


async def cut_to(
    conn: Connection, now: datetime, since: datetime | None = None
) -> None:
    """Let none have started in the future; but for those since a moment.

    To be called before that is cut from which the next ping counts: what began before
    it stays so, and answers for no later one, see `runs.answers`.
    """

    def cut(at: datetime, heard: datetime | None) -> datetime:
        if at <= now or (since is not None and at >= since):
            return at
        return now - JUST if heard is not None and at < heard else now

    await _move(conn, cut)


async def _move(
    conn: Connection, moved: Callable[[datetime, datetime | None], datetime]
) -> None:
    """Have each start moved, given with the moment from which the next ping counts."""
    # SQLite's own JSON would round what it writes.
    rows = await conn.execute_fetchall(
        "SELECT check_id, open_runs, coalesce(missed, counted_from, last_ping)"
        " FROM check_states WHERE open_runs != ''"
    )
    after = []
    for check_id, text, at in rows:
        heard = moment(at)
        runs = (r._replace(started=moved(r.started, heard)) for r in read(text))
        after.append((kept(tuple(runs)), check_id))
    await conn.executemany(
        "UPDATE check_states SET open_runs = ? WHERE check_id = ?", after
    )
