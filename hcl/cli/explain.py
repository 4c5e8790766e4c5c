"""`hcl explain`: say why a check has the status it has."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime

import click

from hcl import store
from hcl.checks.why import explain as explaining_rules
from hcl.checks.why.explain import Explanation
from hcl.checks.why.explaining import explanation_of
from hcl.checks.why.settings import zone_of
from hcl.checks.windows.calendar import Calendar
from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config
from hcl.db import DatabaseError, open_to_read
from hcl.model import Check
from hcl.words.names import title


@click.command()
@click.argument("name", metavar="CHECK")
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a list.")
def explain(name: str, explicit: str | None, as_json: bool) -> None:
    """Say why a check has the status it has, what comes next, and by which rules.

    CHECK is its name, slug or UUID. Reads the database, whether the server runs or not;
    of pings it may know up to a minute less than the server. Times are in the zone of
    the check's schedule, or in that of messages, [alerts] tz.
    """
    config = load_config(explicit)
    try:
        found = asyncio.run(_read(config, name, Clock().now()))
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    if not found:
        raise click.ClickException(f"there is no check {name!r}")
    if as_json:
        documents = [_document(*each, config) for each in found]
        click.echo(json.dumps(documents, indent=2))
        return
    for number, (check, explanation) in enumerate(found):
        click.echo(("\n" if number else "") + title(check))
        for line in _lines(check, explanation, config):
            click.echo(f"  {line}".rstrip())


async def _read(
    config: Config, name: str, now: datetime
) -> list[tuple[Check, Explanation]]:
    in_file = {project.id: project.maintenance for project in config.projects}
    async with open_to_read(config.database.path) as conn:
        by_hand = await store.windows.of_projects(conn, now)
        found = []
        for project, known in (await store.projects.known(conn)).items():
            windows = (*in_file.get(known.code, ()), *by_hand.get(project, ()))
            calendar = Calendar(windows)
            found += [
                (
                    check,
                    await explanation_of(
                        conn, check, now, calendar.open_at(now, check.tags)
                    ),
                )
                for check in await store.checks.of_project(conn, project)
                if name in (check.name, check.slug, check.code)
            ]
        return found


def _document(
    check: Check, explanation: Explanation, config: Config
) -> dict[str, object]:
    return {
        "check": check.name,
        "uuid": check.code,
        "lines": list(_lines(check, explanation, config)),
    }


def _lines(check: Check, explanation: Explanation, config: Config) -> Iterator[str]:
    zone = zone_of(check, config.alerts.tz)
    return explaining_rules.lines(explanation, zone)
