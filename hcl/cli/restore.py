"""`hcl restore`: put a copy in the place of the database."""

import asyncio
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path

import click

from hcl import db, store
from hcl.cli.backup import told
from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config
from hcl.db import DatabaseError
from hcl.words.lines import counted
from hcl.words.moments import ago, here


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
def restore(file: Path, explicit: str | None) -> None:
    """Put a copy, FILE, in the place of the database.

    Refuses while a server runs. FILE stays as it is, and what was there before is set
    aside beside it. Messages that waited in the copy are marked as not sent: they are
    old. When the server starts next, it tells people of both.
    """
    config = load_config(explicit)
    # As Ctrl-C does: what is half done is undone.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    now = Clock().now()
    try:
        done = db.restore(file, config.database.path, config.path, now)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    click.echo(f"{config.database.path}: restored from {file}")
    click.echo(f"  It holds {told(done.contents)}.")
    if done.as_of is not None:
        as_of = datetime.fromtimestamp(done.as_of, UTC)
        click.echo(
            f"  It is as of {here(as_of)}, {ago(as_of, now)}: what came in since is not"
            " in it."
        )
    if done.not_sent:
        waited = counted(done.not_sent, "message")
        verb = "is" if done.not_sent == 1 else "are"
        click.echo(f"  {waited} that waited in it {verb} marked as not sent.")
    if done.aside is not None:
        click.echo(f"  What was there before is {done.aside} now.")
    if passed := asyncio.run(_passed(config)):
        click.echo(f"  {passed}")
    click.echo("  Start hcl: to it the time since then is an absence.")


async def _passed(config: Config) -> str:
    """Say that no server may serve this copy, or that another one may; "": neither."""
    # Imported here: few have a second machine.
    from hcl.server.standby.fence import Fence, FenceError, fenced_mark

    if not config.standby.has_fence:
        return ""
    advice = "`hcl fence --raise` before you start hcl here"
    try:
        stand = Fence(config.standby).read()
        async with db.open_to_read(config.database.path, older=True) as conn:
            own = await store.epoch.get(conn)
    except (FenceError, DatabaseError, db.SQLError) as error:
        return f"Where the fence stands is not known ({error}): maybe {advice}."
    if stand is not None and stand.epoch > own:
        return f"The fence stands at {stand}, this copy is of epoch {own}: {advice}."
    if stand is not None and stand.epoch == own and stand.host != socket.gethostname():
        return f"The fence was raised by {stand.host}: if hcl may run there, {advice}."
    if fenced_mark(config.database.path).exists():
        return f"Another machine has taken over: {advice}, if it is off."
    return ""
