"""`hcl serve`: run the server."""

import logging
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hcl import config as configuration
from hcl import memory
from hcl.alerts.transports.apprise_check import doubts
from hcl.config import Config, ConfigError
from hcl.config.rights import may_exist
from hcl.server.systemd import FENCED_EXIT, log_to_stderr

if TYPE_CHECKING:
    from hcl.web.parts import Parts

logger = logging.getLogger(__name__)

FRESH = "hcl.toml"


class Fenced(click.ClickException):
    """Another machine serves: the unit knows it by the exit status, and starts none."""

    exit_code = FENCED_EXIT


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--new", is_flag=True, help="Make a new database if there is none.")
def serve(explicit: str | None, new: bool) -> None:
    """Run the server until SIGTERM; SIGHUP reads the config again.

    Without a config it writes ./hcl.toml with fresh keys first, unless a database is
    here, and says what to do now; so it does in a terminal while there are no checks.
    A database is made by itself only beside the config, where none has been: that of a
    disk that is not mounted is missed, and not made anew.
    """
    # Whoever has the file read again while hcl starts is heard once it listens.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    memory.share_one_place()
    log_to_stderr()
    # uvicorn and httpx2 tell of every start and request; here only troubles matter.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        path, is_fresh = _find(explicit)
        config = configuration.load(path)
        # Apprise takes a while to judge its URLs, and the imports take one too.
        with ThreadPoolExecutor(1) as judge:
            judging = judge.submit(_warn, config)
            # Imported here: `hcl serve --help` and a wrong config need none of it.
            from hcl.db import DatabaseError
            from hcl.server import serving
            from hcl.server.sockets import BindError
            from hcl.server.standby.fence import FencedError

            judging.result()
    except ConfigError as error:
        raise click.ClickException(str(error)) from error

    async def greet(parts: "Parts") -> None:
        if is_fresh or sys.stdout.isatty():
            # Imported here: few start it by hand.
            from hcl.cli.welcome import has_no_checks, welcome

            if is_fresh or await has_no_checks(parts):
                _print(welcome(config, parts, is_fresh=is_fresh))

    try:
        reread = partial(_reread, path, config.database.path)
        serving.run(config, reread, greet, new=new)
    except (BindError, DatabaseError) as error:
        is_fenced = isinstance(error, FencedError)
        raise (Fenced if is_fenced else click.ClickException)(str(error)) from error


def _reread(path: Path, database: Path) -> Config:
    """Read the file again, and warn; the database in use stays that at `database`."""
    # Imported here: a wrong file keeps hcl from starting without it.
    from hcl.db import why_none_is_made

    config = configuration.load(path)
    _warn(config)
    its = config.database.path
    if its != database and (why := why_none_is_made(its, config.path)):
        # It goes on with the one that it has: at the next boot nobody thinks of this.
        logger.warning("hcl would not start again: %s", why)
    return config


def _print(text: str) -> None:
    """Print a welcome: that nobody reads it, or its disk is full, stops no server."""
    try:
        click.echo(text)
    except OSError as error:
        logger.warning("no welcome is printed: %s", error.strerror)


def _find(explicit: str | None) -> tuple[Path, bool]:
    """Find the file that counts, or write a first one; tell whether it was written.

    None is written where a database is: by other keys no job could ping it, and nobody
    would be told of anything. Raises ConfigError.
    """
    path = configuration.find(explicit, os.environ, Path())
    if path is not None:
        return path, False
    database = os.environ.get(configuration.VARIABLES["database.path"]) or "hcl.sqlite"
    if may_exist(Path(database)):
        raise ConfigError(
            f"{FRESH} is not here, but its database {database} is: put the file back,"
            " or name it with --config; `hcl init` writes a new one, with other keys"
        )
    # Imported here: it is needed once.
    from hcl.config.fresh import write_fresh

    path = Path(FRESH)
    write_fresh(path)
    return path, True


def _warn(config: Config) -> None:
    """Say which secrets others could come by, and what Apprise thinks of its URLs."""
    for line in configuration.misspelt(os.environ):
        logger.warning("%s", line)
    for doubt in [*configuration.exposed(config), *doubts(config)]:
        logger.warning("%s: %s", config.path, doubt)
