"""Values that the server itself must remember."""

from aiosqlite import Connection


async def get(conn: Connection, name: str) -> str | None:
    """Return a value, None if it was never set."""
    rows = await conn.execute_fetchall(
        "SELECT value FROM settings WHERE name = ?", (name,)
    )
    return next((row[0] for row in rows), None)


async def beginning(conn: Connection, prefix: str) -> dict[str, str]:
    """Return the values whose names begin so, by what follows in the name."""
    rows = await conn.execute_fetchall(
        "SELECT substr(name, ?), value FROM settings WHERE substr(name, 1, ?) = ?",
        (len(prefix) + 1, len(prefix), prefix),
    )
    return {row[0]: row[1] for row in rows}


async def delete(conn: Connection, name: str) -> None:
    """Forget a value, if there is one."""
    await conn.execute("DELETE FROM settings WHERE name = ?", (name,))


async def put(conn: Connection, name: str, value: str) -> None:
    """Set a value."""
    await conn.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
