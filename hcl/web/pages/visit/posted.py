"""What a form sent: read within bounds, and told from what other sites send."""

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from hcl.web.pages.visit.errors import PageError
from hcl.web.parts import Parts

# How many fields a form may have, and how much longer than in JSON: of most characters
# a form makes three.
_LENGTH = 3
_MOST_FIELDS = 1000

Form = Mapping[str, list[str]]


async def read(request: Request, parts: Parts) -> Form:
    """Read a form; a body of no bytes is an empty one. Raises PageError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LENGTH * parts.config.api.body_limit:
            raise PageError(413, "Too large", "The form holds more than is taken.")
    if body and kind != "application/x-www-form-urlencoded":
        raise PageError(415, "Not a form", "Only plain forms are read here.")
    try:
        # As browsers send it; what is no UTF-8 nobody has typed.
        text = body.decode("ascii", "replace")
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise PageError(400, "Not a form", "The form has too many fields.") from None


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
        raise PageError(403, "Not from here", "Another site has sent this form.")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return "none"


def refuse_forged(request: Request, form: Form, csrf: str) -> None:
    """Raise PageError unless a form, or the header of a script, bears this token."""
    token = request.headers.get("x-csrf-token") or form.get("csrf", [""])[0]
    if not hmac.compare_digest(token.encode("utf-8", "replace"), csrf.encode()):
        raise PageError(
            403, "The form is too old", "Go back, load the page anew and try again."
        )
