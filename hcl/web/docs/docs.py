"""What explains the APIs: the OpenAPI document, and a page for people made from it.

All that this needs is imported when somebody first asks for it: a server that is never
asked shall not pay for it in memory or time to start.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from hcl import memory
from hcl.web import preferences
from hcl.web.json_answer import json_response
from hcl.web.parts import Parts

# Nothing but the page's own style sheet, and the icons in it; it needs no scripts.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


async def get_openapi(_request: Request, parts: Parts) -> Response:
    """GET /api/v3/openapi.json: the document."""
    # In a thread, as the page: the first of each takes long, and pings need not wait.
    text = await asyncio.to_thread(_document, parts)
    return json_response(text)


def _document(parts: Parts) -> str:
    from hcl.web.openapi.document import facts_of, written

    return written(facts_of(parts))


async def get_page(request: Request, parts: Parts) -> Response:
    """GET /docs/: the document as a page."""
    page = await asyncio.to_thread(_page, parts, preferences.read(request).theme)
    return Response(page, media_type="text/html", headers=_HEADERS)


def _page(parts: Parts, theme: str) -> str:
    from hcl.web.docs import page as docs_page
    from hcl.web.openapi.document import facts_of

    name, has_pages = parts.config.server.site_name, parts.config.web.enabled
    page = docs_page.render(facts_of(parts), name, theme, has_pages=has_pages)
    memory.give_back()
    return page


async def get_style(_request: Request, _parts: Parts) -> Response:
    """GET /docs/style.css: what the page looks like."""
    style = await asyncio.to_thread(_style)
    return Response(style, media_type="text/css", headers=_HEADERS)


def _style() -> bytes:
    from hcl.web.docs import page as docs_page

    return docs_page.style()
