"""What the URL of a list asks for."""

from dataclasses import dataclass, replace
from typing import Any, get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from hcl.model import ShownStatus
from hcl.web.preferences import CHOICES, UNCHOSEN, Preferences

# What a list may be narrowed to; a check that runs has another status besides.
STATUSES = (*get_args(ShownStatus),)

_LONGEST_SEARCH = 200
_MOST_TAGS = 10
# Checks on a page, and pages: beyond them people search.
ON_A_PAGE = 100
MOST_PAGES = 100
_PAGES = frozenset(map(str, range(1, MOST_PAGES + 1)))


@dataclass(frozen=True, slots=True)
class Query:
    """What the URL of a list asks for.

    `kept` are what counts where the URL says nothing. `is_selecting`: rows can be
    chosen, to do something to many at once.
    """

    text: str = ""
    tags: tuple[str, ...] = ()
    status: str = ""
    sort: str = "status"
    group: str = "none"
    is_selecting: bool = False
    page: int = 1
    kept: Preferences = UNCHOSEN

    @property
    def words(self) -> list[str]:
        """What is searched for."""
        return self.text.casefold().split()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Return what a URL has to say, but for the page."""
        pairs = [("q", self.text)] if self.text else []
        pairs += [("tag", tag) for tag in self.tags]
        pairs += [("status", self.status)] if self.status else []
        for name, value in (("sort", self.sort), ("group", self.group)):
            # Who is sent the link sees the same, whatever they like better.
            if {value, getattr(self.kept, name)} != {CHOICES[name][0]}:
                pairs.append((name, value))
        return pairs + ([("select", "1")] if self.is_selecting else [])

    def href(self, **changes: Any) -> str:
        """Return a URL, relative to the list's own, that asks for something else."""
        wanted = replace(self, **{"page": 1} | changes)
        page = [("page", str(wanted.page))] if wanted.page > 1 else []
        return f"?{urlencode(wanted.pairs + page)}"

    def with_tag(self, tag: str) -> str:
        """Return the URL that asks for a tag too, or no longer."""
        if tag in self.tags:
            return self.href(tags=tuple(t for t in self.tags if t != tag))
        return self.href(tags=(*self.tags, tag)[-_MOST_TAGS:])


def asked(params: QueryParams, kept: Preferences) -> Query:
    """Read what a URL asks for; what makes no sense is passed over."""
    status, page = params.get("status", ""), params.get("page", "")
    tags = dict.fromkeys(filter(None, params.getlist("tag")))
    liked = {
        name: value
        for name in ("sort", "group")
        if (value := params.get(name, "")) in CHOICES[name]
    }
    return Query(
        text=params.get("q", "").strip()[:_LONGEST_SEARCH],
        tags=tuple(tags)[:_MOST_TAGS],
        status=status if status in STATUSES else "",
        sort=liked.get("sort", kept.sort),
        group=liked.get("group", kept.group),
        is_selecting=params.get("select") == "1",
        page=int(page) if page in _PAGES else 1,
        kept=kept,
    )
