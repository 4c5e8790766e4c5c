"""What was brought here from other servers: checks with their logs and flips."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from aiosqlite import Connection

from hcl.model import Flip, Ping
from hcl.store.flips import Logged
from hcl.store.notifications import add_for, add_over
from hcl.store.times import stamp

# How the settings are called that hold the flip by which an outage began, before the id
# of its check: of those that people were told of elsewhere.
TOLD_THERE = "told there: "


class Mark(NamedTuple):
    """What was brought of a check so far.

    `settings` is a digest of its settings as they came. `as_of` is set until what may
    have come there since has been judged.
    """

    settings: str
    n_pings: int
    as_of: datetime | None


async def mark_of(conn: Connection, check_id: int) -> Mark | None:
    """Return what was brought of a check; None: it never moved."""
    rows = await conn.execute_fetchall(
        "SELECT settings, n_pings, as_of FROM moved WHERE check_id = ?",
        (check_id,),
    )
    for settings, n_pings, as_of in rows:
        at = None if as_of is None else datetime.fromtimestamp(as_of, UTC)
        return Mark(settings, n_pings, at)
    return None


async def set_mark(conn: Connection, check_id: int, mark: Mark) -> None:
    """Remember what was brought of a check."""
    await conn.execute(
        "INSERT OR REPLACE INTO moved (check_id, settings, n_pings, as_of)"
        " VALUES (?, ?, ?, ?)",
        (check_id, mark.settings, mark.n_pings, stamp(mark.as_of)),
    )


async def add_pings(conn: Connection, pings: Iterable[tuple[int, Ping]]) -> int:
    """Put pings into logs, each with its check's id; those that are there stay.

    Returns how many are new.
    """
    cursor = await conn.executemany(
        'INSERT OR IGNORE INTO pings ("key", created, action, scheme, remote_addr,'
        " method, ua, rid, exitstatus, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            ((check_id << 32) + ping[0], ping[1].timestamp(), *ping[2:])
            for check_id, ping in pings
        ],
    )
    return cursor.rowcount


async def add_flips(
    conn: Connection, check_id: int, flips: Sequence[tuple[Flip, int]]
) -> None:
    """Insert flips of a check, each with the number of the last ping up to it."""
    await conn.executemany(
        "INSERT INTO flips (check_id, created, old_status, new_status, reason, n_pings)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                check_id,
                stamp(flip.created),
                flip.old_status,
                flip.new_status,
                flip.reason,
                n_pings,
            )
            for flip, n_pings in flips
        ],
    )


async def tell(
    conn: Connection,
    check_id: int,
    from_end: int,
    channel_ids: Iterable[int],
    now: datetime,
) -> int:
    """Write down what is to be sent of a flip of a check; return how much.

    It is given by how many were written after it. `channel_ids` are those that are to
    tell of it; none: all.
    """
    rows = await conn.execute_fetchall(
        "SELECT id FROM flips WHERE check_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?",
        (check_id, from_end),
    )
    flip_id = next(iter(rows))[0]
    if ids := list(channel_ids):
        return await add_over(conn, flip_id, ids, now)
    return await add_for(conn, "f.id = :id", {"id": flip_id}, now)


async def told_there(conn: Connection, check_id: int) -> None:
    """Note that people were told there of the outage that a check came with."""
    await conn.execute(
        "INSERT OR REPLACE INTO settings (name, value) SELECT :name, max(id) FROM flips"
        " WHERE check_id = :id",
        {"name": f"{TOLD_THERE}{check_id}", "id": check_id},
    )


async def has_badge_key(conn: Connection, badge_key: str) -> bool:
    """Tell whether any check has this badge key."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM checks WHERE badge_key = ?", (badge_key,)
    )
    return bool(rows)


async def lived_here(conn: Connection, project_id: int, slug: str) -> bool:
    """Tell whether a project has a check with this slug that was never brought."""
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM checks WHERE project_id = ? AND slug = ?"
        " AND id NOT IN (SELECT check_id FROM moved)",
        (project_id, slug),
    )
    return bool(rows)


