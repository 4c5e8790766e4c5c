"""Bring what was arranged into hcl.toml: whole, or what was there before."""

import os
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hcl import config as configuration
from hcl.config import Config, ConfigError
from hcl.moving import toml_text
from hcl.moving.arranging import Place

_HEAD = """\
# hcl's configuration, written by `hcl import`. It holds secrets: keep it to yourself.
# All keys, and what they mean, are in hcl.toml.example; all but these have defaults.

[server]
listen = "127.0.0.1:8000"            # "0.0.0.0:8000" to be reached from elsewhere
site_root = "http://127.0.0.1:8000"  # how people and clients reach it
"""

_SMTP = """\
# Fill in: the server that mail goes out through, and whom it is from.
[smtp]
host = "localhost"
port = 25
security = "none"
from = "hcl@localhost"
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What hcl.toml is to become: its text and what that means.

    `before` is its text now, None: there is no file yet. `adds_smtp`: where mail goes
    out through has to be filled in.
    """

    path: Path
    before: str | None
    text: str
    config: Config
    adds_smtp: bool = False

    @property
    def changes(self) -> bool:
        """Tell whether anything is to be written."""
        return self.text != self.before


def draft(path: Path, config: Config | None, places: Sequence[Place]) -> Draft:
    """Write places into the text of a file, in memory. Raises ConfigError.

    `config` is what stands in it, None: there is no such file.
    """
    before = _read(path) if config else None
    text = _HEAD if before is None else before
    adds_smtp = any(place.mails for place in places) and not (
        config and config.smtp.host
    )
    if adds_smtp and "smtp" not in (tomllib.loads(text) if before else {}):
        text = toml_text.appended(text, _SMTP)
    for place in places:
        if place.index is None:
            text = toml_text.appended(text, place.text)
        elif place.text or place.secret:
            text = _inserted(path, text, place.index, place)
    return Draft(path, before, text, _meaning(path, text), adds_smtp)


def _read(path: Path) -> str:
    try:
        # Its line ends stay as they are.
        with path.open(encoding="utf-8", newline="") as file:
            return file.read().removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _inserted(path: Path, text: str, project: int, place: Place) -> str:
    try:
        if place.secret:
            keys = {"healthchecks_secret": place.secret}
            text = toml_text.headed(text, project, toml_text.lines(keys))
        return toml_text.inserted(text, project, place.text) if place.text else text
    except ValueError as error:
        raise ConfigError(
            f"{path}: nothing can be added to it, since its projects are written in"
            " another way than by [[projects]]"
        ) from error


def _meaning(path: Path, text: str) -> Config:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path}: with what is moved it would not be TOML any more: {error}"
        ) from error
    return configuration.parse(data, path.absolute().parent, str(path))


def keep(new: Draft) -> Path | None:
    """Write the file; return the copy of the one before, None if there was none.

    Raises ConfigError; then all is as it was.
    """
    try:
        if new.before is None:
            _write_first(new)
            return None
        copy = _copied(new.path)
    except OSError as error:
        raise ConfigError(f"{new.path}: cannot be written: {error.strerror}") from error
    try:
        _write(new.path, new.text)
        configuration.load(new.path)
    except BaseException as error:
        _write(new.path, new.before)
        if isinstance(error, OSError):
            why = f"{new.path}: cannot be written: {error.strerror}"
            raise ConfigError(why) from error
        raise
    return copy


def is_kept(new: Draft) -> bool:
    """Tell whether the file has become what it was to become."""
    try:
        return new.changes and _read(new.path) == new.text
    except ConfigError:
        return False


def _write_first(new: Draft) -> None:
    fd = os.open(new.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(new.text)
        configuration.load(new.path)
    except BaseException:
        new.path.unlink()
        raise


def _copied(path: Path) -> Path:
    """Copy a file beside itself, under a name that is free, as it is: mode and all."""
    number = 1
    while True:
        copy = path.with_name(f"{path.name}.before-import-{number}")
        try:
            fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        os.close(fd)
        shutil.copyfile(path, copy)
        return copy


def _write(path: Path, text: str) -> None:
    # In place: its owner, its mode, and links to it stay.
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
