"""Channels, as hcl.toml describes them, and the checks that use them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from aiosqlite import Connection

from hcl.model import Channel
from hcl.store.notifications import TELLS
from hcl.store.times import moment, stamp

_COLUMNS = "id, code, name, kind"

# Assignments outlive an edit that takes a channel elsewhere, so that undoing it undoes
# all: they count while the channel is in the file and in the project of the check.
# Wants checks_channels as cc, channels as h, checks as c.
_COUNTS = "h.id = cc.channel_id AND h.enabled AND h.project_id = c.project_id"

# Of checks as c: no channel serves it that tells of outages. One that the file switches
# off keeps its checks, and tells of nothing.
_ALONE = (
    "NOT EXISTS (SELECT 1 FROM checks_channels cc"
    f" JOIN channels h ON {_COUNTS} AND h.on_down WHERE cc.check_id = c.id)"
)

# Channels as h and the checks c that they serve in a project, whether they are there
# now or not; takes pairs of their ids.
_SERVED = (
    "json_each(?) j JOIN channels h ON h.id = json_extract(j.value, '$[0]')"
    " JOIN checks_channels cc ON cc.channel_id = h.id JOIN checks c"
    " ON c.id = cc.check_id AND c.project_id = json_extract(j.value, '$[1]')"
)

# How long before it is sent a message may have been written, to be looked for.
_LONGEST = timedelta(days=8)


class Known(NamedTuple):
    """What the database knows of a channel, whether it is in the file or not."""

    project_id: int
    code: str
    name: str
    enabled: bool
    on_down: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How a channel fares, and how many checks use it.

    `last_error` is that of its last try, "" after a success; `failing_since` None: it
    delivers. `last_title`, `last_code` and `last_key` (unique) are those of the check
    that its last message told of, "" if that is gone.
    """

    channel: Channel
    checks: int
    last_sent: datetime | None
    last_error: str
    failing_since: datetime | None
    last_title: str
    last_code: str
    last_key: str


async def of_project(conn: Connection, project_id: int) -> list[Channel]:
    """Return the project's channels that are in the file, in order of creation."""
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM channels WHERE project_id = ? AND enabled ORDER BY id",
        (project_id,),
    )
    return [Channel(*row) for row in rows]


async def find(
    conn: Connection, project_id: int, code: str, name: str, others: Iterable[str] = ()
) -> Channel | None:
    """Return the channel with this code, or else the project's with this name.

    Those with a code among `others` are not found by their name.
    """
    rows = await conn.execute_fetchall(
        f"SELECT {_COLUMNS} FROM channels"
        " WHERE code = :code OR (project_id = :project_id AND name = :name"
        " AND code NOT IN (SELECT value FROM json_each(:others)))"
        " ORDER BY code = :code DESC LIMIT 1",
        {
            "project_id": project_id,
            "code": code,
            "name": name,
            "others": json.dumps(list(others)),
        },
    )
    return next((Channel(*row) for row in rows), None)


async def disable_all(conn: Connection) -> None:
    """Take every channel out of use; `save` brings one back."""
    await conn.execute("UPDATE channels SET enabled = 0")


async def save(
    conn: Connection,
    project_id: int,
    channel: Channel,
    *,
    on_down: bool,
    on_up: bool,
    on_server: bool = False,
    on_late: bool = False,
    on_slow: bool = False,
) -> int:
    """Insert a channel (its id is 0) or update it, and put it in use; return its id.

    As Healthchecks does: a new channel serves every check that its project has. So does
    one that comes to a project for the first time. What it served in another project
    stays written down, for its return.
    """
    events = on_down, on_up, on_server, on_late, on_slow
    values = (channel.code, channel.name, channel.kind, *events, project_id)
    if channel.id:
        await conn.execute(
            "UPDATE channels SET code = ?, name = ?, kind = ?, on_down = ?,"
            " on_up = ?, on_server = ?, on_late = ?, on_slow = ?, project_id = ?,"
            " enabled = 1 WHERE id = ?",
            (*values, channel.id),
        )
        await _serve_all(conn, channel.id, project_id)
        return channel.id
    rows = await conn.execute_fetchall(
        "INSERT INTO channels"
        " (code, name, kind, on_down, on_up, on_server, on_late, on_slow, project_id,"
        " enabled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1) RETURNING id",
        values,
    )
    channel_id = int(next(iter(rows))[0])
    await _serve_all(conn, channel_id, project_id)
    return channel_id


async def _serve_all(conn: Connection, channel_id: int, project_id: int) -> None:
    """Have a channel serve all checks of a project, unless it has been there before."""
    cursor = await conn.execute(
        "INSERT OR IGNORE INTO channels_projects (channel_id, project_id)"
        " VALUES (?, ?)",
        (channel_id, project_id),
    )
    if cursor.rowcount:
        await conn.execute(
            "INSERT OR IGNORE INTO checks_channels (check_id, channel_id)"
            " SELECT id, ? FROM checks WHERE project_id = ?",
            (channel_id, project_id),
        )


