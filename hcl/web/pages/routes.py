"""Every URL of the dashboard in one table.

What answers is imported when somebody first asks for a page: a server that nobody looks
at shall not pay for it in memory or time to start.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hcl.web.pages.page import Page
from hcl.web.parts import Parts

if TYPE_CHECKING:
    from hcl.web.pages.visit.door import Door

PAGES = {
    "/": Page("overview.checks.first"),
    "/static/{name}": Page("files_page.get", is_open=True),
    "/sign-in": Page("visit.sign_in.ask", "visit.sign_in.enter", is_open=True),
    "/sign-in/{link}": Page("visit.sign_in_link.enter", is_open=True),
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
    pages = _Pages(parts)
    for path, page in PAGES.items():
        yield Route(path, _PageEndpoint(pages, page))


class _Pages:
    """What all pages of a server have in common."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def are_on(self) -> bool:
        """Tell whether there are any, which a reload may change."""
        return self._parts.config.web.enabled

    @cached_property
    def door(self) -> "Door":
        """Where requests come in; what answers is imported when the first comes."""
        from hcl.web.pages.visit.door import Door

        return Door(self._parts)


class _PageEndpoint:
    """One URL; an ASGI application."""

    def __init__(self, pages: _Pages, page: Page) -> None:
        self._pages = pages
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._pages.are_on:
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return
        try:
            response = await self._pages.door.answer(
                self._page, Request(scope, receive)
            )
        except ClientDisconnect:
            return
        await response(scope, receive, send)
