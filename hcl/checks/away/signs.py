"""Signs of life: by them the next start knows how long hcl was away."""

from datetime import datetime

from aiosqlite import Connection

from hcl import store
from hcl.clock import Clock
from hcl.db import Database
from hcl.store.life import Absence, Away, Sign

_DAY = 86_400


def sign_at(clock: Clock, boot: float, *, was_right: bool) -> Sign:
    """Return a sign of a moment of the boot clock; was the wall ever known as right?"""
    known = clock.source.boot_id, boot, clock.at(boot)
    return Sign(*known, ran=clock.ran, was_synchronised=was_right)


async def leave(database: Database, sign: Sign, away: Absence | None = None) -> float:
    """Write a sign down, by one commit with an absence; return its boot clock."""
    async with database.transaction(changes_checks=False) as conn:
        await store.life.leave(conn, sign)
        await store.life.mark(conn, int(sign.ran) // _DAY)
        if away is not None:
            await store.life.add_absence(conn, away)
    return sign.boot


async def absence(conn: Connection, sign: Sign, returned: datetime) -> Absence:
    """Return the absence that a start finds: since the sign, or one not judged yet."""
    unjudged = await store.life.unjudged(conn)
    went = min(unjudged.went if unjudged else sign.moment, sign.moment, returned)
    reason: Away = "stopped"
    if await store.restored.untold(conn) is not None:
        reason = "restored"
    elif unjudged and returned - unjudged.returned < unjudged.length:
        # It was killed before it had judged what was most of it all.
        reason = unjudged.reason
    return Absence(went, returned, reason)
