"""Pings: the log of each check, whether they are filed in it yet or not."""

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from aiosqlite import Connection

from hcl.db import Gaps, SQLError, is_damage
from hcl.model import Check, Ping
from hcl.store import damaged_log
from hcl.store.times import moment, seconds, stamp

logger = logging.getLogger(__name__)

# See the migration that made the table.
_ALL = '"key" BETWEEN :check_id << 32 AND (:check_id << 32) + 4294967295'
BUT_BODY = "n, created, action, scheme, remote_addr, method, ua, rid, exitstatus"
_COLUMNS = f"{BUT_BODY}, body"


class Wanted(NamedTuple):
    """Which pings of a log are asked for.

    Those with a number below `below`, of these actions (none: of all), from `since`
    (included) to `until` (excluded), whose bodies hold `text`; ASCII letters of either
    case are alike there.
    """

    below: int | None = None
    actions: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


def of_row(row: Any) -> Ping:
    """Make a ping of the columns `BUT_BODY`, and its body."""
    return Ping(row[0], datetime.fromtimestamp(row[1], UTC), *row[2:])


async def newest(
    conn: Connection, check_id: int, limit: int, gaps: Gaps | None = None
) -> list[Ping]:
    """Return a check's last pings, the newest first, bodies cut to their first byte.

    With `gaps` those that can be read, as all that takes `gaps` does.
    """
    columns = f"{BUT_BODY}, coalesce(substr(body, 1, 1), x'')"
    values = {"check_id": check_id, "limit": limit}
    rows = await _newest_first(conn, columns, "true", values, gaps)
    return [of_row(row) for row in rows]


async def _newest_first(
    conn: Connection,
    columns: str,
    condition: str,
    values: dict[str, Any],
    gaps: Gaps | None,
    below: int | None = None,
) -> Iterable[Any]:
    """Read a check's log down from the newest, or from below a number."""
    reading = conn.execute_fetchall(
        f"SELECT {columns} FROM log WHERE {_ALL} AND {condition}"
        ' AND (:below IS NULL OR "key" < (:check_id << 32) + :below)'
        ' ORDER BY "key" DESC LIMIT :limit',
        {**values, "below": below},
    )
    around = partial(damaged_log.rows, conn, columns, condition, values, below=below)
    return await damaged_log.or_around(reading, gaps, around)


async def signals_before(
    conn: Connection,
    check_id: int,
    n: int,
    since: datetime,
    *,
    after: int = 0,
    limit: int = -1,
) -> list[Ping]:
    """Return the starts, successes and fails with a number below `n`, oldest first.

    Only those since a moment; their bodies are left out. A slice of them: `limit` at
    most (-1: all), with numbers above `after`.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {BUT_BODY}, x'' FROM log WHERE \"key\" > (:check_id << 32) + :after"
        ' AND "key" < (:check_id << 32) + :n AND created >= :since'
        " AND action IN ('start', 'success', 'fail') ORDER BY \"key\" LIMIT :limit",
        {
            "check_id": check_id,
            "after": after,
            "n": n,
            "since": stamp(since),
            "limit": limit,
        },
    )
    return [of_row(row) for row in rows]


async def numbers(
    conn: Connection,
    check_id: int,
    wanted: Wanted,
    limit: int,
    gaps: Gaps | None = None,
) -> list[int]:
    """Return the numbers of the pings that are asked for, the newest first."""
    rows = await _newest_first(
        conn,
        "n",
        "(:actions = '[]' OR action IN (SELECT value FROM json_each(:actions)))"
        " AND (:since IS NULL OR created >= :since)"
        " AND (:until IS NULL OR created < :until)"
        # As bytes: a body may be no text, and bytes are found faster.
        " AND (:text = '' OR"
        " instr(CAST(lower(body) AS BLOB), CAST(lower(:text) AS BLOB)) > 0)",
        {
            "check_id": check_id,
            "actions": json.dumps(wanted.actions),
            "since": stamp(wanted.since),
            "until": stamp(wanted.until),
            "text": wanted.text,
            "limit": limit,
        },
        gaps,
        wanted.below,
    )
    return [row[0] for row in rows]


async def last_signals(
    conn: Connection, check_id: int, limit: int, gaps: Gaps | None = None
) -> list[Ping]:
    """Return a check's last starts, successes and fails, oldest first, no bodies."""
    signals = "action IN ('start', 'success', 'fail')"
    values = {"check_id": check_id, "limit": limit}
    rows = await _newest_first(conn, f"{BUT_BODY}, x''", signals, values, gaps)
    return [of_row(row) for row in reversed(list(rows))]


