"""What a page has the next one say, once: kept by the browser in a cookie."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from hcl.web.http import cookies
from hcl.web.pages.visit import signing
from hcl.web.pages.visit.session import set_cookie
from hcl.web.parts import Parts

_COOKIE = "hcl_notice"
# How long a notice waits for the page that is to show it, in seconds.
_AGE = 60
# Bytes of it: signed, it is within what cookies.read takes.
_LENGTH = 1400


# What a notice begins with that tells of a failure.
BAD = "!"


def keep(response: Response, text: str, parts: Parts, now: datetime) -> None:
    """Have the browser keep a notice for the page that it is led to.

    One that tells of a failure begins with BAD.
    """
    kept = text.encode()[:_LENGTH].decode(errors="ignore")
    stamped = f"{int(now.timestamp())} {kept}"
    value = signing.sign(parts.secret, "notice", stamped)
    set_cookie(response, _COOKIE, value, parts, _AGE)


def read(request: Request, parts: Parts, now: datetime) -> str:
    """Return what the page before wants to be told, "" if there is nothing."""
    cookie = cookies.read(request, _COOKIE)
    stamped = signing.unsign(parts.secret, "notice", cookie) if cookie else None
    if stamped is None:
        return ""
    stamp, _, text = stamped.partition(" ")
    return text if now.timestamp() - int(stamp) < _AGE else ""


def forget(response: Response, parts: Parts) -> None:
    """Have the browser forget the notice, since it is shown."""
    set_cookie(response, _COOKIE, "", parts, 0)
