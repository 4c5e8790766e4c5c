"""Whether the server is well: the database answers, and both loops keep up."""

import asyncio
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hcl import store
from hcl.clock import Clock
from hcl.db import SQLError, UnwritableError
from hcl.web.parts import Parts

# How long a query may take, in seconds.
_QUERY_TIMEOUT = 5

# How long a deadline may have passed before the checker counts as late.
_CHECKER_PATIENCE = timedelta(seconds=30)

# How long a message may have been due before the sender counts as stuck.
_SENDER_PATIENCE = timedelta(minutes=10)


async def get_status(_request: Request, parts: Parts) -> Response:
    """GET status/: OK, or 503 with a line that says what is not well."""
    trouble = await find_trouble(parts, parts.clock.now())
    if trouble:
        return PlainTextResponse(trouble, 503)
    return PlainTextResponse("OK")


async def find_trouble(parts: Parts, now: datetime) -> str:
    """Say what is not well; "" if all is."""
    # It is to answer whether or not the database can be written.
    reader = parts.database.committed
    try:
        async with asyncio.timeout(_QUERY_TIMEOUT):
            deadline = await store.checks.next_look(reader)
            oldest = await store.outbox.oldest_due(reader)
    except (SQLError, TimeoutError):
        return "the database takes no query"
    if parts.database.trouble.is_damage:
        return "the database is damaged"
    if not parts.database.is_writable and not await _can_write(parts, now):
        return "the database cannot be written"
    if (
        deadline is not None
        and _judged(parts.clock, now) - deadline > _CHECKER_PATIENCE
    ):
        return "the checker is late"
    if oldest is not None and now - oldest > _SENDER_PATIENCE:
        return "the sender is stuck"
    return ""


def _judged(clock: Clock, now: datetime) -> datetime:
    """Return up to when the checker ought to have looked at deadlines.

    While it lets in what waits after an absence, and judges, that is when hcl went.
    """
    is_at_work = clock.boot() - clock.looked <= _CHECKER_PATIENCE.total_seconds()
    return clock.shown_as_of if clock.shown_as_of and is_at_work else now


async def _can_write(parts: Parts, now: datetime) -> bool:
    """Try to write, after a write has failed: maybe there will be no other."""
    try:
        async with parts.database.transaction(changes_checks=False) as conn:
            await store.settings.put(conn, "written", now.isoformat())
    except UnwritableError:
        return False
    return True
