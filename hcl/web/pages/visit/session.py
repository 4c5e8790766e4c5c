"""Who is signed in: the cookie of a key's holder, or a trusted proxy's word."""

import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.web.pages.visit import signing
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts
from hcl.words.lines import cut, one_line

# How long after a page was last looked at a cookie counts.
LIFETIME = timedelta(days=30)
# A cookie in use is written anew when it is older.
RENEWAL = timedelta(days=1)

_COOKIE = "hcl_session"
# Which sessions were signed out stands in the settings, under their ids behind this.
_ENDED = "ended session "
_PURPOSE = "session 1"
_FORMAT = re.compile(r"([0-9a-f]{64}) ([A-Za-z0-9_-]{22}) ([0-9]{1,12})")
# Binds forms to a browser where no session of ours does.
_TWIN = "hcl_form"


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie says: by which key somebody signed in, and when it was written.

    `digest` is the key's SHA-256 in hex. `id` stays when the cookie is renewed.
    """

    digest: str
    id: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request's cookies and headers say of who sent it.

    `viewer` is None if nobody is signed in; `was_signed_in` then tells that somebody
    was, by a key that counts no more. `twin` is new if the browser had none.
    """

    viewer: Viewer | None
    session: Session | None = None
    was_signed_in: bool = False
    twin: str = ""


def begin(digest: str) -> Session:
    """Sign somebody in by the key with this SHA-256."""
    return Session(digest, secrets.token_urlsafe(16), datetime.now(UTC))


def visit(request: Request, parts: Parts) -> Visit:
    """Tell who sent a request."""
    user = _proxied_user(request, parts)
    if user:
        twin = request.cookies.get(_TWIN, "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{22}", twin):
            twin = secrets.token_urlsafe(16)
        csrf = signing.mac(parts.secret, "form of a user", f"{twin} {user}")
        projects = tuple(parts.keyring.projects)
        return Visit(
            Viewer(user, projects, False, csrf, True) if projects else None, twin=twin
        )
    session = read(request, parts)
    if session is None:
        return Visit(None)
    access = parts.keyring.by_digest(session.digest)
    if access is None or is_ended(request, session):
        return Visit(None, was_signed_in=access is None)
    csrf = signing.mac(parts.secret, "form", f"{session.id} {session.digest}")
    viewer = Viewer(access.name, (access.project,), access.readonly, csrf)
    return Visit(viewer, session)


def _proxied_user(request: Request, parts: Parts) -> str:
    """Return the user that a trusted proxy names, "" if none does."""
    name = parts.config.web.user_header.lower()
    if not name or not parts.proxies.trusts(request.scope):
        return ""
    wanted = name.encode("latin-1")
    found = [value for key, value in request.scope["headers"] if key == wanted]
    # Of two one may be the client's own, which the proxy let through.
    if len(found) != 1:
        return ""
    return cut(one_line(found[0].decode("utf-8", "replace")), 100)


def read(request: Request, parts: Parts) -> Session | None:
    """Read the cookie; None if there is none, or it is wrong, or too old."""
    text = signing.unsign(parts.secret, _PURPOSE, request.cookies.get(_COOKIE, ""))
    match = _FORMAT.fullmatch(text) if text else None
    if match is None:
        return None
    written = datetime.fromtimestamp(int(match[3]), UTC)
    if datetime.now(UTC) - written > LIFETIME:
        return None
    return Session(match[1], match[2], written)


def write(response: Response, session: Session, parts: Parts) -> None:
    """Have the browser keep a session."""
    text = f"{session.digest} {session.id} {int(session.written.timestamp())}"
    value = signing.sign(parts.secret, _PURPOSE, text)
    set_cookie(response, _COOKIE, value, parts, int(LIFETIME.total_seconds()))


def keep(response: Response, found: Visit, parts: Parts) -> None:
    """Renew what the browser keeps, if it is time to."""
    session, now = found.session, datetime.now(UTC)
    if session is not None and now - session.written > RENEWAL:
        write(response, replace(session, written=now), parts)
    if found.twin:
        set_cookie(response, _TWIN, found.twin, parts)


async def end(request: Request, response: Response, parts: Parts) -> None:
    """Sign out, by whatever copy of the cookie."""
    session, now = read(request, parts), datetime.now(UTC)
    if session is not None:
        ended: set[str] = request.app.state.ended_sessions
        ended.add(session.id)
        async with parts.database.transaction(changes_checks=False) as conn:
            await store.settings.put(conn, f"{_ENDED}{session.id}", now.isoformat())
            # Of those before no cookie counts any more.
            for id_, when in (await store.settings.beginning(conn, _ENDED)).items():
                if now - datetime.fromisoformat(when) > LIFETIME:
                    await store.settings.delete(conn, f"{_ENDED}{id_}")
    set_cookie(response, _COOKIE, "", parts, 0)


async def know_ended(request: Request, parts: Parts) -> None:
    """Read, once, which sessions were signed out."""
    state = request.app.state
    if not hasattr(state, "ended_sessions"):
        found = await store.settings.beginning(parts.database.committed, _ENDED)
        state.ended_sessions = set(found)


def is_ended(request: Request, session: Session) -> bool:
    """Tell whether somebody signed out of a session."""
    return session.id in request.app.state.ended_sessions


def set_cookie(
    response: Response,
    name: str,
    value: str,
    parts: Parts,
    max_age: int | None = None,
) -> None:
    """Set a cookie that no script reads and no other site sends."""
    site = parts.config.server.site_root
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=parts.base or "/",
        secure=site.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
