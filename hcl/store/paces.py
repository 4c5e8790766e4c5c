"""Paces: up to where it is known which runs were slow, and what is told of those."""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from aiosqlite import Connection

from hcl.db import Statement
from hcl.model import Lateness, Ping
from hcl.store import settings
from hcl.store.notifications import RAN
from hcl.store.times import seconds, stamp

# A channel h that tells of slow runs serves the check k.
_SERVED = (
    "EXISTS (SELECT 1 FROM channels h JOIN checks_channels cc"
    " ON cc.check_id = k.id AND cc.channel_id = h.id"
    " WHERE h.on_slow AND h.enabled AND h.project_id = k.project_id)"
)

# Where the database has when the clock was set last, by the time since.
_STEP = "last_step"


async def known(
    conn: Connection, check_ids: Iterable[int]
) -> tuple[dict[int, int | None], list[int]]:
    """Return up to which ping each check is known whose slow runs are told of.

    None: it is not known at all. Then those that are known, and told of no more.
    """
    rows = await conn.execute_fetchall(
        f"SELECT k.id, p.n, {_SERVED} AS served FROM checks k"
        " LEFT JOIN paces p ON p.check_id = k.id"
        " WHERE k.id IN (SELECT value FROM json_each(?))"
        " AND (served OR p.n IS NOT NULL)",
        (json.dumps(list(check_ids)),),
    )
    found = list(map(tuple, rows))
    told = {check_id: n for check_id, n, is_served in found if is_served}
    return told, [row[0] for row in found if not row[2]]


async def begin(conn: Connection, after: int, limit: int) -> int | None:
    """Know checks whose slow runs are told of up to now, but what is known before.

    Of those with ids above `after` so many, in their order, whose states have to be
    settled. Returns the last; None: there are no more.
    """
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT cc.check_id FROM checks_channels cc CROSS JOIN channels h"
        " ON h.id = cc.channel_id AND h.on_slow AND h.enabled"
        " WHERE cc.check_id > ? ORDER BY cc.check_id LIMIT ?",
        (after, limit),
    )
    ids = [row[0] for row in rows]
    await conn.execute(
        "INSERT OR IGNORE INTO paces (check_id, n) SELECT k.id, s.n_pings"
        " FROM json_each(?) j JOIN checks k ON k.id = j.value"
        f" JOIN check_states s ON s.check_id = k.id WHERE {_SERVED}",
        (json.dumps(ids),),
    )
    return ids[-1] if ids else None


async def assigned(conn: Connection, check_id: int) -> None:
    """Begin to know a check, or forget it, after its channels have changed."""
    await forget(conn, [check_id])
    await conn.execute(
        "INSERT OR IGNORE INTO paces (check_id, n) SELECT k.id, s.n_pings FROM checks k"
        f" JOIN check_states s ON s.check_id = k.id WHERE k.id = ? AND {_SERVED}",
        (check_id,),
    )


async def are_any(conn: Connection) -> bool:
    """Tell whether any check is known."""
    rows = await conn.execute_fetchall("SELECT EXISTS (SELECT 1 FROM paces)")
    return bool(next(iter(rows))[0])


async def behind(conn: Connection) -> list[int]:
    """Return the checks that have pings which nobody looked at: hcl crashed, say."""
    rows = await conn.execute_fetchall(
        "SELECT p.check_id FROM paces p JOIN check_states s ON s.check_id = p.check_id"
        " WHERE s.n_pings > p.n"
    )
    return [row[0] for row in rows]


async def signals(
    conn: Connection, check_ids: Collection[int], limit: int
) -> dict[int, list[Ping]]:
    """Return the last starts, successes and fails of checks, oldest first, by id.

    Without bodies, and who sent them. The inbox is gone through once for all of them.
    """
    found: dict[int, list[Ping]] = {check_id: [] for check_id in check_ids}
    rows = await conn.execute_fetchall(
        "SELECT id, n, created, action, '', '', '', '', rid, exitstatus, x'' FROM ("
        "SELECT *, row_number() OVER (PARTITION BY id ORDER BY n DESC) AS place FROM ("
        "SELECT j.value AS id, n, created, action, rid, exitstatus"
        ' FROM json_each(:ids) j CROSS JOIN pings p ON p."key" IN (SELECT "key"'
        ' FROM pings WHERE "key" BETWEEN j.value << 32 AND (j.value << 32) + 4294967295'
        " AND action IN ('start', 'success', 'fail')"
        ' ORDER BY "key" DESC LIMIT :limit)'
        # What the filer takes along is in both for a moment.
        " UNION SELECT check_id, n, created, action, rid, exitstatus FROM inbox"
        " WHERE check_id IN (SELECT value FROM json_each(:ids))"
        " AND action IN ('start', 'success', 'fail')))"
        " WHERE place <= :limit ORDER BY id, n",
        {"ids": json.dumps(list(check_ids)), "limit": limit},
    )
    for check_id, n, created, *rest in rows:
        found[check_id].append(Ping(n, datetime.fromtimestamp(created, UTC), *rest))
    return found


