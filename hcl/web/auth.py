"""Who may use the API: the keys of hcl.toml."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from hcl.config import Config
from hcl.model import Project


@dataclass(frozen=True, slots=True)
class Access:
    """What a key opens: one project, to read it or to change it too."""

    project: Project
    readonly: bool


class Keyring:
    """The API keys of all projects, known by their SHA-256."""

    def __init__(self, config: Config, projects: Iterable[Project]) -> None:
        self._access = {
            key.sha256: Access(project, key.access == "read-only")
            for wanted, project in zip(config.projects, projects, strict=True)
            for key in wanted.keys
        }

    def find(self, key: str) -> Access | None:
        """Return what a key opens, None if there is no such key."""
        # A look-up by digest tells an attacker nothing by the time it takes.
        digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        return self._access.get(digest)
