"""Every URL of the dashboard in one table.

What answers is imported when somebody first asks for a page: a server that nobody looks
at shall not pay for it in memory or time to start.
"""

import asyncio
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hcl import memory
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
    "/preferences": Page(post="visit.choosing.choose", is_own=True),
    "/look": Page("overview.look.page"),
    "/server": Page("server_page.page"),
    "/manifest.webmanifest": Page("phone_page.manifest", is_open=True),
    "/icons/{name}": Page("phone_page.icon", is_open=True),
    # For others, who have no key.
    "/p/{slug}.atom": Page("others.others.feed", is_open=True),
    "/p/{slug}": Page("others.others.page", is_open=True),
    "/projects/{project:code}/": Page("overview.checks.list_page"),
    "/projects/{project:code}/live": Page("overview.live.stream", in_place=True),
    "/projects/{project:code}/many": Page(post="overview.many.many", changes=True),
    "/projects/{project:code}/wall": Page("overview.wall.page"),
    "/projects/{project:code}/favicon.svg": Page(
        "overview.checks.favicon", in_place=True
    ),
    "/projects/{project:code}/new": Page(
        "check.forms.new", "check.forms.new", changes=True, is_typed=True
    ),
    "/projects/{project:code}/schedule": Page(
        post="check.forms.preview", in_place=True
    ),
    "/projects/{project:code}/integrations": Page("integrations.channels.page"),
    "/projects/{project:code}/integrations/{channel:code}/test": Page(
        post="integrations.channels.send_test"
    ),
    "/projects/{project:code}/badges": Page("badges_page.page"),
    "/projects/{project:code}/maintenance": Page(
        "maintenance_page.page", "maintenance_page.start"
    ),
    "/projects/{project:code}/maintenance/{n:number}/end": Page(
        post="maintenance_page.end"
    ),
    "/checks/{code:code}": Page("check.check.page"),
    "/checks/{code:code}/log": Page("check.check.log"),
    "/checks/{code:code}/pings/{n:number}": Page("check.check.ping"),
    "/checks/{code:code}/edit": Page(
        "check.forms.edit", "check.forms.edit", changes=True, is_typed=True
    ),
    "/checks/{code:code}/pause": Page(post="check.actions.pause"),
    "/checks/{code:code}/resume": Page(post="check.actions.resume"),
    "/checks/{code:code}/mute": Page(post="check.muting.mute"),
    "/mute/{code:code}/{seconds:number}/{signature}": Page(
        "check.muting.ask", "check.muting.by_link", is_open=True
    ),
    "/checks/{code:code}/ping": Page(post="check.actions.ping"),
    "/checks/{code:code}/delete": Page(
        "check.actions.confirm_delete", "check.actions.delete", changes=True
    ),
    "/checks/{code:code}/copy": Page(post="check.actions.copy"),
    "/checks/{code:code}/clear": Page(
        "check.actions.confirm_clear", "check.actions.clear", changes=True
    ),
    "/checks/{code:code}/integrations": Page(post="check.actions.assign"),
    # A check's code is a secret, by which anybody can ping it: who may only look comes
    # to the same pages by the check's unique key.
    "/checks/{code:unique_key}": Page("check.check.page"),
    "/checks/{code:unique_key}/log": Page("check.check.log"),
    "/checks/{code:unique_key}/pings/{n:number}": Page("check.check.ping"),
    # Where people have come to the same on Healthchecks; they bring the links along.
    "/checks/{code:code}/": Page("check.check.moved"),
    "/checks/{code:code}/details": Page("check.check.moved"),
    "/checks/{code:code}/details/": Page("check.check.moved"),
    "/checks/{code:code}/log/": Page("check.check.moved_log"),
    "/cloaked/{code:unique_key}/": Page("check.check.moved"),
    "/projects/{project:code}/checks/": Page("overview.checks.moved"),
}


# What modules write by, besides the frame.
TEMPLATES = {
    "overview.checks": ("checks",),
    "overview.many": ("many",),
    "overview.wall": ("wall",),
    "integrations.channels": ("channels",),
    "badges_page": ("badges",),
    "maintenance_page": ("maintenance",),
    "server_page": ("server",),
    "overview.look": ("look",),
    "others.others": ("others",),
    "visit.sign_in": ("sign_in",),
    "check.check": ("log_entries", "log_days", "choices", "log", "ping", "check"),
    "check.forms": ("choices", "form", "declared"),
    "check.actions": ("choices", "assign", "delete", "declared"),
    "check.muting": ("mute",),
}


def page_routes(parts: Parts) -> Iterator[Route]:
    """Return the URLs of the pages."""
    pages = _Pages(parts)
    for path, page in PAGES.items():
        yield Route(path, _PageEndpoint(pages, page))
    # After all others, those of the API too: people get a page, scripts one line.
    yield Route(
        "/{rest:path}", _Nowhere(pages, Page("visit.nowhere.page", is_open=True))
    )


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
        self._is_loaded = False

    def _load(self) -> None:
        """Import what answers, and compile what it writes by."""
        from hcl.web.pages import static_files
        from hcl.web.pages.frame import templates

        modules = {name.rpartition(".")[0] for name in self._page[:2] if name}
        if self._page.is_typed:
            modules.add("visit.sign_in")
        for module in ("visit.door", *modules):
            import_module(f"hcl.web.pages.{module}")
        for name in ("frame", "macros", "error", *chain(*map(_templates_of, modules))):
            templates().get_template(f"{name}.html")
        # All static files are read for it.
        static_files.version()
        # To compile them takes 6 MB.
        memory.give_back()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._pages.are_on:
            await PlainTextResponse("not found", 404)(scope, receive, send)
            return
        if not self._is_loaded:
            # In a thread, since it takes long, and pings need not wait for it.
            await asyncio.to_thread(self._load)
            self._is_loaded = True
        try:
            response = await self._pages.door.answer(
                self._page, Request(scope, receive)
            )
        except ClientDisconnect:
            return
        await response(scope, receive, send)


class _Nowhere(_PageEndpoint):
    """All URLs that lead nowhere."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer people, who come by a browser; others are told as everywhere."""
        accepted = Headers(scope=scope).get("accept", "")
        if scope["method"] != "GET" or "text/html" not in accepted:
            await PlainTextResponse("not found", 404)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _templates_of(module: str) -> tuple[str, ...]:
    return TEMPLATES.get(module, ())
