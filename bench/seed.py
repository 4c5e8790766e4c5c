"""Fill a database with checks and pings, as if they had been used for long."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hcl import store
from hcl.checks import rules
from hcl.checks.away.absence import MOST_EXCUSED
from hcl.model import Check
from tests.app import assembled


def seed(
    folder: Path,
    n_checks: int,
    n_pings: int = 0,
    *,
    schedule: str = "",
    deadlines: Sequence[datetime] = (),
    over: tuple[int, int] = (0, 0),
) -> list[str]:
    """Make the checks, up, and `n_pings` pings spread evenly over them.

    `over`: so many of the first checks have so many more.

    `schedule` makes them cron checks; `deadlines` are when they go down, else that is
    a day off. They use all channels of hcl.toml. Returns their codes.
    """
    pings = [n_pings // n_checks] * n_checks
    for number in range(min(over[0], n_checks)):
        pings[number] += over[1]
    return asyncio.run(_seed(folder, pings, schedule, deadlines))


async def _seed(
    folder: Path, pings: Sequence[int], schedule: str, deadlines: Sequence[datetime]
) -> list[str]:
    async with assembled(folder / "hcl.toml") as assembly:
        path, synced = assembly.config.database.path, assembly.synced
        project = synced.projects[0]
        made = _checks(project.id, pings, schedule, deadlines)
        async with assembly.database.transaction() as conn:
            for check in made:
                check_id = await store.checks.add(conn, check)
                if synced.channels:
                    await store.channels.assign_all(conn, check_id, project.id)
    if any(pings):
        _add_pings(path, pings)
    return [check.code for check in made]


def _checks(
    project_id: int,
    pings: Sequence[int],
    schedule: str,
    deadlines: Sequence[datetime],
) -> list[Check]:
    now = datetime.now(UTC)
    made = []
    for number, n_pings in enumerate(pings):
        check = rules.new_check(
            project_id, str(uuid.uuid4()), str(uuid.uuid4())
        )._replace(
            name=f"check {number}",
            slug=f"check-{number}",
            tags="bench home",
            status="up",
            n_pings=n_pings,
            last_ping=now - timedelta(seconds=number % 3600),
        )
        if schedule:
            check = check._replace(kind="cron", schedule=schedule, tz="Europe/Riga")
        if deadlines:
            last_ping = deadlines[number] - check.timeout - check.grace
            # The start is a return from an absence: as after many of them it excuses
            # nothing.
            check = check._replace(last_ping=last_ping, excused=MOST_EXCUSED)
        made.append(rules.on_edit(check, now).check)
    return made


def _add_pings(path: Path, pings: Sequence[int]) -> None:
    """Insert the pings in order of checks: the fastest way to many of them."""
    now = time.time()
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(
            'INSERT INTO pings ("key", created, action, scheme, remote_addr,'
            " method, ua, body) VALUES"
            " (?, ?, 'success', 'http', '127.0.0.1', 'GET', 'curl/8.5.0', x'')",
            (
                ((check_id << 32) + n, now - (each - n) * 60)
                for check_id, each in enumerate(pings, 1)
                for n in range(1, each + 1)
            ),
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
