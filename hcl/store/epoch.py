"""The epoch of a database: of two machines, that with the newest one serves."""

from aiosqlite import Connection

from hcl.db import EPOCH
from hcl.store import settings


async def get(conn: Connection) -> int:
    """Return it, 0 if there never was a fence."""
    return int(await settings.get(conn, EPOCH) or 0)


async def put(conn: Connection, epoch: int) -> None:
    """Set it."""
    await settings.put(conn, EPOCH, str(epoch))
