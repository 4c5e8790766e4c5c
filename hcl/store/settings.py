"""Values that the server itself must remember."""

from aiosqlite import Connection


async def get(conn: Connection, name: str) -> str | None:
    """Return a value, None if it was never set."""
    rows = await conn.execute_fetchall(
        "SELECT value FROM settings WHERE name = ?", (name,)
    )
    return next((row[0] for row in rows), None)


async def put(conn: Connection, name: str, value: str) -> None:
    """Set a value."""
    await conn.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
