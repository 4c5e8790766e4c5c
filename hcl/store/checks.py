"""Checks: their settings and how they fare."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import Any, get_type_hints

from aiosqlite import Connection

from hcl.db import Statement
from hcl.model import SETTINGS, STATE, Check, Run
from hcl.store import open_runs
from hcl.store.latenesses import TELLS
from hcl.store.times import moment, seconds, stamp

# What many checks have alike: kept once for all that are in memory.
_ALIKE = ("tags", "kind", "schedule", "tz", "status")

# A word of SQL.
_QUOTED = {"desc": '"desc"'}


class _Columns:
    """Fields of a check that follow one another, as columns."""

    def __init__(self, first: str, last: str) -> None:
        start, stop = Check._fields.index(first), Check._fields.index(last) + 1
        names = [_QUOTED.get(name, name) for name in Check._fields[start:stop]]
        self.names = ", ".join(names)
        self.marks = ", ".join("?" * len(names))
        self._fields = slice(start, stop)
        hints = list(get_type_hints(Check).values())[start:stop]
        self._booleans = _typed(bool, hints)
        self._lengths = _typed(timedelta, hints)
        self._moments = _typed(datetime, hints)
        self._runs = _typed(tuple[Run, ...], hints)
        self._alike = [at for at, name in enumerate(names) if name in _ALIKE]

    # Both are called for every check of a list, and for every ping: what times.py does
    # is written out, since the calls would take as long as all the rest.
    def read(self, row: Sequence[Any]) -> list[Any]:
        """Return the fields that a row keeps."""
        values = list(row)
        for at in self._alike:
            values[at] = intern(values[at])
        for at in self._booleans:
            values[at] = values[at] != 0
        for at in self._lengths:
            if values[at] is not None:
                values[at] = _length(values[at])
        for at in self._moments:
            if values[at] is not None:
                values[at] = datetime.fromtimestamp(values[at], UTC)
        for at in self._runs:
            values[at] = open_runs.read(values[at]) if values[at] else ()
        return values

    def kept(self, check: Sequence[Any]) -> list[Any]:
        """Return the fields of a check as they are kept."""
        values = list(check[self._fields])
        for at in self._lengths:
            if values[at] is not None:
                values[at] = values[at].total_seconds()
        for at in self._moments:
            if values[at] is not None:
                values[at] = values[at].timestamp()
        for at in self._runs:
            values[at] = open_runs.kept(values[at]) if values[at] else ""
        return values


# Many checks have the same lengths.
@lru_cache(maxsize=1024)
def _length(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _typed(kind: type, hints: Sequence[object]) -> tuple[int, ...]:
    """Find the fields of a type, whether they may be None or not."""
    return tuple(at for at, hint in enumerate(hints) if hint in (kind, kind | None))


_ALL = _Columns("id", STATE[-1])
_SETTINGS = _Columns("code", SETTINGS[-1])
_STATE = _Columns(STATE[0], STATE[-1])
_SELECT = f"SELECT {_ALL.names} FROM checks JOIN check_states ON check_id = id"


def _check(row: Sequence[Any]) -> Check:
    return Check._make(_ALL.read(row))


async def where(
    conn: Connection, condition: str, parameters: Sequence[Any] | dict[str, Any]
) -> list[Check]:
    """Return the checks that a condition of SQL, from WHERE on, is true of."""
    rows = await conn.execute_fetchall(f"{_SELECT} {condition}", parameters)
    return [_check(row) for row in rows]


async def _one(
    conn: Connection, condition: str, parameters: Sequence[Any]
) -> Check | None:
    return next(iter(await where(conn, condition, parameters)), None)


async def by_id(conn: Connection, check_id: int) -> Check | None:
    """Return the check of a row."""
    return await _one(conn, "WHERE id = ?", (check_id,))


async def by_ids(conn: Connection, check_ids: Iterable[int]) -> list[Check]:
    """Return the checks of rows, in no order."""
    return await where(
        conn,
        "WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(check_ids)),),
    )


async def by_code(conn: Connection, code: str) -> Check | None:
    """Return the check with this UUID."""
    return await _one(conn, "WHERE code = ?", (code,))


async def by_unique_key(
    conn: Connection, project_id: int, unique_key: str
) -> Check | None:
    """Return the project's check with this unique key."""
    return await _one(
        conn, "WHERE unique_key = ? AND project_id = ?", (unique_key, project_id)
    )


async def by_codes(conn: Connection, codes: Iterable[str]) -> list[Check]:
    """Return the checks with these UUIDs, in no order."""
    # json_each keeps this one prepared statement, however many codes there are.
    return await where(
        conn,
        "WHERE code IN (SELECT value FROM json_each(?))",
        (json.dumps(list(codes)),),
    )


