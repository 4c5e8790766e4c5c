"""Notifications: the outbox, one message of one flip over one channel."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from aiosqlite import Connection

from hcl.model import Notification
from hcl.store.times import moment, stamp


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try.

    `sent` is when the message was taken, None if it was not; `next_try` is when to try
    again, None: never. `refused`: it will hardly be taken later either.
    """

    notification: Notification
    answer: str
    sent: datetime | None = None
    next_try: datetime | None = None
    refused: bool = False


async def add_for_flips(conn: Connection, after: int, now: datetime) -> int:
    """Write down what is to be sent of the flips with an id above `after`.

    One notification for each channel of the check that wants to hear of the flip (see
    `Flip.notifies`). Returns how many. What waits of these checks after a failure is
    due at once, since it has to go first.
    """
    await conn.execute(
        "UPDATE notifications SET next_try = :now WHERE next_try > :now"
        " AND check_id IN (SELECT check_id FROM flips WHERE id > :after)",
        {"now": stamp(now), "after": after},
    )
    cursor = await conn.execute(
        "INSERT INTO notifications (flip_id, check_id, channel_id, created, next_try)"
        " SELECT f.id, f.check_id, c.id, :now, :now FROM flips f"
        " JOIN checks_channels cc ON cc.check_id = f.check_id"
        " JOIN channels c ON c.id = cc.channel_id AND c.enabled"
        " WHERE f.id > :after AND ((f.new_status = 'down' AND c.on_down)"
        " OR (f.new_status = 'up' AND f.old_status = 'down' AND c.on_up))"
        " ORDER BY f.id, c.id",
        {"now": stamp(now), "after": after},
    )
    return cursor.rowcount


async def due(
    conn: Connection, channel_id: int, now: datetime, limit: int
) -> list[Notification]:
    """Return what a channel is to send now, in order.

    Of each check only the oldest that waits, so that no message overtakes another.
    """
    rows = await conn.execute_fetchall(
        "SELECT id, channel_id, check_id, flip_id, created, attempts FROM"
        # SQLite takes the other columns from the row of the minimum.
        " (SELECT *, min(id) FROM notifications WHERE channel_id = ?"
        " AND next_try IS NOT NULL GROUP BY check_id)"
        " WHERE next_try <= ? ORDER BY id LIMIT ?",
        (channel_id, stamp(now), limit),
    )
    return [
        Notification(
            row[0], row[1], row[2], row[3], datetime.fromtimestamp(row[4], UTC), row[5]
        )
        for row in rows
    ]


async def next_tries(conn: Connection) -> dict[int, datetime]:
    """Return when each channel with waiting messages has to send next, by its id."""
    rows = await conn.execute_fetchall(
        "SELECT channel_id, min(next_try) FROM (SELECT channel_id, next_try, min(id)"
        " FROM notifications WHERE next_try IS NOT NULL GROUP BY channel_id, check_id)"
        " GROUP BY channel_id"
    )
    return {row[0]: datetime.fromtimestamp(row[1], UTC) for row in rows}


async def next_after(conn: Connection, now: datetime) -> datetime | None:
    """Return when the first message that is not yet due is; None: none waits."""
    rows = await conn.execute_fetchall(
        "SELECT min(next_try) FROM (SELECT next_try, min(id) FROM notifications"
        " WHERE next_try IS NOT NULL GROUP BY channel_id, check_id)"
        " WHERE next_try > ?",
        (stamp(now),),
    )
    return moment(next(iter(rows))[0])


async def retry(conn: Connection, now: datetime, channel_id: int | None = None) -> None:
    """Let what waits after a failure be due now, of all channels or of one."""
    await conn.execute(
        "UPDATE notifications SET next_try = :now"
        " WHERE next_try > :now AND (:channel_id IS NULL OR channel_id = :channel_id)",
        {"now": stamp(now), "channel_id": channel_id},
    )


async def note(conn: Connection, outcomes: Iterable[Outcome]) -> None:
    """Tick off what was sent, plan the next try of what failed, give up the rest.

    What is refused for good is given up at once if a newer message of its check waits
    behind it.
    """
    await conn.executemany(
        # What was given up meanwhile, with its channel, stays so.
        "UPDATE notifications SET sent = :sent, answer = :answer,"
        " next_try = iif(next_try IS NULL OR (:refused AND EXISTS (SELECT 1"
        " FROM notifications newer WHERE newer.check_id = notifications.check_id"
        " AND newer.channel_id = notifications.channel_id"
        " AND newer.id > notifications.id AND newer.next_try IS NOT NULL)),"
        " NULL, :next_try),"
        " attempts = attempts + (:sent IS NULL) WHERE id = :id",
        [
            {
                "sent": stamp(outcome.sent),
                "next_try": stamp(outcome.next_try),
                "answer": outcome.answer,
                "refused": outcome.refused,
                "id": outcome.notification.id,
            }
            for outcome in outcomes
        ],
    )


async def give_up_disabled(conn: Connection) -> int:
    """Finish what waits for channels that left the file; return how many."""
    cursor = await conn.execute(
        "UPDATE notifications SET next_try = NULL, answer = 'the channel was taken out'"
        " WHERE next_try IS NOT NULL"
        " AND channel_id IN (SELECT id FROM channels WHERE NOT enabled)"
    )
    return cursor.rowcount


async def count_waiting(conn: Connection) -> int:
    """Return how many flips have a message that is not finished."""
    rows = await conn.execute_fetchall(
        "SELECT count(DISTINCT flip_id) FROM notifications WHERE next_try IS NOT NULL"
    )
    return int(next(iter(rows))[0])


async def waiting(conn: Connection) -> tuple[int, datetime | None]:
    """Return how many messages are not finished, and when the oldest was written."""
    rows = await conn.execute_fetchall(
        "SELECT count(*), min(created) FROM notifications WHERE next_try IS NOT NULL"
    )
    count, oldest = next(iter(rows))
    return count, moment(oldest)


async def highest_id(conn: Connection) -> int | None:
    """Return the greatest id ever given to a notification, None if there was none."""
    rows = await conn.execute_fetchall(
        "SELECT seq FROM sqlite_sequence WHERE name = 'notifications'"
    )
    return next((int(row[0]) for row in rows), None)


async def drop(conn: Connection, before: datetime, limit: int) -> int:
    """Delete the oldest finished ones before a moment; return how many."""
    cursor = await conn.execute(
        "DELETE FROM notifications WHERE id IN (SELECT id FROM notifications"
        " WHERE created < ? AND next_try IS NULL ORDER BY created LIMIT ?)",
        (stamp(before), limit),
    )
    return cursor.rowcount
