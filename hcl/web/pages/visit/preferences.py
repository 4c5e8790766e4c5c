"""How somebody likes pages to look: kept by their browser alone, in a cookie."""

from collections.abc import Iterable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from hcl.web.pages.visit import cookies
from hcl.web.pages.visit.session import set_cookie
from hcl.web.parts import Parts

_COOKIE = "hcl_look"
# In seconds; browsers keep none longer.
_AGE = 400 * 86400

# What there is to choose; the first counts until somebody does.
CHOICES = {
    "theme": ("system", "light", "dark"),
    "rows": ("compact", "roomy"),
    "sort": ("status", "name", "last"),
    "group": ("none", "tag"),
}


class Preferences(NamedTuple):
    """What somebody chose of CHOICES."""

    theme: str = CHOICES["theme"][0]
    rows: str = CHOICES["rows"][0]
    sort: str = CHOICES["sort"][0]
    group: str = CHOICES["group"][0]


# Of who has chosen nothing.
UNCHOSEN = Preferences()


def read(request: Request) -> Preferences:
    """Return what a browser remembers; what makes no sense is passed over."""
    pairs = (kept.partition(":") for kept in cookies.read(request, _COOKIE).split("."))
    return Preferences(**known((name, value) for name, _, value in pairs))


def known(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what of these pairs of a name and a value can be chosen."""
    return {name: value for name, value in pairs if value in CHOICES.get(name, ())}


def keep(response: Response, chosen: Preferences, parts: Parts) -> None:
    """Have the browser remember what somebody chose."""
    pairs = chosen._asdict().items()
    # Of characters that a cookie may have as they are.
    kept = ".".join(f"{name}:{v}" for name, v in pairs if v != CHOICES[name][0])
    set_cookie(response, _COOKIE, kept, parts, _AGE if kept else 0)
