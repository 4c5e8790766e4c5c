"""A session: the cookie of who signed in with a key."""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from hcl.web.http import cookies
from hcl.web.pages.dashboard.ended_sessions import LIFETIME
from hcl.web.pages.visit import signing
from hcl.web.parts import Parts

# A cookie in use is written anew when it is older.
RENEWAL = timedelta(days=1)

_COOKIE = "hcl_session"
_PURPOSE = "session 1"
_FORMAT = re.compile(r"([0-9a-f]{64}) ([A-Za-z0-9_-]{22}) ([0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie says: by which key somebody signed in, and when it was written.

    `digest` is the key's SHA-256 in hex. `id` stays when the cookie is renewed.
    """

    digest: str
    id: str
    written: datetime


def begin(digest: str, now: datetime) -> Session:
    """Sign somebody in by the key with this SHA-256."""
    return Session(digest, secrets.token_urlsafe(16), now)


def read(request: Request, parts: Parts, now: datetime) -> Session | None:
    """Read the cookie; None if there is none, or it is wrong, or too old."""
    text = signing.unsign(parts.secret, _PURPOSE, cookies.read(request, _COOKIE))
    match = _FORMAT.fullmatch(text) if text else None
    if match is None:
        return None
    written = datetime.fromtimestamp(int(match[3]), UTC)
    if now - written > LIFETIME:
        return None
    return Session(match[1], match[2], written)


def write(response: Response, session: Session, parts: Parts) -> None:
    """Have the browser keep a session."""
    text = f"{session.digest} {session.id} {int(session.written.timestamp())}"
    value = signing.sign(parts.secret, _PURPOSE, text)
    set_cookie(response, _COOKIE, value, parts, int(LIFETIME.total_seconds()))


def forget(response: Response, parts: Parts) -> None:
    """Have the browser forget its session."""
    set_cookie(response, _COOKIE, "", parts, 0)


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
        path=parts.site.path or "/",
        secure=site.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
