"""Projects, as hcl.toml describes them."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from aiosqlite import Connection

from hcl.model import Project

_COLUMNS = "id, code, name, coalesce(ping_key, ''), badge_key, check_limit"


class Known(NamedTuple):
    """What the database knows of a project, whether it is in the file or not."""

    code: str
    name: str
    enabled: bool


async def known(conn: Connection) -> dict[int, Known]:
    """Return all projects by their ids, those not in the file too."""
    rows = await conn.execute_fetchall(
        "SELECT id, code, name, enabled FROM projects ORDER BY id"
    )
    return {row[0]: Known(row[1], row[2], bool(row[3])) for row in rows}


async def by_ping_key(conn: Connection, ping_key: str) -> Project | None:
    """Return the project that owns a ping key."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects WHERE ping_key = ?",
        (ping_key,),
    )
    return next((Project(*row) for row in rows), None)


async def known_by_id(conn: Connection, project_id: int) -> Known:
    """Return what is known of a project, which has to be there."""
    rows = await conn.execute_fetchall(
        "SELECT code, name, enabled FROM projects WHERE id = ?", (project_id,)
    )
    code, name, enabled = next(iter(rows))
    return Known(code, name, bool(enabled))


async def find(
    conn: Connection, code: str, name: str, others: Iterable[str] = ()
) -> Project | None:
    """Return the project with this code, or else the one with this name.

    Those with a code among `others` are not found by their name.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM projects"
        " WHERE code = :code OR (name = :name"
        " AND code NOT IN (SELECT value FROM json_each(:others)))"
        " ORDER BY code = :code DESC LIMIT 1",
        {"code": code, "name": name, "others": json.dumps(list(others))},
    )
    return next((Project(*row) for row in rows), None)


async def disable_all(conn: Connection) -> None:
    """Take every project out of use; `save` brings one back.

    Ping keys are freed, so that two projects can swap theirs.
    """
    await conn.execute("UPDATE projects SET enabled = 0, ping_key = NULL")


async def free_badge_keys(conn: Connection, badge_keys: Iterable[str]) -> None:
    """Give the projects that have these keys others, so that they can change hands."""
    await conn.execute(
        "UPDATE projects SET badge_key = lower(hex(randomblob(11)))"
        " WHERE badge_key IN (SELECT value FROM json_each(?))",
        (json.dumps(list(badge_keys)),),
    )


async def save(conn: Connection, project: Project) -> Project:
    """Insert a project (its id is 0) or update it, and put it in use; return it."""
    rows = await conn.execute_fetchall(
        "INSERT INTO projects (id, code, name, ping_key, badge_key, check_limit,"
        " enabled) VALUES (?, ?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (id) DO UPDATE SET code = excluded.code, name = excluded.name,"
        " ping_key = excluded.ping_key, badge_key = excluded.badge_key,"
        " check_limit = excluded.check_limit, enabled = 1 RETURNING id",
        (
            project.id or None,
            project.code,
            project.name,
            project.ping_key,
            project.badge_key,
            project.check_limit,
        ),
    )
    return replace(project, id=next(iter(rows))[0])
