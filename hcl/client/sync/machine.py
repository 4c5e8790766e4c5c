"""The machine: its crontabs, its zone, and the files that are changed on it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from hcl.client.settings import SettingsError
from hcl.client.sync import crons, crontabs, timers
from hcl.client.sync.crontabs import Form
from hcl.client.sync.jobs import Job

# A user's crontab, as a source; others are paths and units.
USER_CRONTAB = "crontab -l"

# Where cron looks for programs, unless a crontab says otherwise.
PATH_OF_CRON = "/usr/bin:/bin"

# The name of a time zone; TZ may be a path or a rule (CET-1CEST,M3.5.0,M10.5.0/3) too.
_ZONE = re.compile(r"[A-Za-z_-]+(/[A-Za-z0-9_+-]+)*|(EST5E|CST6C|MST7M|PST8P)DT")

_ZONES, _UTC = "/usr/share/zoneinfo", b"UTC0"

_ROOT = crons.ROOT

_ANACRONTAB = _ROOT + "/etc/anacrontab"


class Change(NamedTuple):
    """A file that is to be written; `text` None: to be deleted."""

    path: str
    text: str | None


def zone() -> str:
    """Return the name of the zone that cron and systemd go by; UTC if none is set.

    Raises SettingsError, if what is set is no name.
    """
    # A user's own TZ is none of theirs: it counts only where nothing else says more.
    own = os.environ.get("TZ", "").strip(":")
    named = (_zone_of_all(), _zone_of_files(), own)
    found = next((name for name in named if _ZONE.fullmatch(name)), "")
    if not found and any(named):
        raise SettingsError(
            "the time zone of this machine has no name: call it by"
            " TZ=Area/City hcl sync"
        )
    return found or "UTC"


def _zone_of_all() -> str:
    """Return TZ as the first process got it, and cron of it: in a container, say."""
    try:
        with open(f"{_ROOT}/proc/1/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return ""
    found = [entry[3:] for entry in entries if entry.startswith(b"TZ=")]
    return os.fsdecode(found[0]).strip(":") if found else ""


def _zone_of_files() -> str:
    path = _ROOT + "/etc/localtime"
    link = os.path.realpath(path)
    if "/zoneinfo/" in link:
        return link.partition("/zoneinfo/")[2]
    try:
        with open(_ROOT + "/etc/timezone", encoding="ascii") as file:
            name = file.read().strip()
    except (OSError, ValueError):
        name = ""
    # A copy, or the host's that a container was given: what stands beside it, or that
    # nothing does, may be of another zone.
    rule = _rule_of(path)
    known = _UTC if name in ("", "UTC", "Etc/UTC") else _rule_of(f"{_ZONES}/{name}")
    return path if rule and known and rule != known else name


def _rule_of(path: str) -> bytes:
    """Return the rule by which a zone's file goes on from now on; empty: none."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return b""
    # RFC 8536, 3.3: between the last two line ends, but in files of the first version.
    if not data.startswith(b"TZif") or data[4:5] < b"2":
        return b""
    rule = data.rpartition(b"\n")[0].rpartition(b"\n")[2]
    return _UTC if rule == b"GMT0" else rule


def form_of(source: str) -> Form:
    """Return how the crontab of a source is written."""
    is_anacron = source == _ANACRONTAB
    is_systems = source != USER_CRONTAB and not is_anacron
    end = "" if is_anacron else crons.end_of_commands()
    return Form(is_systems, is_anacron, end)


def jobs(hcl: str) -> list[Job]:
    """Return every job that is found here; `hcl` is what those are to call."""
    tz = zone()
    found, knows_zones = [], crons.knows_zones()
    for source, text in texts():
        form = form_of(source)
        read = crontabs.read(text, source, form, tz=tz, knows_zones=knows_zones)
        if form.has_user:
            read = crons.run_of(source, text, read)
        found += [_changeable(job, hcl) for job in read]
    return found + timers.find(tz, user=os.geteuid() != 0)


def _changeable(job: Job, hcl: str) -> Job:
    """Return a job as skipped, if its line cannot be changed so that it still runs."""
    if job.skipped or job.watched:
        return job
    if job.path and not (shutil.which("sh", path=job.path) and _starts(hcl, job.path)):
        return job._replace(skipped=f"by its PATH, {job.path}, hcl does not start")
    if job.source == USER_CRONTAB:
        return job
    if not _may_write(job.source):
        return job._replace(
            skipped="you may not change this file: run hcl sync as root"
        )
    if job.user != "root" and _is_single_file(hcl) and not _has_home(job.user):
        return job._replace(
            skipped=f"its user {job.user} has no folder for what hcl.pyz unpacks: put"
            " the client into /usr/local/bin"
        )
    path = job.path or PATH_OF_CRON
    if job.user != "root" and not (_is_for_all(hcl) and _starts(hcl, path, job.user)):
        return job._replace(
            skipped=f"its user {job.user} may not run {hcl}: put hcl where all may"
        )
    return job


@functools.cache
def _starts(hcl: str, path: str, user: str = "") -> bool:
    return starts(hcl.split(), path, user)