async def last_outcome(conn: Connection, check_id: int, since: datetime) -> Ping | None:
    """Return a check's last success or fail since a moment, without its body.

    None: the log has none. A signal that came late bears an earlier moment.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {BUT_BODY}, x'' FROM log WHERE {_ALL}"
        " AND action IN ('success', 'fail')"
        ' AND created >= :since ORDER BY "key" DESC LIMIT 1',
        {"check_id": check_id, "since": stamp(since)},
    )
    return next((of_row(row) for row in rows), None)


async def signals_of(
    conn: Connection, check_ids: Iterable[int], limit: int
) -> dict[int, list[Ping]]:
    """Return the last starts, successes and fails of checks, oldest first, by id.

    Of the pings that are filed, without their bodies.
    """
    rows = await conn.execute_fetchall(
        "SELECT j.value, n, created, action, scheme, remote_addr, method, ua, rid,"
        " exitstatus, x'' FROM json_each(:ids) j CROSS JOIN pings p"
        ' ON p."key" IN (SELECT "key" FROM pings'
        ' WHERE "key" BETWEEN j.value << 32 AND (j.value << 32) + 4294967295'
        " AND action IN ('start', 'success', 'fail')"
        ' ORDER BY "key" DESC LIMIT :limit)',
        {"ids": json.dumps(list(check_ids)), "limit": limit},
    )
    found: dict[int, list[Ping]] = {}
    for check_id, *row in sorted(rows, key=lambda row: (row[0], row[1])):
        found.setdefault(check_id, []).append(of_row(row))
    return found


async def outcomes(
    conn: Connection, check_ids: Iterable[int], limit: int
) -> dict[int, list[datetime]]:
    """Return when the last successes and fails of checks came, oldest first, by id.

    Of the pings that are filed.
    """
    rows = await conn.execute_fetchall(
        "SELECT value, (SELECT json_group_array(created) FROM (SELECT created"
        ' FROM pings WHERE "key" BETWEEN value << 32 AND (value << 32) + 4294967295'
        " AND action IN ('success', 'fail') ORDER BY \"key\" DESC LIMIT :limit))"
        " FROM json_each(:ids)",
        {"ids": json.dumps(list(check_ids)), "limit": limit},
    )
    return {
        row[0]: [datetime.fromtimestamp(at, UTC) for at in reversed(json.loads(row[1]))]
        for row in rows
    }


async def shift_inbox(conn: Connection, by: timedelta) -> None:
    """Move the pings in the inbox after a step: what came before has been filed."""
    await conn.execute(
        "UPDATE inbox SET created = created + ? WHERE n > coalesce((SELECT fixed.n"
        " FROM temp.fixed WHERE fixed.check_id = inbox.check_id), 0)",
        (seconds(by),),
    )


class Unfixed(NamedTuple):
    """Filed pings of a check that a step of the clock moves: `after` up to `newest`."""

    check_id: int
    after: int
    newest: int


async def unfixed(conn: Connection) -> list[Unfixed]:
    """Return, of each check that has any, which filed pings a step moves.

    Those that were heard last come first.
    """
    rows = await conn.execute_fetchall(
        "SELECT check_id, after, newest FROM (SELECT s.check_id, s.last_ping,"
        " coalesce((SELECT fixed.n FROM temp.fixed"
        " WHERE fixed.check_id = s.check_id), 0) AS after,"
        ' (SELECT n FROM pings WHERE "key" BETWEEN s.check_id << 32'
        ' AND (s.check_id << 32) + 4294967295 ORDER BY "key" DESC LIMIT 1) AS newest'
        " FROM check_states s) WHERE newest > after ORDER BY last_ping DESC"
    )
    return [Unfixed(*row) for row in rows]


async def shift_log(conn: Connection, by: timedelta, log: Unfixed) -> int:
    """Move filed pings; return how many there were."""
    cursor = await conn.execute(
        "UPDATE pings SET created = created + :by"
        ' WHERE "key" > (:check_id << 32) + :after'
        ' AND "key" <= (:check_id << 32) + :newest',
        {"by": seconds(by), **log._asdict()},
    )
    return cursor.rowcount


async def oldest(conn: Connection, check_id: int) -> datetime | None:
    """Return when the oldest ping in a check's log came; None: the log is empty."""
    rows = await conn.execute_fetchall(
        f'SELECT created FROM log WHERE {_ALL} ORDER BY "key" LIMIT 1',
        {"check_id": check_id},
    )
    return moment(next((row[0] for row in rows), None))


