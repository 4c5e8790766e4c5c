"""Write all but secrets into a document; a server may run meanwhile."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from aiosqlite import Connection

from hcl import __version__, store
from hcl.checks import rules
from hcl.config import ProjectConfig
from hcl.config.settings import Window
from hcl.model import Check
from hcl.moving import documents
from hcl.moving.moved import MovedChannel, MovedCheck, MovedFlip, MovedProject

_CHECKS_AT_ONCE = 500
_PINGS_AT_ONCE = 200

# A sign of life that is so old is that of a server which does not run.
_RUNS = timedelta(minutes=2)


async def lines(
    conn: Connection, projects: Sequence[ProjectConfig], now: datetime
) -> AsyncIterator[str]:
    """Yield the lines of the document: all as it was at one moment."""
    await conn.execute("BEGIN")
    count = 0
    async for line in _before_the_end(conn, projects, now):
        count += 1
        yield line
    yield documents.end(count)


async def _before_the_end(
    conn: Connection, projects: Sequence[ProjectConfig], now: datetime
) -> AsyncIterator[str]:
    # The first look at the database is what the moment begins with.
    sign = await store.life.last(conn)
    is_there = sign is None or now - sign.moment < _RUNS
    as_of = now if is_there or sign is None else sign.moment
    await store.moved.gather_late(conn)
    yield documents.header(f"hcl {__version__}", as_of)
    rows, by_hand = [], await store.windows.of_projects(conn, as_of)
    for project in projects:
        row = await store.projects.find(conn, project.id, project.name)
        if row is not None:
            rows.append((row.id, project))
            windows = by_hand.get(row.id, [])
            yield documents.project(_project(project, row.badge_key, windows))
    for id_, project in rows:
        async for check in checks_of(conn, id_):
            async for line in _check(conn, check, project.id):
                yield line


def _project(
    project: ProjectConfig, badge_key: str, windows: list[Window]
) -> MovedProject:
    return MovedProject(
        id=0,
        code=project.id,
        name=project.name,
        badge_key=badge_key,
        check_limit=project.check_limit,
        channels=[
            MovedChannel(
                code=channel.id,
                name=channel.name,
                kind=channel.kind,
                value=",".join(channel.settings.members) or None,
                events=tuple(sorted(channel.events)),
            )
            for channel in project.channels
        ],
        windows=windows,
    )


async def checks_of(conn: Connection, project_id: int) -> AsyncIterator[Check]:
    """Yield a project's checks, as their last pings left them."""
    last = 0
    while found := await store.checks.of_project(
        conn, project_id, after=last, limit=_CHECKS_AT_ONCE
    ):
        for check in found:
            yield await _counted(conn, check)
        last = found[-1].id


async def checks_by_slug(
    conn: Connection, project: ProjectConfig
) -> AsyncIterator[tuple[Check, bool]]:
    """Yield a project's checks, and whether the slug of each names it alone.

    All as they are at one moment: in a transaction, which is left open.
    """
    await conn.execute("BEGIN")
    await store.moved.gather_late(conn)
    row = await store.projects.find(conn, project.id, project.name)
    if row is None:
        return
    slugs = Counter([check.slug async for check in checks_of(conn, row.id)])
    async for check in checks_of(conn, row.id):
        yield check, bool(check.slug) and slugs[check.slug] == 1


async def _counted(conn: Connection, check: Check) -> Check:
    """Count what the server that runs has not written down yet but as pings."""
    while pings := await store.moved.pings_after(
        conn, check.id, check.n_pings, _PINGS_AT_ONCE
    ):
        for ping in pings:
            check = rules.on_counted(check, ping).check
    return check


async def _check(
    conn: Connection, check: Check, project_code: str
) -> AsyncIterator[str]:
    codes = await store.channels.codes_of_check(conn, check.id)
    yield documents.check(MovedCheck(check, tuple(codes)), project_code)
    flips = await store.moved.flips_of(conn, check.id)
    untold = await store.moved.untold(conn, check.id) if flips else {}
    for id_, n_pings, flip in flips:
        channels = tuple(untold.get(id_, ()))
        yield documents.flip(MovedFlip(flip, n_pings, not channels, channels))
    last = 0
    while pings := await store.moved.pings_after(conn, check.id, last, _PINGS_AT_ONCE):
        for ping in pings:
            yield documents.ping(ping)
        last = pings[-1].n
