"""`hcl init`: write a first hcl.toml."""

import shlex
from pathlib import Path

import click

from hcl.cli.own_name import own_name
from hcl.config import ConfigError
from hcl.config.fresh import open_to_network, write_fresh
from hcl.config.rights import may_exist


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="hcl.toml")
@click.option("--lan", is_flag=True, help="Let other machines reach it.")
@click.option("--full", is_flag=True, help="Write every key there is, with comments.")
def init(path: Path, lan: bool, full: bool) -> None:
    """Write a first hcl.toml, with fresh keys, for its owner's eyes only.

    PATH is the file to write, ./hcl.toml if left out. One that is there already stays
    as it is; but with --lan, one that says nothing of its own of who reaches it is
    opened to other machines, and keeps its keys.
    """
    host = _own_address() if lan else ""
    try:
        if lan and not full and may_exist(path):
            open_to_network(path, host)
            click.echo(f"{path}: other machines may reach it now, at {host}.")
        else:
            write_fresh(path, full=full, host=host)
            click.echo(f"{path}: written, with fresh keys, for your eyes only.")
    except ConfigError as e:
        raise click.ClickException(str(e)) from e
    named = shlex.quote(str(path))
    click.echo(f"Start with: {own_name()} serve --config {named}")


def _own_address() -> str:
    # Imported here: it is only for --lan.
    from hcl.cli.own_addresses import own_addresses

    found = own_addresses()
    if not found:
        raise click.ClickException(
            "this machine has no address in a network; connect it, or write listen and"
            " site_root into hcl.toml yourself"
        )
    return found[0]
