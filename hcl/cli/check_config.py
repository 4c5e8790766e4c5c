"""`hcl check-config`: tell whether hcl.toml is right."""

import asyncio
import os
from pathlib import Path

import click

from hcl.alerts.transports.apprise_check import doubts
from hcl.config import (
    KEYS,
    STATE_PATH,
    SYSTEM_PATH,
    Config,
    ConfigError,
    WebhookSettings,
    exposed,
    find,
    misspelt,
    withheld,
)
from hcl.config.mistakes import MOST, judged
from hcl.config.rights import may_exist
from hcl.words.lines import counted


@click.command()
@click.option("--config", metavar="PATH", help="The file to check.")
def check_config(config: str | None) -> None:
    """Tell whether hcl.toml is right, and what is wrong; and the projects' ids.

    Looks where `hcl serve` does: --config, $HCL_CONFIG, ./hcl.toml, /etc/hcl/hcl.toml,
    /var/lib/hcl/hcl.toml.
    The exit status is 0 if it is right, else 1. What Apprise does not like of its URLs
    is a warning, and so are a file of secrets that everybody can read, a channel that
    tells nobody of anything, one that tells that a check is late and not when it is no
    more, and a webhook whose body is not sent: the server starts all the same. It would
    not, which is a warning too, where a database is missed, or root may read a file
    and whoever owns the database may not. If there is a database, it tells what a
    reload would change: whom nobody would be told of any more.
    """
    try:
        path = find(config, os.environ, Path())
        if path is None:
            others = f"{SYSTEM_PATH} or {STATE_PATH}"
            raise ConfigError(f"no hcl.toml here, nor {others}; `hcl init` writes one")
        read, wrong = judged(path)
        if read is None:
            # One stands as commands' errors do; of several each is a line of its own.
            raise ConfigError("\n".join([*wrong, *_how_many(wrong)]))
        for line in misspelt(os.environ):
            click.echo(f"warning: {line}", err=True)
        own = [*_silent(read), *_without_end(read), *_unsent(read)]
        for doubt in [*exposed(read), *withheld(read), *own, *doubts(read)]:
            click.echo(f"{path}: warning: {doubt}", err=True)
        click.echo(f"{path}: ok: {_summary(read)}")
        for project in read.projects:
            click.echo(f"{project.name} has the id {project.id}")
        _tell_changes(path, read)
    except ConfigError as e:
        raise click.ClickException(str(e)) from e


def _silent(config: Config) -> list[str]:
    """Say which channels have nothing to send for what their events name."""
    return [
        f'channel "{channel.name}" of project "{project.name}" tells nobody of'
        f" anything: it has nothing to send for {' and '.join(sorted(channel.events))},"
        " and its events name nothing else"
        for project in config.projects
        for channel in project.channels
        if channel.enabled and not any(map(channel.tells_of, channel.events))
    ]


def _without_end(config: Config) -> list[str]:
    """Say which channels tell that a check is late, and have nothing for its end."""
    return [
        f'channel "{channel.name}" of project "{project.name}" tells that a check is'
        " late, but not when it has pinged after all, since it has no up; add one"
        for project in config.projects
        for channel in project.channels
        # The end is told whatever its events say of up.
        if channel.settings.is_for_machines
        and channel.tells_of("late")
        and not channel.settings.tells_of("up")
    ]


def _unsent(config: Config) -> list[str]:
    """Say which requests of webhooks have a body that is not sent."""
    return [
        f'channel "{channel.name}" of project "{project.name}", {event}: its body is'
        ' not sent, since its method is GET; add method = "POST"'
        for project in config.projects
        for channel in project.channels
        if isinstance(channel.settings, WebhookSettings)
        for event in KEYS["projects.channels:webhook"]
        if (request := getattr(channel.settings, event)) is not None
        and request.body
        and request.method == "GET"
    ]


def _how_many(wrong: list[str]) -> list[str]:
    more = " at least" if len(wrong) >= MOST else ""
    return [f"{len(wrong)} mistakes{more}"] if len(wrong) > 1 else []


def _tell_changes(file: Path, config: Config) -> None:
    """Say what a reload would change by what the database knows, if there is one."""
    if not may_exist(config.database.path):
        # Imported here: where all is well none of it is needed.
        from hcl.db import why_none_is_made

        if why := why_none_is_made(config.database.path, config.path):
            click.echo(f"{file}: warning: hcl would not start: {why}", err=True)
        return
    # Imported here: without a database none of it is needed.
    from hcl.db import DatabaseError
    from hcl.server import declaring
    from hcl.server.reloading import some
    from hcl.server.syncing import foresee

    try:
        foreseen = asyncio.run(foresee(config))
    except DatabaseError as error:
        click.echo(f"{file}: what would change is not known: {error}", err=True)
        return
    for change in [*foreseen.told, *declaring.told(foreseen.steps)]:
        word = "warning: " if change.is_alarming else ""
        click.echo(f"{file}: {word}{change.line}", err=change.is_alarming)
    for name, checks in foreseen.alone.items():
        if checks:
            count = len(checks)
            untold = "has no channel that tells when it goes down"
            if count > 1:
                untold = "have no channel that tells when they go down"
            line = f"{counted(count, 'check')} {untold}: {some(checks, count)}"
            click.echo(f"{name}: {line}")


def _summary(config: Config) -> str:
    channels = sum(len(project.channels) for project in config.projects)
    checks = sum(len(project.checks) for project in config.projects)
    parts = [counted(len(config.projects), "project"), counted(channels, "channel")]
    return ", ".join([*parts, *[counted(checks, "declared check")] * bool(checks)])
