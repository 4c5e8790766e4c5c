"""The answers of a page for others: the page and the feed of its changes."""

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hcl.config import PageConfig
from hcl.model import Project
from hcl.web.compression import takes_gzip
from hcl.web.pages.dashboard.kept import Answer
from hcl.web.pages.frame import templates
from hcl.web.pages.others import feeds, writing
from hcl.web.pages.others.gathering import Gathered, gather
from hcl.web.pages.visit.visit import Visit
from hcl.web.parts import Parts
from hcl.web.shared import Until

Write = Callable[[Project, PageConfig, Gathered], Awaitable[str]]

_HEADERS = {
    # As long as the server itself may give it.
    "Cache-Control": "public, max-age=3",
    "Vary": "Accept-Encoding",
    "X-Robots-Tag": "noindex",
}


async def page(visit: Visit) -> Response:
    """GET /p/<slug>: names, status, and how it was on the last 90 days."""

    async def write(_project: Project, config: PageConfig, gathered: Gathered) -> str:
        template = templates().get_template("others.html")
        return await writing.page(template, visit.parts, config, gathered)

    return await _answer(visit, "page", "text/html; charset=utf-8", write)


async def feed(visit: Visit) -> Response:
    """GET /p/<slug>.atom: what went down and came up, the newest first."""
    write = partial(feeds.feed, visit.parts)
    return await _answer(visit, "feed", "application/atom+xml", write)


async def _answer(visit: Visit, what: str, kind: str, write: Write) -> Response:
    slug, parts = visit.request.path_params["slug"], visit.parts
    found = _find(parts, slug)
    if found is None:
        return PlainTextResponse("not found", 404)
    project, config = found

    async def make(until: Until) -> str:
        gathered = await gather(parts, project, config.tags, until)
        return await write(project, config, gathered)

    answer = await visit.dashboard.kept.get((slug, what), make, parts)
    return _respond(visit.request, answer, kind)


def _find(parts: Parts, slug: str) -> tuple[Project, PageConfig] | None:
    for wanted in parts.config.projects:
        for page in wanted.pages:
            if page.slug == slug:
                projects = parts.projects.values()
                return next((p, page) for p in projects if p.code == wanted.id)
    return None


def _respond(request: Request, answer: Answer, kind: str) -> Response:
    # Weak: it is the same document, compressed or not.
    headers = {**_HEADERS, "ETag": f'W/"{answer.etag}"'}
    if _has(request.headers.get("if-none-match", ""), answer.etag):
        return Response(status_code=304, headers=headers)
    body = answer.plain
    # What others see is the same for all: its length tells nobody anything.
    if takes_gzip(request.scope):
        headers["Content-Encoding"] = "gzip"
        body = answer.gzipped
    return Response(body, headers={**headers, "Content-Type": kind})


def _has(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return f'"{etag}"' in tags or tags == ["*"]
