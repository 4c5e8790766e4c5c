"""`hcl backup`: copy the database, whether the server runs or not."""

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from hcl.cli.config_file import load_config
from hcl.clock import Clock
from hcl.config import Config
from hcl.config.rights import is_no_file
from hcl.db import Contents, DatabaseError, back_up, copies
from hcl.words.lines import counted
from hcl.words.moments import here
from hcl.words.sizes import size

# Pings go first.
_NICE = 10


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
def backup(file: Path | None, explicit: str | None) -> None:
    """Copy the database to FILE, while the server runs or not.

    The copy is as of one moment, complete, and for its owner's eyes only. It is read
    and checked before it bears its name; an older copy of that name is replaced then.
    FILE may be a folder: the copy is named by the moment. Left out, it is the folder
    of [backup], or else the current one.
    """
    config = load_config(explicit)
    # As Ctrl-C does: what is half made goes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    source = config.database.path
    now = Clock().now()
    target = file or config.backup.folder or Path()
    try:
        if target.is_dir():
            target /= copies.name_of(source, now)
        _look_at_target(target, config)
        with suppress(OSError):
            os.nice(_NICE)
        contents = back_up(source, target)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    click.echo(f"{target}: {told(contents)}")


def told(contents: Contents) -> str:
    """Say in a line what a copy holds."""
    newest = "no ping yet"
    if contents.newest is not None:
        newest = f"the newest of {here(datetime.fromtimestamp(contents.newest, UTC))}"
    checks, pings = counted(contents.checks, "check"), counted(contents.pings, "ping")
    return f"{size(contents.size)}, {checks}, {pings}, {newest}"


def _look_at_target(target: Path, config: Config) -> None:
    """Refuse what a copy must not replace. Raises DatabaseError."""
    if not target.exists():
        return
    if is_no_file(target):
        raise DatabaseError(f"{target}: is no file: name another one, or a folder")
    database = config.database.path
    real = Path(os.path.realpath(database))
    own = [database, config.path]
    own += [real.with_name(real.name + end) for end in ("-wal", "-shm", ".lock")]
    if any(path.exists() and path.samefile(target) for path in own):
        raise DatabaseError(f"{target}: hcl is at work on it: name another file")
    if target.with_name(f"{target.name}-wal").exists():
        raise DatabaseError(f"{target}: is a database in use: name another file")
    if target.with_name(f"{target.name}.lock").exists():
        raise DatabaseError(f"{target}: is the database of a server: name another file")
    with target.open("rb") as there:
        is_copy = there.read(16) in (b"", b"SQLite format 3\0")
    if not is_copy or copies.is_of_another_program(target):
        raise DatabaseError(f"{target}: is there, and no copy: name another file")
