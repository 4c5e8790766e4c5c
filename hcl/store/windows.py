"""Maintenance windows that were opened by hand."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aiosqlite import Connection

from hcl.config.settings import Window
from hcl.model import Check, split_tags
from hcl.store import checks
from hcl.store.times import seconds, stamp


async def of_projects(conn: Connection, since: datetime) -> dict[int, list[Window]]:
    """Return those that were open since a moment, or will be, by project id."""
    rows = await conn.execute_fetchall(
        'SELECT id, project_id, reason, tags, "start", "end" FROM windows'
        ' WHERE "end" > ? ORDER BY id',
        (stamp(since),),
    )
    found: dict[int, list[Window]] = {}
    for id_, project_id, reason, tags, start, end in rows:
        window = Window(
            reason,
            frozenset(split_tags(tags)),
            start=datetime.fromtimestamp(start, UTC),
            end=datetime.fromtimestamp(end, UTC),
            id=id_,
        )
        found.setdefault(project_id, []).append(window)
    return found


async def add(conn: Connection, project_id: int, window: Window) -> int:
    """Open one; return its id."""
    rows = await conn.execute_fetchall(
        'INSERT INTO windows (project_id, reason, tags, "start", "end")'
        " VALUES (?, ?, ?, ?, ?) RETURNING id",
        (
            project_id,
            window.name,
            " ".join(sorted(window.tags)),
            stamp(window.start),
            stamp(window.end),
        ),
    )
    return int(next(iter(rows))[0])


async def bring(
    conn: Connection, project_id: int, windows: Iterable[Window], now: datetime
) -> None:
    """Keep windows of another server that are not over, each once."""
    known = await of_projects(conn, now)
    here = {replace(window, id=0) for window in known.get(project_id, ())}
    for window in windows:
        if window.end is not None and window.end > now and window not in here:
            await add(conn, project_id, window)


async def count_open(conn: Connection, project_id: int, now: datetime) -> int:
    """Return how many of a project are not over."""
    rows = await conn.execute_fetchall(
        'SELECT count(*) FROM windows WHERE project_id = ? AND "end" > ?',
        (project_id, stamp(now)),
    )
    return int(next(iter(rows))[0])


async def end(conn: Connection, project_id: int, id_: int, now: datetime) -> bool:
    """End one that is not over; tell whether there was one."""
    cursor = await conn.execute(
        'UPDATE windows SET "end" = max("start", :now)'
        ' WHERE id = :id AND project_id = :project AND "end" > :now',
        {"id": id_, "project": project_id, "now": stamp(now)},
    )
    return cursor.rowcount > 0


async def drop(conn: Connection, before: datetime) -> None:
    """Forget those that ended before a moment."""
    await conn.execute('DELETE FROM windows WHERE "end" < ?', (stamp(before),))


async def shift(conn: Connection, by: timedelta) -> None:
    """Move them along with a clock that was set.

    Those that are over too: what was due in them has its grace from their end, and they
    must not open once more.
    """
    await conn.execute(
        'UPDATE windows SET "start" = "start" + :by, "end" = "end" + :by',
        {"by": seconds(by)},
    )


async def shift_first(
    conn: Connection, by: timedelta, step: timedelta, began: datetime
) -> None:
    """Move them after a start that guessed the time; those opened since by the step."""
    await conn.execute(
        "UPDATE windows SET"
        ' "end" = "end" + iif("start" >= :began, :step, :by),'
        ' "start" = "start" + iif("start" >= :began, :step, :by)',
        {"by": seconds(by), "step": seconds(step), "began": stamp(began)},
    )


async def checks_to_reckon(
    conn: Connection, project_ids: Iterable[int], after: int, limit: int
) -> list[Check]:
    """Return a slice of the checks whose deadlines windows may move, or have moved.

    All of these projects that have a deadline, and those that were spared, by their ids
    from `after` on.
    """
    return await checks.where(
        conn,
        "WHERE id > :after AND alert_after IS NOT NULL AND (spared > 0"
        " OR project_id IN (SELECT value FROM json_each(:projects)))"
        " ORDER BY id LIMIT :limit",
        {"after": after, "projects": json.dumps(list(project_ids)), "limit": limit},
    )


async def any_spared(conn: Connection) -> bool:
    """Tell whether windows have moved the deadline of any check."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM check_states WHERE spared > 0 LIMIT 1"
    )
    return bool(list(rows))
