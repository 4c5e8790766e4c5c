"""That the database is a copy: what `outbox.give_up_restored` left to be told."""

import json

from aiosqlite import Connection

from hcl.store import settings

_NAME = "restored"


async def unsent(conn: Connection) -> int | None:
    """Return how many messages were given up; None: hcl does not go on from a copy."""
    mark = await settings.get(conn, _NAME)
    return None if mark is None else len(json.loads(mark)["not_sent"])


async def told(conn: Connection) -> None:
    """Note that people have been told."""
    await settings.delete(conn, _NAME)
