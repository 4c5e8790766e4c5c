"""`hcl check-config`: tell whether hcl.toml is right."""

import os
from pathlib import Path

import click

from hcl.alerts.transports.apprise_check import doubts
from hcl.config import SYSTEM_PATH, Config, ConfigError, find, load


@click.command()
@click.option("--config", metavar="PATH", help="The file to check.")
def check_config(config: str | None) -> None:
    """Tell whether hcl.toml is right, and what is wrong; and the projects' ids.

    Looks where `hcl serve` does: --config, $HCL_CONFIG, ./hcl.toml, /etc/hcl/hcl.toml.
    The exit status is 0 if it is right, else 1. What Apprise does not like of its URLs
    is a warning: the server starts all the same.
    """
    try:
        path = find(config, os.environ, Path())
        if path is None:
            raise ConfigError(
                f"no hcl.toml here, nor {SYSTEM_PATH}; `hcl init` writes one"
            )
        read = load(path)
        for doubt in doubts(read):
            click.echo(f"{path}: warning: {doubt}", err=True)
        click.echo(f"{path}: ok: {_summary(read)}")
        for project in read.projects:
            click.echo(f"{project.name} has the id {project.id}")
    except ConfigError as e:
        raise click.ClickException(str(e)) from e


def _summary(config: Config) -> str:
    channels = sum(len(project.channels) for project in config.projects)
    return f"{_count(len(config.projects), 'project')}, {_count(channels, 'channel')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
