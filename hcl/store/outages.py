"""Outages that nobody was told of, as channels of a check come, and as they go."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from aiosqlite import Connection

from hcl.store.flips import outage_of
from hcl.store.moved import TOLD_THERE
from hcl.store.notifications import NEXT_REMINDER, RAN, TELLS
from hcl.store.times import stamp

# No id is as great.
_LAST = 2**63 - 1

# For how long it is known for sure who was told of what: messages are kept for so long.
_KNOWN = timedelta(days=90)

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

# A message n that was.
_GIVEN_UP = f"n.next_try IS NULL AND n.sent IS NULL AND n.answer IN {_WITH_CHANNEL}"

_PAIR = "s.check_id || ' ' || c.id"

# Whether anybody was told of the flip f; a group only hands it on.
_WAS_TOLD = (
    "EXISTS (SELECT 1 FROM notifications n JOIN channels h ON h.id = n.channel_id"
    " WHERE n.flip_id = f.id AND n.sent IS NOT NULL AND h.kind != 'group')"
)

# Whether the outage of the flip f was to be told by a channel that was out. What began
# long ago may have been told, since its messages are kept no more; and what came with
# its check from another server was told there.
_WAS_MISSED = (
    "(f.created > :known AND s.check_id IN (SELECT value FROM json_each(:out))"
    " AND NOT EXISTS (SELECT 1 FROM settings"
    f" WHERE name = '{TOLD_THERE}' || s.check_id AND value = CAST(f.id AS TEXT)))"
)

# Those that serve, and did not before, with the flip f by which the outage began. It
# was to be told, be it by a channel that was out, and was not yet. Or the check is
# muted: at its end all are told.
_OWED = (
    f"{_SERVED} AND {_PAIR} NOT IN (SELECT value FROM json_each(:before))"
    f" CROSS JOIN flips f ON f.id = {outage_of('s.check_id')}"
    " AND (s.muted_until > :now OR ((EXISTS (SELECT 1 FROM notifications n"
    f" WHERE n.flip_id = f.id) OR {_WAS_MISSED}) AND NOT {_WAS_TOLD}))"
)

# Outages that last, whoever serves the check now: nobody was told yet, and a message
# was given up with its channel.
_LOST = (
    f"{_SERVED} CROSS JOIN flips f ON f.id = {outage_of('s.check_id')}"
    " AND EXISTS (SELECT 1 FROM notifications n WHERE n.flip_id = f.id"
    f" AND {_GIVEN_UP})"
    f" AND NOT {_WAS_TOLD}"
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
    values["known"] = stamp(now - _KNOWN)
    # As one text, and all else in SQL: of all checks it would hold the loop for long.
    [before] = await conn.execute_fetchall(
        f"SELECT (SELECT json_group_array({_PAIR}) FROM {_SERVED}),"
        f" (SELECT json_group_array(DISTINCT s.check_id) FROM {_OUT})",
        values,
    )
    yield
    values["before"], values["out"] = before
    if await conn.execute_fetchall(f"SELECT 1 FROM {_OWED} LIMIT 1", values):
        await _take_up_of(conn, _OWED, values)
        await _owe(conn, values)
    if await conn.execute_fetchall(f"SELECT 1 FROM {_LOST} LIMIT 1", values):
        await _take_up_lost(conn, values)


async def _owe(conn: Connection, values: Mapping[str, Any]) -> None:
    """Have those that come tell what they have no message of."""
    await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try, reminder)"
        f" SELECT f.id, f.check_id, c.id, :now, {RAN}, :now,"
        f" iif({_HAD} OR (c.kind = 'group' AND {_WAS_TOLD}), {NEXT_REMINDER}, 0)"
        f" FROM {_OWED} WHERE NOT ({_HAD} AND {_NO_MORE}) ORDER BY f.id, c.id",
        values,
    )


async def take_up(conn: Connection, which: str, values: Mapping[str, Any]) -> None:
    """Have those messages n told after all that were given up with their channel.

    `which` is SQL of our own that ends in a condition, and `values` are its parameters.
    """
    await conn.execute(
        f"UPDATE notifications SET next_try = :now, answer = '', ran = {RAN}"
        f" WHERE id IN (SELECT n.id FROM {which} AND {_GIVEN_UP})",
        values,
    )


async def _take_up_of(conn: Connection, which: str, values: Mapping[str, Any]) -> None:
    """Have channels that are back tell of outages what was given up when they left.

    Who takes a channel out, and puts it back, loses no outage. Whoever else is to tell
    of it may be in trouble.
    """
    messages = (
        f"(SELECT DISTINCT f.id AS began, k.project_id AS project FROM {which})"
        " JOIN channels b ON b.project_id = project AND b.enabled AND b.on_down"
        # What was to come from a group too.
        " JOIN notifications n ON n.flip_id = began AND n.channel_id = b.id"
        " AND n.hold != 'remind'"
    )
    await take_up(conn, messages, values)


async def _take_up_lost(conn: Connection, values: Mapping[str, Any]) -> None:
    """Have told what a group, or a channel that fails, had handed to one that left.

    A group hands it on once more: it may have other channels now.
    """
    await _take_up_of(conn, _LOST, values)
    await conn.execute(
        f"UPDATE notifications SET next_try = :now, sent = NULL, ran = {RAN}"
        f" WHERE id IN (SELECT m.id FROM {_LOST} CROSS JOIN notifications m"
        " ON m.flip_id = f.id AND m.channel_id = c.id AND m.sent IS NOT NULL"
        " AND NOT m.reminder AND c.kind = 'group')",
        values,
    )


async def last_messages(conn: Connection, up_to: int) -> list[int]:
    """Return the last messages, up to an id, of each channel of outages that last.

    By that it is known who was told, and when to remind: of those that were sent, and
    of those that were not.
    """
    rows = await conn.execute_fetchall(
        "SELECT max(n.id) FROM check_states s CROSS JOIN notifications n"
        f" ON n.flip_id = {outage_of('s.check_id')} WHERE s.status = 'down'"
        " AND n.next_try IS NULL GROUP BY n.flip_id, n.channel_id, n.sent IS NULL"
        " HAVING max(n.id) <= ?",
        (up_to,),
    )
    return [row[0] for row in rows]
