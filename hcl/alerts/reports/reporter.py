"""The loop that sends reports, each at its moment, once."""

import hashlib
import logging
from collections.abc import Sequence, Set
from datetime import UTC, datetime, timedelta
from importlib import import_module

from hcl import store
from hcl.alarm import LOOK_AGAIN, Alarm
from hcl.alerts.reports import occurrences
from hcl.changes import Changes
from hcl.clock import A_BIT, Clock
from hcl.config import Config, ProjectConfig, ReportConfig
from hcl.db import PATIENCE, Database, UnusableError, despite_damage, tell
from hcl.model import Announcement, Project

logger = logging.getLogger(__name__)

# One that could not be sent at its moment still is, so long after.
LATEST = timedelta(days=1)

# What is older is not kept, so no report reaches back farther.
_LONGEST = timedelta(days=62)

# Where the database has up to when a report has told, by its digest.
_LAST = "report:"


class Reporter:
    """Sends the reports of hcl.toml over their channels."""

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
        self._sender = sender
        self._changes = changes
        self._home = "UTC"
        self._reports: list[tuple[Project, str, ReportConfig]] = []
        # Whether those that left the file are remembered.
        self._is_stale = True

    def use(self, config: Config, projects: Sequence[Project]) -> None:
        """Send these from now on; `projects` are the rows, in the file's order."""
        self._home = config.alerts.tz
        self._reports = [
            (row, digest(project, report), report)
            for row, project in zip(projects, config.projects, strict=True)
            for report in project.reports
        ]
        self._is_stale = True
        if self._reports:
            # Now, since it would hold up pings when the first is due.
            import_module("hcl.alerts.reports.gathering")
        self._alarm.ring()

    async def run(self) -> None:
        """Repeat: 1. send what is due, 2. sleep until the next is, a minute at most."""
        while True:
            until = None
            try:
                until = await self.send_once(self._clock.now())
            except UnusableError as error:
                tell(logger, "cannot write reports", error)
                until = self._clock.now() + PATIENCE
            await self._alarm.sleep(until, at_most=LOOK_AGAIN if until else None)

    async def send_once(self, now: datetime) -> datetime | None:
        """Send what is due; return when the next is, None if there are none."""
        if self._is_stale:
            await self._forget_others()
        nexts = []
        for project, name, report in self._reports:
            await self._send(project, name, report, now)
            nexts.append(occurrences.coming(report, now, self._home))
        return min(nexts, default=None)

    async def _forget_others(self) -> None:
        """Forget those that left the file: one that is put back comes as a new one."""
        self._is_stale = False
        try:
            # Damage there holds up no report that can be read.
            with despite_damage(self._database.trouble, logger):
                await self._forget_all_but({name for _, name, _ in self._reports})
        except UnusableError:
            self._is_stale = True
            raise

    async def _forget_all_but(self, names: Set[str]) -> None:
        kept = await store.settings.beginning(self._database.committed, _LAST)
        if gone := kept.keys() - names:
            async with self._database.transaction(changes_checks=False) as conn:
                for name in gone:
                    await store.settings.delete(conn, _LAST + name)

    async def _send(
        self, project: Project, name: str, report: ReportConfig, now: datetime
    ) -> None:
        due = occurrences.last(report, now, self._home)
        kept = await store.settings.get(self._database.committed, _LAST + name)
        last = None if kept is None else datetime.fromtimestamp(float(kept), UTC)
        if last is not None and now < last <= now + A_BIT:
            # It came by a clock that was ahead: not twice.
            return
        # One that is new tells of no time before it; a clock that was ahead for long
        # puts none off.
        if last is None or last > now:
            async with self._database.transaction(changes_checks=False) as conn:
                await store.settings.put(conn, _LAST + name, str(due.timestamp()))
            return
        if last >= due or now - due >= LATEST:
            return
        words, at = None, self._clock.as_set(now)
        try:
            words = await self._compose(project, report, (last, due), now)
        except UnusableError:
            raise
        except Exception:
            # A mistake in a report is no reason to stop watching.
            logger.exception("no report: it could not be made")
        # In one transaction: neither lost nor sent twice.
        async with self._database.transaction(changes_checks=False) as conn:
            await store.settings.put(conn, _LAST + name, str(due.timestamp()))
            if words is not None:
                id_ = await store.announcements.add(conn, words)
                await store.notifications.add_for_report(
                    conn, id_, report.channels, at()
                )
        if words is not None:
            self._sender.ring()
            self._changes.tell()

    async def _compose(
        self,
        project: Project,
        report: ReportConfig,
        span: tuple[datetime, datetime],
        now: datetime,
    ) -> Announcement | None:
        # Imported here: few have reports, and these are due rarely.
        from hcl.alerts.reports.gathering import gather
        from hcl.alerts.reports.wording import of_report

        last, due = span
        span = (max(last, due - _LONGEST), due)
        told = await gather(self._database.current, project.id, report, span, now)
        return of_report(
            (project.id, project.name), report, span, told, now, self._home
        )


def digest(project: ProjectConfig, report: ReportConfig) -> str:
    """Name a report by all that it says: one that is changed is a new one."""
    parts = (
        project.id,
        report.every,
        str(report.day),
        f"{report.at:%H:%M}",
        report.tz,
        str(report.quiet),
        *sorted(report.channels),
        "",
        *sorted(report.tags),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
