"""Bring the projects and channels of hcl.toml into the database."""

import logging
import secrets
from dataclasses import dataclass

from aiosqlite import Connection

from hcl import store
from hcl.config import ChannelConfig, Config, ProjectConfig
from hcl.db import Database
from hcl.model import Channel, Project

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Synced:
    """What the file means in rows: projects by the file's order, channels by row id.

    `secret` signs badges and cookies.
    """

    projects: tuple[Project, ...]
    channels: dict[int, ChannelConfig]
    secret: str


async def sync(database: Database, config: Config) -> Synced:
    """Match projects and channels to rows by id, else by name, in one transaction.

    What is no longer in the file is switched off and keeps its history; messages that
    wait for such a channel are given up.
    """
    async with database.transaction() as conn:
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
                row_id = await _sync_channel(conn, project, channel, channel_codes)
                channels[row_id] = channel
        await store.notifications.give_up_disabled(conn)
        await _warn_of_missing(conn)
        secret = config.server.secret or await _secret(conn)
    return Synced(tuple(projects), channels, secret)


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
    conn: Connection, project: Project, wanted: ChannelConfig, codes: list[str]
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
        on_down=wanted.tells_of("down"),
        on_up=wanted.tells_of("up"),
        on_server=wanted.tells_of("server"),
    )


async def _warn_of_missing(conn: Connection) -> None:
    """Say what alerts nobody any more: a change of names looks like this too."""
    for name, checks in await store.projects.missing(conn):
        logger.warning(
            'project "%s" is not in the file: its %d checks alert nobody', name, checks
        )
    for project, name, checks in await store.channels.missing(conn):
        logger.warning(
            'channel "%s" of project "%s" is not in the file: %d checks used it',
            name,
            project,
            checks,
        )


async def _secret(conn: Connection) -> str:
    secret = await store.settings.get(conn, "secret")
    if secret is None:
        secret = secrets.token_urlsafe(32)
        await store.settings.put(conn, "secret", secret)
    return secret
