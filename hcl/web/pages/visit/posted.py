"""What a form sent: read within bounds, and told from what other sites send."""

import asyncio
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from hcl.web.pages.visit.errors import PageError
from hcl.web.parts import Parts

# Bytes of a form whose sender nobody knows yet: a key and where to go take few; what is
# typed of a check, by somebody whose session is over, seldom takes more.
UNKNOWN_LIMIT = 65_536
# How much longer than in JSON the forms of those who signed in may be: of most
# characters a form makes three. And how many fields it may have.
_LENGTH = 3
_MOST_FIELDS = 1000
# Forms of more bytes are read in a thread: they may take longer than pings wait.
_LONG = 16_384

Form = Mapping[str, list[str]]


async def read(request: Request, parts: Parts, *, is_known: bool) -> Form:
    """Read a form; a body of no bytes is an empty one. Raises PageError.

    `is_known`: its sender has signed in.
    """
    limit = _LENGTH * parts.config.api.body_limit if is_known else UNKNOWN_LIMIT
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise PageError(413, "Too large", "The form is larger than is allowed.")
    if body and kind != "application/x-www-form-urlencoded":
        raise PageError(415, "Not a form", "Only plain forms are read here.")
    try:
        if len(body) > _LONG:
            return await asyncio.to_thread(_fields, body)
        return _fields(body)
    except ValueError:
        raise PageError(400, "Not a form", "The form has too many fields.") from None


def _fields(body: bytearray) -> Form:
    # As browsers send it; what is no UTF-8 nobody has typed.
    text = body.decode("ascii", "replace")
    return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)


def refuse_foreign(request: Request, parts: Parts) -> None:
    """Raise PageError if a browser says that another site sent this."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        is_foreign = site not in ("same-origin", "none")
    elif origin is not None:
        own = parts.config.server.site_root
        hosts = (request.headers.get("host", "").lower(), _host(own))
        is_foreign = _host(origin) not in hosts
    else:
        # No browser, or an old one: the token decides.
        is_foreign = False
    if is_foreign:
        raise PageError(403, "Sent by another site", "Nothing was changed.")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return "none"


def came_from(request: Request, parts: Parts) -> str:
    """Return the page of this site where a button was pressed; "" if nobody says."""
    try:
        url = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return ""
    base = parts.site.path
    if not url.path.startswith(f"{base}/"):
        return ""
    path = url.path.removeprefix(base)
    return f"{path}?{url.query}" if url.query else path


def is_lost(request: Request, parts: Parts) -> bool:
    """Tell whether a browser will not keep our cookies, since it came without https.

    They are only for https where the site is. A proxy may not say by which a request
    came, so that what browsers say themselves counts too: of these headers they send
    the second only by https, and to their own machine.
    """
    if not parts.config.server.site_root.startswith("https:"):
        return False
    headers = dict(reversed(request.scope["headers"]))
    _, scheme = parts.proxies.origin(request.scope, headers)
    origin = request.headers.get("origin", "")
    is_safe = origin.startswith("https:") or "sec-fetch-site" in request.headers
    return scheme == "http" and not is_safe


def own_address(parts: Parts) -> str:
    """Say which address to use instead."""
    root = parts.config.server.site_root
    return f"Use {root}/ instead: signing in does not last over plain http."


def is_forged(request: Request, form: Form, csrf: str) -> bool:
    """Tell whether neither a form, nor the header of a script, bears this token."""
    token = request.headers.get("x-csrf-token") or form.get("csrf", [""])[0]
    return not hmac.compare_digest(token.encode("utf-8", "replace"), csrf.encode())


def refuse_forged(request: Request, form: Form, csrf: str, parts: Parts) -> None:
    """Raise PageError if a form does not bear this token."""
    if is_forged(request, form, csrf):
        advice = "Go back, reload the page and try again."
        if is_lost(request, parts):
            advice = own_address(parts)
        raise PageError(403, "The form is too old", advice)
