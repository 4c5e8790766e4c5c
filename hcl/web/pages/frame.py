"""What every page is made of: the templates, and where pages are."""

from dataclasses import dataclass
from functools import cache

import jinja2

from hcl.model import Check, Project
from hcl.web.pages import static_files, wording


@dataclass(frozen=True, slots=True)
class Paths:
    """Where pages are, for links, as this viewer comes to them.

    `base` is the site's own path, "" for most.
    """

    base: str
    readonly: bool

    def static(self, name: str) -> str:
        """Return where a static file is."""
        return f"{self.base}/static/{name}?v={static_files.version()}"

    def project(self, project: Project, page: str = "") -> str:
        """Return where a project's list is, or another page of it."""
        return f"{self.base}/projects/{project.code}/{page}"

    def check(self, check: Check, page: str = "") -> str:
        """Return where a check's page is, or another page of it (`edit`, `log`).

        A check's code is a secret of those who may change it.
        """
        key = check.unique_key if self.readonly else check.code
        return f"{self.base}/checks/{key}" + (f"/{page}" if page else "")

    def to(self, path: str) -> str:
        """Return any other place, that begins with a slash."""
        return self.base + path


@cache
def templates() -> jinja2.Environment:
    """Return the templates of all pages."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hcl.web.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # They cannot change while the server runs.
        auto_reload=False,
    )
    environment.globals.update(wording.GLOBALS)
    environment.filters.update(wording.FILTERS)
    return environment
