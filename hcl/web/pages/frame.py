"""What every page is made of: the templates, what they may use, and helpers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hcl import __version__, store
from hcl.model import Check, Project
from hcl.web.pages import static_files, wording
from hcl.web.pages.visit.errors import PageError, no_such_check
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts

__all__ = [
    "PageError",
    "PageHandler",
    "SeeOther",
    "asked_project",
    "owned_check",
    "render",
    "see_other",
    "url_of",
]

PageHandler = Callable[[Request, Parts, Viewer], Awaitable[Response]]


class SeeOther(Response):
    """Leads to another page; the door adds the site's own path and keeps the notice."""

    def __init__(self, path: str, notice: str = "") -> None:
        super().__init__(status_code=303, headers={"Location": path})
        self.notice = notice


def see_other(path: str, notice: str = "") -> SeeOther:
    """Lead to another page after a change; it shows the notice, once.

    `path` begins with a slash, and without the site's own path.
    """
    return SeeOther(path, notice)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where pages are, for links, as this viewer comes to them.

    `base` is the site's own path, "" for most, and for `see_other`.
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


def url_of(parts: Parts, viewer: Viewer | None) -> Paths:
    """Return where pages are, for links in a page."""
    return Paths(parts.base, viewer is None or viewer.readonly)


def render(
    request: Request,
    parts: Parts,
    viewer: Viewer | None,
    template: str,
    *,
    status: int = 200,
    **context: Any,
) -> Response:
    """Answer with a page.

    `context` may hold `project`, the one that the page belongs to, and `nav`, the part
    of it: checks, integrations, badges, server. `viewer` is None for a page that
    everybody may see.
    """
    project = viewer.projects[0] if viewer else None
    known = {
        "viewer": viewer,
        "project": project,
        "nav": "",
        "site_name": parts.config.server.site_name,
        "version": __version__,
        "url": url_of(parts, viewer),
        "now": datetime.now(UTC),
        "notice": getattr(request.state, "notice", ""),
    }
    page = templates().get_template(template).render(known | context)
    return HTMLResponse(page, status)


def asked_project(request: Request, viewer: Viewer) -> Project:
    """Return the project of the URL. Raises PageError if the viewer may not see it."""
    project = viewer.project(request.path_params["project"])
    if project is None:
        raise PageError(404, "No such project", "Or it is not one of yours.")
    return project


async def owned_check(
    request: Request, parts: Parts, viewer: Viewer
) -> tuple[Project, Check]:
    """Return the check of the URL and its project.

    Raises PageError if there is none, or if it is of a project not the viewer's.
    """
    key = request.path_params["code"]
    conn = await parts.database.current()
    for project in viewer.projects:
        if "-" in key:
            check = await store.checks.by_code(conn, key)
        else:
            check = await store.checks.by_unique_key(conn, project.id, key)
        if check is not None and check.project_id == project.id:
            return project, check
    raise no_such_check()


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