def starts(words: Sequence[str], path: str, user: str = "") -> bool:
    """Tell whether a program starts for cron, which has this PATH.

    `user`: as whom, which root alone can try; "": as who asks.
    """
    # And no PYTHONPATH, nor what lies where somebody just is.
    try:
        done = subprocess.run(
            [*words, "run", "--help"],
            cwd="/",
            env={"PATH": path},
            capture_output=True,
            timeout=30,
            check=False,
            **(_as_user(user) if user and os.geteuid() == 0 else {}),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def may_read(path: str, user: str) -> bool:
    """Tell whether a user may read a file, as far as root asks."""
    if os.geteuid() != 0:
        return True
    test = ["test", "-r", path]
    return subprocess.run(test, **_as_user(user), check=False).returncode == 0


def _as_user(user: str) -> dict[str, Any]:
    """Return what has a program run as a user, and in the groups of that one."""
    # Imported here: other systems may lack it.
    import pwd

    known = pwd.getpwnam(user)
    groups = os.getgrouplist(user, known.pw_gid)
    return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": groups}


def _may_write(path: str) -> bool:
    path = os.path.realpath(path)
    return os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)


def _is_single_file(hcl: str) -> bool:
    archive = os.environ.get("HCL_PYZ", "")
    return bool(archive) and archive in map(os.path.realpath, hcl.split())


def _has_home(user: str) -> bool:
    """Tell whether a user may write at home, as those of services often may not."""
    # Imported here: other systems may lack it.
    import pwd

    try:
        known = pwd.getpwnam(user)
        home = os.stat(known.pw_dir)
    except (KeyError, OSError):
        return False
    return home.st_uid == known.pw_uid and home.st_mode & 0o300 == 0o300


def _is_for_all(hcl: str) -> bool:
    """Tell whether every user may run this: what it is, and all folders above that."""
    needed = 0o005
    for word in filter(os.path.isabs, hcl.split()):
        path = os.path.realpath(word)
        if os.stat(path).st_mode & needed != needed:
            return False
        # What an interpreter runs is only read.
        needed = 0o004
        while path != "/":
            path = os.path.dirname(path)
            if not os.stat(path).st_mode & 0o001:
                return False
    return True


def texts() -> Iterator[tuple[str, str]]:
    """Yield each crontab, with where it stands."""
    own = _own_crontab()
    if own:
        yield USER_CRONTAB, own
    folder = _ROOT + "/etc/cron.d"
    try:
        names = [name for name in sorted(os.listdir(folder)) if crons.reads(name)]
    except OSError:
        names = []
    paths = [os.path.join(folder, name) for name in names]
    if crons.has_anacron():
        paths.append(_ANACRONTAB)
    for path in (_ROOT + "/etc/crontab", *paths):
        try:
            yield path, _text(path)
        except OSError:
            continue


def _text(path: str) -> str:
    """Return what is in a file, to the byte: not all is UTF-8, or ends lines by \\n."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def _own_crontab() -> str:
    try:
        done = subprocess.run(
            ["crontab", "-l"], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    text = done.stdout.decode("utf-8", "surrogateescape")
    return text if done.returncode == 0 else ""


def write(changes: list[Change], backups: str) -> None:
    """Write what changed, after what was there is put into a new folder of `backups`.

    Raises OSError; nothing is written before all is backed up.
    """
    folder = _new_folder(backups)
    before = [[change.path, current(change.path), change.text] for change in changes]
    with open(os.path.join(folder, "before.json"), "x", encoding="utf-8") as file:
        json.dump(before, file)
        file.flush()
        os.fsync(file.fileno())
    for change in changes:
        _put(change)


def _new_folder(backups: str) -> str:
    """Make a folder whose name is sorted after those of before."""
    name = os.path.join(backups, time.strftime("%Y-%m-%dT%H-%M-%S"))
    # Two may be made in one second.
    for folder in (name, *(f"{name}-{number:02}" for number in range(2, 99))):
        with contextlib.suppress(FileExistsError):
            os.makedirs(folder, mode=0o700)
            break
    return folder


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
        if current(path) not in (text, written):
            raise FileExistsError(
                f"{path} was edited since: undo it by hand; what was there before is in"
                f" {folder}/before.json"
            )
    for path, text, _ in before:
        if current(path) != text:
            _put(Change(path, text))
    os.unlink(os.path.join(folder, "before.json"))
    os.rmdir(folder)
    return [path for path, _, _ in before]


def current(path: str) -> str | None:
    """Return what is in a file, or in USER_CRONTAB; None: there is none.

    Raises OSError.
    """
    if path == USER_CRONTAB:
        return _own_crontab()
    try:
        return _text(path)
    except FileNotFoundError:
        return None


def _put(change: Change) -> None:
    if change.path == USER_CRONTAB:
        done = subprocess.run(
            ["crontab", "-"],
            input=(change.text or "").encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise OSError(f"crontab: {done.stderr.decode('utf-8', 'replace').strip()}")
    elif change.text is None:
        os.unlink(change.path)
    else:
        _put_file(os.path.realpath(change.path), change.text)


def _put_file(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    # Hidden, lest cronie runs what is in it too.
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.hcl-new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with open(os.open(new, flags, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        # Else a power cut may leave a crontab empty (XFS).
        os.fsync(file.fileno())
    if os.path.exists(path):
        # Its SELinux context too: cron runs nothing of a file that has another one.
        shutil.copystat(path, new)
        os.utime(new)
    else:
        os.chmod(new, 0o644)
    os.replace(new, path)


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
