"""Which secrets of a configuration others could come by, or hcl itself could not."""

import os
import pwd
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    if os.geteuid() != 0 or owner.st_uid == 0:
        return []
    mail, read = config.smtpd, [config.path, *_secret_files(config)]
    others = (mail.tls_cert if mail.listen else None, config.tls.ca_file)
    read += sorted({path for path in others if path is not None})
    problem = f"hcl runs as the user {owner.st_uid}, who owns its database, and cannot"
    # Where root may be nobody else, as in some containers, it is not known.
    with suppress(PermissionError), _being(owner.st_uid, owner.st_gid):
        return [
            f"{problem} read {path}: {cure}"
            for path in read
            if (cure := _cure_of(path))
        ]
    return []


@contextmanager
def _being(user: int, group: int) -> Iterator[None]:
    """Have the system judge as of another user: it knows of more than modes."""
    before, own = os.getgroups(), os.getegid()
    os.setgroups(_groups(user, group))
    try:
        os.setegid(group)
        os.seteuid(user)
        yield
    finally:
        os.seteuid(0)
        os.setegid(own)
        os.setgroups(before)


def _groups(user: int, group: int) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(user).pw_name, group)
    except (KeyError, OSError):
        # One without a name, as in a container.
        return [group]


def _cure_of(path: Path) -> str:
    """Say how to have a file be readable by who asks; "": it is."""
    if os.access(path, os.R_OK, effective_ids=True):
        return ""
    real = Path(os.path.realpath(path))
    for folder in (*reversed(path.parents), *reversed(real.parents)):
        if not os.access(folder, os.X_OK, effective_ids=True):
            return f"{folder} may not be entered; chmod that"
    # What is not there is no file of secrets.
    return "chown it" if real.exists() else ""


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
