"""One request to a page: who looks, what is asked for, and how it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hcl import __version__, store
from hcl.model import Check, Project
from hcl.web import preferences
from hcl.web.pages import wording
from hcl.web.pages.dashboard.dashboard import Dashboard
from hcl.web.pages.dashboard.warning import Trouble
from hcl.web.pages.frame import Paths, templates, written
from hcl.web.pages.visit import notices
from hcl.web.pages.visit.errors import PageError, no_such_check
from hcl.web.pages.visit.identity import Identity, identify
from hcl.web.pages.visit.posted import Form
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to a page, as the API has its Call.

    It came `now`, and what it changes is of when that is done: a form may come in
    slowly. `notice` is what the page before wants to be told, "" for nothing. `form` is
    what a POST sent, else empty. `warnings` are by the ids of the viewer's projects.
    """

    request: Request
    parts: Parts
    dashboard: Dashboard
    identity: Identity
    now: datetime
    notice: str = ""
    form: Form = field(default_factory=dict)
    warnings: Mapping[int, Trouble] = field(default_factory=dict)

    @property
    def viewer(self) -> Viewer:
        """Who is signed in; pages that are open to everybody ask `identity` instead."""
        if self.identity.viewer is None:
            raise LookupError("nobody is signed in")
        return self.identity.viewer

    @property
    def shown(self) -> datetime:
        """As of when checks are shown: now, but while an absence is not judged yet."""
        return self.parts.clock.shown()

    @property
    def query(self) -> QueryParams:
        """What the URL asks for."""
        return self.request.query_params

    @property
    def url(self) -> Paths:
        """Where pages are, for links in a page."""
        viewer = self.identity.viewer
        return Paths(self.parts.site, viewer is None or viewer.readonly)

    @property
    def preferences(self) -> preferences.Preferences:
        """How the viewer likes pages to look."""
        return preferences.read(self.request)

    @property
    def here(self) -> str:
        """Where to lead back to what is shown: the path and query, or the first page.

        What answers a form cannot be asked for again.
        """
        if self.request.method != "GET":
            return "/"
        path, query = self.request.url.path, self.request.url.query
        return f"{path}?{query}" if query else path

    def identify(self, now: datetime) -> Identity:
        """Tell who looks by what counts now, since keys and sessions may end."""
        return identify(self.request, self.parts, self.dashboard.ended_sessions, now)

    def project(self) -> Project:
        """Return the project of the URL.

        Raises PageError if the viewer may not see it.
        """
        project = self.viewer.project(self.request.path_params["project"])
        if project is None:
            raise PageError(
                404,
                "No such project",
                "There is none here, or your key does not open it.",
            )
        return project

    async def check(self) -> tuple[Project, Check]:
        """Return the check of the URL and its project.

        Raises PageError if there is none, or if it is of a project not the viewer's.
        """
        key = self.request.path_params["code"]
        conn = await self.parts.database.current()
        for project in self.viewer.projects:
            if "-" in key:
                check = await store.checks.by_code(conn, key)
            else:
                check = await store.checks.by_unique_key(conn, project.id, key)
            if check is not None and check.project_id == project.id:
                return project, check
        raise no_such_check()

    async def render(
        self, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        """Answer with a page.

        `context` may hold `project`, the one that the page belongs to, and `nav`, the
        part of it: checks, integrations, badges, server.
        """
        viewer, now = self.identity.viewer, self.parts.clock.now()
        known: dict[str, Any] = {
            "viewer": viewer,
            "project": viewer.projects[0] if viewer else None,
            "nav": "",
            "site_name": self.parts.config.server.site_name,
            "version": __version__,
            "url": self.url,
            "here": self.here,
            "preferences": self.preferences,
            # Not of the visit: by it app.js tells how far the browser's clock is off.
            "now": now,
            "notice": self.notice.removeprefix(notices.BAD),
            "notice_is_bad": self.notice.startswith(notices.BAD),
        } | context
        project = known["project"]
        known["warning"] = self.warnings.get(project.id) if project else None
        with wording.as_of(now):
            async with self.dashboard.writing:
                page = await written(templates().get_template(template), known)
        return HTMLResponse(page, status)

    def see_other(self, path: str, notice: str = "") -> Response:
        """Lead to another page, mostly after a change; it shows the notice, once.

        `path` begins with a slash, and without the site's own path.
        """
        response = Response(status_code=303, headers={"Location": self.url.to(path)})
        if notice:
            # What was done may have taken a while, such as a trial of a channel.
            notices.keep(response, notice, self.parts, self.parts.clock.now())
        return response


Handler = Callable[[Visit], Awaitable[Response]]
