"""The badges of a project: what they look like, and what to paste to show them."""

import html
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from aiosqlite import Connection
from starlette.datastructures import QueryParams
from starlette.responses import Response

from hcl import store
from hcl.model import Check, Project
from hcl.web.badges.badges import badge_urls
from hcl.web.pages.visit.visit import Visit
from hcl.words.lines import clean
from hcl.words.names import title

# What may be chosen, with its words; the first is what is shown unasked.
FORMATS = {"svg": "Picture", "shields": "shields.io", "json": "JSON"}
STATES = {"3": "up, late, down", "2": "up, down"}
SYNTAXES = {"markdown": "Markdown", "html": "HTML", "url": "Address"}

# Checks on one page, tags on each, and checks that are looked at in one go of the loop.
_ON_A_PAGE = 50
_MOST_TAGS = 200
_SLICE = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """What the viewer asked for; what is not offered counts as not asked for."""

    format: str
    states: str
    syntax: str
    search: str
    page: int

    @property
    def syntaxes(self) -> dict[str, str]:
        """Return how a badge of the format can be shown: JSON is no picture."""
        if self.format == "json":
            return {"url": SYNTAXES["url"]}
        return SYNTAXES

    def turned(self, page: int) -> str:
        """Return the query of another page of the same."""
        return urlencode(
            {
                "format": self.format,
                "states": self.states,
                "syntax": self.syntax,
                "q": self.search,
                "page": page,
            }
        )


@dataclass(frozen=True, slots=True)
class Badge:
    """One badge: the picture as this site has it, and the text to paste elsewhere."""

    title: str
    picture: str
    text: str


async def page(visit: Visit) -> Response:
    """GET …/badges: those for all checks, for each tag and for each check."""
    project = visit.project()
    choice = _choice(visit.query)
    conn = await visit.parts.database.current()
    sought = await _sought(visit, conn, project, choice.search)
    pages = max(1, -(-len(sought) // _ON_A_PAGE))
    number = min(choice.page, pages)
    ids = list(sought[(number - 1) * _ON_A_PAGE : number * _ON_A_PAGE])
    shown = sorted(await store.checks.by_ids(conn, ids), key=lambda check: check.id)
    tags = _tags(await store.tallies.tags_of_project(conn, project.id), choice)
    return await visit.render(
        "badges.html",
        project=project,
        nav="badges",
        choice=choice,
        formats=FORMATS,
        states=STATES,
        whole=_of_tag(visit, project, choice, "*"),
        tags=[_of_tag(visit, project, choice, tag) for tag in tags[:_MOST_TAGS]],
        more_tags=max(0, len(tags) - _MOST_TAGS),
        checks=[_of_check(visit, choice, check) for check in shown],
        total=len(sought),
        number=number,
        pages=pages,
    )


def _choice(query: QueryParams) -> Choice:
    fmt = query.get("format", "")
    states = query.get("states", "")
    syntax = query.get("syntax", "")
    number = query.get("page", "")
    choice = Choice(
        format=fmt if fmt in FORMATS else next(iter(FORMATS)),
        states=states if states in STATES else next(iter(STATES)),
        syntax=syntax,
        search=query.get("q", "")[:100].strip(),
        page=int(number)
        if number.isascii() and number.isdecimal() and len(number) < 7
        else 1,
    )
    offered = choice.syntaxes
    if syntax in offered:
        return choice
    return Choice(
        choice.format, choice.states, next(iter(offered)), choice.search, choice.page
    )


async def _sought(
    visit: Visit, conn: Connection, project: Project, search: str
) -> "array[int]":
    """Return the ids of the checks that are searched for, in order of creation."""
    # To forget as many numbers one by one takes milliseconds.
    ids = array("q")
    last_id = 0
    while found := await store.checks.of_project(
        conn, project.id, after=last_id, limit=_SLICE
    ):
        ids.extend(check.id for check in found if _is_sought(visit, check, search))
        last_id = found[-1].id
    return ids


def _is_sought(visit: Visit, check: Check, search: str) -> bool:
    words = search.casefold().split()
    # By what is shown: who may not see codes could find them out.
    name = title(check, readonly=visit.viewer.readonly)
    text = f"{name} {check.slug} {check.tags}".casefold()
    return all(word in text for word in words)


def _tags(tags: Iterable[str], choice: Choice) -> list[str]:
    words = choice.search.casefold().split()
    return sorted(t for t in tags if all(word in t.casefold() for word in words))


def _of_tag(visit: Visit, project: Project, choice: Choice, tag: str) -> Badge:
    parts = visit.parts
    urls = badge_urls(parts.site.root, parts.secret, project.badge_key, tag)
    end = "3" if choice.states == "3" else ""
    title = parts.config.server.site_name if tag == "*" else tag
    return _badge(title, urls[f"svg{end}"], urls[f"{choice.format}{end}"], choice)


def _of_check(visit: Visit, choice: Choice, check: Check) -> Badge:
    start = f"{visit.parts.site.root}/b/{choice.states}/{check.badge_key}"
    name = title(check, readonly=visit.viewer.readonly)
    return _badge(name, f"{start}.svg", f"{start}.{choice.format}", choice)


def _badge(title: str, picture: str, url: str, choice: Choice) -> Badge:
    # A page may be reached by another name than the file's: pictures come from there.
    path = urlsplit(picture).path
    shown = url
    if choice.format == "shields":
        shown = f"https://img.shields.io/endpoint?url={quote(url, safe='')}"
    return Badge(clean(title), path, _text(choice.syntax, clean(title), shown))


def _text(syntax: str, title: str, url: str) -> str:
    """Write what shows a picture, for a title that may hold anything."""
    line = " ".join(title.split())
    if syntax == "markdown":
        # In brackets: a backslash before what would end them or begin something.
        label = "".join(f"\\{c}" if c in "\\[]`*_<>&!" else c for c in line)
        return f"![{label}]({url.replace('(', '%28').replace(')', '%29')})"
    if syntax == "html":
        return f'<img src="{html.escape(url)}" alt="{html.escape(line)}">'
    return url
