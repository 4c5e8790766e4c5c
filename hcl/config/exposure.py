"""Which secrets of a configuration others could come by, or hcl itself could not."""

import os
import pwd
import stat
import tomllib
from collections.abc import Container, Iterator
from pathlib import Path

from hcl.config.rights import text_of
from hcl.config.settings import Config

# Fewer characters can be guessed in time.
_SHORT = 16


def exposed(config: Config) -> list[str]:
    """Say, in a line each, which secrets are too short, or in files open to all."""
    lines = [
        f"everybody on this machine can read {path}, which holds secrets: chmod o-r it"
        for path in (config.path, *_secret_files(config))
        if _is_open(path)
    ]
    key = config.api.metrics_key
    if key and len(key) < _SHORT:
        lines.append(f"api.metrics_key is short: use {_SHORT} characters at least")
    return lines


def withheld(config: Config) -> list[str]:
    """Say to root, in a line each, which files hcl could not read that they can.

    It runs as who owns its database, if there is one.
    """
    try:
        owner = config.database.path.stat()
    except OSError:
        return []
    user = owner.st_uid
    if os.geteuid() != 0 or user == 0:
        return []
    groups = _groups(user, owner.st_gid)
    return [
        f"hcl runs as the user {user}, who owns its database, and cannot read {path}:"
        " chown it"
        for path in (config.path, *_secret_files(config))
        if not _may_read(path, user, groups)
    ]


def _groups(user: int, group: int) -> Container[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(user).pw_name, group)
    except (KeyError, OSError):
        # One without a name, as in a container.
        return [group]


def _may_read(path: Path, user: int, groups: Container[int]) -> bool:
    try:
        found = path.stat()
    except OSError:
        return True
    if found.st_uid == user:
        return bool(found.st_mode & stat.S_IRUSR)
    right = stat.S_IRGRP if found.st_gid in groups else stat.S_IROTH
    return bool(found.st_mode & right)


def _secret_files(config: Config) -> list[Path]:
    """Return the files that the configuration takes secrets from."""
    try:
        data = tomllib.loads(text_of(config.path))
    except (OSError, ValueError):
        # It has changed since it was read: whoever reads it next will tell.
        return []
    files = {config.path.parent / name for name in _file_names(data)}
    if config.smtpd.tls_key is not None:
        files.add(config.smtpd.tls_key)
    return sorted(files)


def _file_names(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        name = value.get("file")
        if len(value) == 1 and isinstance(name, str):
            yield name
        for inner in value.values():
            yield from _file_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _file_names(inner)


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
