"""Checks that hcl.toml declares, and others that have their slugs."""

import json
from collections.abc import Iterable
from datetime import datetime

from aiosqlite import Connection

from hcl.model import Check
from hcl.store import checks
from hcl.store.flips import outage_of
from hcl.store.times import stamp


async def candidates(
    conn: Connection, project_id: int, slugs: Iterable[str], origin: str
) -> list[Check]:
    """Return the project's checks with these slugs, or of this origin, by their ids."""
    return await checks.where(
        conn,
        # CROSS: else SQLite looks through all slugs for each check of the project.
        "WHERE id IN (SELECT c.id FROM json_each(:slugs) j CROSS JOIN checks c"
        " ON c.project_id = :project_id AND c.slug = j.value"
        " UNION SELECT id FROM checks WHERE project_id = :project_id"
        " AND origin = :origin) ORDER BY id",
        {
            "project_id": project_id,
            "slugs": json.dumps(list(slugs)),
            "origin": origin,
        },
    )


async def has(conn: Connection, project_id: int, slug: str, origin: str) -> bool:
    """Tell whether a check of this origin has a slug in a project."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM checks WHERE project_id = ? AND slug = ? AND origin = ? LIMIT 1",
        (project_id, slug, origin),
    )
    return bool(rows)


async def make_way(conn: Connection, project_id: int, slug: str, origin: str) -> bool:
    """Delete a check of this origin that was never pinged; tell whether there was one.

    For one that comes with its slug: neither could be pinged by it.
    """
    cursor = await conn.execute(
        "DELETE FROM checks WHERE project_id = ? AND slug = ? AND origin = ?"
        " AND id IN (SELECT check_id FROM check_states WHERE n_pings = 0)",
        (project_id, slug, origin),
    )
    return cursor.rowcount > 0


async def owe_again(conn: Connection, check_ids: Iterable[int], now: datetime) -> None:
    """Have people told after all that checks are down which have left the file and are
    back: what waited then was not sent, since they were paused.

    `check_ids` are those that were down before, and are so again.
    """
    await conn.execute(
        "UPDATE notifications SET next_try = :now, hold = '', answer = ''"
        " WHERE id IN (SELECT n.id FROM json_each(:ids) j"
        f" CROSS JOIN notifications n ON n.flip_id = {outage_of('j.value')}"
        " JOIN channels c ON c.id = n.channel_id AND c.enabled AND c.on_down"
        " WHERE n.next_try IS NULL AND n.sent IS NULL AND n.attempts = 0"
        " AND n.reminder = 0 AND NOT n.handed_on)",
        {"now": stamp(now), "ids": json.dumps(list(check_ids))},
    )
