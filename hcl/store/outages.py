"""What is still to be told, as channels of a check come, and as they go."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from aiosqlite import Connection

from hcl.store.flips import outage_of
from hcl.store.notifications import NEXT_REMINDER, RAN, TELLS
from hcl.store.times import stamp

# No id is as great.
_LAST = 2**63 - 1

# For how long what has ended is still told, as what cannot be delivered is tried.
_LONGEST = timedelta(days=7)

# Checks k that are down, with their states s, and channels c that they were given.
_GIVEN = (
    "check_states s INDEXED BY check_states_down CROSS JOIN checks k"
    " ON k.id = s.check_id CROSS JOIN checks_channels cc ON cc.check_id = k.id"
    " CROSS JOIN channels c ON c.id = cc.channel_id"
    " AND s.status = 'down' AND s.check_id BETWEEN :first AND :last"
)

# Those of them that serve the check.
_SERVED = f"{_GIVEN} AND c.enabled AND c.on_down AND c.project_id = k.project_id"

# Those that are out of the file, switched off, or in another project.
_OUT = f"{_GIVEN} AND NOT (c.enabled AND {TELLS} AND c.project_id = k.project_id)"

# Why a message was given up with its channel.
_SWITCHED_OFF = "'the channel was switched off'"
_TAKEN_OUT = "'the channel was taken out'"
_WITH_CHANNEL = f"({_SWITCHED_OFF}, {_TAKEN_OUT})"

_PAIR = "s.check_id || ' ' || c.id"

# Whether anybody was told of the flip f; a group only hands it on.
_WAS_TOLD = (
    "EXISTS (SELECT 1 FROM notifications n JOIN channels h ON h.id = n.channel_id"
    " WHERE n.flip_id = f.id AND n.sent IS NOT NULL AND h.kind != 'group')"
)

# Those that serve, and did not before, with the flip f by which the outage began. It
# was to be told, be it by a channel that was out, and was not yet. Or the check is
# muted: at its end all are told.
_OWED = (
    f"{_SERVED} AND {_PAIR} NOT IN (SELECT value FROM json_each(:before))"
    f" CROSS JOIN flips f ON f.id = {outage_of('s.check_id')}"
    " AND (s.muted_until > :now OR ((EXISTS (SELECT 1 FROM notifications n"
    " WHERE n.flip_id = f.id) OR s.check_id IN (SELECT value FROM json_each(:out)))"
    f" AND NOT {_WAS_TOLD}))"
)

# Whether c had a message of f already: from a group maybe, whose place it takes.
_HAD = (
    "EXISTS (SELECT 1 FROM notifications n"
    " WHERE n.flip_id = f.id AND n.channel_id = c.id)"
)

# Who had one gets no other, but at the end of a mute; then as `mutes.mute` has it.
_NO_MORE = (
    "(s.muted_until IS NULL OR s.muted_until <= :now OR c.kind IN ('webhook', 'shell')"
    " OR EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
    " AND n.channel_id = c.id AND n.next_try IS NOT NULL))"
)


async def give_up_disabled(conn: Connection) -> int:
    """Finish what waits for channels that left the file, or tell of nothing there.

    Returns how many.
    """
    cursor = await conn.execute(
        "UPDATE notifications SET next_try = NULL, answer = iif(channel_id IN"
        f" (SELECT id FROM channels WHERE enabled), {_SWITCHED_OFF}, {_TAKEN_OUT})"
        " WHERE next_try IS NOT NULL AND channel_id IN"
        f" (SELECT id FROM channels c WHERE NOT enabled OR NOT {TELLS})"
    )
    return cursor.rowcount


@asynccontextmanager
async def heard_by_others(
    conn: Connection, now: datetime, check_id: int | None = None
) -> AsyncIterator[None]:
    """Have channels that come to serve checks meanwhile tell of outages.

    Of those that were to be told over others, and that nobody was told of: their
    messages wait, or were given up with their channel, or it was out when the outage
    began. And of those that are muted. `check_id` None: of all checks.
    """
    first, last = (1, _LAST) if check_id is None else (check_id, check_id)
    values = {"now": stamp(now), "first": first, "last": last}
    # As one text, and all else in SQL: of all checks it would hold the loop for long.
    [before] = await conn.execute_fetchall(
        f"SELECT (SELECT json_group_array({_PAIR}) FROM {_SERVED}),"
        f" (SELECT json_group_array(DISTINCT s.check_id) FROM {_OUT})",
        values,
    )
    yield
    values["before"], values["out"] = before
    if not await conn.execute_fetchall(f"SELECT 1 FROM {_OWED} LIMIT 1", values):
        return
    await _take_up_again(conn, values)
    await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try, reminder)"
        f" SELECT f.id, f.check_id, c.id, :now, {RAN}, :now,"
        f" iif({_HAD} OR (c.kind = 'group' AND {_WAS_TOLD}), {NEXT_REMINDER}, 0)"
        f" FROM {_OWED} WHERE NOT ({_HAD} AND {_NO_MORE}) ORDER BY f.id, c.id",
        values,
    )


async def _take_up_again(conn: Connection, values: Mapping[str, Any]) -> None:
    """Have channels that are back tell what was given up when they left.

    Where nobody else is to: who takes a channel out, and puts it back, loses no outage.
    """
    await conn.execute(
        f"UPDATE notifications SET next_try = :now, answer = '', ran = {RAN}"
        f" FROM (SELECT DISTINCT f.id AS began, k.project_id AS project FROM {_OWED}"
        " WHERE NOT EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
        " AND n.next_try IS NOT NULL)) JOIN channels b"
        " ON b.project_id = project AND b.enabled AND b.on_down"
        # What was to come from a group too.
        " WHERE flip_id = began AND channel_id = b.id AND sent IS NULL"
        f" AND hold != 'remind' AND answer IN {_WITH_CHANNEL}",
        values,
    )


# Whether a channel c tells of something, and told of nothing before.
_IS_BACK = f"c.enabled AND {TELLS} AND c.id IN (SELECT value FROM json_each(:silent))"

# Those of them that are of the project of k.
_BACK = f"channels c ON c.project_id = k.project_id AND {_IS_BACK}"

# Flips f to up that end what a channel c told of last.
_ENDED = (
    "(SELECT n.check_id, n.channel_id, max(n.flip_id) AS flip_id FROM notifications n"
    " WHERE n.sent IS NOT NULL AND n.flip_id IS NOT NULL AND n.channel_id IN"
    " (SELECT value FROM json_each(:silent)) GROUP BY 1, 2) told"
    f" JOIN checks k ON k.id = told.check_id JOIN {_BACK} AND c.id = told.channel_id"
    " AND c.on_up JOIN flips g ON g.id = told.flip_id AND g.new_status = 'down'"
    " JOIN flips f ON f.id = (SELECT max(id) FROM flips WHERE check_id = k.id)"
    " AND f.new_status = 'up' AND f.old_status = 'down' AND f.created > :since"
)

# Latenesses l of checks that are up again, of whose beginning a channel c has told.
_NO_MORE_LATE = (
    "latenesses l JOIN checks k ON k.id = l.check_id AND l.id ="
    " (SELECT max(id) FROM latenesses WHERE check_id = k.id AND usual IS NULL)"
    " AND l.ended > :since JOIN check_states s ON s.check_id = k.id"
    f" AND s.status = 'up' JOIN {_BACK} AND c.on_late AND c.kind != 'group'"
    " AND EXISTS (SELECT 1 FROM notifications told WHERE told.lateness_id = l.id"
    " AND told.channel_id = c.id AND NOT told.is_end AND told.sent IS NOT NULL)"
)


@asynccontextmanager
async def ended_by_those_back(conn: Connection, now: datetime) -> AsyncIterator[None]:
    """Have channels that come back tell the end of what they had told before.

    That a check is up, or late no more, if it is so for no longer than a message is
    tried that cannot be delivered; and what was given up of hcl itself as they left.
    """
    [row] = await conn.execute_fetchall(
        f"SELECT json_group_array(id) FROM channels c WHERE NOT (c.enabled AND {TELLS})"
    )
    yield
    values = {"silent": row[0], "now": stamp(now), "since": stamp(now - _LONGEST)}
    back = f"SELECT 1 FROM channels c WHERE {_IS_BACK} LIMIT 1"
    # What follows looks through all messages that there are.
    if not await conn.execute_fetchall(back, values):
        return
    await conn.execute(
        f"UPDATE notifications AS n SET next_try = :now, answer = '', ran = {RAN}"
        f" WHERE n.next_try IS NULL AND n.sent IS NULL AND n.answer IN {_WITH_CHANNEL}"
        f" AND ((n.flip_id, n.channel_id) IN (SELECT f.id, c.id FROM {_ENDED})"
        " OR (n.is_end AND (n.lateness_id, n.channel_id) IN"
        f" (SELECT l.id, c.id FROM {_NO_MORE_LATE}))"
        " OR (n.created > :since AND (n.announcement_id, n.channel_id) IN"
        " (SELECT a.id, c.id FROM announcements a JOIN (SELECT id AS project_id"
        f" FROM projects) k ON k.project_id = ifnull(a.project_id, k.project_id)"
        f" JOIN {_BACK} AND c.on_server WHERE a.kind NOT IN ('report', 'test'))))",
        values,
    )
    await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try)"
        f" SELECT f.id, k.id, c.id, :now, {RAN}, :now FROM {_ENDED}"
        " JOIN checks_channels cc ON cc.check_id = k.id AND cc.channel_id = c.id"
        " WHERE NOT EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
        " AND n.channel_id = c.id) ORDER BY f.id, c.id",
        values,
    )
    await conn.execute(
        "INSERT INTO notifications"
        " (lateness_id, is_end, check_id, channel_id, created, ran, next_try)"
        f" SELECT l.id, 1, k.id, c.id, :now, {RAN}, :now FROM {_NO_MORE_LATE}"
        " WHERE NOT EXISTS (SELECT 1 FROM notifications n WHERE n.lateness_id = l.id"
        " AND n.is_end AND n.channel_id = c.id) ORDER BY l.id, c.id",
        values,
    )
