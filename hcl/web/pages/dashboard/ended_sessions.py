"""Which sessions were signed out, by whatever copy of their cookies."""

from datetime import datetime, timedelta
from typing import Self

from hcl import store
from hcl.db import Database

# How long after a page was last looked at a cookie counts.
LIFETIME = timedelta(days=30)

# They stand in the settings, under their ids behind this.
_PREFIX = "ended session "


class EndedSessions:
    """The ids of sessions that were signed out, in memory and in the settings."""

    def __init__(self, database: Database, ids: set[str]) -> None:
        self._database = database
        self._ids = ids

    @classmethod
    async def read(cls, database: Database) -> Self:
        """Read those of before."""
        return cls(
            database, set(await store.settings.beginning(database.committed, _PREFIX))
        )

    def __contains__(self, session_id: str) -> bool:
        """Tell whether somebody signed out of a session."""
        return session_id in self._ids

    async def add(self, session_id: str, now: datetime) -> None:
        """Sign out of a session."""
        self._ids.add(session_id)
        async with self._database.transaction(changes_checks=False) as conn:
            await store.settings.put(conn, f"{_PREFIX}{session_id}", now.isoformat())
            # Of those before no cookie counts any more.
            for id_, when in (await store.settings.beginning(conn, _PREFIX)).items():
                if now - datetime.fromisoformat(when) > LIFETIME:
                    await store.settings.delete(conn, f"{_PREFIX}{id_}")

    def discard(self, session_id: str) -> None:
        """Forget that a session was signed out, if it could not be written."""
        self._ids.discard(session_id)
