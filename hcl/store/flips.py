"""Flips: every change of a check's stored status."""

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aiosqlite import Connection

from hcl.db import Gaps
from hcl.model import DECLARED, Check, Flip, Notification, Reason, Status
from hcl.store.times import moment, seconds, stamp

# No id is as great.
_ABOVE_ALL = 2**63 - 1

# Flips that are read in one go of the loop: pings wait meanwhile.
SLICE = 200


# The flip by which the outage began that lasts at the flip l, of the status down; NULL:
# not known. What left hcl.toml, and is back as it was, has gone down no more by that:
# nobody is told of such a flip.
_BEGAN = (
    "(SELECT iif(d.new_status = 'down', d.id, NULL) FROM flips d"
    " WHERE d.check_id = l.check_id AND d.id <= l.id AND d.new_status != 'paused'"
    " AND (d.new_status != 'down' OR d.old_status != 'paused'"
    " OR NOT EXISTS (SELECT 1 FROM checks o WHERE o.id = d.check_id"
    f" AND o.origin = '{DECLARED}')"
    " OR EXISTS (SELECT 1 FROM notifications t WHERE t.flip_id = d.id))"
    " ORDER BY d.id DESC LIMIT 1)"
)


def outage_of(check_id: str) -> str:
    """Write SQL for the flip by which a check went down, NULL if that is over.

    `check_id` is SQL of our own.
    """
    return (
        f"(SELECT iif(l.new_status = 'down', {_BEGAN}, NULL) FROM flips l"
        f" WHERE l.check_id = {check_id} ORDER BY l.id DESC LIMIT 1)"
    )


class Logged(NamedTuple):
    """A flip with its id and the number of the last ping up to it, 0: none."""

    id: int
    n_pings: int
    flip: Flip


async def add(conn: Connection, flips: Iterable[tuple[Check, Flip]]) -> int:
    """Insert flips, each with its check as it is after it.

    Returns the id before the first of them: those above it are these.
    """
    before = await last_id(conn)
    await conn.executemany(
        "INSERT INTO flips (check_id, created, old_status, new_status, reason, n_pings)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                check.id,
                stamp(flip.created),
                flip.old_status,
                flip.new_status,
                flip.reason,
                check.n_pings,
            )
            for check, flip in flips
        ],
    )
    return before


async def of_check(
    conn: Connection,
    check_id: int,
    start: float | None = None,
    end: float | None = None,
) -> list[Flip]:
    """Return a check's flips, the newest first, all that `slice_of_check` knows."""
    found = await slice_of_check(conn, check_id, start, end, None, -1)
    return list(found.values())


async def slice_of_check(
    conn: Connection,
    check_id: int,
    start: float | None,
    end: float | None,
    before: int | None,
    limit: int,
) -> dict[int, Flip]:
    """Return a check's flips by their ids, the newest first, `limit` at most.

    By when they were written: the clock may have been set. `start` (included) and
    `end` (excluded) are unix seconds, `before` is an id; None: no bound.
    """
    rows = await conn.execute_fetchall(
        "SELECT id, created, old_status, new_status, reason FROM flips"
        " WHERE check_id = :check_id AND (:start IS NULL OR created >= :start)"
        " AND (:end IS NULL OR created < :end) AND id < :before"
        " ORDER BY id DESC LIMIT :limit",
        {
            "check_id": check_id,
            "start": start,
            "end": end,
            "before": _ABOVE_ALL if before is None else before,
            "limit": limit,
        },
    )
    return {row[0]: Flip(datetime.fromtimestamp(row[1], UTC), *row[2:]) for row in rows}


