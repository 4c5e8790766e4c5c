"""A job of this machine as it was found, and the check that is proposed for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from hcl.client.sync.schedules import DAY, HOUR, MINUTE

# What runs a command, and the options of it that take a word; the rest is the command.
_WRAPPERS = {
    "nice": "-n",
    "ionice": "-c -n -p",
    "chronic": "",
    "time": "-o -f",
    "timeout": "-s -k",
    "flock": "-w -E -c",
    "sudo": "-u -g -H",
    "env": "-u -C",
    "nohup": "",
    "setsid": "",
    "systemd-cat": "-t -p",
    "systemd-run": "-p",
    "cronic": "",
    "exec": "",
    "unbuffer": "",
    "stdbuf": "-i -o -e",
    "doas": "-u",
    "su": "-s -g",
    "proxychains": "",
    "caffeinate": "",
    "logger": "-t",
    "chrt": "-p",
    "taskset": "",
    "command": "",
}

# Of these so many plain words stand before the command.
_WORDS_BEFORE = {"timeout": 1, "flock": 1, "chrt": 1, "taskset": 1, "su": 1}

# Whose first argument that is no option is what matters.
_INTERPRETERS = re.compile(
    r"(ba|da|z|k|c|tc|fi)?sh|python[0-9.]*|perl|ruby|node|nodejs|php[0-9.]*|deno|bun"
    r"|lua|Rscript|java|mono|dotnet|pwsh|tclsh|ruby[0-9.]*"
)

# Shell words that are no command, and what follows them is.
_KEYWORDS = ("if", "then", "while", "do", "!", "{", "(", "&&", "||", ";")

# What only prepares.
_PREPARES = (
    "cd",
    "test",
    "[",
    "[[",
    "sleep",
    "source",
    ".",
    "export",
    "eval",
    "umask",
    "set",
    "ulimit",
    "true",
    ":",
    "mkdir",
    "pushd",
    "unset",
    "trap",
    "read",
    "date",
)

# Scripts of which each job runs another part.
_TOLD_WHAT = ("artisan", "manage", "console", "occ", "wp", "drush", "rake", "rails")

# `hcl run` or `hcl ping`, whatever its file is called, and the check that it names.
_CLIENT = re.compile(
    r"\bhcl(?:[-.]client)?(?:\.pyz)?[\"']?\s+(?:run|ping)\s+"
    r"(?:--(?:server|ping-key|patience|timeout|rid)[=\s]\s*\S+\s+|-\S+\s+)*"
    r"([^\s-]\S*)"
)

# Other clients, and anything that calls a ping URL: what follows may be a variable.
_CHECK = r"([\w-]+(?:/[\w-]+)?)"
_OTHERS = re.compile(
    rf"(?:/ping/|hc-ping\.com/)(?:{_CHECK}|(?=[\"']?\$))|\b(?:runitor|cronitor)\b"
)

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PLAIN = re.compile(r"[a-z][a-z0-9-]*(:[a-z0-9:-]+)?")
_EXTENSION = re.compile(r"\.(sh|bash|py|pl|rb|js|php|phar|jar|mjs|ts|lua|R|ps1|cgi)$")


class Job(NamedTuple):
    """A job, where it stands, and when it runs.

    `source` names the file or unit for people, `line` is its line there (0: none).
    `schedule` is cron or OnCalendar; "": it runs every `period` seconds. `skipped` says
    why it cannot be watched; "": it can. `is_wrong`: no cron takes its line. `watched`:
    the check that it tells already.
    `unit`: what a timer starts. `is_cut_off`: that has no network. `path`: where its
    crontab says that programs are, `home` that its home is, or that of its settings;
    "": it does not say.
    """

    source: str
    command: str
    line: int = 0
    schedule: str = ""
    period: int = 0
    tz: str = ""
    spread: int = 0
    takes: int = 0
    skipped: str = ""
    is_wrong: bool = False
    watched: str = ""
    user: str = ""
    unit: str = ""
    is_cut_off: bool = False
    path: str = ""
    home: str = ""

    @property
    def grace(self) -> int:
        """Return the seconds that it may be late, by its habit if that is known."""
        usual = 3 * self.takes if self.takes else self._usual
        grace = max(5 * MINUTE, usual) + self.spread
        return min(-(-grace // MINUTE) * MINUTE, 365 * DAY)

    @property
    def _usual(self) -> int:
        if self.period and self.period < HOUR:
            return max(MINUTE, self.period // 2)
        return HOUR if not self.period or self.period >= DAY else 30 * MINUTE


def tells(command: str) -> str:
    """Return the check that a command tells already, or what tells it; "": nothing."""
    found = _CLIENT.search(command) or _OTHERS.search(command)
    return next(filter(None, found.groups()), "?").strip("\"'") if found else ""


def tells_at(endpoint: str, command: str) -> str:
    """Return the check that a command tells by a URL that begins so; "": none."""
    found = re.search(re.escape(endpoint) + f"{_CHECK}?", command)
    return (found[1] or "?") if found else ""


def name(command: str) -> str:
    """Return what people call a command: its script, and what it is told to do."""
    words = _words(command)
    found = _first(words)
    if found is None:
        return ""
    program, rest = found
    base = program.rstrip("/").rpartition("/")[2]
    if base in ("run-parts", "savelog"):
        paths = [word for word in rest if word.startswith("/")]
        return _slug(paths[-1].rpartition("/")[2]) if paths else _slug(base)
    if base in ("docker", "podman", "docker-compose", "kubectl"):
        return _of_containers(base, rest)
    if _INTERPRETERS.fullmatch(base):
        return _of_interpreter(base, rest)
    stem = _EXTENSION.sub("", base)
    if stem in _TOLD_WHAT:
        return _told_what(stem, rest)
    action = next((word for word in rest if not word.startswith("-")), "")
    if stem == base and _PLAIN.fullmatch(action) and len(action) < 20:
        return _slug(f"{stem}-{action}")
    return _slug(stem)


def _words(command: str) -> list[str]:
    """Split a command as a shell does, as far as that can be told."""
    lexer = shlex.shlex(
        re.sub(r"\$\(\(.*?\)\)|\$\([^()]*\)|`[^`]*`", "0", command),
        posix=True,
        punctuation_chars="();<>|&",
    )
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return command.split()


def _first(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the first command that does something, and its arguments."""
    commands: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set("();<>|&"):
            if "<" in word or ">" in word:
                commands[-1].append(word)
            else:
                commands.append([])
        else:
            commands[-1].append(word)
    weak = None
    for command in commands:
        found = _unwrapped(command)
        if found is None:
            continue
        waits = found[1][:1] == ["-e"] and "sleep" in found[1][-1]
        if found[0] not in _PREPARES and not waits:
            return found
        weak = weak or found
    return weak


