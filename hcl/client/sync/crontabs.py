"""Read crontabs: of users, of the system, of /etc/cron.d; crontab(5), cronie's too."""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from hcl.client.sync.jobs import DAY, HOUR, MINUTE, Job, tells

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@every_minute": "* * * * *",
}

_SETTING = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*|\"[^\"]+\"|'[^']+')\s*=\s*(.*)")
_FIELD = r"(\S+)\s+"
_ENTRY = re.compile(rf"\s*(@[a-z_]+\s+|{_FIELD * 5})(.*)", re.IGNORECASE)
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)


class Entry(NamedTuple):
    """A line of a crontab that runs something.

    `head` is all before the command, `rest` what stands behind an unescaped %: it is
    the command's standard input.
    """

    head: str
    command: str
    rest: str
    shell: str


def read(text: str, source: str, *, has_user: bool, tz: str) -> list[Job]:
    """Return the jobs of a crontab; `has_user`: it names a user before each command."""
    jobs = []
    shell, zone, spread = "sh", tz, 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        setting = _SETTING.fullmatch(line)
        if setting and not line.lstrip().startswith(("@", "*")):
            name, value = setting[1].strip("\"'"), setting[2].strip().strip("\"'")
            if name == "CRON_TZ":
                zone = value
            elif name == "RANDOM_DELAY" and value.isdigit():
                spread = int(value) * MINUTE
            elif name == "SHELL":
                shell = value
            continue
        entry = split(line, has_user=has_user, shell=shell)
        if entry is None:
            jobs.append(
                Job(source, line.strip(), number, skipped="is no line of a crontab")
            )
            continue
        jobs.append(_job(entry, source, number, zone, spread, has_user))
    return jobs


def split(line: str, *, has_user: bool, shell: str = "sh") -> Entry | None:
    """Take a line apart; None: it runs nothing."""
    match = _ENTRY.fullmatch(line)
    if match is None:
        return None
    head, command = (
        line[: match.start(match.lastindex or 0)],
        match[match.lastindex or 0],
    )
    if has_user:
        user = re.match(r"\S+\s+", command)
        if user is None:
            return None
        head, command = head + user[0], command[user.end() :]
    command, percent, rest = _at_percent(command)
    return (
        Entry(head, command.strip(), percent + rest, shell) if command.strip() else None
    )


def _at_percent(command: str) -> tuple[str, str, str]:
    match = re.search(r"(?<!\\)%", command)
    if match is None:
        return command, "", ""
    return command[: match.start()], "%", command[match.end() :]


def _job(
    entry: Entry, source: str, number: int, tz: str, spread: int, has_user: bool
) -> Job:
    words = entry.head.split()
    user = words[-1] if has_user else ""
    if has_user:
        words = words[:-1]
    job = Job(source, entry.command.replace("\\%", "%"), number, tz=tz, user=user)
    watched = tells(entry.command)
    if watched:
        return job._replace(watched=watched)
    if words[0].lower() == "@reboot":
        return job._replace(skipped="runs when the machine starts, and has no schedule")
    if words[0].startswith("@"):
        schedule = _NAMED.get(words[0].lower())
        if schedule is None:
            return job._replace(skipped=f"{words[0]} is unknown")
        words = schedule.split()
    words[0] = words[0].lstrip("-")  # SUSE's: not logged
    try:
        fields, apart = normal(words)
    except ValueError as error:
        return job._replace(skipped=str(error))
    return job._replace(
        schedule=" ".join(fields), period=period(fields), spread=spread + apart
    )


def normal(fields: list[str]) -> tuple[list[str], int]:
    """Return five fields as every server takes them, and how far random ones go apart.

    Raises ValueError. cronie's `a~b` is some moment between: the first one is expected.
    """
    apart, kept = 0, []
    units = (MINUTE, HOUR, DAY, DAY, DAY)
    for number, field in enumerate(fields):
        parts = []
        for part in field.lower().split(","):
            random = re.fullmatch(r"(\d*)~(\d*)(/\d+)?", part)
            if random:
                low = int(random[1] or (0, 0, 1, 1, 0)[number])
                high = int(random[2] or (59, 23, 31, 12, 6)[number])
                apart += max(0, high - low) * units[number]
                part = str(low)
            parts.append(_named(part, number))
        kept.append(",".join(parts))
    for field, least, most in zip(kept, (0, 0, 1, 1, 0), (59, 23, 31, 12, 7)):
        _judge(field, least, most)
    return kept, apart


def _named(part: str, number: int) -> str:
    """Write days and months as numbers; a range that ends with Sunday, as two."""
    names = {4: _DAYS, 3: _MONTHS}.get(number)
    if names is None:
        return part
    first = 1 if number == 3 else 0
    words = re.split(r"([-/])", part)
    words = [
        str(names.index(word[:3]) + first) if word[:3] in names else word
        for word in words
    ]
    if number == 4 and len(words) >= 3 and words[1] == "-":
        low, high = words[0], words[2]
        if low.isdigit() and high in ("0", "7") and int(low) > 0 and len(words) == 3:
            days = [str(day) for day in range(int(low), 7)] + ["0"]
            return ",".join(days)
    return "".join(words)


def _judge(field: str, least: int, most: int) -> None:
    for part in field.split(","):
        match = re.fullmatch(r"(\*|(\d+)(-(\d+))?)(/(\d+))?", part)
        if match is None:
            raise ValueError(f"{part!r} is no part of a cron schedule")
        numbers = [int(match[group]) for group in (2, 4) if match[group]]
        if not all(least <= number <= most for number in numbers):
            raise ValueError(f"{part!r} is not within {least} and {most}")


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


def wrapped(entry: Entry, check: str, hcl: str) -> str:
    """Return a line whose command is run by `hcl run`."""
    command = entry.command
    if set(command) & _SHELL_SIGNS:
        # cron takes the backslash of \\% away before a shell sees it: it stays.
        command = f"{entry.shell} -c {shlex.quote(command)}"
    return f"{entry.head}{hcl} run {check} -- {command}{entry.rest}"
