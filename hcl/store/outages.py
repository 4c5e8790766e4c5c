"""Outages that nobody was told of, and channels that a check gets while they last."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from aiosqlite import Connection

from hcl.store.flips import outage_of
from hcl.store.notifications import RAN
from hcl.store.times import stamp

# No id is as great.
_LAST = 2**63 - 1

_OUTAGE = outage_of("s.check_id")

# Checks k that are down, with their states s, and channels c that serve them.
_SERVED = (
    "check_states s INDEXED BY check_states_down CROSS JOIN checks k"
    " ON k.id = s.check_id JOIN checks_channels cc ON cc.check_id = k.id"
    " JOIN channels c ON c.id = cc.channel_id AND c.enabled AND c.on_down"
    " AND c.project_id = k.project_id"
    " WHERE s.status = 'down' AND s.check_id BETWEEN :first AND :last"
)

# Whether the flip f was to be told, and was not yet; a group only hands it on. Or
# whether its check, with the state s, is muted: at the end of that all are told.
_IS_OWED = (
    "(s.muted_until > :now OR (EXISTS (SELECT 1 FROM notifications n"
    " WHERE n.flip_id = f.id) AND NOT EXISTS (SELECT 1 FROM notifications n"
    " JOIN channels h ON h.id = n.channel_id WHERE n.flip_id = f.id"
    " AND n.sent IS NOT NULL AND h.kind != 'group')))"
)


@asynccontextmanager
async def heard_by_others(
    conn: Connection, now: datetime, check_id: int | None = None
) -> AsyncIterator[None]:
    """Have channels that come to serve checks meanwhile tell of outages.

    Of those that were to be told over others, and that nobody was told of: their
    messages wait, or were given up with their channel. And of those that are muted.
    `check_id` None: of all checks.
    """
    before = await _serving(conn, check_id)
    yield
    fresh = await _serving(conn, check_id) - before
    if not fresh:
        return
    await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try)"
        f" SELECT f.id, f.check_id, c.id, :now, {RAN}, :now FROM json_each(:fresh) j"
        " CROSS JOIN check_states s ON s.check_id = json_extract(j.value, '$[0]')"
        f" JOIN flips f ON f.id = {_OUTAGE}"
        " JOIN channels c ON c.id = json_extract(j.value, '$[1]')"
        f" WHERE {_IS_OWED} AND NOT EXISTS (SELECT 1 FROM notifications n"
        " WHERE n.flip_id = f.id AND n.channel_id = c.id) ORDER BY f.id, c.id",
        {"now": stamp(now), "fresh": json.dumps(sorted(fresh))},
    )


async def _serving(conn: Connection, check_id: int | None) -> set[tuple[int, int]]:
    """Return the ids of checks that are down, each with that of a channel it has."""
    first, last = (1, _LAST) if check_id is None else (check_id, check_id)
    rows = await conn.execute_fetchall(
        f"SELECT s.check_id, c.id FROM {_SERVED}", {"first": first, "last": last}
    )
    return {(row[0], row[1]) for row in rows}
