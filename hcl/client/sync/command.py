"""`hcl sync`: have the jobs of this machine watched."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import socket
import sys
from collections.abc import Sequence

from hcl.client.api import API, APIError
from hcl.client.settings import (
    SYSTEM_FILE,
    Settings,
    SettingsError,
    load,
    own_file,
    unsaid,
)
from hcl.client.spool import default_folder
from hcl.client.sync import crons, machine
from hcl.client.sync.jobs import Job, tells
from hcl.client.sync.machine import Change
from hcl.client.sync.plan import Step, changes, plan, template
from hcl.client.tables import length, show

# What cron, a shell and systemd all read as it stands.
_PLAIN = re.compile(r"[\w/.,+@:-]+")

_MARKS = {"create": "+", "change": "~", "keep": "=", "nothing": "-"}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "sync",
        help="find the jobs of this machine that nobody watches",
        description="Read the crontabs and timers of this machine, and show which"
        " checks they should have and how they would tell them. Nothing is changed"
        " but with --create or --apply.",
    )
    add = parser.add_argument
    add("--server", default="", metavar="URL", help="the server (or HCL_SERVER)")
    add("--api-key", default="", metavar="KEY", help="(or HCL_API_KEY)")
    add("--host", default="", metavar="NAME", help="what slugs begin with (hostname)")
    add("--create", action="store_true", help="make and change the checks")
    add(
        "--apply",
        action="store_true",
        help="that, and change the crontabs and units, after a backup",
    )
    add(
        "--template",
        action="store_true",
        help="print hcl-run@.service: a unit for jobs that have none yet",
    )
    add("--undo", action="store_true", help="bring back what --apply changed last")
    parser.set_defaults(function=run, name="sync", quiet=False)


def run(options: argparse.Namespace) -> int:
    """Do what the options say; return the exit status."""
    try:
        if options.template:
            print(template(called()), end="")
            return 0
        settings = load(options.server, api_key=options.api_key)
        return _undo(settings) if options.undo else _sync(options, settings)
    except (APIError, SettingsError, OSError) as error:
        if isinstance(error, OSError) and error.errno and not error.filename:
            # What is printed cannot be: whoever calls this tells of that.
            raise
        print(f"hcl sync: {error}", file=sys.stderr)
        return 1


def _backups(settings: Settings) -> str:
    beside = settings.spool or default_folder()
    return os.path.join(os.path.dirname(beside), "hcl-sync-backups")


def _undo(settings: Settings) -> int:
    paths = machine.undo(_backups(settings))
    for path in paths:
        print(f"brought back {path}")
    _reload(paths)
    return 0


def _sync(options: argparse.Namespace, settings: Settings) -> int:
    api = API(settings)
    host = options.host or socket.gethostname().partition(".")[0]
    host = re.sub("[^a-z0-9-]+", "-", host.lower()).strip("-") or "host"
    hcl = called()
    jobs = machine.jobs(hcl)
    steps = plan(jobs, api.things("checks/", "checks"), host)
    _show_plan(steps)
    _tell_what_is_heard(steps)
    changed = changes(steps, hcl, user=os.geteuid() != 0)
    if changed:
        _tell_what_is_unsaid(jobs)
        tell_what_is_unread(jobs, SYSTEM_FILE)
    refused = _create(api, steps) if options.create or options.apply else []
    unmade = [step for step in refused if step.action == "create"]
    if unmade:
        wanted = [step for step in steps if step not in unmade]
        changed = changes(wanted, hcl, user=os.geteuid() != 0)
    if options.apply and changed:
        machine.write(changed, _backups(settings))
        for change in changed:
            print(f"wrote {change.path}")
        _reload([change.path for change in changed])
        print("hcl sync --undo brings back what was there")
    elif changed:
        _show_changes(changed)
    return 1 if refused else 0


def called() -> str:
    """Return how jobs are to call this command. Raises SettingsError."""
    # By the single file, sys.argv names what it unpacked.
    found = shutil.which("hcl") or os.environ.get("HCL_PYZ") or sys.argv[0]
    path = os.path.abspath(found)
    ways = [[path], [sys.executable, path]]
    if os.path.basename(path) == "__main__.py":
        ways = [[sys.executable, "-m", "hcl.client"]]
    words = next(filter(_starts, ways), [])
    call = " ".join(words or ways[0])
    is_known = tells(f"{call} run x -- true") and all(map(_PLAIN.fullmatch, words))
    if not (words and is_known):
        raise SettingsError(
            f"jobs cannot call {call}: put the client into /usr/local/bin/hcl first"
        )
    return call


def _starts(words: Sequence[str]) -> bool:
    """Tell whether a program starts as it stands, for cron too."""
    # Cron looks in few folders only: not in those that a NAS keeps its python3 in. And
    # the one that it finds may be too old, and another be called by hand.
    return machine.starts(words, machine.PATH_OF_CRON)


def _tell_what_is_unsaid(jobs: Sequence[Job]) -> None:
    """Say that jobs will not know where to tell: they have another environment."""
    is_ours = all(map(_has_our_home, jobs))
    paths = (SYSTEM_FILE, own_file()) if is_ours else (SYSTEM_FILE,)
    in_crontabs = "".join(text for _, text in machine.texts())
    if not crons.takes_variables():
        in_crontabs = ""
    names = [name for name in unsaid(*paths) if f"{name}=" not in in_crontabs]
    if names:
        print(
            "hcl sync: jobs will not know where to tell: put"
            f" {' and '.join(name + '=…' for name in names)} into {paths[-1]}",
            file=sys.stderr,
        )


def _has_our_home(job: Job) -> bool:
    """Tell whether a job reads the settings of whoever calls this, if it is to tell."""
    is_ours = job.user in ("", "root")
    return bool(job.skipped) or (is_ours and job.home in ("", os.path.expanduser("~")))


def tell_what_is_unread(jobs: Sequence[Job], path: str) -> None:
    """Say whose jobs may not read the settings: they run, and tell nothing."""
    # Units of systemd tell as root.
    wanted = [job for job in jobs if not (job.skipped or job.watched or job.unit)]
    users = {job.user for job in wanted} - {"", "root"}
    blind = [user for user in sorted(users) if not machine.may_read(path, user)]
    if blind and os.path.exists(path):
        print(
            f"hcl sync: jobs of {' and '.join(blind)} could tell nothing, since they"
            f" may not read {path}: chmod 644 {path}",
            file=sys.stderr,
        )


def _tell_what_is_heard(steps: Sequence[Step]) -> None:
    """Say which checks may be another machine's: either would hide how it fares."""
    heard = [step.check for step in steps if step.is_heard]
    if heard:
        print(
            "hcl sync: somebody tells these already; if another machine of this name"
            f" does, give this one another by --host: {' '.join(heard)}",
            file=sys.stderr,
        )


