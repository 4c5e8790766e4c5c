"""Write a first hcl.toml, with keys that nobody else has."""

import os
import secrets
import string
from pathlib import Path

from hcl.config.loading import load
from hcl.config.reading import ConfigError
from hcl.config.settings import Config

_TEXT = """\
# hcl's configuration. It holds secrets: keep it to yourself.
# All keys, and what they mean, are in hcl.toml.example; all but these have defaults.

[server]
listen = "127.0.0.1:8000"            # "0.0.0.0:8000" to be reached from elsewhere
site_root = "http://127.0.0.1:8000"  # how people and clients reach it

[[projects]]
name = "Home"
ping_key = "{ping_key}"  # for /ping/<ping_key>/<slug>

[[projects.keys]]                    # for the API, in the header X-Api-Key
name = "me"
key = "{api_key}"
access = "read-write"

# [[projects.channels]]              # whom to tell when a check goes down or up
# name = "Hook"
# kind = "webhook"
# down = {{ method = "POST", url = "https://example.org/", body = "$NAME is $STATUS" }}
# up = {{ method = "POST", url = "https://example.org/", body = "$NAME is $STATUS" }}
"""


def fresh_text() -> str:
    """Make the text of a new hcl.toml: one project, its keys drawn at random."""
    return _TEXT.format(
        ping_key=_random(string.ascii_lowercase + string.digits, 22),
        api_key="hcw_" + _random(string.ascii_letters + string.digits, 28),
    )


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def write_fresh(path: Path) -> Config:
    """Write a new file that only its owner may read, and load it.

    Raise ConfigError if it cannot be written, or if anything is there already.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(fresh_text())
    except FileExistsError as e:
        raise ConfigError(f"{path}: is there already, and stays as it is") from e
    except OSError as e:
        raise ConfigError(f"{path}: cannot be written: {e.strerror}") from e
    return load(path)
