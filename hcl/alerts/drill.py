"""The loop that has each channel say that all is well, so that a dead one is found."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hcl import store
from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.changes import Changes
from hcl.clock import A_BIT, Clock
from hcl.config import TestEvery
from hcl.db import PATIENCE, Database, UnusableError, tell
from hcl.model import Announcement, Project
from hcl.words.lines import counted

logger = logging.getLogger(__name__)

_EVERY = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}

# Where the database has when the last drill was.
_LAST = "test_alert"


class Drill:
    """Sends a test message over all channels that tell of hcl itself, each so often.

    `every` "": never. `projects` are those of the file.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        alarm: Alarm,
        sender: Alarm,
        changes: Changes,
    ) -> None:
        self._database = database
        self._clock = clock
        self._alarm = alarm
        self._changes = changes
        self._sender = sender
        self._every: TestEvery = ""
        self._projects: Sequence[Project] = ()

    def use(self, every: TestEvery, projects: Sequence[Project]) -> None:
        """Test so often, from now on."""
        self._every, self._projects = every, projects
        self._alarm.ring()

    async def run(self) -> None:
        """Repeat: 1. test if that is due, 2. sleep until it is."""
        while True:
            until = None
            if self._every:
                try:
                    until = await self.test_once(self._clock.now())
                except UnusableError as error:
                    tell(logger, "cannot write test messages", error)
                    until = self._clock.now() + PATIENCE
            await self._alarm.sleep(until, at_most=LOOK_AGAIN if until else None)

    async def test_once(self, now: datetime) -> datetime | None:
        """Write test messages if they are due; return when the next ones are."""
        # A reload may bring others meanwhile.
        often, projects, at = self._every, self._projects, self._clock.as_set(now)
        if not often:
            return None
        every = _EVERY[often]
        last = await store.settings.get(self._database.committed, _LAST)
        if last is not None:
            then = datetime.fromtimestamp(float(last), UTC)
            # A clock that was ahead puts none off; a bit ahead, it has none come twice.
            if then - A_BIT <= now < then + every:
                return then + every
        conn = await self._database.current()
        counts = {
            project.id: await store.tallies.count_by_status(conn, project.id)
            for project in projects
        }
        async with self._database.transaction(changes_checks=False) as conn:
            now = at()
            for project in projects:
                told = all_is_well(project, counts[project.id], now, often)
                id_ = await store.announcements.add(conn, told)
                await store.notifications.add_for_announcement(conn, id_, now)
            await store.settings.put(conn, _LAST, str(now.timestamp()))
        self._sender.ring()
        self._changes.tell()
        return now + every


def all_is_well(
    project: Project, counts: Mapping[str, int], now: datetime, every: TestEvery = ""
) -> Announcement:
    """Put into words that hcl and the channel work."""
    total, down = sum(counts.values()), counts.get("down", 0)
    watched = f"hcl watches {counted(total, 'check')} of {project.name}"
    state = f"{down} {_are(down)} down" if down else "none is down"
    story = [f"{watched}; {state}."]
    if every:
        story.append(
            f"This message comes every {every}. If it stops coming, hcl is gone, or the"
            " way to you is broken."
        )
    subject = "All is well: a test message of hcl"
    if down:
        subject = f"hcl works, and {counted(down, 'check')} {_are(down)} down: a test"
    return Announcement(project.id, now, "test", subject, story)


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
