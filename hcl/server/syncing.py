"""Bring the projects and channels of hcl.toml into the database."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from aiosqlite import Connection

from hcl import store
from hcl.config import ChannelConfig, Config, ProjectConfig
from hcl.db import Database, open_to_rehearse
from hcl.model import Channel, Project, Window
from hcl.server import reloading
from hcl.server.reloading import Change

# What `_match` writes.
_WRITTEN = ("projects", "channels", "channels_projects", "checks_channels")


@dataclass(frozen=True, slots=True)
class Synced:
    """What the file means in rows: projects by the file's order, channels by row id.

    `secret` signs badges and cookies; `windows` are of maintenance, by their project.
    """

    projects: tuple[Project, ...]
    channels: dict[int, ChannelConfig]
    secret: str
    windows: dict[int, tuple[Window, ...]]


async def sync(database: Database, config: Config, now: datetime) -> Synced:
    """Match projects and channels to rows by id, else by name, in one transaction.

    What is no longer in the file is switched off and keeps its history; messages that
    wait for such a channel are given up. What differs from before is logged, and
    announced to those whom it concerns.
    """
    async with database.transaction() as conn:
        before = await reloading.known(conn)
        projects, channels = await _match(conn, config)
        await store.notifications.give_up_disabled(conn)
        await store.latenesses.watch(conn)
        told = await reloading.changes(conn, before)
        await reloading.announce(conn, told, now)
        secret = config.server.secret or await _secret(conn)
    reloading.log(told)
    windows = {
        project.id: wanted.maintenance
        for project, wanted in zip(projects, config.projects, strict=True)
    }
    return Synced(projects, channels, secret, windows)


async def foresee(config: Config) -> tuple[list[Change], dict[str, dict[int, str]]]:
    """Tell what `sync` would change, and of what checks nobody would be told then.

    These are by the name of their project, and by their ids. Nothing is written; raises
    DatabaseError.
    """
    async with open_to_rehearse(config.database.path, _WRITTEN) as conn:
        before = await reloading.known(conn)
        projects, _ = await _match(conn, config)
        told = await reloading.changes(conn, before)
        alone = {p.name: await store.channels.alone(conn, p.id) for p in projects}
    return told, alone


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
            row_id = await _sync_channel(conn, project, channel, channel_codes)
            channels[row_id] = channel
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
        on_late=wanted.tells_of("late"),
    )


async def _secret(conn: Connection) -> str:
    secret = await store.settings.get(conn, "secret")
    if secret is None:
        secret = secrets.token_urlsafe(32)
        await store.settings.put(conn, "secret", secret)
    return secret
