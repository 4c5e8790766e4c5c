"""Read the timers of systemd, and how long their jobs took."""

from __future__ import annotations

import json
import re
import subprocess

from hcl.client.sync import schedules
from hcl.client.sync.jobs import Job, tells
from hcl.client.sync.schedules import DAY, HOUR, MINUTE

# What may put a run off; what a systemd does not know it does not show.
_LATE = ("RandomizedDelayUSec", "RandomizedOffsetUSec", "AccuracyUSec")

_FIELDS = (
    "Id,Unit,TimersCalendar,TimersMonotonic,LoadState,UnitFileState,ActiveState,"
    f"WantedBy,SourcePath,{','.join(_LATE)}"
)

# Of whose lines systemd-cron makes units: by numbers, so that with one line more their
# names are those of other jobs.
_CRONTABS = ("/etc/crontab", "/etc/cron.d/", "/var/spool/cron/")

_OF_SERVICE = (
    "ExecStart,ExecStopPost,PrivateNetwork,NetworkNamespacePath,IPAddressDeny,"
    "ConditionResult,ConditionTimestampMonotonic,RemainAfterExit,User"
)

# What systemctl's words for lengths mean, in seconds.
_UNITS = {
    "y": 365.25 * DAY,
    "month": 30.44 * DAY,
    "w": 7 * DAY,
    "d": DAY,
    "h": HOUR,
    "min": MINUTE,
    "s": 1,
    "ms": 1e-3,
    "us": 1e-6,
}
_LENGTH = re.compile(r"([0-9.]+)(y|month|w|min|ms|us|d|h|s)\b")

# The journal's names of "is being started" and "has finished", for a job that ends.
_STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
_FINISHED = "39f53479d3a045ac8e11786248231fbf"
_RUNS = 20


def find(tz: str, *, user: bool = False) -> list[Job]:
    """Return the jobs of all timers that are loaded; none where there is no systemd."""
    scope = ["--user"] if user else []
    listed = _ask(
        ["systemctl", *scope, "list-unit-files", "--type=timer", "--no-legend"]
    )
    # Instances of templates (x@home.timer) have no file of their own.
    units = ["list-units", "--type=timer", "--all", "--plain", "--no-legend"]
    listed += "\n" + _ask(["systemctl", *scope, *units])
    names = [line.split()[0] for line in listed.splitlines() if line.split()]
    names = [name for name in dict.fromkeys(names) if "@." not in name]
    if not names:
        return []
    shown = _ask(["systemctl", *scope, "show", f"--property={_FIELDS}", *names])
    jobs: dict[str, Job] = {}
    first: dict[str, str] = {}
    for block in shown.split("\n\n"):
        job = _job(_properties(block), tz, scope)
        # By an alias it is shown once more.
        if job is None or job.source in jobs:
            continue
        if not job.skipped:
            other = first.setdefault(job.unit, job.source)
            if other != job.source:
                # It can tell one check only.
                why = f"starts {job.unit}, as {other} does"
                job = job._replace(skipped=why, watched="")
        jobs[job.source] = job
    return list(jobs.values())


