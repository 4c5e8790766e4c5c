"""Find and read hcl.toml for a command."""

import os
from pathlib import Path

import click

from hcl import config as configuration
from hcl.config import Config, ConfigError


def load_config(explicit: str | None) -> Config:
    """Read the file that counts; `explicit` is what --config says, None if nothing.

    Raises click.ClickException with the reason.
    """
    try:
        path = configuration.find(explicit, os.environ, Path())
        if path is None:
            raise ConfigError("there is no hcl.toml here; name one with --config")
        return configuration.load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
