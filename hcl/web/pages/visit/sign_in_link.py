"""Sign in by a link that `hcl serve` or `hcl sign-in` prints, and that works once."""

from starlette.responses import Response

from hcl.db import UnwritableError
from hcl.web.pages.visit import session, signed_links
from hcl.web.pages.visit.visit import Visit


async def enter(visit: Visit) -> Response:
    """GET /sign-in/<link>: let in whom it was printed for."""
    if visit.request.method == "HEAD":
        # Who looks what a link is shall not use it up.
        return Response()
    digest = await _take(visit, visit.request.path_params["link"])
    if not digest:
        return visit.see_other(
            "/sign-in", "This link was used, or is too old: sign in with a key."
        )
    response = visit.see_other("/")
    session.write(response, session.begin(digest, visit.now), visit.parts)
    return response


async def _take(visit: Visit, token: str) -> str:
    """Use a link up; return the digest of its key, "" if it lets nobody in."""
    parts, ended = visit.parts, visit.dashboard.ended_sessions
    signed = signed_links.read(parts.secret, token, visit.now)
    if signed is None:
        digest = parts.links.take(token, visit.now)
        return digest if parts.keyring.by_digest(digest) else ""
    digest = parts.keyring.beginning(signed.digest)
    if not digest or signed.id in ended:
        return ""
    # Before anything is waited for: of two that come at once the first counts. It
    # stands with the sessions that ended, so that a restart does not forget it.
    try:
        await ended.add(signed.id, visit.now)
    except UnwritableError:
        # Nobody was let in: it works once there is room on the disk again.
        ended.discard(signed.id)
        raise
    return digest
