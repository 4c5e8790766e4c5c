"""What stands above hcl.toml in the environment: for containers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from hcl.config.reading import ConfigError, Table

Value = TypeVar("Value")

# The variable of each key, named as in messages.
VARIABLES = {
    "server.listen": "HCL_LISTEN",
    "server.site_root": "HCL_SITE_ROOT",
    "database.path": "HCL_DATABASE",
}


def above(table: Table, key: str, read: Callable[[Table, str], Value]) -> Value:
    """Read a key from its variable if that is set, else from the table.

    Raises ConfigError, which names the variable then: no line of the file is wrong.
    """
    variable = VARIABLES[table.where(key)]
    if not table.source.env.get(variable):
        return read(table, key)
    source = replace(table.source, file_name="environment")
    value = source.env[variable]
    try:
        return read(Table(source, "", {variable: value}), variable)
    except ConfigError as error:
        raise ConfigError(str(error)) from error


def misspelt(env: Mapping[str, str]) -> list[str]:
    """Say which variables are nearly one of hcl's, and so count for nothing."""
    known = {*VARIABLES.values(), "HCL_CONFIG"}
    others = sorted(
        name for name in env if name.startswith("HCL") and name not in known
    )
    if not others:
        return []
    # Imported here: few have such variables.
    import difflib

    # So near that it is a slip, and no variable of somebody else's.
    near = {name: difflib.get_close_matches(name, known, 1, 0.85) for name in others}
    return [
        f"environment: {name} is unknown; did you mean {meant}?"
        for name, found in near.items()
        for meant in found
    ]
