"""Static files, which browsers keep for good."""

from starlette.responses import PlainTextResponse, Response

from hcl.web.pages import static_files
from hcl.web.pages.visit.visit import Visit


async def get(visit: Visit) -> Response:
    """GET /static/<name>?v=<version>: a file; who names its version may keep it."""
    name = visit.request.path_params["name"]
    kind = static_files.kind(name)
    if not kind:
        return PlainTextResponse("not found", 404)
    is_current = visit.query.get("v") == static_files.version()
    keep = "public, max-age=31536000, immutable" if is_current else "no-cache"
    headers = {"Cache-Control": keep, "Vary": "Accept-Encoding"}
    # They are the same for all, so that their length tells nobody anything.
    accepted = visit.request.headers.get("accept-encoding", "").replace(" ", "")
    if "gzip" in accepted and "gzip;q=0" not in accepted:
        content = static_files.compressed(name)
        headers["Content-Encoding"] = "gzip"
    else:
        content = static_files.content(name)
    return Response(content, media_type=kind, headers=headers)
