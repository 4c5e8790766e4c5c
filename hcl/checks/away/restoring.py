"""Tell people that the database is a copy, and what was not sent of it."""

from collections.abc import Sequence
from datetime import datetime

from aiosqlite import Connection

from hcl import store
from hcl.db import Database
from hcl.model import Announcement, Project
from hcl.store.restored import Restore
from hcl.words.lines import counted, cut, listed, one_line
from hcl.words.moments import moment
from hcl.words.names import check_name

# Checks that a message names; the others it counts.
_NAMED, _NAME_LENGTH = 10, 80


async def tell(
    database: Database, projects: Sequence[Project], now: datetime, home: str = "UTC"
) -> bool:
    """Tell each project's people of a restore, once; return whether there was one.

    `home` is the zone of moments.
    """
    if await store.restored.untold(database.committed) is None:
        return False
    async with database.transaction(changes_checks=False) as conn:
        restore = await store.restored.untold(conn)
        if restore is not None:
            await _announce(conn, restore, projects, now, home)
            await store.restored.forget(conn)
    return True


async def _announce(
    conn: Connection,
    restore: Restore,
    projects: Sequence[Project],
    now: datetime,
    home: str,
) -> None:
    not_sent = await store.restored.not_sent(conn, restore)
    for project in projects:
        checks = await store.restored.checks_untold(conn, restore, project.id)
        unsent = not_sent.get(project.id, 0)
        told = of_restore(project.id, restore, unsent, checks, now, home)
        announcement_id = await store.announcements.add(conn, told)
        await store.notifications.add_for_announcement(conn, announcement_id, now)


def of_restore(
    project_id: int,
    restore: Restore,
    not_sent: int,
    checks: Sequence[tuple[int, str]],
    now: datetime,
    home: str = "UTC",
) -> Announcement:
    """Put a restore into words; `checks` are those that unsent messages told of."""
    put = f"It was put in place at {moment(restore.restored, home=home)}"
    as_of = ""
    if restore.as_of:
        as_of = f", and is as of {moment(restore.as_of, home=home)}"
    story = [
        f"{put}{as_of}. Pings, and changes of checks, that came in between are not in"
        " it."
    ]
    if not_sent:
        verb, they = ("was", "it is") if not_sent == 1 else ("were", "they are")
        of = f", of {_named(checks)}," if checks else ""
        story.append(
            f"{counted(not_sent, 'message')} that waited in it{of} {verb} not sent:"
            f" {they} old, and may have been sent before."
        )
    subject = f"hcl goes on from a copy of its database, {cut(one_line(restore.file))}"
    return Announcement(project_id, now, "restore", subject, story)


def _named(checks: Sequence[tuple[int, str]]) -> str:
    names = [
        cut(one_line(check_name(name, f"check {id_}")), _NAME_LENGTH)
        for id_, name in checks[:_NAMED]
    ]
    more = len(checks) - len(names)
    return listed([*names, f"{more:,} more"] if more > 0 else names)
