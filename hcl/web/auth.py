"""Who may use the API and see the pages: the keys of hcl.toml."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from hcl.config import Config
from hcl.model import Project

# Characters that every key has, as on all servers of this protocol.
KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Access:
    """What a key opens: to read it, or to change it too.

    The API knows one project by a key, `project`; pages and Prometheus know all.
    """

    project: Project
    readonly: bool
    name: str = ""
    others: tuple[Project, ...] = ()

    @property
    def projects(self) -> tuple[Project, ...]:
        """Return all projects that it opens, its own first."""
        return (self.project, *self.others)


class Keyring:
    """The API keys of all projects, known by their digests."""

    def __init__(self, config: Config, projects: Iterable[Project]) -> None:
        self.projects = tuple(projects)
        named = {project.name: project for project in self.projects}
        self._access = {
            key.sha256: Access(
                project,
                key.access == "read-only",
                key.name,
                tuple(
                    named[name]
                    for name in dict.fromkeys(key.projects)
                    if name != wanted.name
                ),
            )
            for wanted, project in zip(config.projects, self.projects, strict=True)
            for key in wanted.keys
        }
        # What some keys are known by a digest with: those that moved here hashed.
        self._secrets = {
            wanted.healthchecks_secret.encode()
            for wanted in config.projects
            if any(key.is_hmac for key in wanted.keys)
        }

    def digest_of(self, key: str) -> str:
        """Return the digest that a key is known by; its SHA-256 if it is not known."""
        plain = digest_of(key)
        if plain not in self._access:
            for secret in self._secrets:
                keyed = hmac.digest(secret, key.encode("utf-8", "replace"), "sha256")
                if keyed.hex() in self._access:
                    return keyed.hex()
        return plain

    def find(self, key: str) -> Access | None:
        """Return what a key opens, None if there is no such key."""
        # A look-up by digest tells an attacker nothing by the time it takes.
        return self.by_digest(self.digest_of(key))

    def by_digest(self, digest: str) -> Access | None:
        """Return what the key with this digest opens, None if there is no such key."""
        return self._access.get(digest)

    def beginning(self, start: str) -> str:
        """Return the digest of the key whose digest begins so, "" if there is none."""
        return next((digest for digest in self._access if digest.startswith(start)), "")


def key_in(header: bytes) -> str:
    """Return the key that a header bears: in UTF-8, or else in Latin-1."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


def digest_of(key: str) -> str:
    """Return the SHA-256 that a key is known by, in hex."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