async def logged(
    conn: Connection,
    check_id: int,
    limit: int,
    *,
    before: tuple[int, int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Logged]:
    """Return a check's flips in the order of its log, the newest first.

    `before`: only those before this (number of a ping, id of a flip). From `since`
    (included) to `until` (excluded).
    """
    n, flip_id = before or (None, None)
    rows = await conn.execute_fetchall(
        "SELECT id, n_pings, created, old_status, new_status, reason FROM flips"
        " WHERE check_id = :check_id"
        " AND (:n IS NULL OR (n_pings, id) < (:n, :flip_id))"
        " AND (:since IS NULL OR created >= :since)"
        " AND (:until IS NULL OR created < :until)"
        " ORDER BY n_pings DESC, id DESC LIMIT :limit",
        {
            "check_id": check_id,
            "n": n,
            "flip_id": flip_id,
            "since": stamp(since),
            "until": stamp(until),
            "limit": limit,
        },
    )
    found: list[Logged] = []
    for number, row in enumerate(rows, 1):
        found.append(_logged(tuple(row)))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return found


async def newest(conn: Connection, check_id: int) -> Logged | None:
    """Return a check's newest flip; of an outage that lasts, the one it began by."""
    rows = await conn.execute_fetchall(
        "SELECT id, coalesce(n_pings, 0), created, old_status, new_status, reason"
        f" FROM flips WHERE id = coalesce({outage_of(':id')},"
        " (SELECT max(id) FROM flips WHERE check_id = :id))",
        {"id": check_id},
    )
    return next((_logged(tuple(row)) for row in rows), None)


def _logged(row: tuple[Any, ...]) -> Logged:
    return Logged(row[0], row[1], Flip(datetime.fromtimestamp(row[2], UTC), *row[3:]))


async def untold(
    conn: Connection, message: Notification, ways: Iterable[int], limit: int
) -> list[Logged]:
    """Return flips after that of a message that its channel has none of, oldest first.

    But not those of which one may come, since the channel tells of them, and it waits
    in the channels `ways`, by their ids. The newest, so many of them at most.
    """
    rows = await conn.execute_fetchall(
        "SELECT id, coalesce(n_pings, 0), created, old_status, new_status, reason"
        " FROM flips f WHERE check_id = :check_id AND id > :after"
        " AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
        " AND (n.channel_id = :channel_id OR (n.next_try IS NOT NULL"
        " AND n.channel_id IN (SELECT value FROM json_each(:ways))"
        " AND (SELECT iif(f.new_status = 'up', on_up, on_down) FROM channels"
        " WHERE id = :channel_id)))) ORDER BY id DESC LIMIT :limit",
        {
            "check_id": message.check_id,
            "after": message.flip_id,
            "channel_id": message.channel_id,
            "ways": json.dumps(list(ways)),
            "limit": limit,
        },
    )
    return [_logged(tuple(row)) for row in reversed(list(rows))]


async def down_since(conn: Connection, check_id: int, flip_id: int) -> datetime | None:
    """Return when the outage began that a flip starts or ends; None: not known."""
    rows = await conn.execute_fetchall(
        f"SELECT created FROM flips WHERE id = (SELECT coalesce({_BEGAN}, l.id)"
        " FROM flips l WHERE l.check_id = ? AND l.new_status = 'down' AND l.id <= ?"
        " ORDER BY l.id DESC LIMIT 1)",
        (check_id, flip_id),
    )
    return moment(next((row[0] for row in rows), None))


async def last_id(conn: Connection) -> int:
    """Return the greatest id ever given to a flip, 0 if there was none."""
    rows = await conn.execute_fetchall(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'flips'"
    )
    return int(next(iter(rows))[0])


async def last_before(conn: Connection, moment: datetime, after: int) -> int:
    """Return the id of the newest flip before a moment; `after`: none is above it."""
    rows = await conn.execute_fetchall(
        "SELECT max(id) FROM flips WHERE id > ? AND created < ?", (after, stamp(moment))
    )
    return next(iter(rows))[0] or after


async def shift(conn: Connection, by: timedelta, after: int) -> None:
    """Move the flips with an id above `after`."""
    await conn.execute(
        "UPDATE flips SET created = created + ? WHERE id > ?", (seconds(by), after)
    )


async def reach(conn: Connection, after: int, up_to: int, limit: int) -> int | None:
    """Return the id of the last of so many flips, above an id and up to another.

    None: there are not so many.
    """
    rows = await conn.execute_fetchall(
        "SELECT id FROM flips WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 OFFSET ?",
        (after, up_to, limit - 1),
    )
    return next((int(row[0]) for row in rows), None)


async def drop(
    conn: Connection,
    up_to: int,
    limit: int,
    *,
    after: int = 0,
    last: int | None = None,
) -> int:
    """Delete the oldest flips up to an id, `limit` at most; return how many.

    Only those above `after` and up to `last` are looked at; None: all up to the id.
    Flips as young as the oldest ping in their check's log stay, since the two are read
    together; so do those with a notification that is not finished. So does each check's
    last one up to the id: it tells the status since, maybe until today.
    """
    cursor = await conn.execute(
        "DELETE FROM flips WHERE id IN (SELECT f.id FROM flips f"
        " WHERE f.id > :after AND f.id <= :last"
        " AND EXISTS (SELECT 1 FROM flips later WHERE later.check_id = f.check_id"
        " AND later.id <= :up_to AND later.id > f.id)"
        ' AND f.n_pings < coalesce((SELECT "key" - (f.check_id << 32) FROM pings'
        ' WHERE "key" BETWEEN f.check_id << 32 AND (f.check_id << 32) + 4294967295'
        ' ORDER BY "key" LIMIT 1), f.n_pings + 1)'
        " AND NOT EXISTS (SELECT 1 FROM notifications"
        " WHERE flip_id = f.id AND next_try IS NOT NULL)"
        " ORDER BY f.id LIMIT :limit)",
        {
            "up_to": up_to,
            "limit": limit,
            "after": after,
            "last": up_to if last is None else last,
        },
    )
    return cursor.rowcount


class Trouble(NamedTuple):
    """Why a check went down, and when.

    `exitstatus` and the end of what was `printed` are of the ping that took it down;
    of a mail nothing is.
    """

    reason: Reason
    created: datetime
    exitstatus: int | None
    printed: bytes


async def troubles(
    conn: Connection, check_ids: Iterable[int], length: int
) -> dict[int, Trouble]:
    """Return why checks that are down went down, by check id.

    Of what their jobs printed the last `length` bytes.
    """
    printed = "iif(p.scheme = 'email', x'', coalesce(substr(p.body, -:length), x''))"
    rows = await conn.execute_fetchall(
        "WITH f AS MATERIALIZED (SELECT check_id, reason, created,"
        " (check_id << 32) + n_pings AS place"
        " FROM json_each(:ids) j CROSS JOIN flips ON flips.id ="
        f" (SELECT iif(l.new_status = 'down', coalesce({_BEGAN}, l.id), NULL)"
        " FROM flips l WHERE l.check_id = j.value ORDER BY l.id DESC LIMIT 1))"
        f" SELECT f.check_id, f.reason, f.created, p.exitstatus, {printed} FROM f"
        " LEFT JOIN pings p ON p.\"key\" = f.place AND f.reason IN ('fail', 'short')"
        # The inbox is gone through once, and what is found there counts.
        f" UNION ALL SELECT f.check_id, f.reason, f.created, p.exitstatus, {printed}"
        " FROM inbox p CROSS JOIN f ON f.place = (p.check_id << 32) + p.n"
        " WHERE f.reason IN ('fail', 'short')",
        {"ids": json.dumps(list(check_ids)), "length": length},
    )
    return {
        row[0]: Trouble(row[1], datetime.fromtimestamp(row[2], UTC), row[3], row[4])
        for row in rows
    }


# When a flip was, in unix seconds, and between which statuses: a Flip takes longer.
Turn = tuple[float, Status, Status]


async def lately(
    conn: Connection, check_ids: Collection[int], since: datetime, limit: int
) -> dict[int, list[Turn]]:
    """Return the flips of checks since a moment, in the order written, by check id.

    `limit` of all of them at most. If there are more, each check has its newest ones,
    as many as any other; of the time before those nothing is known, and it is as if the
    check had been new.
    """
    values = {"ids": json.dumps(list(check_ids)), "since": stamp(since)}
    rows = await _turns(conn, _NEWEST_OF_ALL, values | {"limit": limit + 1})
    each = None
    if len(rows) > limit:
        each = max(limit // len(check_ids), 1)
        rows = await _turns(conn, _NEWEST_OF_EACH, values | {"limit": each + 1})
    turns: dict[int, list[Turn]] = {}
    for number, (check_id, *turn) in enumerate(rows, 1):
        turns.setdefault(check_id, []).append(tuple(turn))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    for of_check in turns.values():
        if each is not None and len(of_check) > each:
            created, _, status = of_check[each - 1]
            of_check[each - 1 :] = [(created, "new", status)]
        of_check.reverse()
    return turns


async def lately_known(
    conn: Connection,
    check_ids: Sequence[int],
    since: datetime,
    limit: int,
    now: datetime,
    gaps: Gaps,
) -> dict[int, list[Turn]]:
    """Return what `lately` does; of those that are damaged nothing is known."""

    async def read(ids: Sequence[int]) -> dict[int, list[Turn]]:
        most = max(limit * len(ids) // max(len(check_ids), 1), 1)
        return await lately(conn, ids, since, most)

    unknown: list[Turn] = [(now.timestamp(), "new", "new")]
    return await gaps.of_each(read, check_ids, unknown)


_NEWEST_OF_ALL = (
    "check_id = j.value AND created >= :since ORDER BY flips.id DESC LIMIT :limit"
)
_NEWEST_OF_EACH = (
    "flips.id IN (SELECT id FROM flips WHERE check_id = j.value AND created >= :since"
    " ORDER BY id DESC LIMIT :limit) ORDER BY flips.id DESC"
)


async def _turns(conn: Connection, which: str, values: dict[str, Any]) -> list[Any]:
    """Return the rows of some flips, the newest first."""
    rows = await conn.execute_fetchall(
        "SELECT check_id, created, old_status, new_status FROM json_each(:ids) j"
        f" CROSS JOIN flips ON {which}",
        values,
    )
    return list(rows)