async def by_slugs(
    conn: Connection, addresses: Iterable[tuple[str, str]]
) -> list[tuple[str, Check]]:
    """Return the checks of (ping key, slug) pairs, each with its ping key."""
    rows = await conn.execute_fetchall(
        f"SELECT p.ping_key, c.* FROM json_each(?) j"
        " CROSS JOIN projects p ON p.ping_key = json_extract(j.value, '$[0]')"
        f" CROSS JOIN ({_SELECT}) c ON c.project_id = p.id"
        " AND c.slug = json_extract(j.value, '$[1]')",
        (json.dumps(list(addresses)),),
    )
    return [(row[0], _check(row[1:])) for row in rows]


# So many tags are looked for at most; the longest are the rarest.
_TAGS = 5


async def of_project(
    conn: Connection,
    project_id: int,
    *,
    slug: str = "",
    tags: Iterable[str] = (),
    after: int = 0,
    limit: int = -1,
) -> list[Check]:
    """Return the project's checks, in order of creation; those with a slug, if named.

    A slice of them: `limit` at most (-1: all), with ids above `after`. With `tags` most
    of those that lack one are left out, but not all: their texts are only looked for.
    """
    some = sorted(tags, key=len)[-_TAGS:]
    condition = " AND slug = ?" * bool(slug) + " AND instr(tags, ?)" * len(some)
    return await where(
        conn,
        f"WHERE project_id = ?{condition} AND id > ? ORDER BY id LIMIT ?",
        (project_id, *([slug] if slug else ()), *some, after, limit),
    )


async def oldest_match(
    conn: Connection, project_id: int, values: dict[str, str | timedelta]
) -> Check | None:
    """Return the project's oldest check with these values.

    The keys come from `spec.UNIQUE_FIELDS`.
    """
    condition = "".join(f" AND {name} = ?" for name in values)
    parameters = [
        seconds(value) if isinstance(value, timedelta) else value
        for value in values.values()
    ]
    return await _one(
        conn,
        f"WHERE project_id = ?{condition} ORDER BY id LIMIT 1",
        (project_id, *parameters),
    )


async def due(conn: Connection, now: datetime, limit: int) -> list[Check]:
    """Return checks to look at, the longest overdue first.

    The deadline of some may have moved away meanwhile; see `look_again`.
    """
    return await where(
        conn,
        "WHERE look_at <= ? ORDER BY look_at LIMIT ?",
        (stamp(now), limit),
    )


async def next_look(conn: Connection) -> datetime | None:
    """Return when the first check is to be looked at; None: none can go down."""
    rows = await conn.execute_fetchall(
        "SELECT min(look_at) FROM check_states WHERE look_at IS NOT NULL"
    )
    return moment(next(iter(rows))[0])


async def down_titles(
    conn: Connection, project_id: int, but: Iterable[int], limit: int
) -> list[str]:
    """Return the titles of a project's checks that are down, but for some ids."""
    rows = await conn.execute_fetchall(
        # In the order of a CROSS JOIN: few checks are down.
        "SELECT iif(c.name = '', c.code, c.name) FROM check_states s"
        " INDEXED BY check_states_down CROSS JOIN checks c ON c.id = s.check_id"
        " WHERE s.status = 'down' AND c.project_id = ?"
        " AND c.id NOT IN (SELECT value FROM json_each(?)) ORDER BY c.id LIMIT ?",
        (project_id, json.dumps(list(but)), limit),
    )
    return [row[0] for row in rows]


async def count(conn: Connection, project_id: int) -> int:
    """Return how many checks a project has."""
    rows = await conn.execute_fetchall(
        "SELECT count(*) FROM checks WHERE project_id = ?", (project_id,)
    )
    return int(next(iter(rows))[0])


async def add(conn: Connection, check: Check) -> int:
    """Insert a check, whatever its id says; return the id it got."""
    rows = await conn.execute_fetchall(
        f"INSERT INTO checks (project_id, unique_key, {_SETTINGS.names})"
        f" VALUES (?, ?, {_SETTINGS.marks}) RETURNING id",
        (check.project_id, check.unique_key, *_SETTINGS.kept(check)),
    )
    check_id = int(next(iter(rows))[0])
    await conn.execute(
        f"INSERT INTO check_states (check_id, {_STATE.names}, look_at)"
        f" VALUES (?, {_STATE.marks}, ?)",
        (check_id, *_STATE.kept(check), stamp(check.alert_after)),
    )
    return check_id


