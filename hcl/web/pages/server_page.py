"""The server's own page: how it fares, and what it holds."""

import logging
import os
import platform
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosqlite import Connection
from starlette.responses import Response

from hcl import __version__, store
from hcl.db import SQLITE_VERSION, Gaps
from hcl.model import Announcement
from hcl.web.figures import backups, figures, health
from hcl.web.figures.figures import Queues, Sizes
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.pages.visit.visit import Visit
from hcl.web.parts import Parts
from hcl.words.lengths import duration, every, short
from hcl.words.lines import clean, counted
from hcl.words.names import ACTIONS, AWAY
from hcl.words.sizes import size

logger = logging.getLogger(__name__)

_OUTCOMES = ("sent", "failed", "given_up")

# How far back absences and replication are told, and how many of what is told.
_LOOK_BACK = timedelta(days=30)
_MOST_ABSENCES, _MOST_STEPS = 8, 5

# What overdue deadlines and messages may wait without a word.
_PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a card: `note` explains the value, `is_bad` marks it."""

    label: str
    value: str
    note: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the database that a migration or a restore set aside."""

    name: str
    size: str
    made: datetime


@dataclass(frozen=True, slots=True)
class FailingChannel:
    """A channel that does not deliver."""

    project: str
    project_code: str
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Replication:
    """What was told last of replication; None: nothing was amiss."""

    last: Announcement | None
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Away:
    """That hcl was not there: since when, for how long, and why."""

    went: datetime
    length: str
    why: str


async def page(visit: Visit) -> Response:
    """GET /server: version, queues, sizes, deliveries, copies, failing channels."""
    parts, readonly = visit.parts, visit.viewer.readonly
    # It is wanted most while the database cannot be written.
    conn = parts.database.committed
    gaps = Gaps(logger)
    queues = await gaps.readable(figures.queues(parts, visit.now), None)
    sizes = figures.sizes(parts)
    seen, elsewhere = await _failing(conn, visit.viewer)
    return await visit.render(
        "server.html",
        nav="server",
        **await _health(parts, visit.now, len(seen) + elsewhere),
        started=parts.started,
        process=list(_process(sizes, visit.now - parts.started)),
        storage=list(_storage(visit, sizes)),
        queues=list(_queues(queues)) if queues else [],
        pings=_pings(parts),
        deliveries=_deliveries(parts),
        backups=await backups.all_of(parts, visit.now),
        replication=await gaps.readable(_replication(parts, visit.now), None),
        absences=await gaps.readable(_absences(conn, visit.now), []),
        steps=_steps(parts),
        often=every(parts.config.backup.every),
        has_gaps=gaps.found,
        copies=_copies(parts.config.database.path),
        failing=seen,
        failing_elsewhere=elsewhere,
        clean=clean,
        config_path="" if readonly else str(parts.config.path),
        unused=parts.unused,
    )


async def _health(parts: Parts, now: datetime, failing: int) -> dict[str, Any]:
    """Say how the server fares: its status, a word and a sentence."""
    trouble = await health.find_trouble(parts, now)
    if trouble:
        return {"look": "down", "word": "trouble", "how": f"{_upper(trouble)}."}
    late = []
    if failing:
        verb = "does" if failing == 1 else "do"
        late.append(f"{counted(failing, 'integration')} {verb} not deliver")
    if await backups.overdue(parts, now):
        late.append("a backup is missing")
    replication = await _replication(parts, now)
    if replication is not None and replication.is_bad:
        late.append("replication stands still")
    if parts.unused:
        late.append("what stands in hcl.toml now is not used, or not all of it")
    if late:
        return {
            "look": "grace",
            "word": "not all is well",
            "how": f"{_upper('; '.join(late))}.",
        }
    how = "The database answers, checker and sender keep up, and no integration fails."
    return {"look": "up", "word": "well", "how": how}


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


async def _replication(parts: Parts, now: datetime) -> Replication | None:
    """Return what was told of replication last; None: nothing replicates."""
    if parts.config.standby.socket is None:
        return None
    conn = parts.database.committed
    told = await store.announcements.since(conn, now - _LOOK_BACK)
    last = next((a for a in told if a.kind == "replication"), None)
    # What was told by the run before may be over. What this one told did not move along
    # with the clock.
    is_bad = (
        last is not None
        and last.created >= min(parts.started, parts.began)
        and not last.subject.endswith("goes on")
    )
    return Replication(last, is_bad)


