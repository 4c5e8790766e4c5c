"""The inbox: pings that have come in and are not filed in their check's log yet."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aiosqlite import Connection

from hcl.db import Gaps, Statement
from hcl.model import Ping

_LOGGED = "created, action, scheme, remote_addr, method, ua, rid, exitstatus, body"
_ADD = (
    f"INSERT INTO inbox (check_id, n, {_LOGGED})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_UNCOUNTED = (
    "SELECT i.id, i.check_id, i.n, i.created, i.action, i.scheme, i.remote_addr,"
    " i.method, i.ua, i.rid, i.exitstatus, x'' FROM inbox i"
    " JOIN check_states s ON s.check_id = i.check_id AND i.n > s.n_pings"
)

# The most bytes of a body that is filed together with others.
_LARGE = 4000

# So often it is looked for what lies around damaged pages: of some hundred pages.
_MOST_LOOKS = 20_000


def adding(pings: Iterable[tuple[int, Ping]]) -> Statement:
    """Return the statement that appends pings, each with its check's id."""
    return _ADD, [
        (check_id, ping.n, ping.created.timestamp(), *ping[2:])
        for check_id, ping in pings
    ]


async def uncounted(
    conn: Connection, after: int, limit: int
) -> list[tuple[int, int, Ping]]:
    """Return pings that their checks' states do not know of, in order.

    Those with an id above `after`, each with its id and its check's id, and without its
    body.
    """
    rows = await conn.execute_fetchall(
        f"{_UNCOUNTED} WHERE i.id > ? ORDER BY i.id LIMIT ?", (after, limit)
    )
    return [_uncounted(row) for row in rows]


async def uncounted_around(conn: Connection, gaps: Gaps) -> list[tuple[int, int, Ping]]:
    """Return what `uncounted` does, but all, and without what lies on damaged pages."""
    rows = await around(conn, f"{_UNCOUNTED} WHERE", {}, -1, gaps)
    return [_uncounted(row) for row in reversed(rows)]


async def around(
    conn: Connection, query: str, values: Mapping[str, Any], limit: int, gaps: Gaps
) -> list[Any]:
    """Return what a query finds around damaged pages, the newest first; -1: all.

    `query` ends where a condition on `id` is to stand, as which the inbox has to be i.
    Raises SQLError if there is hardly anything else.
    """
    query = f"{query} i.id > :begin AND i.id <= :end ORDER BY i.id DESC LIMIT :limit"
    whole = 0, await last_id(conn)
    spans, rows = [whole], list[Any]()

    async def read(begin: int, end: int) -> Iterable[Any]:
        asked = {**values, "begin": begin, "end": end, "limit": limit}
        return await conn.execute_fetchall(query, asked)

    for _ in range(_MOST_LOOKS):
        if not spans or 0 <= limit <= len(rows):
            return rows[: limit if limit >= 0 else None]
        begin, end = spans.pop()
        found = await gaps.readable(read(begin, end), None)
        if found is not None:
            rows += found
        elif (middle := (begin + end) // 2) > begin:
            spans += [(begin, middle), (middle, end)]
    return [*await read(*whole)]


def _uncounted(row: Any) -> tuple[int, int, Ping]:
    ping = Ping(row[2], datetime.fromtimestamp(row[3], UTC), *row[4:])
    return (*row[:2], ping)


async def last_id(conn: Connection) -> int:
    """Return the id of the newest ping in the inbox, 0 if it is empty."""
    rows = await conn.execute_fetchall("SELECT coalesce(max(id), 0) FROM inbox")
    return int(next(iter(rows))[0])


async def count(conn: Connection) -> int:
    """Return how many pings are in the inbox."""
    # Ids have no gaps; to count would read it all.
    rows = await conn.execute_fetchall(
        "SELECT coalesce((SELECT max(id) FROM inbox) - (SELECT min(id) FROM inbox) + 1,"
        " 0)"
    )
    return int(next(iter(rows))[0])


async def by_log(conn: Connection, up_to: int) -> str:
    """Return the ids of the pings up to one, in the order of the logs, as JSON.

    Those of pings whose body is large are negative.
    """
    # As one value, in one hop: rows would take much memory, and while a cursor is open
    # all who use the connection read what was there when it was opened.
    rows = await conn.execute_fetchall(
        "SELECT json_group_array(id) FROM (SELECT iif(length(body) > ?, -id, id) AS id"
        " FROM inbox WHERE id <= ? ORDER BY check_id, n)",
        (_LARGE, up_to),
    )
    return str(next(iter(rows))[0])


def parts(ids: str, limit: int) -> Iterator[str]:
    """Yield the ids in parts of so many at most, as JSON too; each large ping alone.

    To read all of them as numbers would take megabytes, and hold the loop.
    """
    some = re.compile(rf"-\d+|(?:\d+,){{0,{limit - 1}}}\d+")
    return (f"[{match[0].lstrip('-')}]" for match in some.finditer(ids))


async def by_check(conn: Connection, ids: str) -> list[str]:
    """Return the ids of a part as one part of each check."""
    rows = await conn.execute_fetchall(
        "SELECT json_group_array(i.id) FROM json_each(?) j"
        " CROSS JOIN inbox i ON i.id = j.value GROUP BY i.check_id",
        (ids,),
    )
    return [str(row[0]) for row in rows]


async def reach(
    conn: Connection, after: int, up_to: int, limit: int
) -> tuple[int, int]:
    """Return the id of the last of so many pings after one, and how many there are.

    None above `up_to`, which it is if there are no more.
    """
    rows = await conn.execute_fetchall(
        "SELECT iif(count(*) < :limit, :up_to, max(id)), count(*) FROM (SELECT id"
        " FROM inbox WHERE id > :after AND id <= :up_to ORDER BY id LIMIT :limit)",
        {"after": after, "up_to": up_to, "limit": limit},
    )
    last, count = next(iter(rows))
    return int(last), int(count)


def filing(ids: str, log_limit: int) -> Statement:
    """Return what copies a part to its logs, but what would be dropped there."""
    return (
        f'INSERT OR IGNORE INTO pings ("key", {_LOGGED})'
        f" SELECT (i.check_id << 32) + i.n, {_LOGGED} FROM json_each(:ids) j"
        " CROSS JOIN inbox i ON i.id = j.value"
        " JOIN check_states s ON s.check_id = i.check_id AND i.n > s.n_pings - :limit",
        [{"ids": ids, "limit": log_limit}],
    )


def clearing() -> Statement:
    """Return what empties the inbox: its pages are freed, and not written once more."""
    return "DELETE FROM inbox", [()]


def dropping(up_to: int, limit: int) -> Statement:
    """Return what deletes the oldest pings up to an id, `limit` at most."""
    return (
        "DELETE FROM inbox WHERE id IN"
        " (SELECT id FROM inbox WHERE id <= ? ORDER BY id LIMIT ?)",
        [(up_to, limit)],
    )


def dropping_but(after: int, up_to: int, but: Iterable[int]) -> Statement:
    """Return what deletes the pings above an id and up to another, but for some ids."""
    return (
        "DELETE FROM inbox WHERE id > ? AND id <= ?"
        " AND id NOT IN (SELECT value FROM json_each(?))",
        [(after, up_to, json.dumps(list(but)))],
    )
