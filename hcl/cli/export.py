"""`hcl export`: write down all but secrets, to move out."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import click
from aiosqlite import Connection

from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config, ProjectConfig
from hcl.config.rights import is_no_file
from hcl.db import DatabaseError, becoming, open_to_read
from hcl.moving import as_code, curl, leaving


@click.command()
@click.argument("file", metavar="FILE", default="-")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--project", "names", multiple=True, metavar="NAME", help="Only this.")
@click.option(
    "--healthchecks",
    is_flag=True,
    help="Write a shell script that makes the checks on a Healthchecks.",
)
@click.option("--toml", is_flag=True, help="Write the checks as hcl.toml has them.")
def export(
    file: str,
    explicit: str | None,
    names: tuple[str, ...],
    healthchecks: bool,
    toml: bool,
) -> None:
    """Write all projects, checks, pings and flips to FILE, as `hcl import` takes them.

    Secrets are left out: keys, and where channels lead; take hcl.toml along. The server
    may run meanwhile. FILE "-" is the standard output.
    """
    config = load_config(explicit)
    projects = _chosen(config, names)
    form = _form(projects, healthchecks, toml)
    try:
        if file == "-":
            _write_out(config, projects, form)
        else:
            _write_file(Path(file), config, projects, form)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error


# What writes one project in a form that is not hcl's own.
Form = Callable[[Connection, ProjectConfig], AsyncIterator[str]]


def _form(
    projects: Sequence[ProjectConfig], healthchecks: bool, toml: bool
) -> Form | None:
    """Return what writes in the form that is asked for; None: all, as hcl reads it."""
    if not healthchecks and not toml:
        return None
    if healthchecks and toml:
        raise click.UsageError("--healthchecks and --toml are two forms: choose one")
    if len(projects) > 1:
        there = ", ".join(f'"{project.name}"' for project in projects)
        why = (
            "an API key of Healthchecks is for one project"
            if healthchecks
            else "the tables stand below their project"
        )
        raise click.UsageError(f"{why}: choose one with --project; there are {there}")
    return curl.lines if healthchecks else as_code.lines


def _chosen(config: Config, names: Sequence[str]) -> list[ProjectConfig]:
    there = {project.name: project for project in config.projects}
    for name in names:
        if name not in there:
            listed = ", ".join(f'"{name}"' for name in there)
            raise click.ClickException(
                f'no project is named "{name}"; there are {listed}'
            )
    return [there[name] for name in names or there]


def _write_out(
    config: Config, projects: Sequence[ProjectConfig], form: Form | None
) -> None:
    """Write to the standard output, in UTF-8 whatever the locale says."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    asyncio.run(_write(config, projects, sys.stdout, form))
    sys.stdout.flush()


def _write_file(
    path: Path, config: Config, projects: Sequence[ProjectConfig], form: Form | None
) -> None:
    """Write a file for its owner's eyes only: who knows a check's UUID can ping it."""
    try:
        with _opened(path) as out:
            asyncio.run(_write(config, projects, out, form))
    except OSError as error:
        why = f"{path}: cannot be written: {error.strerror}"
        raise click.ClickException(why) from error
    click.echo(f"{path}: written", err=True)


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a file that appears whole or not at all; or what is there and is no file."""
    if is_no_file(path):
        # Others read it, or write to it too.
        with path.open("w", encoding="utf-8") as out:
            yield out
        return
    with (
        becoming(path) as (_, fd),
        open(fd, "w", encoding="utf-8", closefd=False) as out,
    ):
        yield out


async def _write(
    config: Config,
    projects: Sequence[ProjectConfig],
    out: TextIO,
    form: Form | None,
) -> None:
    async with open_to_read(config.database.path) as conn:
        if form is not None:
            lines = form(conn, projects[0])
        else:
            lines = leaving.lines(conn, projects, Clock().now())
        async for line in lines:
            out.write(line)
