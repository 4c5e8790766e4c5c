"""`hcl report`: print the reports as they would be now."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path

import click
from aiosqlite import Connection

from hcl import store
from hcl.alerts.messages import message_of
from hcl.alerts.messages.letter import write_letter
from hcl.alerts.messages.rendering import in_brief, in_html, in_text
from hcl.alerts.reports import occurrences
from hcl.alerts.reports.gathering import gather
from hcl.alerts.reports.wording import of_report
from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config, ProjectConfig, ReportConfig
from hcl.db import DatabaseError, open_to_read
from hcl.model import Message

# What a project that has none would get.
_WEEKLY = ReportConfig("week", time(9), 0, "", ())


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--project", metavar="NAME", help="Of this project only.")
@click.option("--short", is_flag=True, help="As phones get it.")
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page of the first one's mail here.",
)
def report(
    explicit: str | None, project: str | None, short: bool, html: Path | None
) -> None:
    """Print each report of the file as it would be now; a weekly one if there is none.

    It tells of the time since its last moment, or the one before if that was only just.
    Nothing is sent. Reads the database, whether the server runs or not.
    """
    config = load_config(explicit)
    projects = [p for p in config.projects if project in (None, p.name)]
    if not projects:
        raise click.ClickException(f"there is no project {project!r}")
    now = Clock().now()
    try:
        messages = asyncio.run(_read(config, projects, now))
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    letters = [write_letter(message, now) for message in messages]
    if html is not None and letters:
        try:
            html.write_text(in_html(letters[0]), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{html}: {error.strerror}") from error
    render = in_brief if short else in_text
    texts = [f"{one.subject}\n\n{render(one)}".rstrip() for one in letters]
    click.echo("\n\n".join(texts))


async def _read(
    config: Config, projects: list[ProjectConfig], now: datetime
) -> list[Message]:
    async with open_to_read(config.database.path) as conn:
        known = await store.projects.known(conn)
        ids = {row.code: id_ for id_, row in known.items()}
        return [
            await _message(conn, config, project, ids.get(project.id, 0), wanted, now)
            for project, wanted in _all(projects)
        ]


def _all(projects: list[ProjectConfig]) -> Iterator[tuple[ProjectConfig, ReportConfig]]:
    for project in projects:
        for wanted in project.reports or (_WEEKLY,):
            yield project, replace(wanted, quiet=False)


async def _message(
    conn: Connection,
    config: Config,
    project: ProjectConfig,
    project_id: int,
    wanted: ReportConfig,
    now: datetime,
) -> Message:
    async def reader() -> Connection:
        return conn

    home = config.alerts.tz
    span = (_begin(wanted, now, home), now)
    told = await gather(reader, project_id, wanted, span, now)
    words = of_report((project_id, project.name), wanted, span, told, now, home)
    return message_of(config, project.name, project_code=project.id, announcement=words)


def _begin(wanted: ReportConfig, now: datetime, home: str) -> datetime:
    """Return when it was due last, or before that if little has happened since."""
    last = occurrences.last(wanted, now, home)
    length = occurrences.coming(wanted, now, home) - last
    if now - last >= length / 2:
        return last
    return occurrences.last(wanted, last - length / 2, home)
