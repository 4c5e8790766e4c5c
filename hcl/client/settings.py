"""Where the server is, and which project's checks are meant."""

from __future__ import annotations

import os

# Without re and typing: each takes longer to import than all of this.

SYSTEM_FILE = "/etc/hcl/client.conf"

_UUID_PARTS = [8, 4, 4, 4, 12]
_HEX = set("0123456789abcdefABCDEF")
_OF_SLUGS = set("abcdefghijklmnopqrstuvwxyz0123456789_-")

# Whose ping URLs have no /ping/ in them.
_ROOTS = ("hc-ping.com",)

# What a line of the file may set.
_NAMES = ("HCL_SERVER", "HCL_PING_KEY", "HCL_API_KEY", "HCL_SPOOL")


class SettingsError(Exception):
    """Something is missing or wrong; its text says what to do."""


class Settings:
    """What flags, the environment and the files say, in this order; "": nothing."""

    __slots__ = ("api_key", "ping_key", "server", "spool")

    def __init__(
        self, server: str = "", ping_key: str = "", api_key: str = "", spool: str = ""
    ) -> None:
        self.server = server
        self.ping_key = ping_key
        self.api_key = api_key
        self.spool = spool


class Target:
    """The check that is meant: its ping URL, without a signal.

    `key` signs signals that are sent late: the ping key, or the check's UUID. `root` is
    the server's; "": its address is not known.
    """

    __slots__ = ("key", "root", "url")

    def __init__(self, url: str, key: str, root: str = "") -> None:
        self.url = url
        self.key = key
        self.root = root

    @property
    def shown(self) -> str:
        """Its URL for people, without the ping key: logs and mails are read by many."""
        return self.hide(self.url)

    def hide(self, text: str) -> str:
        """Return a text, an answer that says the URL again say, without the key."""
        return text if is_uuid(self.key) else text.replace(f"/{self.key}/", "/…/")

    @property
    def origin(self) -> str:
        """Which server it is sent to: its root, or else scheme, host and port."""
        # Several servers may share a host, each below a path of its own.
        return self.root or "/".join(self.url.split("/", 3)[:3])

    @property
    def is_address(self) -> bool:
        """Whether a request can be made to it; the name of a host may be any."""
        return all(map(_fits, self.url.split("/", 3)[3:]))


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID in its usual form."""
    parts = text.split("-")
    return list(map(len, parts)) == _UUID_PARTS and set("".join(parts)) <= _HEX


def _fits(text: str) -> bool:
    """Tell whether a text can stand in the path of a URL."""
    return text.isascii() and text.isprintable() and " " not in text


def is_slug(text: str) -> bool:
    """Tell whether a text can name a check in a ping URL."""
    return bool(text) and set(text) <= _OF_SLUGS


def load(server: str = "", ping_key: str = "", api_key: str = "") -> Settings:
    """Read the settings; what is given counts first.

    Raises SettingsError.
    """
    said = {**_read(SYSTEM_FILE), **_read(own_file())}
    said.update({name: os.environ[name] for name in _NAMES if os.environ.get(name)})
    # What was made of a file, a container's secret say, ends as that does.
    return Settings(
        server=(server or said.get("HCL_SERVER", "")).strip().rstrip("/"),
        ping_key=(ping_key or said.get("HCL_PING_KEY", "")).strip(),
        api_key=(api_key or said.get("HCL_API_KEY", "")).strip(),
        spool=said.get("HCL_SPOOL", "").strip(),
    )


def unset(what: str, variable: str, option: str) -> SettingsError:
    """Say that something is not set, and all places where it may be."""
    return SettingsError(
        f"no {what} is set: set {variable} or give {option}, or put it in"
        f" {own_file()} or {SYSTEM_FILE}"
    )


def own_file() -> str:
    """Return the path of the settings of who runs this."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(config, "hcl", "client.conf")


def unsaid(*paths: str) -> list[str]:
    """Return which names that jobs need no file of these sets. Raises SettingsError."""
    said: dict[str, str] = {}
    for path in paths:
        said.update(_read(path))
    return [name for name in ("HCL_SERVER", "HCL_PING_KEY") if not said.get(name)]


def _read(path: str) -> dict[str, str]:
    """Read NAME=value lines; there may be no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            # Editors of Windows put a mark before the first letter.
            lines = file.read().removeprefix("\ufeff").splitlines()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    said = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if not line.strip() or name.startswith("#"):
            continue
        if not equals or name not in _NAMES:
            raise SettingsError(
                f"{path}, line {number}: write NAME=value, with one of the names"
                f" {', '.join(_NAMES)}"
            )
        if value[:1] == value[-1:] and value[:1] in ("'", '"') and len(value) > 1:
            value = value[1:-1]
        said[name] = value
    return said


def target(check: str, settings: Settings) -> Target:
    """Return what a check given as UUID, slug or ping URL means.

    Raises SettingsError.
    """
    meant = _meant(check, settings)
    if not meant.is_address:
        raise SettingsError(f"{meant.shown} is no address: write it as the server did")
    return meant


def _meant(check: str, settings: Settings) -> Target:
    if check.startswith(("http://", "https://")):
        return _from_url(check)
    if not (is_uuid(check) or is_slug(check)):
        raise SettingsError(
            f"{check!r} names no check: give its UUID, its slug (a-z, 0-9, - and _)"
            " or its ping URL"
        )
    endpoint, root = _endpoint(settings.server)
    if is_uuid(check):
        code = check.lower()
        return Target(f"{endpoint}/{code}", code, root)
    if not settings.ping_key:
        raise SettingsError(
            f"to name the check {check!r} by its slug, set HCL_PING_KEY or give"
            " --ping-key; or give its UUID"
        )
    key = settings.ping_key
    if not _fits(key):
        raise SettingsError("HCL_PING_KEY is no ping key: write it as the server did")
    return Target(f"{endpoint}/{key}/{check}", key, root)


def _endpoint(server: str) -> tuple[str, str]:
    """Return what ping URLs begin with, and the server's root."""
    if not server:
        raise unset("server", "HCL_SERVER=https://…", "--server")
    if not server.startswith(("http://", "https://")):
        raise SettingsError(
            f"the server {server!r} must begin with http:// or https://"
        )
    if server.endswith("/ping"):
        return server, server[: -len("/ping")]
    if server.split("://")[1] in _ROOTS:
        return server, ""
    return f"{server}/ping", server


def _from_url(url: str) -> Target:
    if "?" in url or "#" in url:
        # A signal that is put behind it would be none.
        raise SettingsError("give the ping URL without what begins with ? or #")
    url = url.rstrip("/")
    root, slash, rest = url.partition("/ping/")
    if slash:
        key = rest.split("/")[0]
    else:
        # Of a host, or with a path, that is for pings alone: what they end with counts.
        scheme, _, rest = url.partition("://")
        host, *parts = rest.split("/")
        root = "" if host in _ROOTS else f"{scheme}://{host}"
        key = next(iter(parts[-1:] if is_uuid(rest[-36:]) else parts[-2:]), "")
    if not key:
        raise SettingsError(f"{url} is no ping URL: it names no check")
    return Target(url, key.lower() if is_uuid(key) else key, root)