def _show_plan(steps: Sequence[Step]) -> None:
    rows = [
        {
            "": _MARKS[step.action],
            "check": step.check or "-",
            "when": step.job.schedule.replace("\n", "; ")
            or (f"every {length(step.job.period)}" if step.job.period else ""),
            "zone": step.job.tz if step.job.schedule else "",
            "grace": length(step.job.grace) if step.check else "",
            "job": step.why or step.job.command,
            "where": step.job.source + (f":{step.job.line}" if step.job.line else ""),
        }
        for step in steps
    ]
    columns = ("", "check", "when", "zone", "grace", "where", "job")
    if rows:
        show("table", rows, columns, None)
    count = dict.fromkeys(_MARKS, 0)
    for step in steps:
        count[step.action] += 1
    print(
        f"{count['create']} to create (+), {count['change']} to change (~),"
        f" {count['keep']} as they should be (=), {count['nothing']} left alone (-)"
    )


def _create(api: API, steps: Sequence[Step]) -> list[Step]:
    """Make and change checks; return those that the server refused, as is told.

    One that stands in a file there cannot be changed, but told. One whose schedule no
    server takes, the 31st of February say, cannot be made: its job is left as it is.
    Raises APIError, if no new one would fare better: there are too many, say.
    """
    refused = []
    for step in steps:
        try:
            if step.action == "create":
                api.call("POST", "checks/", {**(step.fields or {}), "unique": ["slug"]})
                print(f"created {step.check}")
            elif step.action == "change":
                api.call("POST", api.check(step.check), step.fields)
                print(f"changed {step.check}")
        except APIError as error:
            why = f"{step.check} cannot be {step.action}d: {error}"
            if step.action == "create" and error.status != 400:
                raise APIError(why) from error
            print(f"hcl sync: {why}", file=sys.stderr)
            refused.append(step)
    return refused


def _show_changes(changed: Sequence[Change]) -> None:
    for change in changed:
        lines = difflib.unified_diff(
            (machine.current(change.path) or "").splitlines(),
            (change.text or "").splitlines(),
            change.path,
            change.path,
            lineterm="",
            n=0,
        )
        print()
        for line in lines:
            print(line.encode("utf-8", "replace").decode())
    print("\nhcl sync --apply makes the checks and writes this, after a backup")


def _reload(paths: Sequence[str]) -> None:
    if any("/systemd/" in path for path in paths):
        machine.reload_units(user=os.geteuid() != 0)
