"""What makes the dashboard an app on a phone: the manifest and the icons."""

import json
from functools import cache
from pathlib import Path

from starlette.responses import PlainTextResponse, Response

from hcl.web.pages.visit.visit import Visit

# In pixels. A home screen may cut an icon to a circle: what it shows lies within its
# middle.
_SIZES = (192, 512)
_NAMES = ("app-180.png", *(f"app-{size}.png" for size in _SIZES))
_GROUND = "#1a7340"

_KEPT = {"Cache-Control": "public, max-age=86400"}


async def manifest(visit: Visit) -> Response:
    """GET /manifest.webmanifest."""
    name, url = visit.parts.config.server.site_name, visit.url
    document = {
        "id": url.to("/"),
        "name": name,
        "short_name": name,
        "start_url": url.to("/"),
        "scope": url.to("/"),
        "display": "standalone",
        "background_color": "#f8f8f7",
        "theme_color": _GROUND,
        "icons": [
            {
                "src": url.to(f"/icons/app-{size}.png"),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": purpose,
            }
            for size in _SIZES
            for purpose in ("any", "maskable")
        ],
    }
    return Response(
        json.dumps(document), media_type="application/manifest+json", headers=_KEPT
    )


async def icon(visit: Visit) -> Response:
    """GET /icons/<name>."""
    name = visit.request.path_params["name"]
    if name not in _NAMES:
        return PlainTextResponse("not found", 404)
    return Response(_picture(name), media_type="image/png", headers=_KEPT)


@cache
def _picture(name: str) -> bytes:
    return (Path(__file__).parent / "icons" / name).read_bytes()
