"""Write a first hcl.toml, with keys that nobody else has."""

import os
import re
import secrets
import stat
import string
from contextlib import suppress
from pathlib import Path

from hcl.config.loading import load
from hcl.config.reading import ConfigError
from hcl.config.rights import leave_to_owner_of, not_utf8, text_of, why_not
from hcl.config.settings import Config

PORT = 8000

_TEXT = """\
# hcl's configuration. It holds secrets: keep it to yourself.
# `hcl init --full` writes one with all keys, and what they mean; all but these have
# defaults. `hcl check-config` tells of what is wrong.

[server]
listen = "127.0.0.1:8000"            # "0.0.0.0:8000" to be reached from elsewhere
site_root = "http://127.0.0.1:8000"  # how people and clients reach it

[[projects]]
name = "Home"
ping_key = "replace-me-by-22-chars"  # for /ping/<ping_key>/<slug>

[[projects.keys]]                    # for the API, and to sign in with
name = "me"
key = "replace-me-by-32-characters-0000"
access = "read-write"

# [[projects.channels]]              # whom to tell when a check goes down or up
# name = "Phone"
# kind = "ntfy"                      # docs/channels.md lists all kinds
# url = "ntfys://ntfy.sh/replace-me-by-a-topic"
"""

# What stands in the place of keys, in the example too.
_PING_KEY = "replace-me-by-22-chars"
_API_KEY = "replace-me-by-32-characters-0000"
_TOPIC = "replace-me-by-a-topic"

_HEAD = """\
# hcl's configuration, with every key there is. It holds secrets: keep it to yourself.
# The keys are fresh. Channels and tags are commented out: take what you need.
#
"""


def fresh_text(*, full: bool = False, host: str = "") -> str:
    """Make the text of a new hcl.toml: one project, its keys drawn at random.

    `full`: with every key there is. `host`: as of a machine that others reach by that.
    """
    text = _full() if full else _TEXT
    text = text.replace(_PING_KEY, _random(string.ascii_lowercase + string.digits, 22))
    key = "hcw_" + _random(string.ascii_letters + string.digits, 28)
    text = text.replace(_API_KEY, key).replace(_TOPIC, fresh_topic())
    return (_opened(text, host) or text) if host else text


def fresh_topic() -> str:
    """Make a topic of ntfy that nobody guesses: who knows it reads along."""
    return "hcl-" + _random(string.ascii_lowercase + string.digits, 16)


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def example_path() -> Path:
    """Return where the example is: in the package, or beside it in a clone."""
    inside = Path(__file__).with_name("hcl.toml.example")
    return inside if inside.exists() else Path(__file__).parents[2] / inside.name


def _full() -> str:
    """Make a file to begin with of the example, which tells people and mails nobody."""
    _, _, text = example_path().read_text(encoding="utf-8").partition("#\n")
    lines, seen, is_kept = [_HEAD.rstrip("\n")], set[str](), True
    for line in text.splitlines():
        if line.startswith("["):
            wanted = line in ("[[projects]]", "[[projects.keys]]") and line not in seen
            is_kept = wanted or not line.startswith("[[")
            seen.add(line)
        is_code = bool(line) and not line.startswith("#")
        lines.append(f"# {line}" if is_code and not is_kept else line)
    return "\n".join(lines).replace('host = "smtp.example.org"', 'host = ""') + "\n"


def write_fresh(path: Path, *, full: bool = False, host: str = "") -> Config:
    """Write a new file that only its owner may read, and load it.

    Raise ConfigError if it cannot be written, or if anything is there already.
    """
    try:
        _write_new(path, fresh_text(full=full, host=host))
    except FileExistsError as e:
        problem = "is there already, and stays as it is"
        raise ConfigError(f"{path}: {problem}; edit it, or name another file") from e
    except OSError as e:
        why = why_not(e, path.absolute().parent, "go to another folder")
        raise ConfigError(f"{path}: cannot be written: {why}") from e
    return load(path)


def _write_new(path: Path, text: str, like: os.stat_result | None = None) -> None:
    """Write a file whole or not at all, where none is; OSError tells why it is not.

    Only its owner may read it, who is that of the folder if root writes it; or it has
    owner and mode of another.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            # Whoever may not give it away keeps it to themselves.
            with suppress(PermissionError):
                if like is not None:
                    os.fchown(fd, like.st_uid, like.st_gid)
                    os.fchmod(fd, stat.S_IMODE(like.st_mode))
                else:
                    leave_to_owner_of(path.absolute().parent, fd)
            file.write(text)
    except BaseException:
        path.unlink()
        raise


def open_to_network(path: Path, host: str) -> None:
    """Have a file of `write_fresh` listen for other machines, by the name of this one.

    Raise ConfigError if it says something else there, or cannot be written.
    """
    try:
        text = text_of(path)
        opened = _opened(text, host)
        if opened is None:
            listen, root = _all_of(host, str(PORT)), _root(host, str(PORT))
            raise ConfigError(
                f"{path}: is there already, with a listen or site_root of its own; in"
                f' [server] write listen = "{listen}" and site_root = "{root}"'
            )
        # What a link leads to; and root leaves it to whom hcl runs as.
        real = Path(os.path.realpath(path))
        beside = real.with_name(f"{real.name}.new")
        # One that a power cut left.
        beside.unlink(missing_ok=True)
        _write_new(beside, opened, real.stat())
        beside.replace(real)
    except UnicodeDecodeError as e:
        raise ConfigError(not_utf8(e, path)) from e
    except OSError as e:
        # It may be the folder, to which another file is written first.
        why = why_not(e, Path(e.filename or path))
        raise ConfigError(f"{path}: cannot be written: {why}") from e


def _opened(text: str, host: str) -> str | None:
    """Have the text listen for all, on its port; None if it was for others before."""
    listening = re.findall(r'(?m)^listen = "127\.0\.0\.1:(\d+)"', text)
    if len(listening) != 1:
        return None
    [port] = listening
    for key, fresh, wanted in (
        ("listen", r"127\.0\.0\.1", _all_of(host, port)),
        # Who took another port may have left this one.
        ("site_root", r"http://127\.0\.0\.1", _root(host, port)),
    ):
        line = re.compile(rf'^{key} = "{fresh}:\d+/?".*$', re.MULTILINE)
        text, count = line.subn(f'{key} = "{wanted}"', text)
        if count != 1:
            return None
    return text


def _all_of(host: str, port: str) -> str:
    """Return where to listen to be reached at a host: at `::` of IPv4 too."""
    return f"{'[::]' if ':' in host else '0.0.0.0'}:{port}"  # noqa: S104 - asked for


def _root(host: str, port: str) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
