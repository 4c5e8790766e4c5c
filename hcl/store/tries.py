"""Tries: every attempt to deliver a notification, with what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from aiosqlite import Connection

from hcl.model import Hold, Status
from hcl.store.times import moment, stamp

Wanted = Literal["all", "waiting", "failed"]

_WANTED: dict[Wanted, str] = {
    "all": "1",
    "waiting": "n.next_try IS NOT NULL",
    "failed": "n.attempts > 0",
}


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: when it began, how long it took, and the answer or the error."""

    created: datetime
    took: timedelta
    sent: bool
    answer: str


@dataclass(frozen=True, slots=True)
class Record:
    """A notification as people read of it.

    `sent` is when it was taken, `next_try` when it is tried next; both None: it is
    given up, or was not to be sent any more, as `answer` tells. `hold` and `notice` are
    those of `model.Notification`.
    """

    id: int
    project: str
    check: str
    channel: str
    kind: str
    created: datetime
    status: Status
    reminder: int
    hold: Hold
    notice: str
    sent: datetime | None
    next_try: datetime | None
    answer: str
    tries: tuple[Try, ...]


async def recent(
    conn: Connection,
    *,
    check: str | None = None,
    channel: str | None = None,
    wanted: Wanted = "all",
    limit: int = 20,
) -> list[Record]:
    """Return the newest notifications, newest first, with all their tries.

    `check` is a name, slug or code, `channel` a name; None: any. `wanted`: those that
    are not finished, or those of which a try failed.
    """
    rows = await conn.execute_fetchall(
        "SELECT n.id, p.name, iif(c.name = '', c.code, c.name), h.name, h.kind,"  # noqa: S608 - constants
        " n.created, f.new_status, n.reminder, n.hold, n.notice, n.sent, n.next_try,"
        " n.answer FROM notifications n JOIN flips f ON f.id = n.flip_id"
        " JOIN checks c ON c.id = n.check_id JOIN channels h ON h.id = n.channel_id"
        f" JOIN projects p ON p.id = c.project_id WHERE {_WANTED[wanted]}"
        " AND (:check IS NULL OR :check IN (c.name, c.slug, c.code))"
        " AND (:channel IS NULL OR :channel = h.name) ORDER BY n.id DESC LIMIT :limit",
        {"check": check, "channel": channel, "limit": limit},
    )
    return [await _record(conn, tuple(row)) for row in rows]


async def _record(conn: Connection, row: Sequence[Any]) -> Record:
    return Record(
        id=row[0],
        project=row[1],
        check=row[2],
        channel=row[3],
        kind=row[4],
        created=datetime.fromtimestamp(row[5], UTC),
        status=row[6],
        reminder=row[7],
        hold=row[8],
        notice=row[9],
        sent=moment(row[10]),
        next_try=moment(row[11]),
        answer=row[12],
        tries=await _of(conn, row[0]),
    )


async def _of(conn: Connection, notification_id: int) -> tuple[Try, ...]:
    rows = await conn.execute_fetchall(
        "SELECT created, seconds, sent, answer FROM tries WHERE notification_id = ?"
        " ORDER BY id",
        (notification_id,),
    )
    return tuple(
        Try(
            datetime.fromtimestamp(row[0], UTC),
            timedelta(seconds=row[1]),
            bool(row[2]),
            row[3],
        )
        for row in rows
    )


async def add(
    conn: Connection,
    tries: Sequence[tuple[int, datetime, float, bool, str]],
) -> None:
    """Insert (notification id, when it began, seconds, whether it was sent, answer).

    Those of notifications that were deleted meanwhile are left out.
    """
    await conn.executemany(
        "INSERT INTO tries (notification_id, created, seconds, sent, answer)"
        " SELECT id, ?, ?, ?, ? FROM notifications WHERE id = ?",
        [
            (stamp(began), seconds, sent, answer, notification_id)
            for notification_id, began, seconds, sent, answer in tries
        ],
    )
