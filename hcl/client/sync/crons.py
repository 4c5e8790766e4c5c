"""Know the cron of this machine: which crontabs it reads, and what it runs of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache

from hcl.client.sync.jobs import Job

# What stands in the place of / in tests.
ROOT = os.environ.get("HCL_SYNC_ROOT", "")

# The names of files in /etc/cron.d that Debian's cron reads; of others it runs nothing.
_READ_BY_CRON = re.compile(r"[A-Za-z0-9_-]+")

# Those that cronie does not read: hidden ones, an editor's copies, and rpm's.
_UNREAD_BY_CRONIE = re.compile(r"[.#].*|.*~|.*\.rpm(save|orig|new)")

# As Debian's crontab begins, where anacron may be installed.
_LEFT_TO_ANACRON = re.compile(r"test -x /usr/sbin/anacron \|\|")

# What only cronie knows, and what only Debian's cron says, of a whole file.
_CRONIES, _DEBIANS = b"CRON_TZ", b"this crontab file will be ignored"

# How other crons call themselves in their programs.
_BUSYBOX, _DCRON = b"BusyBox", b"dillon's cron daemon"

_WRITABLE_BY_OTHERS = 0o022


def knows_zones() -> bool:
    """Tell whether the cron here heeds CRON_TZ, as cronie does and Debian's not."""
    return _has(_CRONIES) is not False


@cache
def _has(words: bytes) -> bool | None:
    """Tell whether the cron here has words in its program; None: nobody can.

    It is asked of each crontab, and read once.
    """
    for name in ("crond", "cron"):
        try:
            with open(f"{ROOT}/usr/sbin/{name}", "rb") as file:
                return words in file.read()
        except OSError:
            continue
    return None


def end_of_commands() -> str:
    """Return the sign up to which a line's command goes for the cron here; "": none.

    What stands behind a % is the job's input. To busybox, as in Alpine, % is a sign as
    others, and a # begins a comment anywhere, between quotes too.
    """
    if _has(_BUSYBOX):
        return "#"
    return "" if _has(_DCRON) else "%"


def takes_variables() -> bool:
    """Tell whether the cron here gives jobs what their crontab sets."""
    return not _has(_BUSYBOX)


def reads(name: str) -> bool:
    """Tell whether the cron here runs what a file of this name in /etc/cron.d says."""
    if _READ_BY_CRON.fullmatch(name):
        return True
    # In Debian cronie may be made to go by Debian's rule.
    if not _has(_CRONIES) or os.path.exists(ROOT + "/etc/debian_version"):
        return False
    return not _UNREAD_BY_CRONIE.fullmatch(name)


def has_anacron() -> bool:
    """Tell whether anacron is here: Debian leaves its crontab when it is removed."""
    return os.access(ROOT + "/usr/sbin/anacron", os.X_OK)


def run_of(path: str, text: str, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs of a system's crontab; those are skipped that cron does not run.

    It says why in the system's log alone, and their checks would be new for ever.
    """
    jobs = [_without_anacron(_with_user(job)) for job in jobs]
    why = _why_passed_over(path, text, jobs)
    if not why:
        return jobs
    said = f"cron passes this file over: {why}"
    return [j if j.is_wrong else j._replace(skipped=said, watched="") for j in jobs]


def _with_user(job: Job) -> Job:
    """Return a job as wrong whose user is not there: often none was written."""
    # Imported here: other systems may lack it.
    import pwd

    try:
        pwd.getpwnam(job.user or "root")
    except (KeyError, ValueError):
        why = f"there is no user {job.user}, as whom it would run"
        return job._replace(skipped=why, watched="", is_wrong=True)
    return job


def _without_anacron(job: Job) -> Job:
    """Return a job as skipped that only looks whether anacron is to do the work."""
    is_left = _LEFT_TO_ANACRON.match(job.command) and has_anacron()
    if job.watched or not is_left:
        return job
    return job._replace(skipped="anacron runs it, by /etc/anacrontab")


def _why_passed_over(path: str, text: str, jobs: Sequence[Job]) -> str:
    """Say why Debian's cron runs nothing of a file; "": it runs what is in it."""
    if not _has(_DEBIANS):
        return ""
    if not text.endswith("\n"):
        return "its last line does not end with a newline"
    wrong = next((job.line for job in jobs if job.is_wrong), 0)
    if wrong:
        return f"line {wrong} is wrong"
    status = os.stat(path)
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return "others than its owner may write to it (chmod 644)"
    # Which is root, but in tests.
    if status.st_uid != os.stat(ROOT + "/etc").st_uid:
        return "it does not belong to root"
    return ""
