"""How somebody likes pages to look: kept by their browser alone, in a cookie."""

from collections.abc import Iterable
from typing import NamedTuple

from starlette.requests import Request

from hcl.web.http import cookies

COOKIE = "hcl_look"

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
    pairs = (kept.partition(":") for kept in cookies.read(request, COOKIE).split("."))
    return Preferences(**known((name, value) for name, _, value in pairs))


def known(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what of these pairs of a name and a value can be chosen."""
    return {name: value for name, value in pairs if value in CHOICES.get(name, ())}


def written(chosen: Preferences) -> str:
    """Return what a browser is to remember, "" if that is nothing."""
    pairs = chosen._asdict().items()
    # Of characters that a cookie may have as they are.
    return ".".join(f"{name}:{v}" for name, v in pairs if v != CHOICES[name][0])