async def take_badge_key(conn: Connection, project_id: int, badge_key: str) -> bool:
    """Give a project its badge key of elsewhere; tell whether it has that now.

    Not one that has lived here: URLs of its badges may be out there.
    """
    await conn.execute(
        "UPDATE projects SET badge_key = :key WHERE id = :id AND badge_key != :key"
        " AND NOT EXISTS (SELECT 1 FROM checks JOIN check_states ON check_id = id"
        " WHERE project_id = :id AND n_pings > 0)"
        " AND NOT EXISTS (SELECT 1 FROM projects WHERE badge_key = :key)",
        {"id": project_id, "key": badge_key},
    )
    rows = await conn.execute_fetchall(
        "SELECT 1 FROM projects WHERE id = ? AND badge_key = ?",
        (project_id, badge_key),
    )
    return bool(rows)


async def unserve(conn: Connection, channel_ids: Iterable[int]) -> None:
    """Take channels that have just come off all checks, which a new one serves."""
    await conn.execute(
        "DELETE FROM checks_channels"
        " WHERE channel_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(channel_ids)),),
    )


async def as_ofs(conn: Connection, check_ids: Iterable[int]) -> dict[int, datetime]:
    """Return until when checks were heard elsewhere, where that is not judged yet."""
    rows = await conn.execute_fetchall(
        "SELECT check_id, as_of FROM json_each(?) j CROSS JOIN moved"
        " ON check_id = j.value WHERE as_of IS NOT NULL",
        (json.dumps(list(check_ids)),),
    )
    return {row[0]: datetime.fromtimestamp(row[1], UTC) for row in rows}


async def judged(conn: Connection) -> None:
    """Note that every check has been judged by what may have come elsewhere."""
    await conn.execute("UPDATE moved SET as_of = NULL WHERE as_of IS NOT NULL")


async def untold(conn: Connection, check_id: int) -> dict[int, list[str]]:
    """Return the codes of channels whose first message of a flip waits, by its id."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT flip_id, code FROM notifications n"
        " JOIN channels c ON c.id = n.channel_id WHERE check_id = ? AND flip_id"
        " AND next_try IS NOT NULL AND NOT reminder ORDER BY 1, 2",
        (check_id,),
    )
    found: dict[int, list[str]] = {}
    for flip_id, code in rows:
        found.setdefault(flip_id, []).append(code)
    return found


async def gather_late(conn: Connection) -> None:
    """Put what is not filed yet where each check's pings are found by their numbers.

    In a table of this connection alone, which may be one that only reads.
    """
    await conn.execute(
        'CREATE TEMP TABLE late ("key" INTEGER PRIMARY KEY, created, action, scheme,'
        " remote_addr, method, ua, rid, exitstatus, body)"
    )
    await conn.execute(
        "INSERT OR IGNORE INTO temp.late SELECT (check_id << 32) + n, created, action,"
        " scheme, remote_addr, method, ua, rid, exitstatus, body FROM inbox"
        ' WHERE check_id AND NOT EXISTS (SELECT 1 FROM pings p WHERE p."key" ='
        " (inbox.check_id << 32) + inbox.n)"
    )


async def pings_after(
    conn: Connection, check_id: int, after: int, limit: int
) -> list[Ping]:
    """Return pings of a check's log by their numbers, after `gather_late`."""
    columns = (
        '"key" & 4294967295, created, action, scheme, remote_addr, method, ua, rid,'
        " exitstatus, body"
    )
    where = (
        'WHERE "key" > (:check_id << 32) + :after'
        ' AND "key" <= (:check_id << 32) + 4294967295'
    )
    rows = await conn.execute_fetchall(
        f"SELECT * FROM (SELECT {columns} FROM pings {where} ORDER BY 1 LIMIT :limit)"
        f" UNION ALL SELECT * FROM (SELECT {columns} FROM temp.late {where}"
        " ORDER BY 1 LIMIT :limit) ORDER BY 1 LIMIT :limit",
        {"check_id": check_id, "after": after, "limit": limit},
    )
    return [
        Ping(row[0], datetime.fromtimestamp(row[1], UTC), *tuple(row)[2:])
        for row in rows
    ]


async def flips_of(conn: Connection, check_id: int) -> list[Logged]:
    """Return a check's flips in the order written, each with its id."""
    rows = await conn.execute_fetchall(
        "SELECT id, n_pings, created, old_status, new_status, reason FROM flips"
        " WHERE check_id = ? ORDER BY id",
        (check_id,),
    )
    return [
        Logged(
            row[0], row[1], Flip(datetime.fromtimestamp(row[2], UTC), *tuple(row)[3:])
        )
        for row in rows
    ]
