"""`hcl systemd`: print the units that systemd runs hcl by, or write them."""

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from hcl.cli.config_file import load_config
from hcl.cli.own_name import single_file

FOLDER = Path("/etc/systemd/system")
MAIL_SOCKET = "hcl-mail.socket"
FOLLOWER = "hcl-standby.service"

_PATH_OF_UNITS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"


@click.command()
@click.option("--config", "explicit", metavar="PATH", help="Read this file.")
@click.option("--user", default="hcl", show_default=True, help="Whom hcl runs as.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help=f"Write them into this folder, such as {FOLDER}.",
)
def systemd(explicit: str | None, user: str, into: Path | None) -> None:
    """Print the units by which systemd runs hcl, for what stands in hcl.toml.

    They are to be made anew after a change of server.listen, smtpd.listen,
    database.path, [backup] or [standby].
    """
    config = load_config(explicit)
    # Imported here: `hcl systemd --help` needs none of it.
    from hcl.server.units import Machine, headed, units

    archive = single_file()
    python = _python(archive) if archive else None
    own = archive or _program("hcl")
    made = units(config, Machine(user, own, _program("litestream"), python))
    if into is None:
        click.echo("\n".join(headed(made, FOLDER)), nl=False)
        return
    before = _listening(into)
    try:
        for name, text in made.items():
            (into / name).write_text(text)
            click.echo(f"{into / name}: written")
        is_gone = MAIL_SOCKET not in made and _remove(into, MAIL_SOCKET)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error
    moved = [
        name
        for name, address in _listening(into).items()
        if before.get(name, address) != address
    ]
    if (into / "multi-user.target.wants" / FOLLOWER).is_symlink():
        # To start hcl would end that this machine follows another: they conflict.
        steps = ["systemctl daemon-reload", f"systemctl restart {FOLLOWER}"]
    else:
        steps = _next(moved, is_new=not before, is_gone=is_gone)
    click.echo(f"Next: {' && '.join(steps)}")


def _listening(folder: Path) -> dict[str, str]:
    """Return where the sockets in a folder of units listen, by their names."""
    found = {}
    for name in ("hcl.socket", MAIL_SOCKET):
        with suppress(OSError, UnicodeDecodeError):
            lines = (folder / name).read_text().splitlines()
            found[name] = "\n".join(line for line in lines if line.startswith("Listen"))
    return found


def _remove(folder: Path, name: str) -> bool:
    """Delete a unit that is not wanted any more; tell whether there was one of ours.

    Left there, its socket would be handed to a server that does not expect it.
    """
    path = folder / name
    if not path.exists() or "Service=hcl.service" not in path.read_text():
        return False
    path.unlink()
    (folder / "sockets.target.wants" / name).unlink(missing_ok=True)
    click.echo(f"{path}: removed, since smtpd.listen is not set")
    return True


def _next(moved: Sequence[str], *, is_new: bool, is_gone: bool) -> list[str]:
    """Say what has systemd use the units."""
    steps = ["systemctl daemon-reload"]
    if is_new:
        steps.append("systemctl enable --now hcl")
    else:
        steps += [f"systemctl stop {MAIL_SOCKET}"] * is_gone
        # systemd lets go of a socket that is to listen elsewhere, and takes it again
        # only at its own restart.
        steps.append(f"systemctl restart {' '.join([*moved, 'hcl'])}")
    return steps


def _python(archive: Path) -> Path | None:
    """Return by which Python units call the single file; None: it starts by itself.

    It may have been called by another one, since python3 is too old for it; and what
    was downloaded is no program.
    """
    found = shutil.which("python3", path=_PATH_OF_UNITS)
    is_found = found is not None and os.path.samefile(found, sys.executable)
    starts = is_found and os.access(archive, os.X_OK)
    return None if starts else Path(sys.executable)


def _program(name: str) -> Path:
    """Find a program beside this Python, else where the shell would."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    return beside if beside.exists() or not found else Path(found)
