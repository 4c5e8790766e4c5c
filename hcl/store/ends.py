"""What has ended, or still goes on, of what a channel told, or was to, that is back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from aiosqlite import Connection

from hcl.store.latenesses import IS_NOW
from hcl.store.notifications import RAN, TELLS
from hcl.store.outages import take_up
from hcl.store.times import stamp

# For how long what has ended is still told, as what cannot be delivered is tried.
_LONGEST = timedelta(days=7)

# A channel c in one project, and whether it tells of something there, and did not yet.
_PLACE = "c.id || ' ' || c.project_id"
_IS_BACK = (
    f"c.enabled AND {TELLS} AND {_PLACE} NOT IN (SELECT value FROM json_each(:telling))"
)

# Those of them that are of the project of k.
_BACK = f"channels c ON c.project_id = k.project_id AND {_IS_BACK}"

# Whether people heard of the flip of a message n: by its channel, or by the fallback of
# that, which was handed the outage and not its end e.
_WAS_HEARD = (
    "(n.sent IS NOT NULL OR (n.handed_on AND EXISTS (SELECT 1 FROM flips h"
    " WHERE h.id = n.flip_id AND h.new_status = 'down') AND NOT EXISTS (SELECT 1"
    " FROM notifications u WHERE u.flip_id = e.flip_id"
    " AND u.channel_id = n.channel_id AND u.handed_on)))"
)

# Each [flip to up, channel, flip to down that it ends and that was told last], as one
# text: it takes a while to find them. First the checks that came up lately: few are.
_ENDED = (
    "WITH e AS MATERIALIZED (SELECT k.id AS check_id, k.project_id, f.id AS flip_id"
    " FROM checks k CROSS JOIN flips f ON f.id ="
    " (SELECT max(id) FROM flips WHERE check_id = k.id)"
    " AND f.new_status = 'up' AND f.old_status = 'down' AND f.created > :since)"
    " SELECT json_group_array(json_array(told.flip_id, told.channel_id, told.last))"
    " FROM (SELECT e.flip_id, n.channel_id, max(n.flip_id) AS last"
    " FROM e CROSS JOIN notifications n ON n.check_id = e.check_id"
    " CROSS JOIN channels c ON c.id = n.channel_id AND c.project_id = e.project_id"
    f" AND c.on_up AND {_IS_BACK} WHERE {_WAS_HEARD}"
    " GROUP BY e.flip_id, n.channel_id) told"
    " JOIN flips g ON g.id = told.last AND g.new_status = 'down'"
)

# What was found so.
_OF_ENDED = (
    "(SELECT json_extract(value, '$[0]') AS flip_id, json_extract(value, '$[1]')"
    " AS channel_id, json_extract(value, '$[2]') AS last FROM json_each(:ended)) e"
)

# Whether a channel c serves the check of the flip f, or a group that told of it too.
_SERVES = (
    "EXISTS (SELECT 1 FROM checks_channels cc JOIN channels h ON h.id = cc.channel_id"
    " AND h.enabled AND h.project_id = c.project_id WHERE cc.check_id = f.check_id"
    " AND (h.id = c.id OR (h.kind = 'group' AND EXISTS (SELECT 1 FROM notifications n"
    " WHERE n.flip_id = e.last AND n.channel_id = h.id AND n.sent IS NOT NULL))))"
)

# The newest lateness l of each check k that is up, by its state s, and channels c.
_LATEST = (
    "latenesses l JOIN checks k ON k.id = l.check_id AND l.id ="
    " (SELECT max(id) FROM latenesses WHERE check_id = k.id AND usual IS NULL)"
    " JOIN check_states s ON s.check_id = k.id AND s.status = 'up'"
    f" JOIN {_BACK} AND c.on_late AND c.kind != 'group'"
)

# Those that are over, of whose beginning a channel c has told.
_NO_MORE_LATE = (
    f"{_LATEST} AND l.ended > :since"
    " AND EXISTS (SELECT 1 FROM notifications told WHERE told.lateness_id = l.id"
    " AND told.channel_id = c.id AND NOT told.is_end AND told.sent IS NOT NULL)"
)

# Kinds of what is told of hcl itself that go on, and end.
_LASTING = "('backup', 'replication')"

# What is told of hcl itself, a, and channels c that tell of that.
_OF_HCL = (
    "announcements a CROSS JOIN channels c"
    " ON c.project_id = coalesce(a.project_id, c.project_id)"
    f" AND c.on_server AND {_IS_BACK} AND a.kind NOT IN ('report', 'test')"
)


@asynccontextmanager
async def told_by_those_back(conn: Connection, now: datetime) -> AsyncIterator[None]:
    """Have channels that come back tell the end of what they had told before.

    That a check is up, or late no more, if it is so for no longer than a message is
    tried that cannot be delivered; and what was given up as they left of what is still
    so: that a check is late, and what is told of hcl itself.
    """
    [row] = await conn.execute_fetchall(
        f"SELECT json_group_array({_PLACE}) FROM channels c WHERE c.enabled AND {TELLS}"
    )
    yield
    values = {"telling": row[0], "now": stamp(now), "since": stamp(now - _LONGEST)}
    back = f"SELECT 1 FROM channels c WHERE {_IS_BACK} LIMIT 1"
    # What follows looks through all checks that there are.
    if await conn.execute_fetchall(back, values):
        await _end_outages(conn, values)
        await _end_latenesses(conn, values)
        await _tell_of_hcl(conn, values)


async def _end_outages(conn: Connection, values: Mapping[str, Any]) -> None:
    [row] = await conn.execute_fetchall(_ENDED, values)
    values = {"ended": row[0], "now": values["now"]}
    own = "n.flip_id = e.flip_id AND n.channel_id = e.channel_id"
    which = f"{_OF_ENDED} CROSS JOIN notifications n ON {own}"
    await take_up(conn, which, values)
    await conn.execute(
        "INSERT INTO notifications"
        " (flip_id, check_id, channel_id, created, ran, next_try)"
        f" SELECT f.id, f.check_id, c.id, :now, {RAN}, :now FROM {_OF_ENDED}"
        " JOIN flips f ON f.id = e.flip_id JOIN channels c ON c.id = e.channel_id"
        f" WHERE {_SERVES} AND NOT EXISTS (SELECT 1 FROM notifications n WHERE {own})"
        " ORDER BY f.id, c.id",
        values,
    )


async def _end_latenesses(conn: Connection, values: Mapping[str, Any]) -> None:
    of_it = (
        " CROSS JOIN notifications n ON n.lateness_id = l.id AND n.channel_id = c.id"
    )
    await take_up(conn, f"{_NO_MORE_LATE}{of_it} AND n.is_end", values)
    lasts = f"AND l.ended IS NULL AND {IS_NOW}"
    await take_up(conn, f"{_LATEST} {lasts}{of_it} AND NOT n.is_end", values)
    await conn.execute(
        "INSERT INTO notifications"
        " (lateness_id, is_end, check_id, channel_id, created, ran, next_try)"
        f" SELECT l.id, 1, k.id, c.id, :now, {RAN}, :now FROM {_NO_MORE_LATE}"
        " WHERE NOT EXISTS (SELECT 1 FROM notifications n WHERE n.lateness_id = l.id"
        " AND n.is_end AND n.channel_id = c.id) ORDER BY l.id, c.id",
        values,
    )


async def _tell_of_hcl(conn: Connection, values: Mapping[str, Any]) -> None:
    """Have told what was given up, and how that went on which a channel was to tell."""
    own = "n.announcement_id = a.id AND n.channel_id = c.id AND n.created > :since"
    which = f"{_OF_HCL} CROSS JOIN notifications n ON {own}"
    await take_up(conn, which, values)
    await conn.execute(
        "INSERT INTO notifications"
        " (announcement_id, channel_id, created, ran, next_try)"
        f" SELECT a.id, c.id, :now, {RAN}, :now FROM {_OF_HCL}"
        f" AND a.kind IN {_LASTING} AND a.created > :since"
        # What goes on is told each day: the last of it will do.
        " AND a.id = (SELECT max(id) FROM announcements WHERE kind = a.kind)"
        " AND EXISTS (SELECT 1 FROM announcements b JOIN notifications n"
        " ON n.announcement_id = b.id AND n.channel_id = c.id"
        " WHERE b.kind = a.kind AND b.id < a.id AND b.created > :since)"
        " AND NOT EXISTS (SELECT 1 FROM notifications n"
        " WHERE n.announcement_id = a.id AND n.channel_id = c.id) ORDER BY a.id, c.id",
        values,
    )
