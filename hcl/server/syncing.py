"""Bring the projects, channels and checks of hcl.toml into the database."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from aiosqlite import Connection

from hcl import store
from hcl.config import ChannelConfig, Config, ProjectConfig
from hcl.config.channels.hearing import is_heard
from hcl.config.settings import Window
from hcl.db import Database, UnusableError, open_to_rehearse, tell
from hcl.model import Channel, Project
from hcl.server import declaring, reloading
from hcl.server.declaring import Step
from hcl.server.reloading import Change, Known
from hcl.words.lines import counted

logger = logging.getLogger(__name__)

# What `_match` writes.
_WRITTEN = ("projects", "channels", "channels_projects", "checks_channels", "settings")


@dataclass(frozen=True, slots=True)
class Synced:
    """What the file means in rows: projects by the file's order, channels by row id.

    `secret` signs badges and cookies; `windows` are of maintenance, by their project.
    """

    projects: tuple[Project, ...]
    channels: dict[int, ChannelConfig]
    secret: str
    windows: dict[int, tuple[Window, ...]]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What `sync` would do.

    `told` is what is said of projects and channels, `steps` what becomes of checks that
    the file declares. `alone` holds the checks of which nobody would be told, by the
    name of their project and by their ids; `news` is what the database has not yet.
    """

    told: list[Change]
    steps: list[Step]
    alone: dict[str, dict[int, str]]
    news: list[str]


async def sync(
    database: Database,
    config: Config,
    now: datetime,
    *,
    loose: bool = False,
    declares: bool = True,
) -> Synced:
    """Match projects and channels to rows by id, else by name, in one transaction.

    What is no longer in the file is switched off and keeps its history; messages that
    wait for such a channel, or for one that tells of nothing now, are given up. Checks
    that it declares are matched by slug, unless not `declares`; `loose` as rules have
    it. What differs from before is logged, and announced to those whom it concerns.
    """
    wanted = partial(_sync, database, config, now, loose=loose, declares=declares)
    # What tells who was told of what, if it is damaged, holds up no more than that.
    for hearing, announcing, lack in _WAYS:
        try:
            synced = await wanted(hearing=hearing, announcing=announcing)
        except UnusableError as error:
            if not error.is_damage or (hearing, announcing) == _WAYS[-1][:2]:
                raise
            damage = error
        else:
            if lack:
                tell(logger, lack, damage)
            break
    return synced


@asynccontextmanager
async def _by_who_comes(conn: Connection, now: datetime) -> AsyncIterator[None]:
    async with (
        store.outages.heard_by_others(conn, now),
        store.ends.told_by_those_back(conn, now),
    ):
        yield


@asynccontextmanager
async def _by_nobody(_: Connection, __: datetime) -> AsyncIterator[None]:
    yield


async def _to_nobody(_: Connection, __: Iterable[Change], ___: datetime) -> None:
    pass


_Hearing = Callable[[Connection, datetime], AbstractAsyncContextManager[None]]
_Announcing = Callable[[Connection, Iterable[Change], datetime], Awaitable[None]]

# Who tells of outages that last, and of what has ended; who of what is new in the file;
# and what is lacking. The most that can be read is told.
_NO_NEWS = "pages cannot tell of what is new in hcl.toml"
_NO_ENDS = "cannot have channels that are back tell of what has ended"
_NO_OUTAGES = "cannot have channels that come tell of outages"
_HEARINGS: tuple[tuple[_Hearing, str], ...] = (
    (_by_who_comes, ""),
    (store.outages.heard_by_others, _NO_ENDS),
    (_by_nobody, _NO_OUTAGES),
)
_ANNOUNCINGS: tuple[tuple[_Announcing, str], ...] = (
    (reloading.announce, ""),
    (_to_nobody, _NO_NEWS),
)
_WAYS = tuple(
    (hearing, announcing, ", and ".join(filter(None, (no_ends, no_news))))
    for hearing, no_ends in _HEARINGS
    for announcing, no_news in _ANNOUNCINGS
)


