"""Mutes: of which checks nobody is told for a while, and what waits for the end."""

from datetime import datetime

from aiosqlite import Connection

from hcl.store.flips import outage_of
from hcl.store.notifications import NEXT_REMINDER, RAN
from hcl.store.times import stamp

_OUTAGE = outage_of(":id")

# Whether the channel c was told of the outage that began by the flip f.
_WAS_TOLD = (
    f" AND f.id = {_OUTAGE} AND EXISTS (SELECT 1 FROM notifications n"
    " WHERE n.flip_id = f.id AND n.channel_id = c.id AND n.sent IS NOT NULL)"
)

# Whether a message waits for the end of quiet hours, and tells of what was over before
# the mute: that is no outage that nobody need hear of, so it stays what it was.
_IS_PAST = f"hold = 'quiet' AND (flip_id IS NULL OR flip_id IS NOT {_OUTAGE})"

# Whether the channel c hears of an outage; it began by the newest flip f.
_HEARS = " AND f.id = (SELECT max(id) FROM flips WHERE check_id = :id) AND c.on_down"


async def mute(conn: Connection, check_id: int, until: datetime, now: datetime) -> None:
    """Tell nobody of a check before a moment; `until` now: tell what waited for it.

    Who was told that it is down is told once more at the end, if it still is then; but
    not webhooks and commands, for which nothing has changed.
    """
    await _put_off(conn, check_id, until, now, whom=_WAS_TOLD)


async def bring(
    conn: Connection, check_id: int, until: datetime, now: datetime
) -> None:
    """Take a mute over from where the check was before, as `mute` would.

    Who was told there is not known here: all who hear of that are told at the end.
    """
    await _put_off(conn, check_id, until, now, whom=_HEARS)


async def _put_off(
    conn: Connection, check_id: int, until: datetime, now: datetime, *, whom: str
) -> None:
    values = {"id": check_id, "until": stamp(until), "now": stamp(now)}
    await conn.execute(
        "UPDATE check_states SET muted_until = :until WHERE check_id = :id", values
    )
    if until <= now:
        await conn.execute(
            "UPDATE notifications SET next_try = :now, created = min(created, :now),"
            f" ran = min(ran, {RAN})"
            # What waits for quiet hours is held anew by those.
            " WHERE check_id = :id AND next_try > :now AND hold IN ('mute', 'quiet')",
            values,
        )
        return
    await conn.execute(
        # What was made for the end of a longer mute is of this one's.
        "UPDATE notifications SET next_try = :until,"
        f" hold = iif({_IS_PAST}, hold, 'mute'),"
        f" created = min(created, :until), ran = {RAN} + :until - :now"
        " WHERE check_id = :id AND next_try IS NOT NULL",
        values,
    )
    await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try, reminder, hold)"
        f" SELECT f.id, f.check_id, c.id, :until, {RAN} + :until - :now, :until,"
        f" {NEXT_REMINDER}, 'mute' FROM flips f"
        " JOIN check_states s ON s.check_id = f.check_id AND s.status = 'down'"
        " JOIN checks k ON k.id = f.check_id"
        " JOIN checks_channels cc ON cc.check_id = k.id"
        " JOIN channels c ON c.id = cc.channel_id AND c.enabled"
        " AND c.on_down AND c.project_id = k.project_id"
        " AND c.kind NOT IN ('webhook', 'shell')"
        f" WHERE f.check_id = :id AND f.new_status = 'down'{whom}"
        " AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
        " AND n.channel_id = c.id AND n.next_try IS NOT NULL) ORDER BY c.id",
        values,
    )
