"""Have people told of what concerns all projects, over the event `server`."""

from collections.abc import Sequence
from datetime import timedelta

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.clock import Clock
from hcl.db import Database
from hcl.model import Announcement, AnnouncementKind

# Of what goes on being wrong people are told again after so long.
TELL_AGAIN = timedelta(days=1)


class Announcer:
    """Writes announcements down and wakes whoever sends and shows them."""

    def __init__(
        self, database: Database, clock: Clock, sender: Alarm, changes: Changes
    ) -> None:
        self._database = database
        self._clock = clock
        self._sender = sender
        self._changes = changes

    async def tell(
        self, kind: AnnouncementKind, subject: str, story: Sequence[str]
    ) -> None:
        """Tell all projects' people. Raises UnwritableError."""
        async with self._database.transaction(changes_checks=False) as conn:
            # In its turn: by a clock that was set back meanwhile it would wait.
            now = self._clock.now()
            told = Announcement(None, now, kind, subject, story)
            announcement_id = await store.announcements.add(conn, told)
            await store.notifications.add_for_announcement(conn, announcement_id, now)
        self._sender.ring()
        self._changes.tell()
