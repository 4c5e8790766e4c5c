"""The machine: its crontabs, its zone, and the files that are changed on it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

from hcl.client.sync import crontabs, timers
from hcl.client.sync.jobs import Job

# A user's crontab, as a source; others are paths and units.
USER_CRONTAB = "crontab -l"

_ROOT = os.environ.get("HCL_SYNC_ROOT", "")


class Change(NamedTuple):
    """A file that is to be written; `text` None: to be deleted."""

    path: str
    text: str | None


def zone() -> str:
    """Return the name of the machine's time zone; UTC if it cannot be told."""
    if os.environ.get("TZ", "").strip(":"):
        return os.environ["TZ"].strip(":")
    link = os.path.realpath(_ROOT + "/etc/localtime")
    if "/zoneinfo/" in link:
        return link.partition("/zoneinfo/")[2]
    try:
        with open(_ROOT + "/etc/timezone", encoding="ascii") as file:
            return file.read().strip() or "UTC"
    except (OSError, ValueError):
        return "UTC"


def jobs() -> list[Job]:
    """Return every job that is found here."""
    tz = zone()
    found = []
    for source, text in texts():
        has_user = source != USER_CRONTAB
        found += crontabs.read(text, source, has_user=has_user, tz=tz)
    return found + timers.find(tz, user=os.geteuid() != 0)


def texts() -> Iterator[tuple[str, str]]:
    """Yield each crontab, with where it stands."""
    own = _own_crontab()
    if own:
        yield USER_CRONTAB, own
    folder = _ROOT + "/etc/cron.d"
    try:
        # As cron does: names with a dot are none of its.
        names = [name for name in sorted(os.listdir(folder)) if "." not in name]
    except OSError:
        names = []
    for path in (_ROOT + "/etc/crontab", *(os.path.join(folder, n) for n in names)):
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                yield path, file.read()
        except OSError:
            continue


def _own_crontab() -> str:
    try:
        done = subprocess.run(
            ["crontab", "-l"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def write(changes: list[Change], backups: str) -> None:
    """Write what changed, after what was there is put into a new folder of `backups`.

    Raises OSError; nothing is written before all is backed up.
    """
    folder = os.path.join(backups, time.strftime("%Y-%m-%dT%H-%M-%S"))
    os.makedirs(folder, mode=0o700)
    before = [[change.path, _now(change.path), change.text] for change in changes]
    with open(os.path.join(folder, "before.json"), "x", encoding="utf-8") as file:
        json.dump(before, file)
        file.flush()
        os.fsync(file.fileno())
    for change in changes:
        _put(change)


def undo(backups: str) -> list[str]:
    """Bring back what the last `write` changed; return what that was.

    Raises OSError, and changes nothing then; FileNotFoundError: there is nothing to
    bring back, FileExistsError: it was edited since.
    """
    try:
        folders = sorted(os.listdir(backups))
    except FileNotFoundError:
        folders = []
    if not folders:
        raise FileNotFoundError("nothing was changed that could be undone")
    folder = os.path.join(backups, folders[-1])
    with open(os.path.join(folder, "before.json"), encoding="utf-8") as file:
        before = json.load(file)
    for path, text, written in before:
        if _now(path) not in (text, written):
            raise FileExistsError(
                f"{path} was edited since: undo it by hand; what was there before is in"
                f" {folder}/before.json"
            )
    for path, text, _ in before:
        if _now(path) != text:
            _put(Change(path, text))
    os.unlink(os.path.join(folder, "before.json"))
    os.rmdir(folder)
    return [path for path, _, _ in before]


def _now(path: str) -> str | None:
    if path == USER_CRONTAB:
        return _own_crontab()
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _put(change: Change) -> None:
    if change.path == USER_CRONTAB:
        done = subprocess.run(
            ["crontab", "-"],
            input=change.text,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise OSError(f"crontab: {done.stderr.strip()}")
        return
    if change.text is None:
        os.unlink(change.path)
        return
    os.makedirs(os.path.dirname(change.path), exist_ok=True)
    try:
        mode = os.stat(change.path).st_mode & 0o7777
    except FileNotFoundError:
        mode = 0o644
    descriptor = os.open(f"{change.path}.hcl-new", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        os.fchmod(descriptor, mode)
        file.write(change.text)
    os.replace(f"{change.path}.hcl-new", change.path)


def unit_folder(*, user: bool) -> str:
    """Return where drop-ins of systemd's units stand."""
    if user:
        config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return os.path.join(config, "systemd/user")
    return _ROOT + "/etc/systemd/system"


def reload_units(*, user: bool) -> None:
    """Have systemd read its units again."""
    scope = ["--user"] if user else []
    subprocess.run(["systemctl", *scope, "daemon-reload"], timeout=60, check=False)
