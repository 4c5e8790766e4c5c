"""`hcl systemd`: print the units that systemd runs hcl by, or write them."""

import shutil
import sys
from pathlib import Path

import click

from hcl.cli.config_file import load_config
from hcl.cli.own_name import single_file

FOLDER = Path("/etc/systemd/system")


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

    own = single_file() or _program("hcl")
    made = units(config, Machine(user, own, _program("litestream")))
    if into is None:
        click.echo("\n".join(headed(made, FOLDER)), nl=False)
        return
    for name, text in made.items():
        path = into / name
        try:
            path.write_text(text)
        except OSError as error:
            raise click.ClickException(f"{path}: {error.strerror}") from error
        click.echo(f"{path}: written")
    click.echo("Next: systemctl daemon-reload && systemctl enable --now hcl")


def _program(name: str) -> Path:
    """Find a program beside this Python, else where the shell would."""
    beside = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    return beside if beside.exists() or not found else Path(found)
