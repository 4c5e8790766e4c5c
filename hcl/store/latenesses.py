"""Latenesses: each time that people were told that a check is late, and of its end.

Slow runs are among them, see `paces`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl.model import Check
from hcl.store import notifications
from hcl.store.notifications import RAN
from hcl.store.times import JUST, seconds, stamp

# A channel h that tells of it serves the check with the id `:id`. Few channels do.
TELLS = (
    "EXISTS (SELECT 1 FROM channels h JOIN checks_channels cc"
    " ON cc.check_id = :id AND cc.channel_id = h.id JOIN checks k ON k.id = cc.check_id"
    " WHERE h.on_late AND h.enabled AND h.project_id = k.project_id)"
)


# The lateness l is that of which its check, with the state s, is late now: what ended
# otherwise than by a ping has no mark of that. Steps of the clock move both.
IS_NOW = "coalesce(abs(l.began - s.late_since) < 0.001, 0)"


async def are_told(conn: Connection, check_id: int) -> bool:
    """Tell whether any channel of a check tells that it is late."""
    rows = await conn.execute_fetchall(f"SELECT {TELLS}", {"id": check_id})
    return bool(next(iter(rows))[0])


async def add(
    conn: Connection, late: Iterable[tuple[Check, datetime]], now: datetime
) -> int:
    """Write down what is to be sent of checks that are late since a moment.

    Returns how much: one notification for each channel that tells of it.
    """
    count = 0
    for check, began in late:
        rows = await conn.execute_fetchall(
            "INSERT INTO latenesses (check_id, began, n_pings) VALUES (?, ?, ?)"
            " RETURNING id",
            (check.id, stamp(began), check.n_pings),
        )
        cursor = await conn.execute(
            "INSERT INTO notifications"
            " (lateness_id, check_id, channel_id, created, ran, next_try)"
            f" SELECT :lateness, k.id, h.id, :now, {RAN}, :now FROM checks k"
            " JOIN checks_channels cc ON cc.check_id = k.id"
            " JOIN channels h ON h.id = cc.channel_id AND h.enabled AND h.on_late"
            " AND h.project_id = k.project_id WHERE k.id = :id ORDER BY h.id",
            {"lateness": next(iter(rows))[0], "id": check.id, "now": stamp(now)},
        )
        count += cursor.rowcount
    return count


async def end(
    conn: Connection,
    pinged: Iterable[tuple[Check, datetime, datetime]],
    now: datetime,
) -> None:
    """Write down what is to be sent of checks that have pinged, each at a moment.

    Before it stands since when it was late. One notification for each channel that was
    to tell that; whether it did is seen when it is sent.
    """
    for check, since, at in pinged:
        values = {"id": check.id, "at": stamp(at), "now": stamp(now)}
        values["since"] = stamp(since)
        await conn.execute(
            "INSERT INTO notifications"
            " (lateness_id, is_end, check_id, channel_id, created, ran, next_try)"
            f" SELECT l.id, 1, l.check_id, n.channel_id, :now, {RAN}, :now"
            " FROM latenesses l JOIN notifications n ON n.lateness_id = l.id"
            " JOIN channels c ON c.id = n.channel_id AND c.enabled"
            f" AND {notifications.TELLS} AND c.kind != 'group'"
            " WHERE l.id = (SELECT max(id) FROM latenesses WHERE check_id = :id"
            " AND usual IS NULL) AND l.ended IS NULL"
            # While a run is open it is late, and nobody is told.
            " AND abs(l.began - :since) < 0.001"
            " GROUP BY n.channel_id ORDER BY n.channel_id",
            values,
        )
        await conn.execute(
            "UPDATE latenesses SET ended = :at WHERE check_id = :id AND ended IS NULL",
            values,
        )
        # What is held for a delay is over.
        await conn.execute(
            "UPDATE notifications SET next_try = :now WHERE next_try > :now"
            " AND check_id = :id AND lateness_id IS NOT NULL AND hold = 'delay'",
            values,
        )


async def watch(conn: Connection, check_id: int | None = None) -> None:
    """Have the checker look when checks are late; None: all that have to be told of.

    After their channels have changed.
    """
    await conn.execute(
        "UPDATE check_states SET look_at = min(look_at, alert_after - spared -"
        " (SELECT grace FROM checks WHERE id = check_id))"
        " WHERE status = 'up' AND alert_after IS NOT NULL AND late_since IS NULL"
        " AND check_id IN (SELECT cc.check_id FROM channels h JOIN checks_channels cc"
        " ON cc.channel_id = h.id WHERE h.on_late AND h.enabled"
        " AND (:id IS NULL OR cc.check_id = :id))",
        {"id": check_id},
    )


async def shift(conn: Connection, by: timedelta, since: datetime | None = None) -> None:
    """Move those that last along with a clock that was set; or those since a moment."""
    await conn.execute(
        "UPDATE latenesses SET began = began + :by WHERE ended IS NULL AND check_id IN"
        " (SELECT check_id FROM check_states WHERE late_since IS NOT NULL)"
        " AND (:since IS NULL OR began >= :since)",
        {"by": seconds(by), "since": stamp(since)},
    )


async def cut_to(
    conn: Connection, now: datetime, since: datetime | None = None
) -> None:
    """Let none that lasts have begun in the future; but for those since a moment.

    To be called before starts of runs are cut or moved: of which people were told stays
    before them, see `rules.late_still`. And what ended otherwise than by a ping does
    not come to be what lasts now.
    """
    cut = ":now - iif(s.late_since < s.last_start, :just, 0)"
    lasting = f"SELECT {cut} FROM check_states s WHERE s.check_id = l.check_id"
    values = {"now": stamp(now), "since": stamp(since), "just": seconds(JUST)}
    await conn.execute(
        f"UPDATE latenesses AS l SET began = coalesce(({lasting} AND {IS_NOW}),"
        " :now - 1) WHERE began > :now AND ended IS NULL"
        " AND (:since IS NULL OR began < :since)",
        values,
    )
    await conn.execute(
        f"UPDATE check_states AS s SET late_since = {cut} WHERE late_since > :now"
        " AND (:since IS NULL OR late_since < :since)",
        values,
    )


async def drop(conn: Connection, limit: int) -> int:
    """Delete those whose messages are deleted; return how many."""
    cursor = await conn.execute(
        "DELETE FROM latenesses WHERE id IN (SELECT id FROM latenesses l"
        " WHERE NOT EXISTS (SELECT 1 FROM notifications WHERE lateness_id = l.id)"
        " AND NOT EXISTS (SELECT 1 FROM check_states s WHERE s.check_id = l.check_id"
        " AND s.late_since IS NOT NULL) LIMIT ?)",
        (limit,),
    )
    return cursor.rowcount
