"""Read crontabs: of users, of the system, of /etc/cron.d, of anacron.

Source: crontab(5), cronie's too, and anacrontab(5).
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from hcl.client.sync import schedules
from hcl.client.sync.jobs import Job, tells
from hcl.client.sync.schedules import DAY, HOUR, MINUTE

_SETTING = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|\"[^\"]+\"|'[^']+')\s*=\s*(.*)")
_FIELD = r"(\S+)\s+"
_ENTRY = re.compile(rf"\s*(@[a-z_]+\s+|{_FIELD * 5})(.*)", re.IGNORECASE)

# Days between two runs, minutes to wait, and what anacron calls the job.
_ENTRY_OF_ANACRON = re.compile(
    r"\s*(\d+|@[a-z]+)\s+(\d+)\s+[^\s/]+\s+(.*)", re.IGNORECASE
)
_DAYS = {"@daily": 1, "@weekly": 7, "@monthly": 31, "@yearly": 365}

_NO_LINE = "is no line of a crontab"

# Bytes of a command that leave room for `hcl run`: Debian's cron takes 999, and ignores
# the whole file for one that is longer.
_LONGEST = 800


class Form(NamedTuple):
    """How a crontab is written, by what reads it.

    `has_user`: it names a user before each command. `end` is the sign up to which a
    command goes: "%" if it is not escaped, or "#"; "": none.
    """

    has_user: bool = False
    is_anacron: bool = False
    end: str = "%"


class Entry(NamedTuple):
    """A line of a crontab that runs something.

    `head` is all before the command, `rest` what stands behind its end: behind a % the
    command's standard input.
    """

    head: str
    command: str
    rest: str
    shell: str


def read(
    text: str,
    source: str,
    form: Form,
    *,
    tz: str,
    knows_zones: bool = True,
) -> list[Job]:
    """Return the jobs of a crontab; `knows_zones`: what reads it heeds CRON_TZ."""
    jobs = []
    said: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        setting = _SETTING.fullmatch(line)
        if setting and not line.lstrip().startswith(("@", "*")):
            said[setting[1].strip("\"'")] = setting[2].strip().strip("\"'")
            continue
        entry = split(line, form, shell=said.get("SHELL", "sh"))
        if entry is None:
            jobs.append(_wrong(Job(source, line.strip(), number), _NO_LINE))
            continue
        delay = said.get("RANDOM_DELAY", "")
        spread = int(delay) * MINUTE if delay.isdigit() else 0
        if form.is_anacron:
            job = _job_of_anacron(entry, source, number, spread)
        else:
            zone = said.get("CRON_TZ", tz) if knows_zones else tz
            job = _job(entry, source, number, zone, spread, form.has_user)
        home = said.get("XDG_CONFIG_HOME") or said.get("HOME", "")
        jobs.append(job._replace(path=said.get("PATH", ""), home=home))
    return jobs


def _wrong(job: Job, why: str) -> Job:
    return job._replace(skipped=why, is_wrong=True)


def split(line: str, form: Form, *, shell: str = "sh") -> Entry | None:
    """Take a line apart; None: it runs nothing."""
    match = (_ENTRY_OF_ANACRON if form.is_anacron else _ENTRY).fullmatch(line)
    if match is None:
        return None
    head, command = (
        line[: match.start(match.lastindex or 0)],
        match[match.lastindex or 0],
    )
    if form.has_user:
        user = re.match(r"\S+\s+", command)
        if user is None:
            return None
        head, command = head + user[0], command[user.end() :]
    command, rest = _ended(command, form.end)
    return Entry(head, command.strip(), rest, shell) if command.strip() else None


def _ended(command: str, end: str) -> tuple[str, str]:
    """Return a command up to its end, and what stands there."""
    match = re.search(r"(?<!\\)%" if end == "%" else r"\s*#", command) if end else None
    at = match.start() if match else len(command)
    return command[:at], command[at:]


def _job(
    entry: Entry, source: str, number: int, tz: str, spread: int, has_user: bool
) -> Job:
    words = entry.head.split()
    user = words[-1] if has_user else ""
    if has_user:
        words = words[:-1]
    job = Job(source, entry.command.replace("\\%", "%"), number, tz=tz, user=user)
    job = job._replace(watched=tells(entry.command))
    if not job.watched and (why := _unfit(entry)):
        return job._replace(skipped=why)
    if words[0].lower() == "@reboot":
        return job._replace(skipped="runs when the machine starts, and has no schedule")
    if words[0].startswith("@"):
        schedule = schedules.NAMED.get(words[0].lower())
        if schedule is None:
            return _wrong(job, f"{words[0]} is unknown")
        words = schedule.split()
    words[0] = words[0].lstrip("-")  # SUSE's: not logged
    try:
        fields, apart = schedules.normal(words)
    except ValueError as error:
        return _wrong(job, str(error))
    late = spread + apart + _naps(job.command)
    return job._replace(schedule=" ".join(fields), period=period(fields), spread=late)


_NAP = re.compile(r"\bsleep(?=[\s(])([^;&|]*)")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\)*([smhd]?)\b")
_UNITS = {"": 1, "s": 1, "m": MINUTE, "h": HOUR, "d": DAY}

# What bash has for chance: so many figures of it, below a number, or all.
_FIGURES = re.compile(r"\$\{RANDOM:\d+:(\d)\}")
_BELOW = re.compile(r"\$?\{?RANDOM\}?\s*%\s*")
_CHANCE = re.compile(r"\$\{?RANDOM\b\}?")


def _naps(command: str) -> int:
    """Return the seconds that a command may sleep, a day at most.

    Many do before their work, so that not all machines come at once.
    """
    seconds = 0.0
    for nap in _NAP.findall(command):
        nap = _FIGURES.sub(lambda match: str(10 ** int(match[1])), nap)
        nap = _CHANCE.sub("32768", _BELOW.sub("", nap))
        lengths = [float(n) * _UNITS[unit] for n, unit in _LENGTH.findall(nap)]
        seconds += max(lengths, default=0.0)
    return int(min(seconds, DAY))


def _job_of_anacron(entry: Entry, source: str, number: int, spread: int) -> Job:
    days, delay = entry.head.split()[:2]
    job = Job(source, entry.command, number, user="root", watched=tells(entry.command))
    if not job.watched and (why := _unfit(entry)):
        return job._replace(skipped=why)
    if entry.command.endswith("\\"):
        return job._replace(skipped="goes on in the next line")
    every = _DAYS.get(days.lower()) or (int(days) if days.isdigit() else 0)
    if not every:
        return _wrong(job, f"{days} is unknown")
    # It runs once the machine is on: a day without that is no failure.
    late = spread + int(delay) * MINUTE + DAY
    return job._replace(period=every * DAY, spread=late)


def period(fields: list[str]) -> int:
    """Return about how many seconds lie between two runs."""
    minute, hour, day, month, weekday = fields
    if month != "*":
        return 365 * DAY
    if day != "*" and weekday == "*":
        return 30 * DAY
    if weekday != "*" and day == "*":
        return DAY if re.search("[-,*]", weekday) else 7 * DAY
    if hour == "*":
        return _distance(minute, 60) * MINUTE
    return _distance(hour, 24) * HOUR


def _distance(field: str, whole: int) -> int:
    if field == "*":
        return 1
    step = re.fullmatch(r"\S+/(\d+)", field)
    if step and "," not in field:
        return min(int(step[1]) or 1, whole)
    if re.fullmatch(r"\d+-\d+", field):
        return 1
    return max(1, whole // len(field.split(",")))


# What the shell would read more into than words.
_SHELL_SIGNS = set("|&;<>()$`\\\"'*?[]#~=%{}!\n")

# What only a shell knows: there is no such program, or it does something else.
_SHELL_WORD = re.compile(
    r"(\.|:|alias|builtin|cd|command|eval|exec|export|read|set|shift|source|times?|trap"
    r"|type|ulimit|umask|unset|wait)(\s|$)"
)


def wrapped(entry: Entry, check: str, hcl: str) -> str:
    """Return a line whose command is run by `hcl run`."""
    lock, command = _behind_lock(entry.command)
    if set(command) & _SHELL_SIGNS or _SHELL_WORD.match(command):
        if entry.shell.rpartition("/")[2] in _KNOWING_IF:
            command = _without_false_failure(command)
        # cron takes the backslash of \\% away before a shell sees it: it stays.
        command = f"{entry.shell} -c {shlex.quote(command)}"
    return f"{entry.head}{lock}{hcl} run {check} -- {command}{entry.rest}"


# What runs a job only if its lock is free, by options that take no word.
_OPTIONS = r"(?:(?:-[sxeoF]+|--(?:shared|exclusive|close|no-fork|verbose))\s+)*"
_LOCK = re.compile(
    rf"((?:\S*/)?flock\s+{_OPTIONS}(?:-[sxeoF]*n[sxeoF]*|--nb|--nonblock)\s+{_OPTIONS}"
    r"[\w./~$][\w./@:+{}$-]*\s+)([^\s-].*)"
)

_KNOWING_IF = ("sh", "bash", "dash", "ash", "ksh", "zsh")

# What only asks, at the beginning of a line.
_CONDITION = re.compile(r"\s*(test|\[|\[\[|command\s+-v|which|type)\s")

# What a shell reads as one, and what stands between commands.
_PIECES = re.compile(
    r"""'[^']*'|"(?:\\.|[^"\\])*"|\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`|\\."""
    r"""|[<>|]&|&>|(?P<sign>&&|\|\||[;&|]|(?<!\S)\#)|.""",
    re.DOTALL,
)
_ONE_PIECE = re.compile(r"if\s((?!\sfi\b).)*\sfi|\{\s[^{}]*\}|\([^()]*\)")


