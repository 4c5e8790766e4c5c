"""How long the runs of checks usually take."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from aiosqlite import Connection

from hcl import store
from hcl.checks import runs, trends
from hcl.db import readable
from hcl.web.pages.dashboard.boards import Shown

logger = logging.getLogger(__name__)

# Starts, successes and fails that are looked at: of about half as many runs.
_SIGNALS = 22


async def usual_of(conn: Connection, items: Iterable[Shown]) -> dict[int, timedelta]:
    """Return the median length of the last runs of those that run, by one query."""
    running = [item.check for item in items if item.check.last_start is not None]
    if not running:
        return {}
    ids = [check.id for check in running]
    # Of a log that is damaged the last run tells it alone.
    signals = await readable(store.pings.signals_of(conn, ids, _SIGNALS), {}, logger)
    usual = {}
    for check in running:
        lengths = [*runs.run_lengths(signals.get(check.id, ())).values()]
        if not lengths and check.last_duration is not None:
            lengths = [check.last_duration]
        if lengths:
            usual[check.id] = trends.median(lengths)
    return usual
