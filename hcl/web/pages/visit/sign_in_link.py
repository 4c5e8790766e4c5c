"""Sign in by a link that `hcl serve` prints, and that works once."""

from starlette.responses import Response

from hcl.web.pages.visit import session
from hcl.web.pages.visit.visit import Visit


async def enter(visit: Visit) -> Response:
    """GET /sign-in/<link>: let in whom it was printed for."""
    if visit.request.method == "HEAD":
        # Who looks what a link is shall not use it up.
        return Response()
    parts = visit.parts
    digest = parts.links.take(visit.request.path_params["link"], visit.now)
    if not digest or parts.keyring.by_digest(digest) is None:
        return visit.see_other(
            "/sign-in", "This link was used, or is too old: sign in with a key."
        )
    response = visit.see_other("/")
    session.write(response, session.begin(digest, visit.now), parts)
    return response
