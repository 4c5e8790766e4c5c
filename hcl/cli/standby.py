"""`hcl standby`: follow another machine's database, or take over from it."""

import asyncio
from datetime import timedelta

import click

from hcl.cli.config_file import load_config
from hcl.config import Config
from hcl.db import DatabaseError
from hcl.words.lines import counted


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--take-over", is_flag=True, help="Make its database this machine's.")
@click.option("--from-copy", is_flag=True, help="Take over what was followed so far.")
@click.option("--unfenced", is_flag=True, help="Take over though no fence can be read.")
def standby(
    explicit: str | None, take_over: bool, from_copy: bool, unfenced: bool
) -> None:
    """Follow the replica of another machine until SIGTERM; docs/standby.md.

    It keeps a copy beside the database, and says when the other machine has not been
    heard of for long. It takes over only when it is told to, by --take-over: then this
    machine's database is set aside, the other's newest state put into its place, and
    the fence raised so that the other one ends. Start hcl after that.
    """
    if (from_copy or unfenced) and not take_over:
        raise click.UsageError("--from-copy and --unfenced go with --take-over")
    config = load_config(explicit)
    if not config.standby.follow:
        raise click.ClickException(
            f"{config.path}: standby.follow: is not set; name the other's replica"
        )
    if take_over:
        _take_over(config, from_copy, unfenced)
    else:
        _follow(config)


def _follow(config: Config) -> None:
    from hcl.server.standby.following import Follower, ReplicaError
    from hcl.server.standby.litestream import LitestreamError
    from hcl.server.systemd import log_to_stderr

    log_to_stderr()

    async def follow() -> None:
        await Follower(config).run()

    try:
        asyncio.run(follow())
    except (ReplicaError, LitestreamError) as error:
        raise click.ClickException(f"the replica: {error}") from error
    except OSError as error:
        # What fails to write an open file does not name it.
        where = error.filename or config.database.path.parent
        raise click.ClickException(f"{where}: {error.strerror}") from error


def _take_over(config: Config, from_copy: bool, unfenced: bool) -> None:
    from hcl.clock import Clock
    from hcl.server.standby import taking_over
    from hcl.words.lengths import brief
    from hcl.words.moments import here

    now = Clock().now()
    try:
        taken = asyncio.run(
            taking_over.take_over(config, now, from_copy=from_copy, unfenced=unfenced)
        )
    except (taking_over.TakeOverError, DatabaseError) as error:
        raise click.ClickException(f"nothing is taken over: {error}") from error
    if taken.seen is None:
        click.echo("Took over a database that no server has run on.")
    else:
        seen, age = here(taken.seen), brief(max(now - taken.seen, timedelta(0)))
        click.echo(f"Took over what the other machine had at {seen}, {age} ago.")
    if taken.unsent:
        messages = counted(taken.unsent, "message")
        click.echo(f"Not sent: {messages} that waited there.")
    if taken.aside is not None:
        click.echo(f"What was here is set aside: {taken.aside}")
    if taken.epoch:
        click.echo(f"The fence stands at epoch {taken.epoch}.")
    click.echo("Next: systemctl start hcl-litestream hcl; then have clients come here.")