async def add_all(conn: Connection, checks: Sequence[Check]) -> list[Check]:
    """Insert checks in their order, in a few hops; return them with their ids."""
    await conn.executemany(
        f"INSERT INTO checks (project_id, unique_key, {_SETTINGS.names})"
        f" VALUES (?, ?, {_SETTINGS.marks})",
        [(c.project_id, c.unique_key, *_SETTINGS.kept(c)) for c in checks],
    )
    codes = json.dumps([check.code for check in checks])
    rows = await conn.execute_fetchall(
        "SELECT code, id FROM checks WHERE code IN (SELECT value FROM json_each(?))",
        (codes,),
    )
    ids: dict[str, int] = dict(map(tuple, rows))
    await conn.executemany(
        f"INSERT INTO check_states (check_id, {_STATE.names}, look_at)"
        f" VALUES (?, {_STATE.marks}, ?)",
        [(ids[c.code], *_STATE.kept(c), stamp(c.alert_after)) for c in checks],
    )
    return [check._replace(id=ids[check.code]) for check in checks]


async def save(conn: Connection, check: Check) -> None:
    """Update all of a check."""
    await save_all(conn, [check])


async def save_all(conn: Connection, checks: Sequence[Check]) -> None:
    """Update all of some checks."""
    await conn.executemany(
        f"UPDATE checks SET ({_SETTINGS.names}) = ({_SETTINGS.marks}) WHERE id = ?",
        [(*_SETTINGS.kept(check), check.id) for check in checks],
    )
    await save_states(conn, checks)
    await look_earlier(conn, checks)


async def save_states(conn: Connection, changed: Iterable[Check]) -> None:
    """Update how checks fare; their settings stay as they are.

    When the checker looks at them stays too: where a deadline came nearer, or came up,
    `look_earlier` has to follow.
    """
    await conn.executemany(*saving_states(changed))


def saving_states(changed: Iterable[Check]) -> Statement:
    """Return the statement of `save_states`, for a transaction of one hop."""
    return (
        f"UPDATE check_states SET ({_STATE.names}) = ({_STATE.marks})"
        " WHERE check_id = ?",
        [(*_STATE.kept(check), check.id) for check in changed],
    )


async def look_earlier(conn: Connection, changed: Iterable[Check]) -> None:
    """Have the checker look at these by their deadlines, if it would look later."""
    await conn.executemany(
        f"UPDATE check_states SET look_at = {_LOOK} WHERE check_id = :id"
        f" AND (look_at IS NULL OR look_at > {_LOOK})",
        [
            {"at": stamp(check.alert_after), "id": check.id, "late": _late(check)}
            for check in changed
            if check.alert_after is not None
        ],
    )


# When the checker looks: also when a check is late, if that is to be told.
_LOOK = f"iif(:late IS NOT NULL AND {TELLS}, min(:late, :at), :at)"


def _late(check: Check, after: datetime | None = None) -> float | None:
    """Return when a check is looked at since it is late; only after a moment."""
    if check.status != "up" or check.late_since is not None:
        return None
    end, begun = check.alert_after, check.late_from
    if end is None or begun is None:
        return None
    # In a window people are told at its end.
    moments = (begun, end - check.grace) if check.spared else (begun,)
    return stamp(min((m for m in moments if not after or m > after), default=None))


async def look_again(
    conn: Connection,
    looked_at: Iterable[Check],
    after: datetime | None = None,
    lates: Mapping[int, datetime] = MappingProxyType({}),
) -> None:
    """Have the checker look at these at their deadlines; never, if they have none.

    And when they are late, if that is after a moment (None: whenever it is). `lates`
    has when that is, by ids, of those of which it is known.
    """
    await conn.executemany(
        f"UPDATE check_states SET look_at = {_LOOK} WHERE check_id = :id",
        [
            {
                "at": stamp(check.alert_after),
                "id": check.id,
                "late": stamp(lates.get(check.id)) or _late(check, after),
            }
            for check in looked_at
        ],
    )


async def delete(conn: Connection, check_id: int) -> None:
    """Delete a check with its pings, flips and notifications."""
    await conn.execute("DELETE FROM checks WHERE id = ?", (check_id,))


async def by_badge_key(conn: Connection, badge_key: str) -> Check | None:
    """Return the check with this badge key, if its project is in use."""
    return await _one(
        conn,
        "WHERE badge_key = ? AND project_id IN (SELECT id FROM projects WHERE enabled)",
        (badge_key,),
    )


async def to_judge(conn: Connection, after: int, limit: int) -> list[Check]:
    """Return checks that an absence may concern, by their ids from `after` on.

    Those with a deadline, or an open run, be it not the newest.
    """
    return await where(
        conn,
        "WHERE id > ? AND (alert_after IS NOT NULL OR last_start IS NOT NULL"
        " OR open_runs != '') ORDER BY id LIMIT ?",
        (after, limit),
    )
