"""Sign in with an API key, and sign out."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.responses import Response

from hcl.web.pages.visit import posted, session
from hcl.web.pages.visit.identity import Identity
from hcl.web.pages.visit.visit import Visit

# Stands in a form that has something of another page besides a key.
_LATE = "late"
# What such a form has of its own.
_OWN = (_LATE, "csrf", "key", "next")
_COMES_BACK = "Nothing is lost, but nothing is saved yet: sign in to go on."


async def ask(visit: Visit) -> Response:
    """GET /sign-in: the form; who is signed in has no need of it."""
    wanted = visit.query.get("next", "")
    if visit.identity.viewer is not None:
        return visit.see_other(own_path(wanted))
    return await _form(visit, wanted)


async def enter(visit: Visit) -> Response:
    """POST /sign-in: try a key."""
    parts, wanted = visit.parts, visit.form.get("next", [""])[0]
    digest = parts.keyring.digest_of(visit.form.get("key", [""])[0].strip())
    if parts.keyring.by_digest(digest) is None:
        await parts.refuse_key(visit.request.scope)
        return await _form(visit, wanted, "Wrong key.", 403)
    if posted.is_lost(visit.request, parts):
        return await _form(visit, wanted, posted.own_address(parts), 403)
    path = own_path(wanted)
    response = visit.see_other(path)
    if _LATE in visit.form and path == wanted:
        # The browser sends the same once more, to the page that it is of.
        response.status_code = 307
    session.write(response, session.begin(digest, visit.now), parts)
    return response


async def ask_again(visit: Visit, wanted: str, why: str) -> Response:
    """Ask who sent a form without being signed in, and keep what it holds.

    `why` they are not, "" if nobody knows.
    """
    late = replace(visit, form={**visit.form, _LATE: ["1"]})
    why = why or "You were signed out."
    return await _form(late, wanted, f"{why} {_COMES_BACK}", 403)


async def leave(visit: Visit) -> Response:
    """POST /sign-out: forget who is signed in."""
    parts, viewer = visit.parts, visit.identity.viewer
    if viewer is not None:
        posted.refuse_forged(visit.request, visit.form, viewer.csrf, parts)
    response = visit.see_other("/sign-in", "You are signed out.")
    signed_in = session.read(visit.request, parts, visit.now)
    if signed_in is not None:
        await visit.dashboard.ended_sessions.add(signed_in.id, visit.now)
    session.forget(response, parts)
    return response


def own_path(wanted: str) -> str:
    """Return a path of this site, or the first page where it is none.

    Browsers take `//host` and `/\\host` for other sites, and drop tabs and newlines.
    """
    try:
        target = urlsplit(wanted)
    except ValueError:
        return "/"
    is_own = wanted.startswith("/") and not target.scheme and not target.netloc
    is_plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted
    if not is_own or not is_plain or wanted.startswith(("//", "/sign-")):
        return "/"
    return wanted


async def _form(
    visit: Visit, wanted: str, problem: str = "", status: int = 200
) -> Response:
    if not problem and posted.is_lost(visit.request, visit.parts):
        problem = posted.own_address(visit.parts)
    # It looks the same to who is signed in already and tries another key.
    nobody = replace(visit, identity=Identity(None))
    return await nobody.render(
        "sign_in.html",
        status=status,
        wanted=wanted,
        problem=problem,
        kept=list(_kept(visit)),
    )


def _kept(visit: Visit) -> Iterator[tuple[str, str]]:
    """Yield what a form holds of another page."""
    if _LATE not in visit.form:
        return
    yield _LATE, "1"
    for name, values in visit.form.items():
        if name not in _OWN:
            yield from ((name, value) for value in values)