async def _sync(
    database: Database,
    config: Config,
    now: datetime,
    *,
    loose: bool,
    declares: bool,
    hearing: _Hearing,
    announcing: _Announcing,
) -> Synced:
    async with database.transaction() as conn:
        before = await reloading.known(conn)
        async with hearing(conn, now):
            projects, channels = await _match(conn, config)
            given_up = await store.outages.give_up_disabled(conn)
            await store.channels.forget_failures(conn)
            steps = await _steps(conn, config, projects) if declares else []
            await declaring.take(conn, steps, now, loose=loose)
        await store.latenesses.watch(conn)
        told = [*await reloading.changes(conn, before), *declaring.told(steps)]
        await announcing(conn, told, now)
        secret = config.server.secret or await _secret(conn)
    reloading.log(told)
    if given_up:
        what = counted(given_up, "message")
        where = "a channel that is not in the file, or switched off there"
        logger.warning("given up: %s that waited for %s", what, where)
    windows = {
        project.id: wanted.maintenance
        for project, wanted in zip(projects, config.projects, strict=True)
    }
    return Synced(projects, channels, secret, windows)


async def foresee(config: Config) -> Foreseen:
    """Tell what `sync` would do. Nothing is written; raises DatabaseError."""
    async with open_to_rehearse(config.database.path, _WRITTEN) as conn:
        before = await reloading.known(conn)
        projects, _ = await _match(conn, config)
        steps = await _steps(conn, config, projects)
        # Whom the file gives another channel is not left alone.
        await declaring.rehearse(conn, steps)
        told = await reloading.changes(conn, before)
        alone = {p.name: await store.channels.alone(conn, p.id) for p in projects}
        news = _news(before, await reloading.known(conn))
    return Foreseen(told, steps, alone, news)


def _news(before: Known, after: Known) -> list[str]:
    """Name the projects and channels that the database has not yet."""
    return [
        *(
            f"{after.project(id_)} is new"
            for id_ in after.projects.keys() - before.projects.keys()
        ),
        *(
            f"{after.channel(id_)} is new"
            for id_ in after.channels.keys() - before.channels.keys()
        ),
    ]


async def _steps(
    conn: Connection, config: Config, projects: Sequence[Project]
) -> list[Step]:
    """Tell what becomes of the checks that the file declares, or has declared."""
    return [
        step
        for project, its in zip(projects, config.projects, strict=True)
        for step in await declaring.foresee(conn, project, its)
    ]


async def _match(
    conn: Connection, config: Config
) -> tuple[tuple[Project, ...], dict[int, ChannelConfig]]:
    """Bring projects and channels into their rows; return them as `Synced` has them."""
    await store.projects.disable_all(conn)
    await store.channels.disable_all(conn)
    projects, channels = [], {}
    await store.projects.free_badge_keys(
        conn, [p.badge_key for p in config.projects if p.badge_key]
    )
    codes = [p.id for p in config.projects]
    channel_codes = [c.id for p in config.projects for c in p.channels]
    for wanted in config.projects:
        project = await _sync_project(conn, wanted, codes)
        projects.append(project)
        for channel in wanted.channels:
            row_id = await _sync_channel(conn, project, channel, wanted, channel_codes)
            channels[row_id] = channel
    await store.settings.put(conn, reloading.LOG_LIMIT, str(config.pings.log_limit))
    return tuple(projects), channels


async def _sync_project(
    conn: Connection, wanted: ProjectConfig, codes: list[str]
) -> Project:
    before = await store.projects.find(conn, wanted.id, wanted.name, codes)
    badge_key = wanted.badge_key or (before and before.badge_key)
    return await store.projects.save(
        conn,
        Project(
            id=before.id if before else 0,
            code=wanted.id,
            name=wanted.name,
            ping_key=wanted.ping_key,
            badge_key=badge_key or secrets.token_hex(11),
            check_limit=wanted.check_limit,
        ),
    )


async def _sync_channel(
    conn: Connection,
    project: Project,
    wanted: ChannelConfig,
    owner: ProjectConfig,
    codes: list[str],
) -> int:
    before = await store.channels.find(conn, project.id, wanted.id, wanted.name, codes)
    channel = Channel(
        id=before.id if before else 0,
        code=wanted.id,
        name=wanted.name,
        kind=wanted.kind,
    )
    return await store.channels.save(
        conn,
        project.id,
        channel,
        on_down=is_heard(wanted, owner, "down"),
        on_up=is_heard(wanted, owner, "up"),
        on_server=is_heard(wanted, owner, "server"),
        on_late=is_heard(wanted, owner, "late"),
        on_slow=is_heard(wanted, owner, "slow"),
    )


async def _secret(conn: Connection) -> str:
    secret = await store.settings.get(conn, "secret")
    if secret is None:
        secret = secrets.token_urlsafe(32)
        await store.settings.put(conn, "secret", secret)
    return secret
