"""Typed values out of a TOML table, or a line that says what is wrong with it."""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from hcl.config.rights import text_of, why_not

Choice = TypeVar("Choice", bound=str)

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LENGTH = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# More than anybody needs, and few enough for SQLite's integers.
_MOST = 1_000_000_000
_LARGEST_SHOWN = 10**30
_LONGEST_SHOWN = 200

# Where systemd keeps the credentials of the server while it runs: for commands that are
# typed beside it.
OF_UNIT = Path("/run/credentials/hcl.service")


@dataclass(frozen=True, slots=True)
class Spot:
    """What is wrong where: `place` is the table and the key, as messages name them.

    `meant` is the key that one which is unknown was probably meant for, "": none;
    `twin` is another place, which `problem` names.
    """

    table: str
    key: str
    place: str
    problem: str
    meant: str = ""
    twin: str = ""


class ConfigError(Exception):
    """Tell in one line what is wrong with the configuration, and what is allowed.

    `spot` None: it is about the file as a whole.
    """

    def __init__(self, line: str, spot: Spot | None = None) -> None:
        super().__init__(line)
        self.spot = spot


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration comes from.

    `file_name` stands in messages; paths are relative to `folder`; secrets may come
    from `env`.
    """

    file_name: str
    folder: Path
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that knows where it stands: `path` is "" for the whole file.

    Every reader raises ConfigError. A default of None means that the key must be given.
    """

    source: Source
    path: str
    data: Mapping[str, object]

    def where(self, key: str, index: int | None = None) -> str:
        """Name a key of this table, or an item of its array, as the messages do."""
        name = key if _BARE_KEY.fullmatch(key) else json.dumps(key)
        item = "" if index is None else f"[{index}]"
        return f"{self.path}.{name}{item}" if self.path else f"{name}{item}"

    def error(
        self,
        key: str,
        problem: str,
        index: int | None = None,
        *,
        meant: str = "",
        twin: str = "",
    ) -> ConfigError:
        """Make the error that tells of a problem with a key or an item of it."""
        place = self.where(key, index)
        line = f"{self.source.file_name}: {place}: {problem}"
        return ConfigError(line, Spot(self.path, key, place, problem, meant, twin))

    def same_as(self, key: str, first: str) -> ConfigError:
        """Make the error that tells that a value may stand once; `first` has it too."""
        # Without the value: it may be a secret.
        return self.error(key, f"is the same as {first}; give each its own", twin=first)

    def allow(self, keys: Sequence[str], meant: Sequence[str] = ()) -> None:
        """Refuse every key but these; `meant` are those that an unknown one may be."""
        for key in self.data:
            if key not in keys:
                near = closest(key, keys)
                if not near and len(meant) == 1 and meant[0] not in self.data:
                    problem = f"unknown key; use {meant[0]}"
                    raise self.error(key, problem, meant=meant[0])
                hint = f" (did you mean {near}?)" if near else ""
                problem = f"unknown key{hint}; use one of {', '.join(keys)}"
                raise self.error(key, problem, meant=near)

    def text(self, key: str, default: str | None = None) -> str:
        """Read a string that may have several lines."""
        value = self._string(key, self._value(key, default))
        if not isinstance(value, str):
            raise self.error(key, f"{shown(value)} is not a string; put it in quotes")
        return value

    def line(self, key: str, default: str | None = None) -> str:
        """Read a string of one line."""
        return self._one_line(key, self.text(key, default))

    def _one_line(self, key: str, value: str) -> str:
        if _CONTROL.search(value):
            # Without the value: it may be a secret.
            raise self.error(key, "has a control character; use one line of text")
        return value

    def name(self, key: str, default: str | None = None) -> str:
        """Read what people call a thing."""
        value = self.line(key, default)
        if not value.strip():
            raise self.error(key, "is empty; give it a name")
        if value != value.strip():
            raise self.error(key, f"{shown(value)} begins or ends with a space")
        return value

    def secret_line(self, key: str, default: str | None = None) -> str:
        """Read a secret of one line."""
        return self._one_line(key, self.secret(key, default))

    def secret(self, key: str, default: str | None = None) -> str:
        """Read a string whose value no message shows."""
        value = self._string(key, self._value(key, default))
        if isinstance(value, str):
            return value
        # Without the value: a password of digits, say, that lacks its quotes.
        raise self.error(
            key,
            'is not a string; use "…", { file = "path" }, { env = "NAME" }'
            ' or { credential = "name" }',
        )

    def _string(self, key: str, value: object) -> object:
        """Read a string that stands elsewhere; return any other value as it is."""
        if not isinstance(value, dict) or len(value) != 1:
            return value
        [(origin, name)] = value.items()
        readers = {
            "file": self._from_file,
            "env": self._from_env,
            "credential": self._from_credential,
        }
        if origin not in readers or not isinstance(name, str):
            return value
        if not name or _CONTROL.search(name):
            return value
        return readers[origin](key, name)

    def _from_credential(self, key: str, name: str) -> str:
        folder = self.source.env.get("CREDENTIALS_DIRECTORY")
        # Units hide the folder from who has none of his own: `Path.is_dir` raises then.
        if not folder and os.path.isdir(OF_UNIT):
            folder = str(OF_UNIT)
        if not folder:
            problem = f"the credential {name} is not there: CREDENTIALS_DIRECTORY is"
            allowed = (
                "run hcl by systemd, with LoadCredential= in its unit; or, as root, let"
                " CREDENTIALS_DIRECTORY name the folder with a file of that name"
            )
            raise self.error(key, f"{problem} not set; {allowed}")
        if "/" in name or name in (".", ".."):
            problem = f"{shown(name)} is not the name of a credential"
            raise self.error(key, f"{problem}; use one without /")
        return self._from_file(key, f"{folder}/{name}")

    def _from_file(self, key: str, name: str) -> str:
        path = self.source.folder / name
        try:
            text = text_of(path)
        except OSError as e:
            raise self.error(key, f"cannot read {path}: {why_not(e, path)}") from e
        except UnicodeDecodeError as e:
            raise self.error(key, f"cannot read {path}: it is not UTF-8") from e
        return text.rstrip("\r\n")

    def _from_env(self, key: str, name: str) -> str:
        try:
            value = self.source.env[name]
            value.encode()
        except KeyError:
            problem = f"the environment variable {name} is not set"
            raise self.error(key, problem) from None
        except UnicodeEncodeError:
            problem = f"the environment variable {name} is not UTF-8"
            raise self.error(key, problem) from None
        return value

    def file(self, key: str, default: str | None = None) -> Path:
        """Read a path, which is relative to the file's folder."""
        value = self.line(key, default)
        if not value:
            raise self.error(key, "is empty; use a path")
        return self.source.folder / value

    def whole(
        self, key: str, default: int, *, least: int = 0, most: int = _MOST
    ) -> int:
        """Read a whole number."""
        value = self._value(key, default)
        # A bool is an int to Python, not to people.
        if type(value) is not int:
            problem = f"{shown(value)} is not a whole number"
        elif not least <= value <= most:
            problem = f"{shown(value)} is out of range"
        else:
            return value
        raise self.error(key, f"{problem}; use one from {least} to {most}")

    def length(
        self, key: str, *, most: timedelta = timedelta(days=365)
    ) -> timedelta | None:
        """Read a length of time such as "90s", "10m", "4h" or "1d"; None if absent."""
        if key not in self.data:
            return None
        value = self._string(key, self.data[key])
        if isinstance(value, str) and (found := _LENGTH.fullmatch(value)):
            length = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
            if length <= most:
                return length
            problem = f"{shown(value)} is too long"
            raise self.error(key, f"{problem}; use {as_length(most)} at most")
        problem = f"{shown(value)} is not a length of time"
        raise self.error(key, f'{problem}; use one like "90s", "10m", "4h" or "1d"')

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"{shown(value)} is not a boolean; use true or false")
        return value

    def choice(self, key: str, default: Choice, allowed: Iterable[Choice]) -> Choice:
        """Read one of a few words."""
        value = self._string(key, self._value(key, default))
        words = list(allowed)
        if value in words:
            return words[words.index(value)]
        choice = f"one of {', '.join(words)}" if len(words) > 1 else words[0]
        raise self.error(key, f"{shown(value)} is not allowed; use {choice}")

    def lines(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Read an array of strings, each of one line."""
        values = self._value(key, None if default is None else list(default))
        if not isinstance(values, list):
            raise self.error(key, f"{shown(values)} is not an array; use [ … ]")
        found: list[str] = []
        for i, stands in enumerate(values):
            value = self._string(key, stands)
            if not isinstance(value, str):
                problem = f"{shown(value)} is not a string; put it in quotes"
                raise self.error(key, problem, i)
            if _CONTROL.search(value):
                problem = "has a control character; use one line of text"
                raise self.error(key, problem, i)
            found.append(value)
        return tuple(found)

    def table(
        self, key: str, keys: Sequence[str] | None, *, is_secret: bool = False
    ) -> "Table":
        """Read a table within, which is empty if absent; None allows any keys.

        `is_secret`: what stands in its place may be meant for a secret of it.
        """
        value = self._value(key, {})
        if not isinstance(value, dict):
            form = "{ … }" if self.path else f"[{key}]"
            told = _form_of(value) if is_secret else shown(value)
            raise self.error(key, f"{told} is not a table; use {form}")
        table = Table(self.source, self.where(key), value)
        if keys is not None:
            table.allow(keys)
        return table

    def tables(self, key: str) -> "list[Table]":
        """Read an array of tables, empty if absent; their keys are not checked yet."""
        values = self._value(key, [])
        if not isinstance(values, list) or not all(isinstance(v, dict) for v in values):
            header = re.sub(r"\[\d+\]", "", self.where(key))
            # A text may be a key that is meant for one of them.
            told = _form_of(values) if isinstance(values, str) else shown(values)
            problem = f"{told} is not an array of tables; use [[{header}]]"
            raise self.error(key, problem)
        path = self.where(key)
        return [Table(self.source, f"{path}[{i}]", v) for i, v in enumerate(values)]

    def _value(self, key: str, default: object) -> object:
        value = self.data.get(key, default)
        if value is None:
            raise self.error(key, "is missing")
        return value


def closest(word: str, words: Iterable[str]) -> str:
    """Return that of some words which was probably meant, "" if none is like it."""
    # Only a wrong file needs it.
    import difflib

    return next(iter(difflib.get_close_matches(word, list(words), n=1)), "")


def as_length(length: timedelta) -> str:
    """Write a length as it stands in the file: "90s", "10m", "4h", "1d"."""
    seconds = int(length.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def _form_of(value: object) -> str:
    """Say what a value is, and no more: it may be a secret."""
    if isinstance(value, list):
        return "an array"
    return "a string" if isinstance(value, str) else "a value"


def shown(value: object) -> str:
    """Show a value in a message as its owner wrote it, or nearly so."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        return f"{shown(value[:_LONGEST_SHOWN])}… of {len(value):,} characters"
    if isinstance(value, bool | str):
        text = json.dumps(value, ensure_ascii=False)
        # JSON does not escape all that a terminal takes for orders.
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    if isinstance(value, int) and abs(value) > _LARGEST_SHOWN:
        # In hexadecimal it may have more digits than Python writes.
        return "a number that large"
    return str(value)
