"""The server's own page: how it fares, and what it holds."""

import platform
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hcl import __version__, store
from hcl.db import SQLITE_VERSION
from hcl.web.figures import figures, health
from hcl.web.figures.figures import Queues, Sizes
from hcl.web.pages.frame import render
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts
from hcl.words.lengths import duration
from hcl.words.lines import ACTIONS, clean, counted

_OUTCOMES = ("sent", "failed", "given_up")

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
    """A copy of the database that a migration set aside."""

    name: str
    schema: str
    size: str
    made: datetime


@dataclass(frozen=True, slots=True)
class FailingChannel:
    """A channel that does not deliver."""

    project: str
    project_code: str
    name: str
    since: datetime


async def page(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /server: version, queues, sizes, deliveries, copies, failing channels."""
    now = datetime.now(UTC)
    # It is wanted most while the database cannot be written.
    reader = parts.database.committed
    queues = await figures.queues(parts, now)
    sizes = figures.sizes(parts)
    rows = await store.channels.failing(reader)
    names = {project.id: project for project in viewer.projects}
    seen = [
        FailingChannel(names[row[0]].name, names[row[0]].code, row[1], row[2])
        for row in rows
        if row[0] in names
    ]
    return render(
        request,
        parts,
        viewer,
        "server.html",
        nav="server",
        trouble=await health.find_trouble(parts, now),
        started=datetime.fromtimestamp(figures.STARTED, UTC),
        process=list(_process(sizes)),
        storage=list(_storage(parts, viewer, sizes)),
        queues=list(_queues(queues)),
        pings=_pings(parts),
        deliveries=_deliveries(parts),
        copies=_copies(parts.config.database.path),
        failing=seen,
        failing_elsewhere=len(rows) - len(seen),
        clean=clean,
        config_path="" if viewer.readonly else str(parts.config.path),
    )


def _process(sizes: Sizes) -> Iterator[Fact]:
    yield Fact("Version", f"hcl {__version__}")
    up = timedelta(seconds=max(0.0, time.time() - figures.STARTED))
    yield Fact("Uptime", duration(up, units=2))
    if sizes.memory is not None:
        yield Fact("Memory", _size(sizes.memory), "resident")
    cpu = time.process_time()
    yield Fact("CPU time", f"{cpu:,.1f} s", _share(cpu, up))
    yield Fact("Python", platform.python_version())
    yield Fact("SQLite", SQLITE_VERSION)


def _share(cpu: float, up: timedelta) -> str:
    seconds = up.total_seconds()
    return f"{100 * cpu / seconds:.1f} % of a core" if seconds >= 60 else ""


def _storage(parts: Parts, viewer: Viewer, sizes: Sizes) -> Iterator[Fact]:
    database = parts.config.database
    yield Fact("Size", _size(sizes.database))
    yield Fact("Write-ahead log", _size(sizes.wal))
    yield Fact("Commits survive", _SURVIVES[database.synchronous])
    # Where things are on the disk is for those who may change them.
    if not viewer.readonly:
        yield Fact("File", str(database.path))


_SURVIVES = {"full": "a power cut", "normal": "a crash of hcl, not a power cut"}


def _queues(queues: Queues) -> Iterator[Fact]:
    late = queues.checker_lag > _PATIENCE
    lag = duration(queues.checker_lag) if queues.checker_lag >= _SECOND else "none"
    yield Fact("Checker lag", lag, "how long the oldest deadline is overdue", late)
    oldest = ""
    if queues.owed:
        oldest = f"the oldest waits for {duration(queues.oldest, units=2)}"
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
    """List what migrations set aside, the newest first."""
    pattern = re.compile(re.escape(f"{path.name}.schema-") + r"([0-9]+)")
    found = []
    try:
        for file in path.parent.iterdir():
            match = pattern.fullmatch(file.name)
            if match:
                stat = file.stat()
                made = datetime.fromtimestamp(stat.st_mtime, UTC)
                found.append(Copy(file.name, match[1], _size(stat.st_size), made))
    except OSError:
        # The folder may not be ours to read; the page says the rest.
        return []
    return sorted(found, key=lambda copy: copy.made, reverse=True)


def _size(count: int) -> str:
    """Write a number of bytes: `1.4 MB`."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
