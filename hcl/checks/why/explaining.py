"""Read all that explains a check from the store."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl import store
from hcl.checks.why.explain import Explanation, Known, explain
from hcl.checks.windows.calendar import Opening
from hcl.db import Gaps
from hcl.model import Check, Ping

logger = logging.getLogger(__name__)

# Messages of the newest flip that are told, and absences.
_MOST_TOLD, _MOST_ABSENCES = 12, 5

# So much of a check's past may explain its status.
_SINCE = timedelta(days=93)


async def explanation_of(
    conn: Connection, check: Check, now: datetime, windows: Sequence[Opening] = ()
) -> Explanation:
    """Return why a check has the status it has; `conn` must read current states.

    `windows` are open for it now.
    """
    return await explained(await known_of(conn, check, now, windows), now)


async def explained(known: Known, now: datetime) -> Explanation:
    """Explain what is known, without holding up pings."""
    if known.check.kind == "oncalendar":
        # The worst expressions take a while, and pings wait for none of them.
        return await asyncio.to_thread(explain, known, now)
    return explain(known, now)


async def known_of(
    conn: Connection,
    check: Check,
    now: datetime,
    windows: Sequence[Opening] = (),
    gaps: Gaps | None = None,
) -> Known:
    """Read what explains a check; what is damaged stands in `gaps`."""
    gaps = gaps or Gaps(logger)
    logged = await gaps.readable(store.flips.newest(conn, check.id), None)
    last = await store.pings.newest(conn, check.id, 1, gaps)
    known = Known(
        check,
        last=last[0] if last else None,
        outcome=await gaps.readable(_outcome(conn, check), None),
        absences=await gaps.readable(_absences(conn, check, now), []),
        is_alone=bool(await store.channels.alone_among(conn, [check.id])),
        windows=windows,
    )
    if logged is not None:
        of_flip = store.tries.of_flips(conn, [logged.id], _MOST_TOLD, each_channel=True)
        told, counts = await gaps.readable(of_flip, ({}, {}))
        records = told.get(logged.id, [])
        ping = store.pings.last_up_to(conn, check, logged.n_pings)
        known = replace(
            known,
            flip=logged.flip,
            flip_n=logged.n_pings,
            ping=await gaps.readable(ping, None),
            records=records,
            untold=counts.get(logged.id, 0) - len(records),
        )
    return replace(known, has_gaps=gaps.found)


async def _outcome(conn: Connection, check: Check) -> Ping | None:
    """Return the last outcome of a check that is up; None: it is not known."""
    if check.last_ping is None or check.status != "up":
        return None
    return await store.pings.last_outcome(conn, check.id, check.last_ping)


async def _absences(
    conn: Connection, check: Check, now: datetime
) -> list[store.life.Absence]:
    """Return the last absences since the check was heard, oldest first."""
    if check.last_ping is None or check.status != "up":
        return []
    since = max(check.last_ping, now - _SINCE)
    found = await store.life.absences(conn, since)
    return found[:_MOST_ABSENCES][::-1]
