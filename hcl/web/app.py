"""Every URL in one table."""

from collections.abc import Awaitable, Callable, Iterator

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
from starlette.types import ASGIApp, Receive, Scope, Send

from hcl.db import SQLError
from hcl.web.api import api, lists
from hcl.web.api.endpoint import CallHandler, Endpoint, Handler, NoEndpoint, with_key
from hcl.web.badges import badges
from hcl.web.docs import docs
from hcl.web.errors import on_database_error, on_http_error
from hcl.web.figures import health, metrics
from hcl.web.pages.routes import page_routes
from hcl.web.parts import Parts
from hcl.web.ping import PREFIX, UUID, PingEndpoint

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
        routes=[
            *docs_routes(parts),
            *(route for v in VERSIONS for route in api_routes(parts, v)),
            *badge_routes(parts),
            *metrics_routes(parts),
            *page_routes(parts),
        ],
        exception_handlers={
            SQLError: on_database_error,
            HTTPException: on_http_error,
        },
    )
    # As Healthchecks does: list URLs redirect with 301, see below; others not at all.
    others.router.redirect_slashes = False

    nowhere = NoEndpoint()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith(PREFIX):
            await ping(scope, receive, send)
        elif path.endswith("\n"):
            # Starlette's routes would match what is before the newline.
            await nowhere(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


def api_routes(parts: Parts, version: int) -> Iterator[Route]:
    """Return the URLs of one version of the Management API."""

    def ro(handler: CallHandler) -> Handler:
        return with_key(handler, parts, version, readonly=True)

    def rw(handler: CallHandler) -> Handler:
        return with_key(handler, parts, version)

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
        "checks/{code:code}/pause": Endpoint(POST=rw(api.pause_check)),
        "checks/{code:code}/resume": Endpoint(POST=rw(api.resume_check)),
        "checks/{code:code}/pings/{n:number}/body": Endpoint(GET=rw(api.get_ping_body)),
    }
    root = f"/api/v{version}/"
    for path, endpoint in listed.items():
        yield Route(f"{root}{path}/", endpoint)
        yield Route(f"{root}{path}", endpoint.without_slash)
    for path, endpoint in single.items():
        yield Route(f"{root}{path}", endpoint)
    yield Route(root + "{rest:path}", NoEndpoint())


def _open(handler: OpenHandler, parts: Parts) -> Endpoint:
    """Make what answers a URL that needs no key of the API."""

    def answer(request: Request) -> Awaitable[Response]:
        return handler(request, parts)

    return Endpoint(GET=answer, HEAD=answer)


def metrics_routes(parts: Parts) -> Iterator[Route]:
    """Return the URLs that Prometheus reads."""
    project = _open(metrics.get_project_metrics, parts)
    yield Route("/projects/{code:code}/metrics/", project)
    yield Route("/projects/{code:code}/metrics", project.without_slash)
    yield Route("/projects/{code:code}/metrics/{key}", project)
    yield Route("/metrics", _open(metrics.get_server_metrics, parts))


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
    yield Route("/docs", page.without_slash)
    yield Route("/docs/style.css", _open(docs.get_style, parts))