def knowing(numbers: Mapping[int, int]) -> Statement:
    """Return the statement that notes up to which pings checks are known."""
    return (
        "INSERT INTO paces (check_id, n) SELECT id, :n FROM checks WHERE id = :id"
        " ON CONFLICT (check_id) DO UPDATE SET n = max(n, excluded.n)",
        [{"id": check_id, "n": n} for check_id, n in numbers.items()],
    )


async def pass_over(conn: Connection, check_id: int, n: int) -> None:
    """Know a check up to a ping, if it is known: what came up to it is told nobody."""
    await conn.execute(
        "UPDATE paces SET n = max(n, ?) WHERE check_id = ?", (n, check_id)
    )


async def forget(conn: Connection, check_ids: Iterable[int] | None = None) -> None:
    """Forget the checks whose slow runs nobody is told of; None: of all checks."""
    ids = None if check_ids is None else json.dumps(list(check_ids))
    await conn.execute(
        "DELETE FROM paces WHERE (:ids IS NULL OR check_id IN (SELECT value"
        " FROM json_each(:ids))) AND NOT EXISTS (SELECT 1 FROM checks k"
        f" WHERE k.id = paces.check_id AND {_SERVED})",
        {"ids": ids},
    )


async def add(
    conn: Connection, check_id: int, n: int, run: Lateness, now: datetime
) -> None:
    """Write down what is to be sent of a slow run, which the ping `n` ended.

    One notification for each channel that tells of it, but not where the check's coming
    up is told, which the same ping brought.
    """
    rows = await conn.execute_fetchall(
        "INSERT INTO latenesses (check_id, began, ended, usual, n_pings)"
        " SELECT id, ?, ?, ?, ? FROM checks WHERE id = ? RETURNING id",
        (
            stamp(run.began),
            stamp(run.ended),
            seconds(run.usual),
            n,
            check_id,
        ),
    )
    for (lateness_id,) in rows:
        await conn.execute(
            "INSERT INTO notifications"
            " (lateness_id, check_id, channel_id, created, ran, next_try)"
            f" SELECT :lateness, k.id, h.id, :now, {RAN}, :now FROM checks k"
            " JOIN check_states s ON s.check_id = k.id AND s.status != 'paused'"
            " JOIN checks_channels cc ON cc.check_id = k.id"
            " JOIN channels h ON h.id = cc.channel_id AND h.enabled AND h.on_slow"
            " AND h.project_id = k.project_id"
            " WHERE k.id = :id AND NOT (h.on_up AND EXISTS (SELECT 1 FROM flips f"
            " WHERE f.check_id = k.id AND f.n_pings = :n"
            " AND f.old_status = 'down' AND f.new_status = 'up')) ORDER BY h.id",
            {"lateness": lateness_id, "id": check_id, "n": n, "now": stamp(now)},
        )


async def note_step(conn: Connection, now: datetime) -> None:
    """Note that the clock was set, and what it shows since."""
    await settings.put(conn, _STEP, str(stamp(now)))


async def may_be_wrong(conn: Connection, began: datetime, ended: datetime) -> bool:
    """Tell whether hcl was away during a run, or the clock was set: it took less."""
    rows = await conn.execute_fetchall(
        # hcl was there when it heard the end: a sign of life may seem a bit older.
        "SELECT EXISTS (SELECT 1 FROM absences WHERE went < :ended - 1"
        " AND returned > :began) OR EXISTS (SELECT 1 FROM settings"
        " WHERE name = :step AND CAST(value AS REAL) BETWEEN :began AND :ended)",
        {"began": stamp(began), "ended": stamp(ended), "step": _STEP},
    )
    return bool(next(iter(rows))[0])
