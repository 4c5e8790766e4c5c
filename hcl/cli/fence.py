"""`hcl fence`: show the epoch that tells whose turn it is, or raise it."""

import asyncio
import socket

import click

from hcl import store
from hcl.cli.config_file import load_config
from hcl.config import Config
from hcl.config.rights import may_exist
from hcl.db import DatabaseError, SQLError


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--raise", "raises", is_flag=True, help="Raise it for this machine.")
def fence(explicit: str | None, raises: bool) -> None:
    """Show where the fence stands, and the epoch of this machine's database.

    With --raise the epoch goes up by one, for this machine: a server on any other ends
    within seconds and stays off; this one may serve. `hcl standby --take-over` does so
    too.
    """
    # Imported here: `hcl fence --help` needs none of it.
    from hcl.clock import Clock
    from hcl.server.standby.fence import Fence, FenceError, Stand, fenced_mark

    config = load_config(explicit)
    if not config.standby.has_fence:
        raise click.ClickException(
            f"{config.path}: standby.fence: is not set; name a file beside the replica"
        )
    wall = Fence(config.standby)
    try:
        stand = wall.read()
        # Without one there is nothing to raise it for.
        is_there = raises or may_exist(config.database.path)
        own = asyncio.run(_own(config)) if is_there else None
        if raises:
            own = max(own or 0, stand.epoch if stand else 0) + 1
            moment = f"{Clock().now():%Y-%m-%dT%H:%M:%SZ}"
            stand = Stand(own, socket.gethostname(), moment)
            # First the database: its server must never see that it was passed.
            asyncio.run(_enter(config, own))
            wall.write(stand)
            fenced_mark(config.database.path).unlink(missing_ok=True)
    except (FenceError, DatabaseError, SQLError) as error:
        raise click.ClickException(f"the fence: {error}") from error
    at = f"stands at {stand}" if stand else "was never raised"
    what = "this machine's database"
    here = (
        f"{what} is of epoch {own}" if own is not None else "there is no database here"
    )
    click.echo(f"The fence {at}; {here}.")


async def _own(config: Config) -> int:
    from hcl.db import open_to_read

    async with open_to_read(config.database.path) as conn:
        return await store.epoch.get(conn)


async def _enter(config: Config, epoch: int) -> None:
    from hcl.db import write_beside

    async with write_beside(config.database.path) as conn:
        await store.epoch.put(conn, epoch)
