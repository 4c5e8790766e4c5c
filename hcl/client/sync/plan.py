"""What is to be done: checks to make or change, and lines that tell them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hcl.client.sync import crontabs, machine
from hcl.client.sync.crontabs import Form
from hcl.client.sync.jobs import Job, name, tells_at
from hcl.client.sync.machine import Change


class Step(NamedTuple):
    """What is to be done about one job: create, change, keep (its check), or nothing.

    `check` is its slug, `fields` what the API gets; `why` says why nothing is done.
    `is_heard`: the check hears from somebody, though not from this job.
    """

    job: Job
    action: str
    check: str = ""
    fields: dict[str, Any] | None = None
    why: str = ""
    is_heard: bool = False


def plan(
    jobs: Sequence[Job], checks: Sequence[dict[str, Any]], host: str
) -> list[Step]:
    """Return a step for each job, in their order."""
    by_slug = {check["slug"]: check for check in checks if check["slug"]}
    slugs = {check["uuid"]: check["slug"] for check in checks if "uuid" in check}
    endpoints = {_endpoint(check) for check in checks} - {""}
    jobs = [_as_told(job, endpoints) for job in jobs]
    told = [job.watched.rpartition("/")[2] for job in jobs if job.watched]
    taken = {slugs.get(check.lower(), check) for check in told}
    steps = []
    for job in jobs:
        slug = job.watched
        if slug and told.count(slug) == 1 and _is_ours(by_slug.get(slug), job, host):
            steps.append(_compared(job, slug, by_slug[slug], host))
        elif job.watched or job.skipped:
            steps.append(Step(job, "nothing", why=_why_nothing(job)))
        else:
            slug = _free(_slug(job, host), taken)
            taken.add(slug)
            step = _compared(job, slug, by_slug.get(slug), host)
            is_heard = bool(by_slug.get(slug, {}).get("n_pings"))
            steps.append(step._replace(is_heard=is_heard))
    return steps


def _endpoint(check: dict[str, Any]) -> str:
    """Return what ping URLs of a check's server begin with; "": it does not say."""
    url, code = str(check.get("ping_url", "")), str(check.get("uuid"))
    return url[: -len(code)].partition("://")[2] if url.endswith(code) else ""


def _as_told(job: Job, endpoints: set[str]) -> Job:
    """Return a job as one that tells, if it calls a ping URL of any of these paths."""
    found = (tells_at(endpoint, job.command) for endpoint in endpoints)
    return job._replace(watched=job.watched or next(filter(None, found), ""))


def _why_nothing(job: Job) -> str:
    if not job.watched:
        return job.skipped
    return f"tells {'a server' if job.watched == '?' else job.watched} already"


def _is_ours(check: dict[str, Any] | None, job: Job, host: str) -> bool:
    """Tell whether a check was made for this very job, which may have been moved."""
    found = check is not None and str(check["desc"]).endswith(_found_in(job, host))
    return found and not job.skipped


def _compared(job: Job, slug: str, there: dict[str, Any] | None, host: str) -> Step:
    fields = _fields(job, slug, host)
    if there is None:
        return Step(job, "create", slug, fields)
    differs: dict[str, Any] = {
        key: fields[key]
        for key in ("schedule", "tz", "timeout")
        if key in fields and there.get(key) != fields[key]
    }
    if "tz" in differs and _is_same_zone(fields["tz"], str(there.get("tz"))):
        # Of zones with several names a server keeps one.
        del differs["tz"]
    return Step(job, "change" if differs else "keep", slug, differs)


def _is_same_zone(one: str, other: str) -> bool:
    """Tell whether two names are of zones whose clocks agree."""
    try:
        zones = ZoneInfo(one), ZoneInfo(other)
    except (KeyError, ValueError, OSError):
        return False
    year = datetime.now(timezone.utc).year
    moments = [
        datetime(year + n, month, 1, tzinfo=timezone.utc)
        for n in (0, 1)
        for month in (1, 4, 7, 10)
    ]
    here, there = (
        [moment.astimezone(zone).utcoffset() for moment in moments] for zone in zones
    )
    return here == there


def _found_in(job: Job, host: str) -> str:
    return f"Found in {job.source} on {host}."


def _slug(job: Job, host: str) -> str:
    if job.source.endswith(".timer"):
        found = job.source[: -len(".timer")]
    else:
        found = name(job.command) or "job"
    return re.sub("[^a-z0-9_-]+", "-", f"{host}-{found}".lower()).strip("-")[:96]


def _free(slug: str, taken: set[str]) -> str:
    free, number = slug, 2
    while free in taken:
        free, number = f"{slug}-{number}", number + 1
    return free


def _fields(job: Job, slug: str, host: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": slug,
        "slug": slug,
        "tags": host,
        "grace": job.grace,
        "desc": f"{_readable(job.command)}\n\n{_found_in(job, host)}",
        "channels": "*",
    }
    if job.schedule:
        return {**fields, "schedule": job.schedule, "tz": job.tz}
    return {**fields, "timeout": max(60, job.period)}


