"""`hcl test-alert`: have each channel say that all is well."""

import asyncio
import sys
from datetime import datetime

import click

from hcl import store
from hcl.alerts.drill import all_is_well
from hcl.alerts.messages import message_of
from hcl.alerts.trial import Trial, send
from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config, ProjectConfig
from hcl.config.rights import may_exist
from hcl.db import DatabaseError, open_to_read
from hcl.model import Announcement, Message, Project
from hcl.words.lengths import in_seconds
from hcl.words.lines import clean


@click.command("test-alert")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
def test_alert(explicit: str | None) -> None:
    """Send a message that all is well over each channel that tells of hcl itself.

    Whether the server runs or not. The exit status is 0 if all arrived. Channels that
    open tickets or switch lamps are left out, unless their events name "server".
    `[alerts] test_every` has the server do so by itself.
    """
    config = load_config(explicit)
    if not asyncio.run(_all(config)):
        sys.exit(1)


async def _all(config: Config) -> bool:
    now, arrived = Clock().now(), []
    several = len(config.projects) > 1
    for project in config.projects:
        message = await _message(config, project, now)
        for channel in project.channels:
            if channel.settings.members:
                continue
            owner = f", {project.name}" if several else ""
            click.echo(f"{channel.name} ({channel.kind}{owner})")
            if not channel.enabled:
                click.echo("  left out: it is switched off, by enabled = false")
                continue
            if not channel.tells_of("server"):
                click.echo('  left out: its events do not name "server"')
                continue
            trial = await send(config, channel, message, now)
            click.echo(f"  {_outcome(trial)}")
            arrived.append(trial.arrived)
    if not arrived:
        click.echo("no channel tells of hcl itself")
    elif len(arrived) > 1:
        click.echo(f"{sum(arrived)} of {len(arrived)} arrived")
    return bool(arrived) and all(arrived)


def _outcome(trial: Trial) -> str:
    took = in_seconds(trial.took)
    word = f"delivered in {took}" if trial.arrived else f"not delivered after {took}"
    return f"{word}: {clean(trial.answer)}"


async def _message(config: Config, project: ProjectConfig, now: datetime) -> Message:
    told = await _told(config, project, now)
    return message_of(config, project.name, project_code=project.id, announcement=told)


async def _told(config: Config, wanted: ProjectConfig, now: datetime) -> Announcement:
    row = Project(0, wanted.id, wanted.name, wanted.ping_key, "", wanted.check_limit)
    counts: dict[str, int] = {}
    # A channel is tried out before there is a database, too.
    if may_exist(config.database.path):
        try:
            async with open_to_read(config.database.path) as conn:
                for id_, known in (await store.projects.known(conn)).items():
                    if known.code == wanted.id:
                        counts = await store.tallies.count_by_status(conn, id_)
        except DatabaseError as error:
            click.echo(f"the checks cannot be counted: {error}", err=True)
    return all_is_well(row, counts, now)
