"""`hcl init`: write a first hcl.toml."""

import shlex
from pathlib import Path

import click

from hcl.config import ConfigError
from hcl.config.fresh import write_fresh


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="hcl.toml")
def init(path: Path) -> None:
    """Write a first hcl.toml, with fresh keys, for its owner's eyes only.

    PATH is the file to write, ./hcl.toml if left out. One that is there already stays
    as it is.
    """
    try:
        write_fresh(path)
    except ConfigError as e:
        raise click.ClickException(str(e)) from e
    click.echo(f"{path}: written, with fresh keys, for your eyes only (mode 600).")
    click.echo(f"Start with: hcl serve --config {shlex.quote(str(path))}")
