"""What every page is made of: the templates, and where pages are."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from hcl.checks.check_json import Site
from hcl.model import Check, Project
from hcl.web.pages import static_files, wording

# So many characters of a page are written in one go of the loop. A piece that a macro
# returns is one as a whole: what is long is written by a block or by what it includes.
SLICE = 3000


@dataclass(frozen=True, slots=True)
class Paths:
    """Where pages are, for links, as this viewer comes to them."""

    site: Site
    readonly: bool

    def static(self, name: str) -> str:
        """Return where a static file is."""
        return self.to(f"/static/{name}?v={static_files.version()}")

    def project(self, project: Project, page: str = "") -> str:
        """Return where a project's list is, or another page of it."""
        return self.to(f"/projects/{project.code}/{page}")

    def check(self, check: Check, page: str = "") -> str:
        """Return where a check's page is, or another page of it (`edit`, `log`)."""
        return self.to(self.check_path(check, page))

    def check_path(self, check: Check, page: str = "") -> str:
        """Return the same without the site's own path.

        A check's code is a secret of those who may change it.
        """
        key = check.unique_key if self.readonly else check.code
        return f"/checks/{key}" + (f"/{page}" if page else "")

    def to(self, path: str) -> str:
        """Return any other place, that begins with a slash."""
        return self.site.inside(path)


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


async def written(template: jinja2.Template, context: Mapping[str, Any]) -> str:
    """Write a page, a slice at a time."""
    pieces: list[str] = []
    # What is shown was worked out in one go before.
    size = SLICE
    for piece in template.generate(context):
        pieces.append(piece)
        size += len(piece)
        if size > SLICE:
            # Whoever waits with a ping comes first.
            await asyncio.sleep(0)
            size = 0
    return "".join(pieces)
