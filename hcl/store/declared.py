"""Checks that hcl.toml declares, and others that have their slugs."""

import json
from collections.abc import Iterable, Mapping

from aiosqlite import Connection

from hcl.model import SETTINGS, Check
from hcl.store import checks

# Columns of what the file may say, and no setting of a check has yet.
_BESIDE = {"max_run": None, "min_run": None, "down_after": 1, "early": 0}
BESIDE = {name: of for name, of in _BESIDE.items() if name not in SETTINGS}


async def candidates(
    conn: Connection, project_id: int, slugs: Iterable[str], origin: str
) -> list[Check]:
    """Return the project's checks with these slugs, or of this origin, by their ids."""
    return await checks.where(
        conn,
        "WHERE id IN (SELECT c.id FROM json_each(:slugs) j JOIN checks c"
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


async def beside(
    conn: Connection, check_ids: Iterable[int]
) -> dict[int, dict[str, object]]:
    """Return what is kept of checks beside their settings, by their ids."""
    if not BESIDE:
        return {}
    rows = await conn.execute_fetchall(
        f"SELECT id, {', '.join(BESIDE)} FROM checks"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(check_ids)),),
    )
    return {row[0]: dict(zip(BESIDE, row[1:], strict=True)) for row in rows}


async def save_beside(
    conn: Connection, check_id: int, values: Mapping[str, object]
) -> None:
    """Keep what the file says of a check beside its settings."""
    for name, value in values.items():
        await conn.execute(
            f"UPDATE checks SET {name} = ? WHERE id = ?", (value, check_id)
        )
