"""`hcl status`: a page in the terminal, of how the server fares."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from hcl import __version__, store
from hcl.cli.config_file import load_config
from hcl.cli.health import ask
from hcl.clock import Clock, SystemSource
from hcl.config import Config, HostPort
from hcl.db import DatabaseError, open_to_read
from hcl.server.standby.fence import FencedError, refuse_fenced
from hcl.store.backups import Kept
from hcl.store.life import Absence, Sign
from hcl.words.lengths import brief
from hcl.words.lines import clean, counted, listed, one_line
from hcl.words.moments import ago, here
from hcl.words.sizes import size

# Absences of so long are shown, the newest few.
_SHOWN_FOR = timedelta(days=30)
_MOST = 5

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Read:
    """What the database tells; of `deaf` projects nobody hears that a check is down."""

    backups: list[tuple[Path, Kept | None]]
    absences: list[Absence]
    failing: list[tuple[str, datetime]]
    deaf: list[str]
    owed: int
    held: int
    oldest: datetime | None
    counts: dict[str, dict[str, int]]
    sign: Sign | None


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
def status(explicit: str | None) -> None:
    """Show how the server fares: parts, backups, absences, channels, messages, clock.

    Asks the server, at its own address, and reads the database, whether it runs or not.
    The exit status is 0 if the server itself is well, as of `hcl health`, else 1. Times
    are those of this machine.
    """
    config = load_config(explicit)
    trouble = ask(config.server.listen, _TIMEOUT)
    now = Clock().now()
    address = _address(config)
    said = trouble.removeprefix(f"hcl at {address} ") or "well"
    head = f"hcl {__version__} at {address}: {said}"
    try:
        read = asyncio.run(_read(config, now))
    except DatabaseError as error:
        click.echo(head)
        raise click.ClickException(str(error)) from error
    but = [] if trouble else [*_but(config, read, now)]
    click.echo(head + (f", but {listed(but)}" if but else ""))
    for label, lines in _page(config, read, now):
        for line in lines:
            click.echo(f"{label:<10}  {clean(line)}")
            label = ""
    sys.exit(1 if trouble else 0)


def _address(config: Config) -> str:
    listen = config.server.listen
    if isinstance(listen, HostPort):
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        return f"{host}:{listen.port}"
    return f"unix:{listen.path}"


async def _read(config: Config, now: datetime) -> Read:
    async with open_to_read(config.database.path) as conn:
        owed, held, oldest = await store.notifications.waiting(conn)
        failing = await store.channels.failing(conn)
        projects = {
            id_: known
            for id_, known in (await store.projects.known(conn)).items()
            if known.enabled
        }
        deliveries = await store.channels.deliveries(conn)
        return Read(
            backups=[
                (folder, await store.backups.of(conn, folder))
                for folder in config.backup.folders
            ],
            absences=await store.life.absences(conn, now - _SHOWN_FOR),
            failing=[(name, since) for _, name, since in failing],
            deaf=[
                known.name
                for id_, known in projects.items()
                if not any(channel.tells for channel in deliveries.get(id_, ()))
            ],
            owed=owed,
            held=held,
            oldest=oldest,
            counts={
                known.name: await store.tallies.count_by_status(conn, id_)
                for id_, known in projects.items()
            },
            sign=await store.life.last(conn),
        )


def _but(config: Config, read: Read, now: datetime) -> Iterator[str]:
    """Say what is amiss though the server itself is well."""
    if read.failing:
        do = "does" if len(read.failing) == 1 else "do"
        yield f"{counted(len(read.failing), 'channel')} {do} not deliver"
    for name in read.deaf:
        if read.counts[name]:
            yield f"nobody is told of the checks of {one_line(name)}"
    kept = [kept for _, kept in read.backups if kept is not None]
    if any(kept.is_overdue(config.backup.every, now) or kept.problem for kept in kept):
        yield "a backup is missing"


def _page(config: Config, read: Read, now: datetime) -> Iterator[tuple[str, list[str]]]:
    yield "Database", list(_database(config.database.path))
    yield "Checks", [_checks(name, of) for name, of in read.counts.items()]
    yield "Backups", _backups(config, read, now)
    yield "Absences", [_absence(away) for away in read.absences[:_MOST]] or ["none"]
    yield "Channels", [*_channels(read)] or ["none fails"]
    yield "Messages", [_messages(read, now)]
    yield "Clock", list(_clock(read.sign, now))


def _channels(read: Read) -> Iterator[str]:
    for name in read.deaf:
        yield f"no channel of {one_line(name)} tells when a check goes down"
    for name, since in read.failing:
        yield f"{one_line(name)} has not delivered since {here(since)}"


def _database(path: Path) -> Iterator[str]:
    try:
        yield f"{path}, {size(path.stat().st_size)}"
        refuse_fenced(path)
    except OSError as error:
        yield f"{path}: {error.strerror}"
    except FencedError as error:
        yield str(error).removeprefix(f"{path}: ")


def _checks(project: str, counts: dict[str, int]) -> str:
    total = counted(sum(counts.values()), "check")
    words = [f"{counts[word]} {word}" for word in _STATUSES if counts.get(word)]
    parts = f" ({', '.join(words)})" if words else ""
    return f"{one_line(project)}: {total}{parts}"


_STATUSES = ("down", "up", "new", "paused")


def _backups(config: Config, read: Read, now: datetime) -> list[str]:
    if not read.backups:
        return ["hcl makes none by itself: [backup] in hcl.toml has it make them"]
    lines = []
    for folder, kept in read.backups:
        if kept is None or kept.made is None:
            lines.append(f"{folder}: none yet")
        else:
            lines.append(
                f"{folder / kept.name}: {here(kept.made)}, {ago(kept.made, now)},"
                f" {size(kept.size)}"
            )
        if kept is not None and kept.is_overdue(config.backup.every, now):
            lines.append("  is overdue")
        if kept is not None and kept.problem and kept.tried is not None:
            lines.append(f"  failed at {here(kept.tried)}: {one_line(kept.problem)}")
    return lines


def _absence(away: Absence) -> str:
    length = brief(away.returned - away.went)
    return f"{here(away.went)} to {here(away.returned)}, {length}: {away.reason}"


def _messages(read: Read, now: datetime) -> str:
    oldest = f", the oldest {ago(read.oldest, now)}" if read.oldest else ""
    return f"{read.owed:,} to deliver{oldest}; {read.held:,} held on purpose"


def _clock(sign: Sign | None, now: datetime) -> Iterator[str]:
    right = SystemSource().is_synchronised()
    yield f"{here(now)}, " + ("synchronised" if right else "not known to be right")
    if sign is not None:
        ran = brief(timedelta(seconds=sign.ran))
        yield f"last sign of life {ago(sign.moment, now)}; hcl has run for {ran} in all"
