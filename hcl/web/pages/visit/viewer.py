"""Who looks at a page, and what they may see and do."""

from dataclasses import dataclass

from hcl.model import Project


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in.

    `projects` are those they may see, one at least; `readonly`: they may change none.
    `csrf` is what their forms bear, so that nobody else's count.
    """

    name: str
    projects: tuple[Project, ...]
    readonly: bool
    csrf: str
    is_proxied: bool = False

    def project(self, code: str) -> Project | None:
        """Return a project that they may see, by its code."""
        return next((p for p in self.projects if p.code == code), None)
