"""What hcl tells of itself: absences, reloads; each concerns a project, or all."""

import json
from datetime import UTC, datetime

from aiosqlite import Connection

from hcl.model import Announcement as Announcement
from hcl.model import AnnouncementKind, Line, Section
from hcl.store.times import stamp

_COLUMNS = "id, project_id, created, kind, subject, story, sections"


async def add(conn: Connection, announcement: Announcement) -> int:
    """Keep an announcement; return its id. Nothing is sent by that."""
    rows = await conn.execute_fetchall(
        "INSERT INTO announcements (project_id, created, kind, subject, story,"
        " sections) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (
            announcement.project_id,
            stamp(announcement.created),
            announcement.kind,
            announcement.subject,
            json.dumps(list(announcement.story)),
            json.dumps(announcement.sections),
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
        f"SELECT {_COLUMNS} FROM announcements"
        " WHERE created >= :start AND (:project IS NULL OR project_id IS NULL"
        " OR project_id = :project) ORDER BY id DESC",
        {"start": stamp(start), "project": project_id},
    )
    return [_read(*row) for row in rows]


async def by_id(conn: Connection, announcement_id: int) -> Announcement | None:
    """Return one; None: it is not kept any more."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM announcements WHERE id = ?", (announcement_id,)
    )
    return next((_read(*row) for row in rows), None)


async def last_id(conn: Connection) -> int:
    """Return the id of the newest; 0: there is none."""
    rows = await conn.execute_fetchall("SELECT max(id) FROM announcements")
    return next(iter(rows))[0] or 0


async def drop(conn: Connection, up_to: int, limit: int) -> int:
    """Delete those up to an id whose messages are deleted; return how many."""
    cursor = await conn.execute(
        "DELETE FROM announcements WHERE id IN (SELECT id FROM announcements a"
        " WHERE id <= ? AND NOT EXISTS (SELECT 1 FROM notifications"
        " WHERE announcement_id = a.id) LIMIT ?)",
        (up_to, limit),
    )
    return cursor.rowcount


def _read(
    id_: int,
    project: int | None,
    created: float,
    kind: AnnouncementKind,
    subject: str,
    story: str,
    sections: str,
) -> Announcement:
    at = datetime.fromtimestamp(created, UTC)
    parts = tuple(
        Section(title, tuple(_line(*line) for line in lines), more)
        for title, lines, more in json.loads(sections)
    )
    return Announcement(project, at, kind, subject, json.loads(story), id_, parts)


def _line(name: str, text: str, code: str, cells: list[int], bar: float | None) -> Line:
    return Line(name, text, code, tuple(cells), bar)
