"""Who sent a request: who signed in with a key, or whom a trusted proxy names."""

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from hcl.web.http import cookies
from hcl.web.pages.dashboard.ended_sessions import EndedSessions
from hcl.web.pages.visit import session, signing
from hcl.web.pages.visit.session import Session
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts
from hcl.words.lines import cut, one_line

# Binds forms to a browser where no session of ours does.
_TWIN = "hcl_form"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request's cookies and headers say of who sent it.

    `viewer` is None if nobody is signed in; `was_signed_in` then tells that somebody
    was, by a key that counts no more. `twin` is new if the browser had none.
    """

    viewer: Viewer | None
    session: Session | None = None
    was_signed_in: bool = False
    twin: str = ""


def identify(
    request: Request, parts: Parts, ended: EndedSessions, now: datetime
) -> Identity:
    """Tell who sent a request."""
    user = _proxied_user(request, parts)
    # Whom the file does not name may still have a key.
    if user and (viewer := _viewer_of_user(user, parts)):
        return _of_user(viewer, request, parts)
    signed_in = session.read(request, parts, now)
    if signed_in is None:
        return Identity(None)
    access = parts.keyring.by_digest(signed_in.digest)
    if access is None or signed_in.id in ended:
        return Identity(None, was_signed_in=access is None)
    csrf = signing.mac(parts.secret, "form", f"{signed_in.id} {signed_in.digest}")
    viewer = Viewer(access.name, access.projects, access.readonly, csrf)
    return Identity(viewer, signed_in)


def _proxied_user(request: Request, parts: Parts) -> str:
    """Return the user that a trusted proxy names, to the letter; "" if none does."""
    name = parts.config.web.user_header.lower()
    if not name or not parts.proxies.trusts(request.scope):
        return ""
    wanted = name.encode("latin-1")
    users = [value for key, value in request.scope["headers"] if key == wanted]
    # Of two one may be the client's own, which the proxy let through.
    if len(users) != 1:
        return ""
    return str(users[0], "utf-8", "replace").strip(" \t")


def _viewer_of_user(user: str, parts: Parts) -> Viewer | None:
    """Return what a user may, but for what their forms bear; None: nothing."""
    projects, users = parts.keyring.projects, parts.config.web.users
    # Shown so, but not compared: people may have names of their choice, and marks that
    # nobody sees make none of them another.
    shown = cut(one_line(user), 100)
    if not shown:
        return None
    if not users:
        return Viewer(shown, projects, False, "", True) if projects else None
    told = next((one for one in users if one.name == user), None)
    if told is None:
        return None
    own = [p for p in projects if not told.projects or p.name in told.projects]
    return Viewer(shown, tuple(own), told.access == "read-only", "", True)


def _of_user(viewer: Viewer, request: Request, parts: Parts) -> Identity:
    twin = cookies.read(request, _TWIN)
    if not re.fullmatch(r"[A-Za-z0-9_-]{22}", twin):
        twin = secrets.token_urlsafe(16)
    csrf = signing.mac(parts.secret, "form of a user", f"{twin} {viewer.name}")
    return Identity(replace(viewer, csrf=csrf), twin=twin)


def keep(response: Response, identity: Identity, parts: Parts, now: datetime) -> None:
    """Renew what the browser keeps, if it is time to."""
    signed_in = identity.session
    if signed_in is not None and now - signed_in.written > session.RENEWAL:
        session.write(response, replace(signed_in, written=now), parts)
    if identity.twin:
        session.set_cookie(response, _TWIN, identity.twin, parts)
