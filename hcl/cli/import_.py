"""`hcl import`: move in, from a Healthchecks or another hcl."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from hcl import config as configuration
from hcl import store
from hcl.alerts.transports.apprise_check import doubts
from hcl.clock import Clock
from hcl.config import Config, ConfigError
from hcl.config.rights import may_exist, text_of
from hcl.db import DatabaseError, SQLError, explain, held, open_database
from hcl.moving import config_file, plan
from hcl.moving.arranging import Place, Report, arrange
from hcl.moving.arrived import Arrived
from hcl.moving.arriving import Arriving
from hcl.moving.config_file import Draft
from hcl.moving.healthchecks.translated import UNKNOWN
from hcl.moving.moved import MovedProject, MovingError, Source
from hcl.moving.opening import open_file
from hcl.pings.states import States
from hcl.server.syncing import sync
from hcl.words.lines import clean, one_line

# So often it is told how far it is, in seconds.
_TELL_EVERY = 5.0


@click.command("import")
@click.argument("source", metavar="FILE|URL")
@click.option("--config", "explicit", metavar="PATH", help="Move into this file.")
@click.option(
    "--secret-key-file",
    type=click.Path(path_type=Path),
    help="The old server's SECRET_KEY: its API keys and badge URLs live on.",
)
@click.option(
    "--api-key",
    envvar="HCL_API_KEY",
    metavar="KEY",
    help="A read-write key, for a URL; or in $HCL_API_KEY.",
)
@click.option("--project", "names", multiple=True, metavar="NAME", help="Only this.")
@click.option("--as-of", metavar="TIME", help="When the source was copied.")
@click.option("--dry-run", is_flag=True, help="Show the plan, change nothing.")
def import_(
    source: str,
    explicit: str | None,
    secret_key_file: Path | None,
    api_key: str | None,
    names: tuple[str, ...],
    as_of: str | None,
    dry_run: bool,
) -> None:
    """Move in: bring projects with all their checks from FILE, or the server at URL.

    FILE is the SQLite database of a Healthchecks, or what `hcl export` wrote.
    Projects, keys and channels go to hcl.toml, the rest to its database, which no
    server may hold meanwhile. A run again brings what is new.
    """
    try:
        secret = _secret(secret_key_file)
        path = configuration.find(explicit, os.environ, Path()) or Path("hcl.toml")
        config = configuration.load(path) if may_exist(path) else None
        ca_file = str((config and config.tls.ca_file) or "")
        moment = _moment(as_of)
        with closing(_open(source, api_key, names, moment, ca_file)) as opened:
            _move(opened, path, config, names, secret, dry_run)
    except (ConfigError, MovingError, DatabaseError) as error:
        # What is wrong elsewhere may be said in words of there.
        raise click.ClickException(clean(str(error))) from error
    except SQLError as error:
        raise click.ClickException(explain(error)) from error


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        secret = text_of(path).strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise MovingError(f"{path}: cannot be read: {error}") from error
    if not secret:
        raise MovingError(f"{path}: is empty; put the old server's SECRET_KEY there")
    if "\n" in secret or secret.startswith("SECRET_KEY="):
        raise MovingError(
            f"{path}: holds more than the old server's SECRET_KEY; put that there"
            " alone, without its name"
        )
    return secret


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            "--as-of is no moment; write it like 2026-11-28T08:00:00+00:00"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _open(
    source: str,
    api_key: str | None,
    names: Sequence[str],
    as_of: datetime | None,
    ca_file: str,
) -> Source:
    """Open a file, or fetch what a server holds. Raises MovingError."""
    if not source.startswith(("http://", "https://")):
        return open_file(Path(source), as_of, _say)
    # Imported here: a file needs no client.
    from hcl.moving.fetching import fetch

    return fetch(source, api_key, names, _say, ca_file)


def _say(line: str) -> None:
    click.echo(clean(line), err=True)


def _move(
    source: Source,
    path: Path,
    config: Config | None,
    names: Sequence[str],
    secret: str,
    dry_run: bool,
) -> None:
    projects = _chosen(source, names)
    report = Report()
    places = arrange(projects, config, secret, report)
    new = config_file.draft(path, config, places)
    for line in plan.table(places):
        click.echo(line)
    if dry_run:
        _tell(plan.report(report, new, []))
        click.echo("\nNothing was changed (--dry-run).")
        return
    try:
        arrived = asyncio.run(_write(source, new, places))
    except BaseException:
        if config_file.is_kept(new):
            # A run again finds that in hcl.toml, and has nothing to say of it.
            _tell(plan.report(report, new, []))
        raise
    _tell(plan.report(report, new, source.remarks))
    for doubt in doubts(_filled_in(new.config)):
        click.echo(f"{new.path}: warning: {doubt}", err=True)
    _tell(["", *plan.outcome(arrived)])


def _filled_in(config: Config) -> Config:
    """Return a config without the channels of which it was said what they lack."""
    return replace(
        config,
        projects=tuple(
            replace(
                project,
                channels=tuple(
                    channel
                    for channel in project.channels
                    if UNKNOWN not in getattr(channel.settings, "url", "")
                ),
            )
            for project in config.projects
        ),
    )


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line)


def _chosen(source: Source, names: Sequence[str]) -> list[MovedProject]:
    """Return the projects that are named, all if none is. Raises MovingError."""
    if not source.projects:
        raise MovingError(f"{source.name}: there is no project in it")
    if not names:
        return source.projects
    chosen = []
    for name in names:
        found = [p for p in source.projects if name in (p.name or p.owner, p.code)]
        if len(found) != 1:
            there = ", ".join(
                f'"{one_line(p.name or p.owner)}"' for p in source.projects
            )
            problem = "several projects are" if found else "no project is"
            hint = "; name one by its UUID" if found else ""
            raise MovingError(f'{problem} named "{name}"{hint}; there are {there}')
        chosen += found
    return chosen


async def _write(source: Source, new: Draft, places: list[Place]) -> Arrived:
    """Write the config, then the database, which is locked and open before."""
    config, clock = new.config, Clock()
    with held(config.database.path, config.path) as note_served:
        database = await open_database(
            config.database.path, config.database.synchronous
        )
        try:
            note_served()
            # Of a server that was killed: what it received has to be counted first.
            await States(database, clock).recover()
            if new.changes:
                _keep(new)
            known = await store.channels.known(database.committed)
            # Not what the file declares: of that much may come, with its UUIDs.
            await sync(database, config, clock.now(), declares=False)
            arriving = Arriving(
                database,
                source,
                now=clock.now(),
                log_limit=config.pings.log_limit,
                had={(id_, channel.project_id) for id_, channel in known.items()},
                tell=_Progress(sum(place.project.checks for place in places)),
            )
            return await arriving.run(places)
        finally:
            await database.close()


def _keep(new: Draft) -> None:
    copy = config_file.keep(new)
    if copy is None:
        click.echo(f"{new.path}: written, for your eyes only (mode 600)")
    else:
        click.echo(f"{new.path}: changed; as it was before it is {copy.name}")


class _Progress:
    """Tells now and then how far it is."""

    def __init__(self, checks: int) -> None:
        self._checks = checks
        self._told = time.monotonic()

    def __call__(self, arrived: Arrived) -> None:
        if time.monotonic() - self._told < _TELL_EVERY:
            return
        self._told = time.monotonic()
        _say(f"{arrived.checks:,} of {self._checks:,} checks, {arrived.pings:,} pings")