async def known(conn: Connection) -> dict[int, Known]:
    """Return all channels by their ids, those not in the file too."""
    rows = await conn.execute_fetchall(
        "SELECT id, project_id, code, name, enabled, on_down FROM channels ORDER BY id"
    )
    return {r[0]: Known(r[1], r[2], r[3], bool(r[4]), bool(r[5])) for r in rows}


async def count_served(
    conn: Connection, places: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """Count the checks that are served by channels in projects, given by their ids.

    Whether the channel is in that project now or not.
    """
    rows = await conn.execute_fetchall(
        f"SELECT h.id, c.project_id, count(*) FROM {_SERVED} GROUP BY 1, 2",
        (json.dumps(list(places)),),
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def left_alone(
    conn: Connection, places: Iterable[tuple[int, int]]
) -> list[tuple[int, int, str]]:
    """Return (project's id, id, name) of checks that no channel serves any more.

    Of those that channels served in projects, given by their ids.
    """
    rows = await conn.execute_fetchall(
        f"SELECT DISTINCT c.project_id, c.id, c.name FROM {_SERVED}"
        f" WHERE {_ALONE} ORDER BY c.id",
        (json.dumps(list(places)),),
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def alone(conn: Connection, project_id: int) -> dict[int, str]:
    """Return the names of the project's checks that no channel serves, by their ids."""
    rows = await conn.execute_fetchall(
        f"SELECT c.id, c.name FROM checks c WHERE c.project_id = ? AND {_ALONE}"
        " ORDER BY c.id",
        (project_id,),
    )
    return {row[0]: row[1] for row in rows}


async def alone_among(conn: Connection, check_ids: Iterable[int]) -> set[int]:
    """Return the ids of those of these checks that no channel serves."""
    rows = await conn.execute_fetchall(
        "SELECT c.id FROM json_each(?) j CROSS JOIN checks c ON c.id = j.value"
        f" WHERE {_ALONE}",
        (json.dumps(list(check_ids)),),
    )
    return {row[0] for row in rows}


async def overlooked_among(conn: Connection, check_ids: Iterable[int]) -> set[int]:
    """Return those that are alone among these though their project has others."""
    rows = await conn.execute_fetchall(
        "SELECT c.id FROM json_each(?) j CROSS JOIN checks c ON c.id = j.value"
        f" WHERE {_ALONE} AND EXISTS (SELECT 1 FROM channels h"
        " WHERE h.project_id = c.project_id AND h.enabled AND h.on_down)",
        (json.dumps(list(check_ids)),),
    )
    return {row[0] for row in rows}


async def codes_of_check(conn: Connection, check_id: int) -> list[str]:
    """Return the codes of the channels that a check uses."""
    rows = await conn.execute_fetchall(
        "SELECT h.code FROM checks c JOIN checks_channels cc ON cc.check_id = c.id"
        f" JOIN channels h ON {_COUNTS} WHERE c.id = ? ORDER BY h.code",
        (check_id,),
    )
    return [row[0] for row in rows]


async def codes_of_checks(
    conn: Connection, check_ids: Iterable[int]
) -> dict[int, list[str]]:
    """Return the codes of each check's channels, by the check's id."""
    rows = await conn.execute_fetchall(
        "SELECT c.id, group_concat(h.code) FROM json_each(?) j"
        " CROSS JOIN checks c ON c.id = j.value"
        " CROSS JOIN checks_channels cc ON cc.check_id = c.id"
        f" JOIN channels h ON {_COUNTS} GROUP BY j.key",
        (json.dumps(list(check_ids)),),
    )
    return {check_id: codes.split(",") for check_id, codes in rows}


async def assign(conn: Connection, check_id: int, channel_ids: Iterable[int]) -> None:
    """Let a check use these channels and no others of its project in the file."""
    await assign_each(conn, {check_id: channel_ids})


async def assign_each(conn: Connection, of: Mapping[int, Iterable[int]]) -> None:
    """Let each check use these channels, as `assign` does; ids by the checks' ids."""
    await conn.executemany(
        "DELETE FROM checks_channels WHERE check_id = :check_id"
        " AND channel_id IN (SELECT id FROM channels WHERE enabled AND project_id ="
        " (SELECT project_id FROM checks WHERE id = :check_id))",
        [{"check_id": check_id} for check_id in of],
    )
    await conn.executemany(
        "INSERT INTO checks_channels (check_id, channel_id) VALUES (?, ?)",
        [(check_id, id_) for check_id, ids in of.items() for id_ in ids],
    )


async def assign_all(conn: Connection, check_id: int, project_id: int) -> None:
    """Let a check use every channel of its project."""
    channels = await of_project(conn, project_id)
    await assign(conn, check_id, [channel.id for channel in channels])


async def standings(conn: Connection, project_id: int) -> list[Standing]:
    """Return how each of the project's channels that are in the file fares."""
    rows = await conn.execute_fetchall(
        "SELECT h.id, h.code, h.name, h.kind,"
        " (SELECT count(*) FROM checks_channels cc JOIN checks u ON u.id = cc.check_id"
        " WHERE cc.channel_id = h.id AND u.project_id = h.project_id),"
        " h.last_sent, h.last_error, h.failing_since,"
        " coalesce(iif(c.name = '', c.code, c.name), ''), coalesce(c.code, ''),"
        " coalesce(c.unique_key, '')"
        # Looked for by when it was written: at most so long before it was taken.
        " FROM channels h LEFT JOIN notifications n ON n.id = ("
        " SELECT id FROM notifications WHERE created BETWEEN h.last_sent - :longest"
        " AND h.last_sent AND channel_id = h.id AND sent = h.last_sent"
        " ORDER BY +id DESC LIMIT 1)"
        " LEFT JOIN checks c ON c.id = n.check_id"
        " WHERE h.project_id = :project_id AND h.enabled ORDER BY h.id",
        {"project_id": project_id, "longest": _LONGEST.total_seconds()},
    )
    return [
        Standing(
            channel=Channel(*row[:4]),
            checks=row[4],
            last_sent=moment(row[5]),
            last_error=row[6],
            failing_since=moment(row[7]),
            last_title=row[8],
            last_code=row[9],
            last_key=row[10],
        )
        for row in map(tuple, rows)
    ]


async def failing(conn: Connection) -> list[tuple[int, str, datetime]]:
    """Return (project's id, name, since when) of the file's that do not deliver."""
    rows = await conn.execute_fetchall(
        "SELECT project_id, name, failing_since FROM channels"
        " WHERE enabled AND failing_since IS NOT NULL ORDER BY failing_since"
    )
    return [(row[0], row[1], datetime.fromtimestamp(row[2], UTC)) for row in rows]


class Delivery(NamedTuple):
    """How a channel delivers (None: well), and whether it tells of outages."""

    name: str
    failing_since: datetime | None
    tells: bool


async def deliveries(conn: Connection) -> dict[int, list[Delivery]]:
    """Return how the file's channels deliver, by project id; the worst come first.

    Groups are left out: their members deliver.
    """
    rows = await conn.execute_fetchall(
        "SELECT project_id, name, failing_since, on_down FROM channels"
        " WHERE enabled AND kind != 'group'"
        " ORDER BY failing_since IS NULL, failing_since, id"
    )
    found: dict[int, list[Delivery]] = {}
    for project_id, name, since, tells in rows:
        one = Delivery(name, moment(since), bool(tells))
        found.setdefault(project_id, []).append(one)
    return found


async def count_failing(conn: Connection) -> int:
    """Return how many channels of the file do not deliver."""
    rows = await conn.execute_fetchall(
        "SELECT count(*) FROM channels WHERE enabled AND failing_since IS NOT NULL"
    )
    return int(next(iter(rows))[0])


async def note_sent(conn: Connection, channel_id: int, sent: datetime) -> None:
    """Note that a channel delivered a message."""
    await conn.execute(
        "UPDATE channels SET last_sent = ?, last_error = '', failing_since = NULL,"
        " failures = 0 WHERE id = ?",
        (stamp(sent), channel_id),
    )


async def note_failed(
    conn: Connection,
    channel_id: int,
    error: str,
    failing_since: datetime | None,
    failures: int = 0,
) -> None:
    """Note that a channel failed to deliver a message.

    `failing_since` is the moment if it counts as failing from now on at the latest;
    `failures` is how often it failed in a row, where its receiver refused nothing.
    """
    await conn.execute(
        "UPDATE channels SET last_error = ?, failures = ?,"
        " failing_since = coalesce(failing_since, ?) WHERE id = ?",
        (error, failures, stamp(failing_since), channel_id),
    )


async def forget_failures(conn: Connection) -> None:
    """Forget how channels fared that tell of nothing: nobody finds out that one works.

    Those that left the file go on as they were if they come back.
    """
    await conn.execute(
        "UPDATE channels AS c SET failing_since = NULL, failures = 0"
        f" WHERE enabled AND NOT {TELLS}"
    )


async def troubles(conn: Connection) -> dict[int, tuple[int, bool]]:
    """Return (failures in a row, whether it counts as failing) by the channel's id.

    Those that deliver are left out.
    """
    rows = await conn.execute_fetchall(
        "SELECT id, failures, failing_since IS NOT NULL FROM channels"
        " WHERE failures > 0 OR failing_since IS NOT NULL"
    )
    return {row[0]: (row[1], bool(row[2])) for row in rows}
