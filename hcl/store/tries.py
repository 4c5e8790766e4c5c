"""Tries: every attempt to deliver a notification, with what came of it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from aiosqlite import Connection

from hcl.model import Hold, Status
from hcl.store.times import moment, stamp

Wanted = Literal["all", "waiting", "failed"]
Outcome = Literal["sent", "waits", "failed", "given up", "not sent"]

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
    """A notification as people read of it; `code` and `unique_key` are its check's.

    `subject` says what it tells of hcl itself; then `check`, `code` and `unique_key`
    are "", and `status` says nothing. It is "" where it tells of a check.

    `sent` is when it was taken, `next_try` when it is tried next; both None: it is
    given up, or was not to be sent any more, as `answer` tells. `hold` and `notice` are
    those of `model.Notification`; `attempts` counts the failed tries, of which the
    oldest are kept. `is_blocked`: it is not held, and its channel is failing: another
    is tried first, and when this one is nobody knows.
    """

    id: int
    project: str
    check: str
    code: str
    unique_key: str
    channel: str
    kind: str
    created: datetime
    status: Status | Literal["late", "slow"]
    reminder: int
    hold: Hold
    notice: str
    sent: datetime | None
    next_try: datetime | None
    answer: str
    tries: tuple[Try, ...]
    subject: str = ""
    attempts: int = 0
    is_blocked: bool = False

    @property
    def event(self) -> str:
        """Name what it tells of: down, up, late, slow, reminder or server."""
        if self.subject:
            return "server"
        return "reminder" if self.reminder else self.status

    @property
    def outcome(self) -> Outcome:
        """Name what became of it; `failed`: it is tried again."""
        if self.sent is not None:
            return "sent"
        if self.next_try is not None:
            return "failed" if self.attempts else "waits"
        return "given up" if self.attempts else "not sent"


async def recent(
    conn: Connection,
    *,
    check: str | None = None,
    channel: str | None = None,
    project_id: int | None = None,
    channel_id: int | None = None,
    check_id: int | None = None,
    wanted: Wanted = "all",
    limit: int = 20,
) -> list[Record]:
    """Return the newest notifications, newest first, with all their tries.

    `check` is a name, slug or code, `channel` a name, the ids are rows'; None: any.
    `wanted`: those that are not finished, or those of which a try failed.
    """
    return await _read(
        conn,
        f" WHERE {_WANTED[wanted]}"
        " AND (:check IS NULL OR :check IN (c.name, c.slug, c.code))"
        " AND (:channel IS NULL OR :channel = h.name)"
        " AND (:project_id IS NULL OR :project_id = p.id)"
        " AND (:channel_id IS NULL OR :channel_id = n.channel_id)"
        " AND (:check_id IS NULL OR :check_id = n.check_id)"
        " ORDER BY n.id DESC LIMIT :limit",
        {
            "check": check,
            "channel": channel,
            "project_id": project_id,
            "channel_id": channel_id,
            "check_id": check_id,
            "limit": limit,
        },
    )


async def of_check(conn: Connection, check_id: int, limit: int) -> list[Record]:
    """Return the newest notifications of a check, newest first, with their tries."""
    return await _read(
        conn,
        " WHERE n.check_id = :id ORDER BY n.id DESC LIMIT :limit",
        {"id": check_id, "limit": limit},
    )


# Rows (notification, flip, how many that has) of the flips that are asked for.
_OF_FLIPS = (
    "SELECT id, flip_id, messages, NULL AS n FROM (SELECT id, flip_id,"
    " count(*) OVER (PARTITION BY flip_id) AS messages,"
    " row_number() OVER (PARTITION BY flip_id ORDER BY id DESC) AS place,"
    " id IN (min(id) OVER over_it, max(id) OVER over_it) AS is_end"
    " FROM notifications WHERE flip_id IN (SELECT value FROM json_each(:flips))"
    " WINDOW over_it AS (PARTITION BY flip_id, channel_id))"
    " WHERE place <= :most OR (:each AND is_end)"
)


async def of_flips(
    conn: Connection, flip_ids: Iterable[int], most: int, *, each_channel: bool = False
) -> tuple[dict[int, list[Record]], dict[int, int]]:
    """Return the newest notifications of flips, newest first, by the flip's id.

    No more than `most` of each, but with `each_channel` the first and the last over
    each channel too; and how many each has.
    """
    values = {"flips": list(flip_ids), "most": most, "each": each_channel}
    told = await _found(conn, _OF_FLIPS, values)
    return told.of_flips, told.counts


class Told(NamedTuple):
    """Notifications of flips, newest first, and how many there are, by the flip's id.

    And `late`: those of latenesses and slow runs, oldest first, each with the number of
    the last ping up to what it tells of.
    """

    of_flips: dict[int, list[Record]]
    counts: dict[int, int]
    late: list[tuple[int, Record]]


async def of_log(
    conn: Connection,
    check_id: int,
    flip_ids: Iterable[int],
    ns: tuple[int, int],
    *,
    most: int,
    most_late: int,
) -> Told:
    """Return the newest notifications of a part of a check's log.

    `most` of each flip, and `most_late` of what befell between two pings, by their
    numbers, which belong to it.
    """
    return await _found(
        conn,
        f"{_OF_FLIPS} UNION ALL SELECT * FROM (SELECT n.id, NULL, 0, l.n_pings"
        " FROM latenesses l JOIN notifications n ON n.lateness_id = l.id"
        " WHERE l.check_id = :check_id AND l.n_pings BETWEEN :first AND :last"
        " ORDER BY l.n_pings DESC, n.id DESC LIMIT :most_late)",
        {
            "flips": list(flip_ids),
            "most": most,
            "each": False,
            "check_id": check_id,
            "first": ns[0],
            "last": ns[1],
            "most_late": most_late,
        },
    )


async def _found(conn: Connection, sql: str, values: dict[str, Any]) -> Told:
    flips = json.dumps(values["flips"])
    rows = await conn.execute_fetchall(sql, {**values, "flips": flips})
    found = {row[0]: tuple(row[1:]) for row in rows}
    told = Told(defaultdict(list), {row[1]: row[2] for row in rows if row[1]}, [])
    for record in await _read(
        conn,
        " WHERE n.id IN (SELECT value FROM json_each(:ids)) ORDER BY n.id DESC",
        {"ids": json.dumps(list(found))},
    ):
        flip_id, _, n = found[record.id]
        if n is None:
            told.of_flips[flip_id].append(record)
        else:
            told.late.append((n, record))
    told.late.sort(key=lambda one: (one[0], one[1].id))
    return told._replace(of_flips=dict(told.of_flips))


async def _read(
    conn: Connection, condition: str, values: dict[str, Any]
) -> list[Record]:
    found = await conn.execute_fetchall(
        "SELECT n.id, p.name, iif(c.name = '', c.code, c.name), c.code, c.unique_key,"
        " h.name, h.kind, n.created,"
        " CASE WHEN n.lateness_id IS NULL THEN f.new_status WHEN n.is_end THEN 'up'"
        " WHEN (SELECT usual FROM latenesses WHERE id = n.lateness_id) IS NULL"
        " THEN 'late' ELSE 'slow' END,"
        " n.reminder, n.hold, n.notice,"
        " n.sent, n.next_try, n.answer, a.subject, n.attempts, h.failing_since"
        " FROM notifications n LEFT JOIN flips f ON f.id = n.flip_id"
        " LEFT JOIN checks c ON c.id = n.check_id"
        " LEFT JOIN announcements a ON a.id = n.announcement_id"
        " JOIN channels h ON h.id = n.channel_id"
        " JOIN projects p ON p.id = coalesce(c.project_id, a.project_id, h.project_id)"
        f"{condition}",
        values,
    )
    rows = [tuple(row) for row in found]
    tried = await _of(conn, [row[0] for row in rows])
    return [_record(row, tried) for row in rows]


def _record(row: Sequence[Any], tried: Mapping[int, Sequence[Try]]) -> Record:
    return Record(
        id=row[0],
        project=row[1],
        check=row[2] or "",
        code=row[3] or "",
        unique_key=row[4] or "",
        channel=row[5],
        kind=row[6],
        created=datetime.fromtimestamp(row[7], UTC),
        status=row[8] or "new",
        reminder=row[9],
        hold=row[10],
        notice=row[11],
        sent=moment(row[12]),
        next_try=moment(row[13]),
        answer=row[14],
        tries=tuple(tried.get(row[0], ())),
        subject=row[15] or "",
        attempts=row[16],
        is_blocked=row[17] is not None and not row[10],
    )


async def _of(conn: Connection, ids: Sequence[int]) -> dict[int, list[Try]]:
    """Return the tries of notifications, by their id."""
    rows = await conn.execute_fetchall(
        "SELECT notification_id, created, seconds, sent, answer FROM tries"
        " WHERE notification_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (json.dumps(ids),),
    )
    found: dict[int, list[Try]] = defaultdict(list)
    for id_, created, seconds, sent, answer in rows:
        when, took = datetime.fromtimestamp(created, UTC), timedelta(seconds=seconds)
        found[id_].append(Try(when, took, bool(sent), answer))
    return found


async def last_id(conn: Connection) -> int:
    """Return the id of the newest; 0: there is none."""
    rows = await conn.execute_fetchall("SELECT max(id) FROM tries")
    return next(iter(rows))[0] or 0


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
