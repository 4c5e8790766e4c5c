"""`hcl notifications`: read what was sent, what waits, and every try."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from hcl import store
from hcl.cli.config_file import load_config
from hcl.config import Config
from hcl.db import DatabaseError, open_to_read
from hcl.store.tries import Record, Try, Wanted
from hcl.words.lengths import in_seconds
from hcl.words.lines import one_line
from hcl.words.moments import there
from hcl.words.names import check_name, why_waits

# More than there can be.
_MOST = 1_000_000_000


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--check", metavar="NAME", help="Of this check: its name, slug or UUID.")
@click.option("--channel", metavar="NAME", help="Over this channel.")
@click.option("--waiting", is_flag=True, help="Only what is not finished.")
@click.option("--failed", is_flag=True, help="Only what failed at least once.")
@click.option(
    "--limit",
    metavar="N",
    default=20,
    show_default=True,
    type=click.IntRange(1, _MOST),
    help="How many.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, a list.")
def notifications(
    explicit: str | None,
    check: str | None,
    channel: str | None,
    waiting: bool,
    failed: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show the newest messages, the last one at the end, and each try to deliver them.

    And the channels that do not deliver. Reads the database, whether the server runs or
    not. Times are in the zone of messages, [alerts] tz.
    """
    if waiting and failed:
        raise click.UsageError("give --waiting or --failed, not both")
    config = load_config(explicit)
    wanted: Wanted = "waiting" if waiting else "failed" if failed else "all"
    try:
        records, failing = asyncio.run(_read(config, check, channel, wanted, limit))
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([_document(record) for record in records], indent=2))
        return
    home = config.alerts.tz
    for record in reversed(records):
        for line in _lines(record, home):
            click.echo(line)
    if not records:
        click.echo("none")
    for name, since in failing:
        click.echo(f"{one_line(name)} has not delivered since {there(since, home)}")


async def _read(
    config: Config, check: str | None, channel: str | None, wanted: Wanted, limit: int
) -> tuple[list[Record], list[tuple[str, datetime]]]:
    async with open_to_read(config.database.path) as conn:
        records = await store.tries.recent(
            conn, check=check, channel=channel, wanted=wanted, limit=limit
        )
        failing = await store.channels.failing(conn)
    return records, [(name, since) for _, name, since in failing]


def _lines(record: Record, home: str) -> Iterator[str]:
    channel = one_line(record.channel)
    head = f"{there(record.created, home)}  {_what(record)}, over {channel}"
    yield f"{head} ({record.kind}): {_state(record, home)}"
    if record.notice:
        yield f"    {one_line(record.notice)}"
    for ended in record.tries:
        yield f"    {there(ended.created, home)}  {_result(ended)}"


def _what(record: Record) -> str:
    if record.subject:
        return f"SERVER: {one_line(record.subject)}"
    word = "STILL DOWN" if record.reminder else record.status.upper()
    return f"{word}: {check_name(record.check, record.code)}"


def _state(record: Record, home: str) -> str:
    if record.sent is not None:
        return "sent"
    if record.next_try is None:
        return f"given up: {one_line(record.answer)}" if record.tries else record.answer
    waits = f"waits until {there(record.next_try, home)}"
    if record.tries:
        return waits
    why = why_waits(record.hold, is_blocked=record.is_blocked)
    if record.is_blocked:
        return f"waits: {why}"
    return f"{waits}: {why}" if record.hold else waits


def _result(ended: Try) -> str:
    word = "sent" if ended.sent else "failed"
    return f"{word} in {in_seconds(ended.took)}: {one_line(ended.answer)}"


def _document(record: Record) -> dict[str, Any]:
    def iso(when: datetime | None) -> str | None:
        return None if when is None else when.isoformat()

    return {
        "id": record.id,
        "project": record.project,
        "check": None if record.subject else record.check,
        "channel": record.channel,
        "kind": record.kind,
        "created": iso(record.created),
        "status": None if record.subject else record.status,
        "subject": record.subject,
        "reminder": record.reminder,
        "hold": record.hold,
        "notice": record.notice,
        "sent": iso(record.sent),
        "next_try": iso(record.next_try),
        "answer": record.answer,
        "tries": [
            {
                "created": iso(ended.created),
                "seconds": round(ended.took.total_seconds(), 3),
                "sent": ended.sent,
                "answer": ended.answer,
            }
            for ended in record.tries
        ],
    }
