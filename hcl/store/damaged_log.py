"""What can be read of a check's log where pages of it are damaged."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiosqlite import Connection

from hcl.db import Gaps, SQLError
from hcl.store import inbox

# So often it is looked for where the log can be read again: ping by ping, as far as
# some pages reach, and then in steps that double.
_MOST_LOOKS = 300
_ONE_BY_ONE = 100


async def or_around(
    reading: Awaitable[Iterable[Any]],
    gaps: Gaps | None,
    around: Callable[[Gaps], Awaitable[list[Any]]],
) -> Iterable[Any]:
    """Await rows; where that meets damage, read those around it.

    `gaps` None: damage is raised, as all else is.
    """
    try:
        return await reading
    except SQLError as error:
        if gaps is None:
            raise
        gaps.note(error)
    return await around(gaps)


async def rows(
    conn: Connection,
    columns: str,
    condition: str,
    values: Mapping[str, Any],
    gaps: Gaps,
    *,
    below: int | None = None,
) -> list[Any]:
    """Return a check's pings by a condition, the newest first; `n` is the first column.

    Only those with a number below `below`. `values` has `check_id` and `limit`. The
    inbox is read by itself: what tells whether a ping of it is filed may be damaged.
    """
    limit = int(values["limit"])
    waiting = inbox.around(
        conn,
        f"SELECT {columns} FROM inbox i WHERE check_id = :check_id AND {condition}"
        " AND (:below IS NULL OR n < :below) AND",
        {**values, "below": below},
        limit,
        gaps,
    )
    found = {row[0]: row for row in await gaps.readable(waiting, [])}
    sql = (
        f'SELECT {columns} FROM pings WHERE "key" > :check_id << 32'
        f' AND "key" < (:check_id << 32) + :beneath AND {condition}'
        ' ORDER BY "key" DESC LIMIT :limit'
    )
    beneath, missed = await _top(conn, values["check_id"], below), 0
    for _ in range(_MOST_LOOKS):
        # What comes just before damage is had only by itself: of more the next one is
        # read too, before it is given out.
        most = 1 if missed % 2 else limit
        asked = {**values, "beneath": beneath, "limit": most}
        filed, is_whole = await gaps.rows(conn, sql, asked)
        found |= {row[0]: row for row in filed}
        if (is_whole and len(filed) < most) or len(found) >= limit or beneath <= 1:
            break
        if filed:
            beneath, missed = filed[-1][0], (0 if is_whole else 1)
        else:
            beneath -= _step(missed) if missed % 2 else 0
            missed += 1
    return sorted(found.values(), key=lambda row: row[0], reverse=True)[:limit]


def _step(missed: int) -> int:
    """Return how far to go on, after so many looks that found nothing."""
    return 1 << max(missed - _ONE_BY_ONE, 0) // 2


async def of_numbers(
    conn: Connection,
    filed: str,
    waiting: str,
    values: Mapping[str, Any],
    ns: Iterable[int],
    gaps: Gaps,
) -> list[Any]:
    """Return the pings of these numbers that one of two queries finds, newest first.

    Those that are filed one by one: a body that is damaged takes no other with it. To
    the query of those that are not a condition is added.
    """
    around = inbox.around(conn, f"{waiting} AND", values, -1, gaps)
    found = {row[0]: row for row in await gaps.readable(around, [])}
    for n in ns:
        rows, _ = await gaps.rows(conn, filed, {**values, "ns": json.dumps([n])})
        found.update((row[0], row) for row in rows)
    return [found[n] for n in sorted(found, reverse=True)]


async def _top(conn: Connection, check_id: int, below: int | None) -> int:
    """Return a number that no ping that is wanted reaches, and not far above them."""
    found = await conn.execute_fetchall(
        "SELECT n_pings + 1 FROM check_states WHERE check_id = ?", (check_id,)
    )
    top = int(next((row[0] for row in found), 1))
    return top if below is None else min(top, below)
