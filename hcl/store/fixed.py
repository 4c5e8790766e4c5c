"""What moves along with a clock that was set, of checks; and what of logs is fixed.

No step moves a check's log any more up to the ping that it is fixed to.

A clock that is set back makes stamps come twice; which of two pings was written since
the clock was right then only their numbers tell. Known while the server runs.
"""

from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl.store import latenesses, open_runs, settings, windows
from hcl.store.times import seconds, stamp

_OWES = "owes_deadlines"

# The number of the last ping that is fixed, of a row of check_states; 0: none is.
_LAST_FIXED = (
    "coalesce((SELECT fixed.n FROM temp.fixed"
    " WHERE fixed.check_id = check_states.check_id), 0)"
)

# Whether a row of check_states has pings that are not fixed.
HAS_MORE = f"n_pings > {_LAST_FIXED}"

# Whether any of them is an outcome, whose moment `last_ping` is.
_HAS_OUTCOME = (
    'EXISTS (SELECT 1 FROM pings WHERE "key" > (check_states.check_id << 32)'
    f" + {_LAST_FIXED}"
    ' AND "key" <= (check_states.check_id << 32) + 4294967295'
    " AND action IN ('success', 'fail'))"
)


async def fix(conn: Connection, since: datetime) -> None:
    """Fix all logs up to what was written before a moment, by the time now.

    What was received has to be filed before.
    """
    await _make(conn)
    await conn.execute(
        "INSERT INTO temp.fixed SELECT check_id, coalesce((SELECT n FROM pings"
        ' WHERE "key" BETWEEN s.check_id << 32 AND (s.check_id << 32) + 4294967295'
        ' AND created < :since ORDER BY "key" DESC LIMIT 1), 0)'
        " FROM check_states s WHERE true"
        " ON CONFLICT (check_id) DO UPDATE SET n = max(n, excluded.n)",
        {"since": stamp(since)},
    )


async def fix_all(conn: Connection) -> None:
    """Fix all logs as they are: where they cannot be read, nothing of them moves."""
    await _make(conn)
    await conn.execute(
        "INSERT OR REPLACE INTO temp.fixed SELECT check_id, n_pings FROM check_states"
    )


async def fix_ahead(conn: Connection, now: datetime) -> None:
    """Fix the logs of checks that were heard in a future which is none."""
    await _make(conn)
    await conn.execute(
        "INSERT OR REPLACE INTO temp.fixed SELECT check_id, n_pings"
        " FROM check_states WHERE last_ping > :now",
        {"now": stamp(now)},
    )


async def _make(conn: Connection) -> None:
    await conn.execute(
        "CREATE TEMP TABLE IF NOT EXISTS fixed"
        " (check_id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"
    )


async def shift(conn: Connection, by: timedelta, since: datetime) -> None:
    """Move what deadlines count from, and deadlines, after a step of the clock.

    What was heard since `since`, by the old time, and is not fixed moves itself; what
    was heard before is history, which stays, and `counted_from` moves in its place. In
    one statement: in between some checks would be of one time and some of another.
    """
    # After a fail in a window of maintenance it counts from before that.
    heard = (
        f"last_ping >= :since AND {HAS_MORE}"
        f" AND (counted_from IS NULL OR {_HAS_OUTCOME})"
    )
    await conn.execute(
        "UPDATE check_states SET"
        " counted_from = CASE"
        " WHEN counted_from IS NOT NULL THEN counted_from + :by"
        f" WHEN status = 'up' AND NOT ({heard}) THEN last_ping + :by END,"
        f" last_ping = iif({heard}, last_ping + :by, last_ping),"
        " last_start = last_start + :by, not_before = not_before + :by,"
        " missed = missed + :by,"
        " alert_after = alert_after + :by, look_at = look_at + :by,"
        " muted_until = muted_until + :by, late_since = late_since + :by",
        {"by": seconds(by), "since": stamp(since)},
    )
    await open_runs.shift(conn, by)
    # A step that is undone leaves all as it was.
    await conn.execute(
        "UPDATE check_states SET counted_from = NULL"
        " WHERE excused = 0 AND abs(counted_from - last_ping) < 0.001"
    )


async def shift_written(conn: Connection, by: timedelta, since: datetime) -> None:
    """Move only what was written since a moment, by the old time; not the deadlines."""
    heard = f"last_ping >= :since AND {HAS_MORE}"
    await conn.execute(
        "UPDATE check_states SET"
        " counted_from = iif(counted_from >= :since, counted_from + :by, counted_from),"
        f" last_ping = iif({heard}, last_ping + :by, last_ping),"
        " last_start = iif(last_start >= :since, last_start + :by, last_start),"
        " not_before = iif(not_before >= :since, not_before + :by, not_before),"
        " missed = iif(missed >= :since, missed + :by, missed),"
        " late_since = iif(late_since >= :since, late_since + :by, late_since),"
        " muted_until = muted_until + min(:by, 0)",  # rather too soon than too late
        {"by": seconds(by), "since": stamp(since)},
    )
    await open_runs.shift(conn, by, since)


async def shift_ends(conn: Connection, by: timedelta) -> None:
    """Move the ends of what lasts a while, as they are kept; nothing that was heard.

    By a time that is behind, mutes and windows that are over would begin once more, and
    who has a last chance would have it for as long as the other time was ahead.
    """
    await conn.execute(
        "UPDATE check_states SET muted_until = muted_until + ?"
        " WHERE muted_until IS NOT NULL",
        (seconds(by),),
    )
    cursor = await conn.execute(
        "UPDATE check_states SET not_before = not_before + ?"
        " WHERE not_before IS NOT NULL",
        (seconds(by),),
    )
    if cursor.rowcount > 0:
        await owe_deadlines(conn)
    await windows.shift(conn, by)


async def cut_to(
    conn: Connection, now: datetime, since: datetime | None = None
) -> None:
    """Let nothing that has happened lie in the future; deadlines stay, see below.

    But for what happened since a moment, which is to be moved: what was before that has
    to lie before it then.
    """
    await open_runs.cut_to(conn, now, since)
    await latenesses.cut_to(conn, now, since)
    is_ahead = "({0} > :now AND (:since IS NULL OR {0} < :since))".format
    cut = "{0} = iif({1}, :now, {0})".format
    moments = "last_ping", "missed", "last_start", "counted_from"
    cursor = await conn.execute(
        f"UPDATE check_states SET {', '.join(cut(m, is_ahead(m)) for m in moments)},"
        # What was put off until a moment of that future would be put off for as long.
        " not_before = NULL"
        f" WHERE {' OR '.join(map(is_ahead, moments))}",
        {"now": stamp(now), "since": stamp(since)},
    )
    if cursor.rowcount > 0:
        await owe_deadlines(conn)


async def owe_deadlines(conn: Connection) -> None:
    """Note that deadlines count from what lay in a future which is none.

    In the same transaction: who is killed before they are worked out anew would call
    the dead down as late as that clock was ahead.
    """
    await settings.put(conn, _OWES, "1")


async def owes_deadlines(conn: Connection) -> bool:
    """Tell whether deadlines have to be worked out anew."""
    return await settings.get(conn, _OWES) is not None


async def gave_deadlines(conn: Connection) -> None:
    """Note that they have been."""
    await settings.delete(conn, _OWES)