async def clear(conn: Connection, check_id: int) -> None:
    """Empty a check's log, inbox included; its state must be settled before.

    The inbox keeps the rows, as those of no check, until the filer comes by: it deletes
    by id and expects no gaps, and ids freed at the end would be given to new pings,
    which it would then take for filed.
    """
    await conn.execute(
        f"DELETE FROM pings WHERE {_ALL}",
        {"check_id": check_id},
    )
    # All of the inbox is gone through, 0.2 s if it holds 250,000 pings: an index would
    # make each ping dearer, and people clear logs rarely.
    await conn.execute(
        "UPDATE inbox SET check_id = 0, remote_addr = '', ua = '', rid = NULL,"
        " body = x'' WHERE check_id = ?",
        (check_id,),
    )


async def by_n(conn: Connection, check_id: int, n: int) -> Ping | None:
    """Return a check's ping of this number, None if it is not in the log.

    Raises SQLError if it may lie on a damaged page; others do not hide it.
    """
    filed = f'SELECT {_COLUMNS} FROM pings WHERE "key" = (:check_id << 32) + :n'
    waiting = f"SELECT {_COLUMNS} FROM inbox i WHERE check_id = :check_id AND n = :n"
    values = {"check_id": check_id, "n": n}
    rows: Iterable[Any]
    try:
        # In one statement, lest the filer takes it from one table to the other
        # meanwhile. The inbox is looked through from its end: mostly the newest is
        # asked for.
        rows = await conn.execute_fetchall(
            f"{filed} UNION ALL SELECT * FROM"
            f" ({waiting} ORDER BY id DESC LIMIT 1) LIMIT 1",
            values,
        )
    except SQLError as error:
        if not is_damage(error):
            raise
        gaps = Gaps(logger)
        rows = await damaged_log.of_numbers(conn, filed, waiting, values, [n], gaps)
        if not rows:
            raise
    return next((of_row(row) for row in rows), None)


async def last_up_to(conn: Connection, check: Check, n: int) -> Ping | None:
    """Return the last ping that had come when a check had so many, None if it is gone.

    One that was told late, when the outcome that counts had followed it, is not that.
    """
    ping = await by_n(conn, check.id, n)
    if ping is None or check.last_ping is None or ping.created >= check.last_ping:
        return ping
    outcome = await last_outcome(conn, check.id, check.last_ping)
    if outcome is None or outcome.n > n:
        return ping
    return await by_n(conn, check.id, outcome.n)


async def checks_over(conn: Connection, log_limit: int) -> list[tuple[int, int]]:
    """Return (check id, highest n to drop) of the checks over the limit.

    Of the pings that are filed, and drops none that are not.
    """
    rows = await conn.execute_fetchall(
        "SELECT s.check_id, s.n_pings - :limit FROM check_states s"
        " WHERE s.n_pings > :limit AND EXISTS (SELECT 1 FROM pings"
        ' WHERE "key" > s.check_id << 32'
        ' AND "key" <= (s.check_id << 32) + s.n_pings - :limit)',
        {"limit": log_limit},
    )
    return [(row[0], row[1]) for row in rows]


async def drop(conn: Connection, check_id: int, up_to: int, limit: int) -> int:
    """Delete a check's oldest pings up to a number; return how many."""
    cursor = await conn.execute(
        'DELETE FROM pings WHERE "key" IN (SELECT "key" FROM pings'
        ' WHERE "key" > :check_id << 32 AND "key" <= (:check_id << 32) + :up_to'
        ' ORDER BY "key" LIMIT :limit)',
        {"check_id": check_id, "up_to": up_to, "limit": limit},
    )
    return cursor.rowcount


async def highest_id(conn: Connection) -> int | None:
    """Return how many pings were ever received, None if none were.

    It stands for the greatest id of a ping, which hcl does not give them; pings of
    deleted checks count, so it never falls.
    """
    rows = await conn.execute_fetchall(
        "SELECT (SELECT coalesce(sum(n_pings), 0) FROM check_states)"
        " + coalesce((SELECT CAST(value AS INTEGER) FROM settings"
        " WHERE name = 'pings_of_deleted_checks'), 0)"
    )
    return next(iter(rows))[0] or None


async def count_deleted(conn: Connection, n_pings: int) -> None:
    """Remember that a check with so many pings was deleted."""
    await conn.execute(
        "INSERT INTO settings (name, value) VALUES ('pings_of_deleted_checks', :n)"
        " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + :n",
        {"n": n_pings},
    )
