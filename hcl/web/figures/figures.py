"""Figures of the server itself, for /metrics and for its page."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hcl import store
from hcl.web.parts import Parts

_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits: messages owed and held on purpose, pings not filed in a log yet.

    `checker_lag` is how long the oldest deadline is overdue, `oldest` how long the
    oldest message that is owed waits. `failing` counts channels.
    """

    checker_lag: timedelta
    owed: int
    held: int
    oldest: timedelta
    failing: int
    inbox: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes in bytes; `memory` is None where the system does not say."""

    database: int
    wal: int
    memory: int | None


async def queues(parts: Parts, now: datetime) -> Queues:
    """Return what waits now."""
    # They are wanted most while the database cannot be written.
    reader = parts.database.committed
    look = await store.checks.next_look(reader)
    owed, held, oldest = await store.notifications.waiting(reader)
    return Queues(
        checker_lag=max(now - look, _NONE) if look else _NONE,
        owed=owed,
        held=held,
        oldest=max(now - oldest, _NONE) if oldest else _NONE,
        failing=await store.channels.count_failing(reader),
        inbox=await store.inbox.count(reader),
    )


def sizes(parts: Parts) -> Sizes:
    """Return the sizes of the database and of the process."""
    # SQLite has the WAL beside the file itself, whatever link leads there.
    path = Path(os.path.realpath(parts.config.database.path))
    return Sizes(
        database=size_of(path),
        wal=size_of(path.with_name(f"{path.name}-wal")),
        memory=_resident_bytes(),
    )


def size_of(path: Path) -> int:
    """Return how many bytes a file has, 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _resident_bytes() -> int | None:
    """Return the process's resident memory, None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
