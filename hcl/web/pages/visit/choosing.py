"""Choose how pages look: the theme, and the order of the list."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import Response

from hcl.web import preferences
from hcl.web.pages.visit.session import set_cookie
from hcl.web.pages.visit.sign_in import own_path
from hcl.web.pages.visit.visit import Visit

# These are of the list, and stand in its URL too: who is sent it sees the same.
_IN_URL = ("sort", "group")
# In seconds; browsers keep none longer.
_AGE = 400 * 86400


async def choose(visit: Visit) -> Response:
    """POST /preferences: remember what the form names, and lead back to `next`."""
    sent = ((name, values[-1]) for name, values in visit.form.items())
    chosen = preferences.known(sent)
    url = urlsplit(own_path(visit.form.get("next", [""])[-1]))
    asked = [pair for pair in parse_qsl(url.query) if pair[0] not in (*chosen, "page")]
    asked += [(name, chosen[name]) for name in _IN_URL if name in chosen]
    response = visit.see_other(url._replace(query=urlencode(asked)).geturl())
    kept = preferences.written(visit.preferences._replace(**chosen))
    set_cookie(response, preferences.COOKIE, kept, visit.parts, _AGE if kept else 0)
    return response
