"""Notifications: the outbox, one message of one flip, or of hcl, over one channel."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiosqlite import Connection

from hcl.model import Notification
from hcl.store.flips import outage_of
from hcl.store.times import moment, stamp

_OUTAGE = outage_of("f.check_id")

# Messages that ought to go out, and not such as are held on purpose.
_OWED = "next_try IS NOT NULL AND (hold = '' OR (attempts > 0 AND hold != 'mute'))"

# For how many seconds hcl has run, as the last sign of life tells: by a minute less.
RAN = "(SELECT coalesce(max(ran), 0) FROM life)"

# Whether a channel c tells of what a message n tells of; f is its flip, if it has one.
_IS_TOLD = (
    "CASE WHEN n.announcement_id IS NOT NULL THEN c.on_server"
    " WHEN n.lateness_id IS NOT NULL THEN iif((SELECT usual FROM latenesses"
    " WHERE id = n.lateness_id) IS NULL, c.on_late, c.on_slow)"
    " WHEN f.new_status = 'up' THEN c.on_up ELSE c.on_down END"
)

# Whether a channel c tells of anything.
TELLS = "(c.on_down OR c.on_up OR c.on_server OR c.on_late OR c.on_slow)"

# The number of the reminder that comes next of the flip f over the channel c.
NEXT_REMINDER = (
    "(SELECT coalesce(max(n.reminder), 0) + 1 FROM notifications n"
    " WHERE n.flip_id = f.id AND n.channel_id = c.id)"
)


async def add_for_flips(conn: Connection, after: int, now: datetime) -> int:
    """Write down what is to be sent of the flips with an id above `after`.

    One notification for each channel of the check that wants to hear of the flip (see
    `Flip.notifies`). Returns how many. What waits of these checks is due at once, since
    it has to go first or is over; but not what gathers to go out with others.
    """
    await conn.execute(
        "UPDATE notifications SET next_try = :now WHERE next_try > :now"
        " AND (hold NOT IN ('fold', 'quiet') OR attempts > 0)"
        " AND check_id IN (SELECT check_id FROM flips WHERE id > :after)",
        {"now": stamp(now), "after": after},
    )
    return await add_for(conn, "f.id > :after", {"after": after}, now)


async def add_for(
    conn: Connection, which: str, values: Mapping[str, Any], now: datetime
) -> int:
    """Write down what is to be sent of the flips f of a condition; return how much.

    `which` is SQL of our own, and `values` are its parameters.
    """
    cursor = await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try)"
        f" SELECT f.id, f.check_id, c.id, :now, {RAN}, :now FROM flips f"
        " JOIN checks k ON k.id = f.check_id"
        " JOIN checks_channels cc ON cc.check_id = k.id"
        " JOIN channels c ON c.id = cc.channel_id AND c.enabled"
        # What was assigned before the channel went to another project does not count.
        " AND c.project_id = k.project_id"
        f" WHERE {which} AND ((f.new_status = 'down' AND c.on_down)"
        " OR (f.new_status = 'up' AND f.old_status = 'down' AND c.on_up))"
        " ORDER BY f.id, c.id",
        {**values, "now": stamp(now)},
    )
    return cursor.rowcount


async def add_over(
    conn: Connection, flip_id: int, channel_ids: Iterable[int], now: datetime
) -> int:
    """Write down what is to be sent of a flip over these channels; return how much.

    Whether the check has them or not: it may be one of a group, or a fallback.
    """
    cursor = await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try)"
        f" SELECT f.id, f.check_id, c.id, :now, {RAN}, :now FROM flips f"
        " JOIN checks k ON k.id = f.check_id"
        " JOIN channels c ON c.enabled AND c.project_id = k.project_id"
        " WHERE f.id = :id AND c.id IN (SELECT value FROM json_each(:ids))"
        " ORDER BY c.id",
        {"now": stamp(now), "id": flip_id, "ids": json.dumps(list(channel_ids))},
    )
    return cursor.rowcount


async def add_for_announcement(
    conn: Connection, announcement_id: int, now: datetime
) -> int:
    """Write down what is to be sent of an announcement; return how much.

    One notification for each channel, of its project or of all, that tells of hcl.
    """
    cursor = await conn.execute(
        "INSERT INTO notifications"
        " (announcement_id, channel_id, created, ran, next_try)"
        f" SELECT a.id, c.id, :now, {RAN}, :now FROM announcements a"
        " JOIN channels c ON c.enabled AND c.on_server"
        " AND (a.project_id IS NULL OR a.project_id = c.project_id)"
        " WHERE a.id = :id ORDER BY c.id",
        {"now": stamp(now), "id": announcement_id},
    )
    return cursor.rowcount


async def add_for_report(
    conn: Connection, announcement_id: int, channels: Iterable[str], now: datetime
) -> int:
    """Write down what is to be sent of a report, over channels given by their codes."""
    cursor = await conn.execute(
        "INSERT INTO notifications"
        " (announcement_id, channel_id, created, ran, next_try)"
        f" SELECT :id, id, :now, {RAN}, :now FROM channels c"
        f" WHERE enabled AND {TELLS}"
        " AND code IN (SELECT value FROM json_each(:channels)) ORDER BY id",
        {
            "id": announcement_id,
            "now": stamp(now),
            "channels": json.dumps(list(channels)),
        },
    )
    return cursor.rowcount


def from_row(row: Sequence[Any]) -> Notification:
    """Make a notification of its columns in their order, `hold` to `ran` last."""
    created = datetime.fromtimestamp(row[4], UTC)
    return Notification(row[0], row[1], row[2], row[3] or 0, created, *row[5:10])


async def add_reminders(
    conn: Connection, reminders: Iterable[tuple[Notification, datetime]], now: datetime
) -> None:
    """Write down what follows messages of flips to down, each at its moment.

    Their age counts from then.

    Those are left out whose check has flipped since, that wait already, or whose
    channel does not tell of outages any more.
    """
    await conn.executemany(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try, reminder, hold)"
        f" SELECT f.id, f.check_id, :channel_id, :at, {RAN} + max(0, :at - :now), :at,"
        f" {NEXT_REMINDER}, 'remind'"
        " FROM flips f JOIN channels c ON c.id = :channel_id"
        f" AND c.enabled AND c.on_down WHERE f.id = :flip_id AND f.id = {_OUTAGE}"
        # A group may have brought a message beside the channel's own.
        " AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
        " AND n.channel_id = c.id AND n.next_try IS NOT NULL AND n.reminder)",
        [
            {
                "channel_id": notification.channel_id,
                "flip_id": notification.flip_id,
                "at": stamp(at),
                "now": stamp(now),
            }
            for notification, at in reminders
        ],
    )


# What a channel owes of which its fallback was not told: `:only` of these, if not NULL,
# else what was there at the moment `:decided`.
_TO_HAND_ON = (
    " WHERE n.channel_id = :channel_id AND n.next_try IS NOT NULL"
    " AND NOT n.handed_on"
    " AND (n.hold = '' OR n.attempts > 0"
    # What a flip woke since is not decided on: its delay may not be over.
    " OR n.next_try <= min(:now, :decided) OR (n.hold = 'mute'"
    # The mute is over, and it waits with another that failed.
    " AND NOT EXISTS (SELECT 1 FROM check_states s"
    " WHERE s.check_id = n.check_id AND s.muted_until > :now)))"
    " AND iif(:only IS NULL, n.created <= :decided OR n.attempts > 0,"
    " n.id IN (SELECT value FROM json_each(:only)))"
)


async def hand_on(
    conn: Connection,
    channel_id: int,
    fallback: int,
    notice: str,
    now: datetime,
    *,
    decided: datetime,
    only: Iterable[Notification] | None = None,
) -> int:
    """Have another channel tell of what a channel owes, once; return how much.

    `notice` says why, there. `only`: no more than these; None: all that was written
    until it was `decided` last whether and when it is told.
    """
    values = {
        "channel_id": channel_id,
        "fallback": fallback,
        "notice": notice,
        "now": stamp(now),
        "decided": stamp(decided),
        "only": None if only is None else json.dumps([n.id for n in only]),
    }
    cursor = await conn.execute(
        "INSERT INTO notifications (flip_id, check_id, announcement_id, lateness_id,"
        " is_end, channel_id, created, ran, next_try, reminder, hold, notice)"
        " SELECT n.flip_id, n.check_id, n.announcement_id, n.lateness_id,"
        f" n.is_end, c.id, :now, {RAN}, :now,"
        " n.reminder, iif(n.hold IN ('fold', 'quiet'), n.hold, ''),"
        " trim(n.notice || ' ' || :notice) FROM notifications n"
        " LEFT JOIN flips f ON f.id = n.flip_id"
        " JOIN channels c ON c.id = :fallback AND c.enabled"
        f" {_TO_HAND_ON} AND {_IS_TOLD} ORDER BY n.id",
        values,
    )
    await conn.execute(
        # What it does not tell of now it may by other settings.
        f"UPDATE notifications AS n SET handed_on = 1 {_TO_HAND_ON}"
        " AND EXISTS (SELECT 1 FROM channels c LEFT JOIN flips f ON f.id = n.flip_id"
        f" WHERE c.id = :fallback AND c.enabled AND {_IS_TOLD})",
        values,
    )
    return cursor.rowcount


async def expand(
    conn: Connection,
    notification: Notification,
    channel_ids: Iterable[int],
    now: datetime,
    *,
    reminds: bool,
) -> int:
    """Have each channel of a group tell of what came to the group; return how many.

    A channel that was to tell of it anyway does so once; one that is to remind by its
    own settings does so now. Unless the group `reminds`, what it repeats is the end of
    a mute: of that webhooks and commands that were told hear nothing.
    """
    values = {"id": notification.id, "channel_ids": json.dumps(list(channel_ids))}
    values |= {"now": stamp(now), "reminds": reminds}
    reminding = await conn.execute(
        "UPDATE notifications AS own SET next_try = min(own.next_try, :now),"
        " hold = iif(n.hold IN ('fold', 'quiet'), n.hold, '')"
        " FROM notifications n WHERE n.id = :id AND n.reminder AND n.notice = ''"
        " AND own.flip_id = n.flip_id AND own.next_try IS NOT NULL AND own.reminder"
        " AND own.hold = 'remind' AND own.attempts = 0"
        " AND own.channel_id IN (SELECT value FROM json_each(:channel_ids))",
        values,
    )
    cursor = await conn.execute(
        "INSERT INTO notifications (flip_id, check_id, announcement_id, lateness_id,"
        " is_end, channel_id, created, ran, next_try, reminder, hold, notice)"
        " SELECT n.flip_id, n.check_id, n.announcement_id, n.lateness_id,"
        f" n.is_end, c.id, n.created, n.ran, :now, iif(n.reminder, {NEXT_REMINDER}, 0),"
        " iif(n.hold IN ('fold', 'quiet'), n.hold, ''), n.notice"
        " FROM notifications n LEFT JOIN flips f ON f.id = n.flip_id JOIN channels c"
        " ON c.id IN (SELECT value FROM json_each(:channel_ids)) AND c.enabled"
        f" WHERE n.id = :id AND {_IS_TOLD}"
        # Of what it is to remind of still, or owes, it reminds once; but its fallback,
        # which was told of that, as often as the group.
        " AND NOT (n.reminder AND n.notice = '' AND (EXISTS (SELECT 1"
        " FROM notifications own WHERE own.channel_id = c.id AND own.reminder"
        " AND own.flip_id = n.flip_id AND own.next_try IS NOT NULL"
        " AND NOT own.handed_on) OR (NOT :reminds AND c.kind IN ('webhook', 'shell')"
        " AND EXISTS (SELECT 1 FROM notifications t WHERE t.flip_id = n.flip_id"
        " AND t.channel_id = c.id AND t.sent IS NOT NULL))))"
        " AND (n.reminder OR NOT EXISTS (SELECT 1 FROM notifications told"
        " WHERE told.channel_id = c.id AND NOT told.reminder"
        " AND told.notice = n.notice AND (told.flip_id = n.flip_id"
        " OR (told.lateness_id = n.lateness_id AND told.is_end = n.is_end)"
        " OR told.announcement_id = n.announcement_id))) ORDER BY c.id",
        values,
    )
    return reminding.rowcount + cursor.rowcount


async def last_told(
    conn: Connection,
) -> list[tuple[Notification, tuple[str, ...], datetime, datetime | None]]:
    """Return the last message of each outage that lasts, and the check's tags.

    One for each channel that has been told of it, or that it was tried over in vain;
    when that was, and when it is to be reminded; None: it is not.
    """
    rows = await conn.execute_fetchall(
        "SELECT n.id, n.channel_id, n.check_id, n.flip_id, n.created, n.attempts,"
        # SQLite takes the other columns from the row of the maximum.
        " max(n.reminder), n.hold, n.notice, n.ran, c.tags,"
        " coalesce(n.sent, (SELECT max(created) FROM tries"
        " WHERE notification_id = n.id), n.created),"
        " (SELECT min(w.next_try) FROM notifications w WHERE w.flip_id = n.flip_id"
        " AND w.channel_id = n.channel_id AND w.hold = 'remind')"
        # In the order of a CROSS JOIN: few checks are down.
        " FROM check_states s CROSS JOIN checks c ON c.id = s.check_id"
        " CROSS JOIN notifications n ON n.check_id = s.check_id AND (n.sent IS NOT NULL"
        " OR (n.next_try IS NULL AND n.attempts > 0))"
        " JOIN channels h ON h.id = n.channel_id AND h.project_id = c.project_id"
        " JOIN flips f ON f.id = n.flip_id AND f.new_status = 'down'"
        f" WHERE s.status = 'down' AND n.notice = '' AND f.id = {_OUTAGE}"
        " GROUP BY n.check_id, n.channel_id"
    )
    return [
        (
            from_row(row),
            tuple(row[10].split()),
            datetime.fromtimestamp(row[11], UTC),
            moment(row[12]),
        )
        for row in map(tuple, rows)
    ]


async def drop_reminders(
    conn: Connection, under_way: Iterable[tuple[int, int]] = ()
) -> None:
    """Delete the reminders that channels have put off.

    But not what a group or another channel brought, nor those of a channel and a check,
    given by their ids, that are `under_way`.
    """
    await conn.execute(
        "DELETE FROM notifications WHERE next_try IS NOT NULL"
        " AND reminder AND attempts = 0 AND (hold = 'remind'"
        # What is told at the end of a mute is no channel's own reminder.
        " OR (hold NOT IN ('', 'mute')"
        " AND notice = '' AND EXISTS (SELECT 1 FROM checks_channels cc"
        " WHERE cc.check_id = notifications.check_id"
        " AND cc.channel_id = notifications.channel_id)))"
        " AND (channel_id, check_id) NOT IN (SELECT json_extract(value, '$[0]'),"
        " json_extract(value, '$[1]') FROM json_each(?))",
        (json.dumps(list(under_way)),),
    )


async def count_waiting(conn: Connection) -> int:
    """Return how many flips have a message that is owed and not finished."""
    owed = f"SELECT count(DISTINCT flip_id) FROM notifications WHERE {_OWED}"
    return int(next(iter(await conn.execute_fetchall(owed)))[0])


async def waiting(conn: Connection) -> tuple[int, int, datetime | None]:
    """Return how many messages are owed, how many held, and when the first was written.

    Held are those put off on purpose; the last is None if none is owed.
    """
    rows = await conn.execute_fetchall(
        # SQLite takes `created` from the row of the least id.
        f"SELECT total({_OWED}), count(*) - total({_OWED}), min(iif({_OWED}, id,"
        " NULL)), created FROM notifications WHERE next_try IS NOT NULL"
    )
    owed, held, first, created = next(iter(rows))
    return int(owed), int(held), moment(None if first is None else created)


async def waiting_by_channel(conn: Connection) -> dict[int, int]:
    """Return how many messages wait, owed or held, by the channel's id."""
    rows = await conn.execute_fetchall(
        "SELECT channel_id, count(*) FROM notifications WHERE next_try IS NOT NULL"
        " GROUP BY channel_id"
    )
    return {row[0]: row[1] for row in rows}


async def highest_id(conn: Connection) -> int | None:
    """Return the greatest id ever given to a notification, None if there was none."""
    rows = await conn.execute_fetchall(
        "SELECT seq FROM sqlite_sequence WHERE name = 'notifications'"
    )
    # SQLite notes 0 as well, once a statement has inserted none.
    return next((int(row[0]) for row in rows if row[0]), None)


async def drop(
    conn: Connection, up_to: int, limit: int, kept: Sequence[int] = ()
) -> int:
    """Delete the oldest finished ones up to an id, but `kept`; return how many."""
    cursor = await conn.execute(
        "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications"
        " WHERE id <= ? AND next_try IS NULL"
        " AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?)",
        (up_to, json.dumps(kept), limit),
    )
    return cursor.rowcount
