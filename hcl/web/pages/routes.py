"""Every URL of the dashboard in one table.

What answers is imported when somebody first asks for a page: a server that nobody looks
at shall not pay for it in memory or time to start.
"""

from collections.abc import Iterator

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hcl.web.pages.page import Page
from hcl.web.parts import Parts

PAGES = {
    "/": Page("overview.checks.first"),
    "/static/{name}": Page("static_files.get", is_open=True),
    "/sign-in": Page("visit.sign_in.ask", "visit.sign_in.enter", is_open=True),
    "/sign-out": Page(post="visit.sign_in.leave", is_open=True),
    "/server": Page("server_page.page"),
    "/projects/{project:code}/": Page("overview.checks.list_page"),
    "/projects/{project:code}/live": Page("overview.live.stream", in_place=True),
    "/projects/{project:code}/wall": Page("overview.wall.page"),
    "/projects/{project:code}/favicon.svg": Page(
        "overview.checks.favicon", in_place=True
    ),
    "/projects/{project:code}/new": Page(
        "check.forms.new", "check.forms.new", changes=True
    ),
    "/projects/{project:code}/schedule": Page(
        post="check.forms.preview", in_place=True
    ),
    "/projects/{project:code}/integrations": Page("integrations.channels.page"),
    "/projects/{project:code}/integrations/{channel:code}/test": Page(
        post="integrations.channels.send_test"
    ),
    "/projects/{project:code}/badges": Page("badges_page.page"),
    "/checks/{code:code}": Page("check.check.page"),
    "/checks/{code:code}/log": Page("check.check.log"),
    "/checks/{code:code}/pings/{n:number}": Page("check.check.ping"),
    "/checks/{code:code}/edit": Page(
        "check.forms.edit", "check.forms.edit", changes=True
    ),
    "/checks/{code:code}/pause": Page(post="check.actions.pause"),
    "/checks/{code:code}/resume": Page(post="check.actions.resume"),
    "/checks/{code:code}/ping": Page(post="check.actions.ping"),
    "/checks/{code:code}/delete": Page(
        "check.actions.confirm_delete", "check.actions.delete", changes=True
    ),
    "/checks/{code:code}/copy": Page(post="check.actions.copy"),
    "/checks/{code:code}/clear": Page(post="check.actions.clear"),
    "/checks/{code:code}/integrations": Page(post="check.actions.assign"),
    # A check's code is a secret, by which anybody can ping it: who may only look comes
    # to the same pages by the check's unique key.
    "/checks/{code:unique_key}": Page("check.check.page"),
    "/checks/{code:unique_key}/log": Page("check.check.log"),
    "/checks/{code:unique_key}/pings/{n:number}": Page("check.check.ping"),
}


def page_routes(parts: Parts) -> Iterator[Route]:
    """Return the URLs of the pages."""
    for path, page in PAGES.items():
        yield Route(path, _PageEndpoint(parts, page))


class _PageEndpoint:
    """One URL; an ASGI application, which a reload may switch on and off."""

    def __init__(self, parts: Parts, page: Page) -> None:
        self._parts = parts
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._parts.config.web.enabled:
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return
        from hcl.web.pages.visit import door

        request = Request(scope, receive)
        try:
            response = await door.answer(self._page, request, self._parts)
        except ClientDisconnect:
            return
        await response(scope, receive, send)
