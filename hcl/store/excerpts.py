"""The pings of a page of a check's log: their bodies are cut."""

import json
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from aiosqlite import Connection

from hcl.db import Gaps
from hcl.model import Ping
from hcl.store import damaged_log
from hcl.store.pings import BUT_BODY, of_row

# Of longer bodies the end is left alone; else so many bytes of it are read.
_FAR, _END = 200_000, 400
# A mail's subject and the beginning of its text are mostly within so many bytes.
_MAIL_EXCERPT = 65_536

_COLUMNS = (
    f"{BUT_BODY}, substr(body, 1, iif(scheme = 'email', :mail, :length)), length(body),"
    # To come to the end of a body, all before it is read.
    " iif(scheme != 'email' AND length(body) > :length AND length(body) < :far"
    " AND action IN ('success', 'fail'), substr(body, -:end), x'')"
)
# Not of the view: SQLite would go through all pings there are.
_FILED = (
    f"SELECT {_COLUMNS} FROM json_each(:ns) j CROSS JOIN pings p"
    ' ON p."key" = (:check_id << 32) + j.value'
)
_WAITING = (
    f"SELECT {_COLUMNS} FROM inbox i WHERE check_id = :check_id"
    " AND n IN (SELECT value FROM json_each(:ns))"
)


class Excerpt(NamedTuple):
    """A ping whose body is cut, and how many bytes the whole body has.

    `end` are the last bytes of what a job printed, where more than the beginning was.
    """

    ping: Ping
    size: int
    end: bytes = b""


async def of_check(
    conn: Connection,
    check_id: int,
    ns: Sequence[int],
    length: int,
    gaps: Gaps | None = None,
) -> list[Excerpt]:
    """Return a check's pings of these numbers, the newest first.

    Their bodies are cut to `length` bytes; of a mail more is kept, to be decoded. With
    `gaps` those that can be read.
    """
    values = {
        "check_id": check_id,
        "ns": json.dumps(list(ns)),
        "length": length,
        "mail": _MAIL_EXCERPT,
        "far": _FAR,
        "end": _END,
    }
    reading = conn.execute_fetchall(
        f"{_FILED} UNION ALL {_WAITING} AND NOT EXISTS (SELECT 1 FROM pings p"
        ' WHERE p."key" = (i.check_id << 32) + i.n) ORDER BY 1 DESC',
        values,
    )
    rows = await damaged_log.or_around(
        reading,
        gaps,
        partial(damaged_log.of_numbers, conn, _FILED, _WAITING, values, ns),
    )
    return [Excerpt(of_row(row[:-2]), *row[-2:]) for row in rows]