def _unfit(entry: Entry) -> str:
    """Say why a line cannot be wrapped so that its job still runs; "": it can."""
    if _goes_on(entry.command):
        return "goes on in the background (&), unheard"
    text = shlex.quote(entry.command) + entry.rest
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST:
        return "would be too long for cron"
    return ""


def _goes_on(command: str) -> bool:
    """Tell whether a shell ends before what it starts, which then loses its output."""
    signs = {match["sign"] for match in _PIECES.finditer(command)}
    return "&" in signs and not re.search(r"\bwait\b", command)


def _behind_lock(command: str) -> tuple[str, str]:
    """Take a command apart whose lock another may hold; "": it has none, or more.

    Each time that it is held there is nothing to do: that is to be told to nobody.
    """
    match = _LOCK.fullmatch(command)
    if match is None or any(piece["sign"] for piece in _PIECES.finditer(command)):
        return "", command
    return match[1], match[2]


def _without_false_failure(command: str) -> str:
    """Return `[ … ] && job` as an `if`: where there is nothing to do it has not failed.

    Under cron nobody sees its exit status; what cannot be told apart stays as it is.
    """
    signs = [match for match in _PIECES.finditer(command) if match["sign"]]
    begin = end = 0
    for sign in signs:
        if sign["sign"] != "&&" or not _CONDITION.match(command, begin):
            break
        end, begin = sign.start(), sign.end()
    left = {sign["sign"] for sign in signs if sign.start() >= begin}
    job = command[begin:].strip()
    if not begin or not job or (left - {"&&", "|"} and not _ONE_PIECE.fullmatch(job)):
        return command
    if "#" in left or _CONDITION.match(job):
        return command
    return f"if {command[:end].strip()}; then {job}; fi"