def _ask(command: list[str]) -> str:
    """Return what a command prints; "" if it cannot be asked."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _properties(block: str) -> dict[str, list[str]]:
    """Read name=value lines; a name may come several times."""
    properties: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, equals, value = line.partition("=")
        if equals and value:
            properties.setdefault(name, []).append(value)
    return properties


def _job(properties: dict[str, list[str]], tz: str, scope: list[str]) -> Job | None:
    def one(name: str) -> str:
        return properties.get(name, [""])[0]

    timer, unit = one("Id"), one("Unit")
    if not timer or one("LoadState") != "loaded":
        return None
    is_active = one("ActiveState") == "active"
    if not is_active and not one("UnitFileState").startswith("enabled"):
        return None
    if (crontab := one("SourcePath")).startswith(_CRONTABS):
        why = f"is made of {crontab}, whose lines stand for it"
        return Job(timer, unit, skipped=why, unit=unit)
    shown = _properties(
        _ask(["systemctl", *scope, "show", f"--property={_OF_SERVICE}", unit])
    )
    commands = " ".join(shown.get("ExecStart", []))
    command = re.search(r"argv\[\]=(.*?) ;", commands)
    words = command[1] if command else unit
    # What is run by + runs as root, and by older drop-ins with the home of this user.
    user = shown.get("User", [""])[0]
    job = Job(timer, words, tz=tz, spread=spread(properties), unit=unit, user=user)
    if not unit.endswith(".service"):
        return job._replace(skipped=f"starts {unit}, which is no service")
    if not is_active and (starter := _starter(properties)):
        return job._replace(skipped=f"runs only with {starter}, which does not")
    watched = tells(" ".join([commands, *shown.get("ExecStopPost", [])]))
    is_transient = one("UnitFileState") == "transient"
    if not watched and (why := _unfit(shown, is_transient=is_transient)):
        return job._replace(skipped=why)
    takes = 0 if watched else _takes(unit, scope)
    job = job._replace(takes=takes, is_cut_off=_is_cut_off(shown), watched=watched)
    return scheduled(job, properties)


def spread(properties: dict[str, list[str]]) -> int:
    """Return the seconds that a run may be late, by what systemctl shows of a timer."""
    return int(sum(_seconds(properties.get(name, [""])[0]) for name in _LATE))


def _starter(properties: dict[str, list[str]]) -> str:
    """Return the service that alone would start a timer; "": the machine does."""
    # Of mdadm, where there is no RAID.
    wanting = " ".join(properties.get("WantedBy", [])).split()
    services = [unit for unit in wanting if unit.endswith(".service")]
    return services[0] if services == wanting and services else ""


def _unfit(shown: dict[str, list[str]], *, is_transient: bool) -> str:
    """Say why a service cannot be told of; "": it can."""
    if is_transient:
        # Podman's health checks, say: with each start of a container it is another one.
        return "was not installed, and is gone when the machine starts again"
    if _is_unmet(shown):
        return "does not run here: a Condition of its unit failed"
    if shown.get("RemainAfterExit") == ["yes"]:
        return "stays active when it has ended (RemainAfterExit), unheard"
    return ""


def _is_unmet(shown: dict[str, list[str]]) -> bool:
    """Tell whether systemd passed a service over last time, of which no hook tells."""
    # It is no too before it is first looked at.
    was_asked = shown.get("ConditionTimestampMonotonic", ["0"]) != ["0"]
    return was_asked and shown.get("ConditionResult") == ["no"]


def _is_cut_off(shown: dict[str, list[str]]) -> bool:
    """Tell whether a service has no network, by what systemctl shows of it."""
    # Even what runs by + has none then.
    return (
        shown.get("PrivateNetwork") == ["yes"]
        or "NetworkNamespacePath" in shown
        or "IPAddressDeny" in shown
    )


def scheduled(job: Job, properties: dict[str, list[str]]) -> Job:
    """Return a job with its schedule, by what systemctl shows of its timer."""
    expressions = [
        match[1]
        for value in properties.get("TimersCalendar", [])
        if (match := re.search(r"OnCalendar=(.*?) ;", value))
    ]
    if expressions:
        words = [schedules.calendar(words) for words in expressions]
        return job._replace(schedule="\n".join(words), period=_calendar(words))
    for value in properties.get("TimersMonotonic", []):
        match = re.search(r"(OnUnitActiveUSec|OnUnitInactiveUSec)=(.*?) ;", value)
        if match:
            period = int(_seconds(match[2]))
            if period < MINUTE:
                return job._replace(skipped="runs more often than once a minute")
            return job._replace(period=period)
    return job._replace(skipped="runs once after the start, and has no schedule")


def _calendar(expressions: list[str]) -> int:
    """Return about how many seconds lie between two moments of OnCalendar."""
    words = " ".join(expressions).lower()
    for word, seconds in (
        ("minutely", MINUTE),
        ("hourly", HOUR),
        ("daily", DAY),
        ("weekly", 7 * DAY),
        ("monthly", 30 * DAY),
    ):
        if word in words:
            return seconds
    if re.search(r"\*:\*|\*:\d+/\d+|\*:0/\d+", words):
        return HOUR // 2
    if re.search(r"(^|\s)\*:", words):
        return HOUR
    return DAY


def _seconds(text: str) -> float:
    """Read a length as systemctl prints it: 1h 30min."""
    return sum(float(number) * _UNITS[unit] for number, unit in _LENGTH.findall(text))


def _takes(unit: str, scope: list[str]) -> int:
    """Return the seconds of its longest run of late, by the journal; 0: not known."""
    text = _ask(
        [
            "journalctl",
            *scope,
            f"--unit={unit}",
            "--output=json",
            f"--lines={2 * _RUNS}",
            f"MESSAGE_ID={_STARTING}",
            f"MESSAGE_ID={_FINISHED}",
        ]
    )
    began, longest = 0.0, 0.0
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError):
            continue
        if entry.get("MESSAGE_ID") == _STARTING:
            began = at
        elif began:
            longest, began = max(longest, at - began), 0.0
    return int(longest)
