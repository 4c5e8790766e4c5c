"""Whether the database is damaged: people are told, and each day again."""

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from hcl import store
from hcl.clock import Clock
from hcl.db import Database, UnusableError, readable, tell
from hcl.server.announcer import TELL_AGAIN, Announcer

logger = logging.getLogger(__name__)

# It is mostly met soon after the start, as all is read then. In seconds.
FIRST, EVERY = 2.0, 60.0

# When they were told last, among the settings: a restart does not tell it once more.
_TOLD = "damage_told"

_SUBJECT = "hcl's database is damaged"
_STORY = (
    "Part of the database cannot be read any more: the disk or the card may be failing."
    " hcl goes on as well as it can, but a job that is dead may stay untold, and pings"
    " may be lost.",
    "Put back a copy: hcl restore FILE sets the damaged one aside (docs/backup.md). The"
    " log of hcl names what cannot be done.",
)


class Damage:
    """Has people told of damage that was met, as long as what tells them can be read.

    `trouble` is what systemd's status line has of it, "" if there is none.
    """

    def __init__(self, database: Database, clock: Clock, announcer: Announcer) -> None:
        self._database = database
        self._clock = clock
        self._announcer = announcer
        self._told: datetime | None = None
        self.trouble = ""

    async def run(self) -> None:
        """Look again and again, each minute at last."""
        pause = FIRST
        while True:
            await asyncio.sleep(pause)
            await self.look_once()
            pause = min(2 * pause, EVERY)

    async def look_once(self) -> None:
        """Tell people if the database is damaged, and they were not told today."""
        if not self._database.trouble.is_damage:
            return
        self.trouble = "the database is damaged"
        now = self._clock.now()
        try:
            if not await self._is_told(now):
                await self._announcer.tell("damage", _SUBJECT, _STORY)
                self._told = now
                await self._note(now)
        except UnusableError as error:
            tell(logger, "cannot tell people that the database is damaged", error)

    async def _is_told(self, now: datetime) -> bool:
        if self._told is None:
            kept = store.settings.get(self._database.committed, _TOLD)
            if text := await readable(kept, None, logger):
                # It may be damaged itself.
                with suppress(ValueError):
                    self._told = datetime.fromisoformat(text)
        # Either way: a clock that was ahead is not waited for.
        return self._told is not None and abs(now - self._told) < TELL_AGAIN

    async def _note(self, now: datetime) -> None:
        async with self._database.transaction(changes_checks=False) as conn:
            await store.settings.put(conn, _TOLD, now.isoformat())
