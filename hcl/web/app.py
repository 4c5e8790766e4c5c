"""Every URL in one table."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.convertors import (
    IntegerConvertor,
    StringConvertor,
    register_url_convertor,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hcl.checks.check_json import Site
from hcl.db import SQLError
from hcl.web import client_file
from hcl.web.api import api, lists, maintenance
from hcl.web.api.endpoint import (
    CallHandler,
    Endpoint,
    Handler,
    NoEndpoint,
    OwnEndpoint,
    with_key,
)
from hcl.web.badges import badges
from hcl.web.compression import compressing
from hcl.web.docs import docs
from hcl.web.errors import SAFE, on_database_error, on_http_error
from hcl.web.figures import health
from hcl.web.pages.routes import page_routes
from hcl.web.parts import Parts
from hcl.web.ping import PREFIX, UUID, PingEndpoint, is_target

VERSIONS = (1, 2, 3)

OpenHandler = Callable[[Request, Parts], Awaitable[Response]]


class _Code(StringConvertor):
    regex = UUID


class _UniqueKey(StringConvertor):
    regex = "[0-9a-f]{40}"


class _Number(IntegerConvertor):
    # As many digits as every number in the database has.
    regex = "[0-9]{1,15}"


class _Signature(StringConvertor):
    regex = "[A-Za-z0-9_-]{8}(?:-2)?"


class _Tag(StringConvertor):
    # Any characters: slashes and newlines too.
    regex = r"[\s\S]+"


class _Format(StringConvertor):
    regex = "svg|json|shields"


class _States(StringConvertor):
    regex = "[23]"


register_url_convertor("code", _Code())
register_url_convertor("unique_key", _UniqueKey())
register_url_convertor("number", _Number())
register_url_convertor("signature", _Signature())
register_url_convertor("tag", _Tag())
register_url_convertor("format", _Format())
register_url_convertor("states", _States())


def create_app(parts: Parts, ping: PingEndpoint) -> ASGIApp:
    """Return the ASGI application.

    Pings go round the router: they are nearly all that comes in.
    """
    others = Starlette(
        routes=list(routes(parts)),
        exception_handlers={
            SQLError: on_database_error,
            HTTPException: on_http_error,
        },
    )
    # As Healthchecks does: list URLs redirect with 301, see below; others not at all.
    others.router.redirect_slashes = False
    rooms = _rooms(others)
    nowhere = NoEndpoint()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if not path.startswith(PREFIX):
            path = _inner(path, parts.site, rooms)
            if path != scope["path"]:
                scope = {**scope, "path": path}
        if path.startswith(PREFIX):
            await ping(scope, receive, send)
        elif path.endswith("\n"):
            # Starlette's routes would match what is before the newline.
            await nowhere(scope, receive, _dressed(send))
        else:
            await others(scope, receive, _dressed(compressing(scope, send)))

    return app


def routes(parts: Parts) -> Iterator[Route]:
    """Return all URLs but those of pings; who may ask for which stands in the tests."""
    yield from docs_routes(parts)
    yield from client_routes()
    for version in VERSIONS:
        yield from api_routes(parts, version)
    yield from badge_routes(parts)
    yield from metrics_routes(parts)
    yield from page_routes(parts)


def _rooms(app: Starlette) -> frozenset[str]:
    """Return what the paths of all that is served begin with."""
    paths = [PREFIX, *(route.path for route in app.routes if isinstance(route, Route))]
    return frozenset(path.split("/")[1] for path in paths) - {""}


def _inner(path: str, site: Site, rooms: frozenset[str]) -> str:
    """Return a path without the site's own, if no proxy has taken that off.

    What would lead nowhere then stays as it is: the site may lie under /docs.
    """
    base, pings = unquote(site.path), unquote(site.ping_path)
    inner = path
    if base and f"{path}/".startswith(f"{base}/"):
        rest = path[len(base) :] or "/"
        inner = rest if rest == "/" or _room(rest) in rooms else path
    # A proxy may have taken off what both have in common.
    bare = pings[len(base) :] if pings.startswith(f"{base}/") else pings
    for start in (pings, bare):
        rest = path.removeprefix(start)
        # Of OPTIONS and CONNECT it may begin with no slash.
        if rest in ("", path) or inner == "/":
            continue
        if start in ("/", f"{base}/"):
            # Pings and pages begin alike, be it that each has a host of its own.
            is_ping = inner == path and rest.split("/")[0] not in rooms
        else:
            # There may be pages below it too.
            is_ping = is_target(PREFIX + rest) or _room(inner) not in rooms
        if is_ping:
            return PREFIX + rest
    return inner


def _room(path: str) -> str:
    return path.split("/")[1]


def _dressed(send: Send) -> Send:
    """Add what all answers but those to pings bear, where they say nothing else.

    Nothing is guessed by browsers, and nothing kept.
    """

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            missing = [header for header in SAFE if header[0] not in names]
            message = {**message, "headers": [*message["headers"], *missing]}
        await send(message)

    return dressed


def api_routes(parts: Parts, version: int) -> Iterator[Route]:
    """Return the URLs of one version of the Management API."""

    def ro(handler: CallHandler) -> Handler:
        return with_key(handler, parts, version, readonly=True)

    def rw(handler: CallHandler, *, body: bool = True) -> Handler:
        return with_key(handler, parts, version, body=body)

    def no_key(handler: OpenHandler) -> Handler:
        return lambda request: handler(request, parts)

    listed = {
        "checks": Endpoint(GET=ro(lists.list_checks), POST=rw(api.create_check)),
        "checks/{code:code}/pings": Endpoint(GET=rw(lists.list_pings)),
        "checks/{code:code}/flips": Endpoint(GET=ro(lists.list_flips)),
        "checks/{unique_key:unique_key}/flips": Endpoint(GET=ro(lists.list_flips)),
        "channels": Endpoint(GET=rw(api.list_channels)),
        "badges": Endpoint(GET=ro(lists.list_badges)),
        "metrics": Endpoint(GET=no_key(api.get_metrics)),
        "status": _open(health.get_status, parts),
    }
    single = {
        "checks/{code:code}": Endpoint(
            GET=ro(api.get_check),
            POST=rw(api.update_check),
            DELETE=rw(api.delete_check),
        ),
        "checks/{unique_key:unique_key}": Endpoint(GET=ro(api.get_check)),
        "checks/{code:code}/pause": Endpoint(POST=rw(api.pause_check, body=False)),
        "checks/{code:code}/resume": Endpoint(POST=rw(api.resume_check, body=False)),
        "checks/{code:code}/pings/{n:number}/body": Endpoint(GET=rw(api.get_ping_body)),
    }
    if version >= 3:
        own_listed, own_single = _beyond_protocol(ro, rw)
        listed |= own_listed
        single |= own_single
    root = f"/api/v{version}/"
    for path, endpoint in listed.items():
        yield Route(f"{root}{path}/", endpoint)
        yield Route(f"{root}{path}", endpoint.without_slash(parts))
    for path, endpoint in single.items():
        yield Route(f"{root}{path}", endpoint)
    yield Route(root + "{rest:path}", NoEndpoint())


def _beyond_protocol(
    ro: Callable[[CallHandler], Handler], rw: Callable[[CallHandler], Handler]
) -> tuple[dict[str, Endpoint], dict[str, Endpoint]]:
    """Return what only hcl has: URLs that may lack their last slash, and others."""
    explain = Endpoint(GET=rw(_later("api.alerts.explain_check")))
    messages = Endpoint(GET=rw(_later("api.alerts.list_messages")))
    windows = Endpoint(
        GET=ro(maintenance.list_windows), POST=rw(maintenance.open_window)
    )
    return {
        "checks/{code:code}/explain": explain,
        "checks/{code:code}/messages": messages,
        "maintenance": windows,
    }, {
        "maintenance/{n:number}": Endpoint(DELETE=rw(maintenance.end_window)),
        "checks/{code:code}/mute": Endpoint(POST=rw(_later("api.alerts.mute_check"))),
    }


def _open(handler: OpenHandler, parts: Parts, *, cors: bool = True) -> Endpoint:
    """Make what answers a URL that needs no key of the API."""

    def answer(request: Request) -> Awaitable[Response]:
        return handler(request, parts)

    return (Endpoint if cors else OwnEndpoint)(GET=answer, HEAD=answer)


def _later(name: str) -> Callable[..., Awaitable[Response]]:
    """Return a handler of hcl.web that is imported when it is first asked for.

    In a thread, since it takes long, and pings need not wait for it.
    """
    module, _, function = name.rpartition(".")
    handlers: list[Callable[..., Awaitable[Response]]] = []

    async def answer(*asked: Any) -> Response:
        if not handlers:
            found = await asyncio.to_thread(import_module, f"hcl.web.{module}")
            handlers.append(getattr(found, function))
        return await handlers[0](*asked)

    return answer


def metrics_routes(parts: Parts) -> Iterator[Route]:
    """Return the URLs that Prometheus reads."""
    project = _open(_later("figures.metrics.get_project_metrics"), parts)
    yield Route("/projects/{code:code}/metrics/", project)
    yield Route("/projects/{code:code}/metrics", project.without_slash(parts))
    # Any 32 characters can be a key: slashes too, as base64 has them.
    yield Route("/projects/{code:code}/metrics/{key:path}", project)
    yield Route(
        "/metrics",
        _open(_later("figures.metrics.get_server_metrics"), parts, cors=False),
    )


def badge_routes(parts: Parts) -> Iterator[Route]:
    """Return the URLs of badges."""
    of_tag = _open(badges.get_badge, parts)
    yield Route("/badge/{key}/{signature:signature}.{fmt:format}", of_tag)
    yield Route("/badge/{key}/{signature:signature}/{tag:tag}.{fmt:format}", of_tag)
    of_check = _open(badges.get_check_badge, parts)
    yield Route("/b/{states:states}/{key:code}.{fmt:format}", of_check)


def docs_routes(parts: Parts) -> Iterator[Route]:
    """Return the URLs of what explains the API. They come before the API's own."""
    yield Route("/api/v3/openapi.json", _open(docs.get_openapi, parts))
    page = _open(docs.get_page, parts)
    yield Route("/docs/", page)
    yield Route("/docs", page.without_slash(parts))
    yield Route("/docs/style.css", _open(docs.get_style, parts))


def client_routes() -> Iterator[Route]:
    """Return the URLs of the client, for the machines that do the work."""
    for path, handler in (
        ("/client/hcl", client_file.get_file),
        ("/client/hcl.sha256", client_file.get_digest),
    ):
        yield Route(path, Endpoint(GET=handler, HEAD=handler))