def _readable(text: str) -> str:
    # What is not UTF-8 in a crontab is half a surrogate here, which no JSON takes.
    return text.encode("utf-8", "replace").decode()


def changes(steps: Sequence[Step], hcl: str, *, user: bool) -> list[Change]:
    """Return the files as they are to be, so that each job tells its check."""
    wanted = [
        step for step in steps if step.action != "nothing" and not step.job.watched
    ]
    changed = []
    for source, text in machine.texts():
        here = {step.job.line: step for step in wanted if step.job.source == source}
        after = _told(text, here, hcl, machine.form_of(source))
        if after != text:
            changed.append(Change(source, after))
    folder = machine.unit_folder(user=user)
    changed += [] if user else _renewed(steps, folder)
    units = [step for step in wanted if step.job.unit.endswith(".service")]
    for step in units:
        # Most start the service of their own name, but not all; some no service.
        path = _drop_in_path(folder, step.job)
        text = drop_in(step.check, hcl, user=user, is_cut_off=step.job.is_cut_off)
        changed.append(Change(path, text))
    if any(step.job.is_cut_off for step in units):
        changed.append(Change(f"{folder}/{_FLUSHER}.service", _flusher(hcl)))
    return changed


def _drop_in_path(folder: str, job: Job) -> str:
    return f"{folder}/{job.unit}.d/hcl.conf"


def _renewed(steps: Sequence[Step], folder: str) -> list[Change]:
    """Return the drop-ins of before by which root has what a service's user has."""
    renewed = []
    jobs = [step.job for step in steps if step.job.watched and step.job.unit]
    # Two timers may start one service.
    for path in dict.fromkeys(_drop_in_path(folder, job) for job in jobs):
        text = machine.current(path)
        if text and text.startswith(_WRITTEN):
            after = _BEFORE.sub(f"=-+{_AS_ROOT}", text)
            renewed += [Change(path, after)] if after != text else []
    return renewed


def _told(text: str, steps: dict[int, Step], hcl: str, form: Form) -> str:
    """Return a crontab in which the lines of these steps tell their checks."""
    lines, shell = text.split("\n"), "sh"
    for number, line in enumerate(lines, 1):
        setting = re.match(r"\s*SHELL\s*=\s*(\S+)", line)
        if setting:
            shell = setting[1].strip("\"'")
        step = steps.get(number)
        entry = step and crontabs.split(line, form, shell=shell)
        if step and entry:
            lines[number - 1] = crontabs.wrapped(entry, step.check, hcl)
    return "\n".join(lines)


_WRITTEN = "# Written by hcl sync."

# By + systemd leaves root the home and the folder of the service's user, and what its
# Environment= says. The user could put there what runs as root: into ~/.local/lib what
# Python starts with, or a python3 into a PATH that begins with the service's own.
_THEIRS = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUSERBASE",
    "XDG_CONFIG_HOME",
)
_AS_ROOT = (
    f"/usr/bin/env {''.join(f'-u {name} ' for name in _THEIRS)}"
    f"HOME=/root PATH={machine.PATH_OF_CRON} PYTHONSAFEPATH=1 "
)
# What was written before; words that somebody put behind it stay.
_BEFORE = re.compile(
    r"=-\+(?:/usr/bin/env HOME=/root PYTHONSAFEPATH=1 |(?=/(?!usr/bin/env )))"
)

# Sends what services without a network have told. Each has an instance of its own: to
# start one that runs already does nothing, and it may have looked at all by then.
_FLUSHER = "hcl-flush@"


def _flusher(hcl: str) -> str:
    return (
        f"{_WRITTEN}\n"
        "[Unit]\n"
        "Description=Send what %i, which has no network, told hcl\n\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={hcl} ping --flush\n"
    )


def drop_in(check: str, hcl: str, *, user: bool, is_cut_off: bool = False) -> str:
    """Return what has a service of systemd tell its check, also when it is killed.

    `is_cut_off`: it has no network, and has another service send what it tells.
    """
    # By + as root, whoever the service is: its user may read no settings, and its
    # sandbox may hide the spool. A user's systemd has no such thing to lift.
    mark, scope, way = ("-", "--user ", "") if user else ("-+", "", _AS_ROOT)
    ping = f"{mark}{way}{hcl} ping --quiet" + (" --patience 0" if is_cut_off else "")
    text = (
        f"{_WRITTEN}\n"
        "[Service]\n"
        f"ExecStartPre={ping} {check} start\n"
        f"ExecStopPost={ping} {check} systemd\n"
    )
    if is_cut_off:
        flusher = f"{_FLUSHER}%N.service"
        text += f"ExecStopPost={mark}systemctl {scope}start --no-block {flusher}\n"
    return text


def template(hcl: str) -> str:
    """Return the unit of jobs that have none yet: hcl-run@<slug>.service."""
    return (
        "# A job of its own: /etc/hcl/jobs/<slug>, told to the check <slug>.\n"
        "[Unit]\n"
        "Description=%i, watched by hcl\n"
        "Wants=network-online.target\n"
        "After=network-online.target\n\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={hcl} run --create %i -- /etc/hcl/jobs/%i\n"
    )