def _unwrapped(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the command that wrappers run, without redirections."""
    left = _without_redirections(words)
    while left:
        word = left.pop(0)
        base = word.rpartition("/")[2]
        if word in _KEYWORDS or _ASSIGNMENT.match(word):
            continue
        if base not in _WRAPPERS:
            return word, left
        inner = _without_options(base, left)
        if inner is not None:
            return _first(_words(inner))
    return None


def _without_options(base: str, left: list[str]) -> str | None:
    """Take a wrapper's own words away; return the command that it got as one word."""
    taking = _WRAPPERS[base].split()
    before = _WORDS_BEFORE.get(base, 0)
    while left and (left[0].startswith("-") or before):
        word = left.pop(0)
        if word == "-c" and base in ("flock", "su"):
            return left[0] if left else ""
        if not word.startswith("-") or (word == "-" and base == "su"):
            before -= word != "-"
        elif word in taking and left:
            left.pop(0)
    return None


def _without_redirections(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skips = False
    for word in words:
        if skips:
            skips = False
        elif set(word) <= set("<>&|") and ("<" in word or ">" in word):
            skips = True
            if kept and kept[-1].isdigit():
                kept.pop()  # 2>&1
        else:
            kept.append(word)
    return kept


def _of_interpreter(base: str, rest: Sequence[str]) -> str:
    left = list(rest)
    while left and left[0].startswith("-"):
        option = left.pop(0)
        if option in ("-c", "-lc", "-ec", "-e", "-xc") and left:
            if base.endswith("sh"):
                return name(left[0])
            return _slug(base)
        if option in ("-d", "-W", "-X", "-r", "-I") and left:
            left.pop(0)
        if option == "-m" and left:
            return _slug(left[0].rpartition(".")[2])
    if not left:
        return _slug(base)
    script = left.pop(0)
    stem = _EXTENSION.sub("", script.rpartition("/")[2])
    return _told_what(stem, left) if stem in _TOLD_WHAT else _slug(stem)


def _told_what(stem: str, rest: Sequence[str]) -> str:
    action = next((word for word in rest if not word.startswith("-")), "")
    return _slug(f"{stem}-{action}" if _PLAIN.fullmatch(action) else stem)


_CONTAINER_OPTIONS = (
    "-u",
    "-e",
    "-w",
    "-v",
    "-f",
    "-p",
    "--name",
    "--user",
    "-n",
    "-c",
    "--env",
    "--network",
    "--volume",
    "--workdir",
    "--namespace",
    "--file",
    "--project-name",
)


def _of_containers(base: str, rest: Sequence[str]) -> str:
    """Return the name of what runs in a container: of it, and what it is told to do."""
    left, plain = list(rest), []
    while left:
        word = left.pop(0)
        if word.startswith("-"):
            if word in _CONTAINER_OPTIONS and left:
                left.pop(0)
            continue
        plain.append(word)
        if len(plain) >= 2 and plain[-2] in ("exec", "run"):
            break
    where = plain[-1].partition(":")[0].rpartition("/")[2] if plain else base
    inner = name(shlex.join(word for word in left if word != "--")) if left else ""
    if not inner and plain and plain[0] not in ("exec", "run"):
        return _slug("-".join([base, *plain[:2]]))
    return _slug("-".join(filter(None, [where, inner])))


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9_]+", "-", text.lower()).strip("-_")[:80]
