"""What reports tell of: a slice of checks at a time, and what became of messages."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiosqlite import Connection

from hcl.model import Flip, Ping
from hcl.store.times import moment, stamp

# Of each check: the newest. Of one that pings often so many signals, if it takes them.
_FLIPS, SIGNALS, MOST_SIGNALS = 200, 150, 1000


class Signals(NamedTuple):
    """Signals of a check as JSON: the newest first of the log, those of the inbox."""

    filed: str
    waiting: str

    def pings(self) -> list[Ping]:
        """Return them as pings, the oldest first.

        Without what says nothing of how long runs took.
        """
        filed = json.loads(self.filed)[::-1]
        last = filed[-1][0] if filed else 0
        waiting = [row for row in json.loads(self.waiting) if row[0] > last]
        return [
            Ping(n, _at(created), action, "", "", "", "", rid, None, b"")
            for n, created, action, rid in filed + waiting
        ]


async def flips(
    conn: Connection, check_ids: Iterable[int], since: datetime
) -> dict[int, list[Flip]]:
    """Return the newest flips of checks since a moment, the oldest first, by id.

    If a check has more, nothing is known of the time before them: it is as if it had
    been new.
    """
    rows = await conn.execute_fetchall(
        "SELECT value, (SELECT json_group_array(json_array(created, old_status,"
        " new_status, reason)) FROM (SELECT created, old_status, new_status, reason"
        " FROM flips WHERE check_id = value AND created >= :since"
        " ORDER BY id DESC LIMIT :limit)) FROM json_each(:ids)",
        {
            "ids": json.dumps(list(check_ids)),
            "since": stamp(since),
            "limit": _FLIPS + 1,
        },
    )
    return {row[0]: _flips(json.loads(row[1])) for row in rows}


def _flips(newest_first: list[tuple[float, Any, Any, Any]]) -> list[Flip]:
    found = [Flip(_at(at), *rest) for at, *rest in reversed(newest_first)]
    if len(found) > _FLIPS:
        found = [replace(found[1], old_status="new"), *found[2:]]
    return found


async def signals(
    conn: Connection, check_ids: Iterable[int], most: int = SIGNALS
) -> dict[int, Signals]:
    """Return the newest starts, successes and fails of checks, by id.

    So many of each that are filed at most, and those of the inbox.
    """
    ids = json.dumps(list(check_ids))
    # First the inbox: what is filed meanwhile is in both.
    waiting = await conn.execute_fetchall(
        "SELECT check_id, json_group_array(json_array(n, created, action, rid))"
        " FROM (SELECT check_id, n, created, action, rid FROM inbox"
        " WHERE check_id IN (SELECT value FROM json_each(:ids))"
        " AND action IN ('start', 'success', 'fail') ORDER BY n) GROUP BY check_id",
        {"ids": ids},
    )
    newest = {row[0]: row[1] for row in waiting}
    rows = await conn.execute_fetchall(
        "SELECT value, (SELECT json_group_array(json_array(n, created, action, rid))"
        " FROM (SELECT n, created, action, rid FROM pings"
        ' WHERE "key" BETWEEN value << 32 AND (value << 32) + 4294967295'
        " AND action IN ('start', 'success', 'fail')"
        ' ORDER BY "key" DESC LIMIT :limit)) FROM json_each(:ids)',
        {"ids": ids, "limit": most},
    )
    return {
        check_id: Signals(text, newest.get(check_id, "[]")) for check_id, text in rows
    }


async def deliveries(
    conn: Connection, project_id: int, start: datetime, end: datetime
) -> list[tuple[str, int, int, int, datetime | None]]:
    """Return how the project's channels fared that failed in a span, or do now.

    Of each its name, its messages, how many failed, how many were given up, and since
    when it fails; None: it delivers now.
    """
    rows = await conn.execute_fetchall(
        "SELECT h.name, count(n.id), total(n.attempts > 0), total(n.attempts > 0"
        " AND n.next_try IS NULL AND n.sent IS NULL), h.failing_since"
        " FROM channels h LEFT JOIN notifications n"
        " ON n.created >= :start AND n.created < :end AND n.channel_id = h.id"
        " WHERE h.project_id = :project AND h.enabled AND h.kind != 'group'"
        " GROUP BY h.id HAVING total(n.attempts > 0) > 0"
        " OR h.failing_since IS NOT NULL ORDER BY h.id",
        {"project": project_id, "start": stamp(start), "end": stamp(end)},
    )
    return [
        (row[0], int(row[1]), int(row[2]), int(row[3]), moment(row[4])) for row in rows
    ]


def _at(created: float) -> datetime:
    return datetime.fromtimestamp(created, UTC)
