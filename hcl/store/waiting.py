"""What is due of the outbox, with all that decides whether and when it goes out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aiosqlite import Connection

from hcl.model import Flip, Lateness, Notification, Status
from hcl.store import notifications
from hcl.store.latenesses import IS_NOW
from hcl.store.times import moment, stamp

# Why nobody is told that a check is down: its end is no news then either.
SHORT = "not sent: it was down for less than the delay"
OVER = "not sent: it is no longer down"
MUTED = "not sent: the check was muted, and this is over"

# Whether the channel of n, which tells of the flip f to up, did not tell of the outage
# that this ends, on purpose. What was tried may have been heard, and what another could
# not deliver that one had told.
_IS_NO_NEWS = (
    "f.new_status = 'up' AND n.attempts = 0 AND n.notice = ''"
    " AND (SELECT total(d.answer IN (:short, :over, :muted)) > 0"
    " AND total(d.sent IS NOT NULL OR d.next_try IS NOT NULL OR d.attempts > 0"
    " OR d.handed_on) = 0"
    " FROM notifications d WHERE d.channel_id = n.channel_id AND d.flip_id = (SELECT id"
    " FROM flips b WHERE b.check_id = n.check_id AND b.id < f.id"
    " AND b.new_status = 'down' ORDER BY b.id DESC LIMIT 1))"
)

# What `Waiting.is_stale` says.
_IS_STALE = (
    "iif(n.is_end, NOT EXISTS (SELECT 1 FROM notifications t"
    " WHERE t.lateness_id = n.lateness_id AND NOT t.is_end"
    # What another channel could not deliver ends what that one told.
    " AND (t.channel_id = n.channel_id OR n.notice != '') AND t.sent IS NOT NULL),"
    f" iif(l.id IS NULL, {_IS_NO_NEWS},"
    f" l.usual IS NULL AND (l.ended IS NOT NULL OR NOT {IS_NOW})))"
)

_NO_FLIP = Flip(datetime.fromtimestamp(0, UTC), "new", "new", "")


class Waiting(NamedTuple):
    """A message that waits, and what decides whether and when it goes out.

    `flip` is one of long ago, from new to new, if it tells of none. `n_pings` is the
    number of the last ping up to the flip, 0 if there was none. `status`, `tags` and
    `muted_until` are those of its check now; `ended` is when that flipped next, None:
    not yet. `channels` holds the ids of the rows of the channels that the check uses;
    it is empty but for reminders. `handed_on`: the fallback has told of it already.
    `lateness` is what it tells of instead of a flip; `is_stale`: it is over, or, of its
    end, the channel did not tell of it, nor that in whose place this one tells; so of
    the end of an outage.
    """

    notification: Notification
    next_try: datetime
    flip: Flip
    n_pings: int
    status: Status
    tags: tuple[str, ...]
    channels: frozenset[int]
    muted_until: datetime | None = None
    handed_on: bool = False
    lateness: Lateness | None = None
    is_stale: bool = False
    ended: datetime | None = None


async def due(
    conn: Connection, channel_id: int, now: datetime, limit: int, most: int = -1
) -> list[Waiting]:
    """Return all that waits of checks that a channel has to send something of now.

    In order, of `limit` checks at most, and of each the `most` oldest, of flips before
    others, -1 for all; behind it what is due of hcl itself.
    """
    announcements = await _announcements_due(conn, channel_id, now, limit)
    return [*await _alerts_due(conn, channel_id, now, limit, most), *announcements]


async def checks_waiting(conn: Connection, channel_id: int) -> list[int | None]:
    """Return the ids of the checks of which anything waits over a channel.

    None among them: something of hcl itself waits. No row of what waits is read.
    """
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT check_id FROM notifications INDEXED BY notifications_waiting"
        " WHERE channel_id = ? AND next_try IS NOT NULL ORDER BY check_id",
        (channel_id,),
    )
    return [row[0] for row in rows]


async def due_of(
    conn: Connection, channel_id: int, now: datetime, check_id: int | None, most: int
) -> list[Waiting]:
    """Return what is due of one check, as `due` does; None: of hcl itself."""
    if check_id is None:
        return await _announcements_due(conn, channel_id, now, -1)
    return await _alerts_due(conn, channel_id, now, 1, most, check_id)


async def _announcements_due(
    conn: Connection, channel_id: int, now: datetime, limit: int
) -> list[Waiting]:
    rows = await conn.execute_fetchall(
        "SELECT id, channel_id, 0, 0, created, attempts, reminder, hold, notice, ran,"
        " announcement_id, next_try FROM notifications"
        " WHERE channel_id = ? AND check_id IS NULL AND next_try IS NOT NULL"
        # The index by check finds these few among all that is due.
        " AND +next_try <= ? ORDER BY id LIMIT ?",
        (channel_id, stamp(now), limit),
    )
    return [
        Waiting(
            replace(notifications.from_row(row), announcement_id=row[10]),
            datetime.fromtimestamp(row[11], UTC),
            _NO_FLIP,
            n_pings=0,
            status="new",
            tags=(),
            channels=frozenset(),
        )
        for row in map(tuple, rows)
    ]


async def _alerts_due(
    conn: Connection,
    channel_id: int,
    now: datetime,
    limit: int,
    most: int,
    check_id: int | None = None,
) -> list[Waiting]:
    which = " WHERE channel_id = :channel_id AND check_id IS NOT NULL"
    if check_id is not None:
        # By this index no row of another check is read.
        which = " INDEXED BY notifications_waiting WHERE channel_id = :channel_id"
        which += " AND check_id = :check_id"
    rows = await conn.execute_fetchall(
        "WITH due AS (SELECT check_id, min(id) AS oldest FROM notifications"
        f"{which} AND next_try <= :now"
        " GROUP BY check_id ORDER BY oldest LIMIT :limit)"
        " SELECT n.id, n.channel_id, n.check_id, n.flip_id, n.created, n.attempts,"
        " n.reminder, n.hold, n.notice, n.ran, n.next_try,"
        " f.created, f.old_status, f.new_status, f.reason,"
        " coalesce(f.n_pings, l.n_pings), s.status, c.tags,"
        " s.muted_until, n.handed_on,"
        " iif(n.reminder, (SELECT group_concat(cc.channel_id) FROM checks_channels cc"
        " JOIN channels h ON h.id = cc.channel_id AND h.project_id = c.project_id"
        " WHERE cc.check_id = n.check_id), ''),"
        f" l.began, l.ended, n.is_end, {_IS_STALE}, l.usual,"
        " (SELECT e.created FROM flips e WHERE e.check_id = n.check_id"
        " AND e.id > n.flip_id ORDER BY e.id LIMIT 1)"
        # In the order of a CROSS JOIN: few of those that wait are due.
        " FROM due CROSS JOIN notifications n ON n.id IN (SELECT id FROM notifications"
        " INDEXED BY notifications_waiting"
        " WHERE channel_id = :channel_id AND check_id = due.check_id"
        " AND next_try IS NOT NULL ORDER BY flip_id IS NULL, flip_id, id LIMIT :most)"
        " LEFT JOIN flips f ON f.id = n.flip_id"
        " LEFT JOIN latenesses l ON l.id = n.lateness_id"
        " JOIN check_states s ON s.check_id = n.check_id"
        " JOIN checks c ON c.id = n.check_id ORDER BY n.id",
        {
            "channel_id": channel_id,
            "now": stamp(now),
            "limit": limit,
            "most": most,
            "check_id": check_id,
            "short": SHORT,
            "over": OVER,
            "muted": MUTED,
        },
    )
    return [_waiting(tuple(row)) for row in rows]


def _waiting(row: tuple[Any, ...]) -> Waiting:
    lateness, created = _lateness(row), datetime.fromtimestamp(row[11] or 0, UTC)
    return Waiting(
        notifications.from_row(row),
        datetime.fromtimestamp(row[10], UTC),
        _NO_FLIP if lateness else Flip(created, *row[12:15]),
        row[15] or 0,
        row[16],
        tuple(row[17].split()),
        frozenset(map(int, filter(None, (row[20] or "").split(",")))),
        moment(row[18]),
        bool(row[19]),
        lateness,
        bool(row[24]),
        moment(row[26]),
    )


def _lateness(row: tuple[Any, ...]) -> Lateness | None:
    began, ended = moment(row[21]), moment(row[22])
    if began is None:
        return None
    if row[25] is not None:
        return Lateness(began, ended, timedelta(seconds=row[25]))
    return Lateness(began, ended if row[23] else None)
