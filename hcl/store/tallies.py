"""What is told of all checks of a project, without reading all of each of them."""

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from aiosqlite import Connection

from hcl.model import Check, ShownStatus, Status, split_tags
from hcl.store import checks
from hcl.store.flips import outage_of
from hcl.store.times import moment, stamp

# No run is open, no bad outcome stands, and no ping is late: what is kept is what
# people see, until the first of them is late.
_STEADY = (
    "last_start IS NULL AND bad_outcomes = 0 AND open_runs = ''"
    " AND (status != 'up' OR alert_after IS NULL"
    " OR alert_after - spared - grace > :now)"
)
_TAGGED = "project_id = :project AND (:tag = '' OR instr(tags, :tag))"


class Tally(NamedTuple):
    """So many checks with the same tags and status, and when the first will be late.

    `tags` is empty if all checks were asked for; `late` None: none will be.
    """

    tags: str
    status: Status
    checks: int
    late: datetime | None


async def steady(
    conn: Connection, project_id: int, tag: str, now: datetime
) -> list[Tally]:
    """Count the checks whose shown status is the one that is kept.

    All that have the tag are among them; "": all of the project's.
    """
    rows = await conn.execute_fetchall(
        "SELECT iif(:tag = '', '', tags) AS shared, status, count(*),"
        " min(iif(status = 'up', alert_after - spared - grace, NULL))"
        " FROM checks JOIN check_states ON check_id = id"
        f" WHERE {_TAGGED} AND {_STEADY} GROUP BY shared, status",
        {"project": project_id, "tag": tag, "now": stamp(now)},
    )
    return [Tally(row[0], row[1], row[2], moment(row[3])) for row in rows]


async def others(
    conn: Connection, project_id: int, tag: str, now: datetime, after: int, limit: int
) -> list[Check]:
    """Return a slice of the checks that `steady` leaves out, in order of creation."""
    return await checks.where(
        conn,
        f"WHERE {_TAGGED} AND NOT ({_STEADY}) AND id > :after ORDER BY id LIMIT :limit",
        {
            "project": project_id,
            "tag": tag,
            "now": stamp(now),
            "after": after,
            "limit": limit,
        },
    )


class Labelled(NamedTuple):
    """What figures call a check; its last run's length is in seconds."""

    id: int
    name: str
    tags: str
    unique_key: str
    last_duration: float | None


async def labelled(
    conn: Connection, project_id: int, after: int, limit: int
) -> list[Labelled]:
    """Return a slice of a project's checks, as `of_project` does."""
    rows = await conn.execute_fetchall(
        "SELECT id, name, tags, unique_key, last_duration"
        " FROM checks JOIN check_states ON check_id = id"
        " WHERE project_id = ? AND id > ? ORDER BY id LIMIT ?",
        (project_id, after, limit),
    )
    return [Labelled(*row) for row in rows]


async def tags_of_project(conn: Connection, project_id: int) -> set[str]:
    """Return the tags that checks of a project have."""
    rows = await conn.execute_fetchall(
        "SELECT DISTINCT tags FROM checks WHERE project_id = ?", (project_id,)
    )
    tags: set[str] = set()
    for number, row in enumerate(rows):
        if number % 1000 == 999:
            # Each check may have its own, and the loop is to be held by none.
            await asyncio.sleep(0)
        tags.update(split_tags(row[0]))
    return tags


class Line(NamedTuple):
    """What a list is searched, sorted and counted by; `last_ping` is in unix seconds.

    `is_steady`: its shown status is the one that is kept.
    """

    id: int
    name: str
    tags: str
    slug: str
    code: str
    unique_key: str
    status: ShownStatus
    n_pings: int
    excused: int
    last_ping: float | None
    is_running: bool
    is_steady: bool


async def lines(
    conn: Connection, project_id: int, now: datetime, after: int, limit: int
) -> list[Line]:
    """Return a slice of a project's checks, as `of_project` does."""
    rows = await conn.execute_fetchall(
        "SELECT id, name, tags, slug, code, unique_key, status, n_pings, excused,"
        f" last_ping, last_start IS NOT NULL, {_STEADY}"
        " FROM checks JOIN check_states ON check_id = id"
        " WHERE project_id = :project AND id > :after ORDER BY id LIMIT :limit",
        {"project": project_id, "now": stamp(now), "after": after, "limit": limit},
    )
    return list(map(Line._make, rows))


async def names(conn: Connection, project_id: int, limit: int) -> dict[int, str]:
    """Return the names of a project's first checks, by their ids."""
    rows = await conn.execute_fetchall(
        "SELECT id, name FROM checks WHERE project_id = ? ORDER BY id LIMIT ?",
        (project_id, limit),
    )
    return {row[0]: row[1] for row in rows}


async def count_by_status(conn: Connection, project_id: int) -> dict[str, int]:
    """Return how many checks of a project have each stored status."""
    rows = await conn.execute_fetchall(
        "SELECT status, count(*) FROM check_states JOIN checks ON id = check_id"
        " WHERE project_id = ? GROUP BY status",
        (project_id,),
    )
    return {row[0]: row[1] for row in rows}


async def since(
    conn: Connection, check_ids: Iterable[int]
) -> dict[int, datetime | None]:
    """Return when checks flipped last, or when the outage began that lasts, by id."""
    rows = await conn.execute_fetchall(
        "SELECT j.value, f.created FROM json_each(?) j CROSS JOIN flips f"
        f" ON f.id = coalesce({outage_of('j.value')},"
        " (SELECT max(id) FROM flips WHERE check_id = j.value))",
        (json.dumps(list(check_ids)),),
    )
    return {row[0]: datetime.fromtimestamp(row[1], UTC) for row in rows}
