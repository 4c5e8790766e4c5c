"""What hcl tells of itself: absences, reloads; each concerns a project, or all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from aiosqlite import Connection

from hcl.store.times import stamp

Kind = Literal["absence", "reload"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told: a line, and the paragraphs below it.

    `project_id` None: it concerns all projects. `id` 0: it is not kept yet.
    """

    project_id: int | None
    created: datetime
    kind: Kind
    subject: str
    story: Sequence[str] = ()
    id: int = 0


async def add(conn: Connection, announcement: Announcement) -> int:
    """Keep an announcement; return its id. Nothing is sent by that."""
    rows = await conn.execute_fetchall(
        "INSERT INTO announcements (project_id, created, kind, subject, story)"
        " VALUES (?, ?, ?, ?, ?) RETURNING id",
        (
            announcement.project_id,
            stamp(announcement.created),
            announcement.kind,
            announcement.subject,
            json.dumps(list(announcement.story)),
        ),
    )
    return int(next(iter(rows))[0])


async def since(
    conn: Connection, start: datetime, project_id: int | None = None
) -> list[Announcement]:
    """Return those made since a moment, the newest first.

    `project_id` None: of all projects; else those that concern that one.
    """
    rows = await conn.execute_fetchall(
        "SELECT id, project_id, created, kind, subject, story FROM announcements"
        " WHERE created >= :start AND (:project IS NULL OR project_id IS NULL"
        " OR project_id = :project) ORDER BY id DESC",
        {"start": stamp(start), "project": project_id},
    )
    return [_read(*row) for row in rows]


def _read(
    id_: int, project: int | None, created: float, kind: Kind, subject: str, story: str
) -> Announcement:
    at = datetime.fromtimestamp(created, UTC)
    return Announcement(project, at, kind, subject, json.loads(story), id_)
