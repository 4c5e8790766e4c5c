"""Style sheets, scripts and icons: read once, and kept by browsers for good."""

import hashlib
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hcl.web.parts import Parts

_KINDS = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


@cache
def _contents() -> dict[str, bytes]:
    folder = files("hcl.web.pages") / "static"
    return {
        file.name: file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.rpartition(".")[2] in _KINDS
    }


@cache
def version() -> str:
    """Return what changes with any of the files: part of their URLs."""
    digest = hashlib.sha256()
    for name, content in _contents().items():
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()[:10]


async def get(request: Request, _parts: Parts) -> Response:
    """GET /static/<name>?v=<version>: a file; who names its version may keep it."""
    name = request.path_params["name"]
    content = _contents().get(name)
    if content is None:
        return PlainTextResponse("not found", 404)
    is_current = request.query_params.get("v") == version()
    keep = "public, max-age=31536000, immutable" if is_current else "no-cache"
    return Response(
        content,
        media_type=_KINDS[name.rpartition(".")[2]],
        headers={"Cache-Control": keep},
    )


def content(name: str) -> bytes:
    """Return a file's bytes."""
    return _contents()[name]
