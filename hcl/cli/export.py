"""`hcl export`: write down all but secrets, to move out."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config, ProjectConfig
from hcl.db import DatabaseError, open_to_read
from hcl.moving import curl, leaving


@click.command()
@click.argument("file", metavar="FILE", default="-")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--project", "names", multiple=True, metavar="NAME", help="Only this.")
@click.option(
    "--healthchecks",
    is_flag=True,
    help="Write a shell script that makes the checks on a Healthchecks.",
)
def export(
    file: str, explicit: str | None, names: tuple[str, ...], healthchecks: bool
) -> None:
    """Write all projects, checks, pings and flips to FILE, as `hcl import` takes them.

    Secrets are left out: keys, and where channels lead; take hcl.toml along. The server
    may run meanwhile. FILE "-" is the standard output.
    """
    config = load_config(explicit)
    projects = _chosen(config, names)
    if healthchecks and len(projects) > 1:
        there = ", ".join(f'"{project.name}"' for project in projects)
        raise click.UsageError(
            "an API key of Healthchecks is for one project: choose one with --project;"
            f" there are {there}"
        )
    try:
        if file == "-":
            asyncio.run(_write(config, projects, sys.stdout, healthchecks))
        else:
            _write_file(Path(file), config, projects, healthchecks)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error


def _chosen(config: Config, names: Sequence[str]) -> list[ProjectConfig]:
    there = {project.name: project for project in config.projects}
    for name in names:
        if name not in there:
            listed = ", ".join(f'"{name}"' for name in there)
            raise click.ClickException(
                f'no project is named "{name}"; there are {listed}'
            )
    return [there[name] for name in names or there]


def _write_file(
    path: Path, config: Config, projects: Sequence[ProjectConfig], healthchecks: bool
) -> None:
    """Write a file for its owner's eyes only: who knows a check's UUID can ping it."""
    part = path.with_name(f"{path.name}.part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(fd, "w", encoding="utf-8") as out:
                asyncio.run(_write(config, projects, out, healthchecks))
            part.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                part.unlink()
            raise
    except OSError as error:
        why = f"{path}: cannot be written: {error.strerror}"
        raise click.ClickException(why) from error
    click.echo(f"{path}: written", err=True)


async def _write(
    config: Config,
    projects: Sequence[ProjectConfig],
    out: TextIO,
    healthchecks: bool,
) -> None:
    async with open_to_read(config.database.path) as conn:
        if healthchecks:
            lines = curl.lines(conn, projects[0])
        else:
            lines = leaving.lines(conn, projects, Clock().now())
        async for line in lines:
            out.write(line)