async def _absences(conn: Connection, now: datetime) -> list[Away]:
    """Return when hcl was away lately, the newest first."""
    found = await store.life.absences(conn, now - _LOOK_BACK)
    return [
        Away(
            absence.went,
            short(absence.returned - absence.went),
            AWAY[absence.reason],
        )
        for absence in found[:_MOST_ABSENCES]
    ]


def _steps(parts: Parts) -> list[str]:
    """Say how the clock was set since the start, the last one first."""
    return [
        f"{short(abs(step))} {'forward' if step > timedelta(0) else 'back'}"
        for step in reversed(parts.clock.steps[-_MOST_STEPS:])
        if step
    ]


async def _failing(
    conn: Connection, viewer: Viewer
) -> tuple[list[FailingChannel], int]:
    """Return the channels that fail, and how many do in projects not the viewer's."""
    rows = await store.channels.failing(conn)
    projects = {project.id: project for project in viewer.projects}
    seen = [
        FailingChannel(projects[row[0]].name, projects[row[0]].code, row[1], row[2])
        for row in rows
        if row[0] in projects
    ]
    return seen, len(rows) - len(seen)


def _process(sizes: Sizes, up: timedelta) -> Iterator[Fact]:
    yield Fact("Version", f"hcl {__version__}")
    yield Fact("Uptime", duration(up, units=2))
    if sizes.memory is not None:
        yield Fact("Memory", size(sizes.memory), "resident")
    cpu = time.process_time()
    yield Fact("CPU time", f"{cpu:,.1f} s", _share(cpu, up))
    yield Fact("Python", platform.python_version())
    yield Fact("SQLite", SQLITE_VERSION)


def _share(cpu: float, up: timedelta) -> str:
    seconds = up.total_seconds()
    return f"{100 * cpu / seconds:.1f} % of a core" if seconds >= 60 else ""


def _storage(visit: Visit, sizes: Sizes) -> Iterator[Fact]:
    database = visit.parts.config.database
    yield Fact("Size", size(sizes.database))
    yield Fact("Write-ahead log", size(sizes.wal))
    yield Fact("Commits survive", _SURVIVES[database.synchronous])
    # Where things are on the disk is for those who may change them.
    if not visit.viewer.readonly:
        yield Fact("File", str(database.path))


_SURVIVES = {"full": "a power cut", "normal": "a crash of hcl, not a power cut"}


def _queues(queues: Queues) -> Iterator[Fact]:
    late = queues.checker_lag > _PATIENCE
    lag = duration(queues.checker_lag) if queues.checker_lag >= _SECOND else "none"
    yield Fact("Checker lag", lag, "how long the oldest deadline is overdue", late)
    oldest = ""
    if queues.owed:
        oldest = f"the oldest has waited for {duration(queues.oldest, units=2)}"
    yield Fact("Messages to deliver", f"{queues.owed:,}", oldest)
    yield Fact("Messages held", f"{queues.held:,}", "delays, reminders, quiet hours")
    yield Fact("Inbox", counted(queues.inbox, "ping"), "not filed in a log yet")


_SECOND = timedelta(seconds=1)


def _pings(parts: Parts) -> list[Fact]:
    """Count pings since the start, by what they counted as."""
    counts = parts.counters.pings
    return [
        Fact(word.capitalize(), f"{counts[action]:,}")
        for action, word in ACTIONS.items()
        if counts[action]
    ]


def _deliveries(parts: Parts) -> list[tuple[str, list[int]]]:
    """Count tries to deliver since the start: a row of outcomes for each kind."""
    table: dict[str, list[int]] = defaultdict(lambda: [0] * len(_OUTCOMES))
    for (kind, outcome), count in parts.counters.deliveries.items():
        table[kind][_OUTCOMES.index(outcome)] += count
    return sorted(table.items())


def _copies(path: Path) -> list[Copy]:
    """List what migrations and restores set aside, the newest first."""
    # They are beside the file itself, whatever link leads there.
    path = Path(os.path.realpath(path))
    pattern = re.compile(
        re.escape(path.name) + r"\.(?:schema-[0-9]+|before-[0-9]{8}T[0-9]{6}Z)"
    )
    copies = []
    try:
        for file in path.parent.iterdir():
            if pattern.fullmatch(file.name):
                stat = file.stat()
                made = datetime.fromtimestamp(stat.st_mtime, UTC)
                copies.append(Copy(file.name, size(stat.st_size), made))
    except OSError:
        # The folder may not be ours to read; the page says the rest.
        return []
    return sorted(copies, key=lambda copy: copy.made, reverse=True)
