"""What `hcl restore` left for the server to tell."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiosqlite import Connection

from hcl.db import RESTORED
from hcl.store import settings
from hcl.store.times import moment


@dataclass(frozen=True, slots=True)
class Restore:
    """That the database is a copy: of which file, put in place when, as of when.

    The messages `not_sent`, by their ids, waited in it.
    """

    file: str
    restored: datetime
    as_of: datetime | None
    not_sent: tuple[int, ...]


async def untold(conn: Connection) -> Restore | None:
    """Return the restore of which nobody has been told yet; None: there is none."""
    value = await settings.get(conn, RESTORED)
    if value is None:
        return None
    read: dict[str, Any] = json.loads(value)
    return Restore(
        file=read["file"],
        restored=datetime.fromtimestamp(read["restored"], UTC),
        as_of=moment(read["as_of"]),
        not_sent=tuple(read["not_sent"]),
    )


async def forget(conn: Connection) -> None:
    """Note that people have been told."""
    await settings.delete(conn, RESTORED)


async def not_sent(conn: Connection, restore: Restore) -> dict[int, int]:
    """Return how many messages were not sent, by the id of the project."""
    rows = await conn.execute_fetchall(
        "SELECT c.project_id, count(*) FROM notifications n"
        " JOIN channels c ON c.id = n.channel_id"
        " WHERE n.id IN (SELECT value FROM json_each(?)) GROUP BY c.project_id",
        (json.dumps(restore.not_sent),),
    )
    return {row[0]: row[1] for row in rows}


async def checks_untold(
    conn: Connection, restore: Restore, project_id: int
) -> list[tuple[int, str]]:
    """Return the ids and names of checks that the messages of a project told of."""
    rows = await conn.execute_fetchall(
        "SELECT k.id, k.name FROM checks k WHERE k.project_id = ? AND k.id IN (SELECT"
        " check_id FROM notifications WHERE id IN (SELECT value FROM json_each(?)))"
        " ORDER BY k.id",
        (project_id, json.dumps(restore.not_sent)),
    )
    return [(row[0], row[1]) for row in rows]
