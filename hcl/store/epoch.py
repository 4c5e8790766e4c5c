"""The epoch of a database: of two machines, that with the newest one serves."""

from aiosqlite import Connection

from hcl.store import settings

_NAME = "epoch"


async def get(conn: Connection) -> int:
    """Return it, 0 if there never was a fence."""
    return int(await settings.get(conn, _NAME) or 0)


async def put(conn: Connection, epoch: int) -> None:
    """Set it."""
    await settings.put(conn, _NAME, str(epoch))
