"""The list of a project's checks: what is asked for, counted and shown."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import urlencode

from aiosqlite import Connection
from markupsafe import Markup, escape
from starlette.datastructures import QueryParams

from hcl import store
from hcl.checks import rules, schedule
from hcl.model import Check, ShownStatus, split_tags
from hcl.store.flips import Trouble, Turn
from hcl.store.tallies import Line
from hcl.web.pages import wording
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.frame import Paths
from hcl.web.pages.overview import bars, why
from hcl.web.pages.wording import STATUS_WORDS, stamped
from hcl.web.parts import Parts
from hcl.words.lines import clean
from hcl.words.names import UNNAMED, check_name
from hcl.words.natural import natural

SORTS = ("status", "name", "last")
# What a list may be narrowed to; a check that runs has another status besides.
STATUSES = (*get_args(ShownStatus),)

# What needs somebody comes first.
_RANKS: dict[ShownStatus, int] = {
    "down": 0,
    "grace": 1,
    "up": 2,
    "started": 2,
    "new": 3,
    "paused": 4,
}
_LONGEST_SEARCH = 200
_MOST_TAGS = 10
# Checks on a page, and pages: beyond them people search.
ON_A_PAGE = 100
MOST_PAGES = 100
_PAGES = frozenset(map(str, range(1, MOST_PAGES + 1)))
# Of all checks together, for their bars: a check that flips all the time may have more.
_MOST_FLIPS = 20_000


@dataclass(frozen=True, slots=True)
class Query:
    """What the URL of a list asks for."""

    text: str = ""
    tags: tuple[str, ...] = ()
    status: str = ""
    sort: str = "status"
    page: int = 1

    @property
    def words(self) -> list[str]:
        """What is searched for."""
        return self.text.casefold().split()

    def href(self, **changes: Any) -> str:
        """Return a URL, relative to the list's own, that asks for something else."""
        wanted = replace(self, **{"page": 1} | changes)
        pairs = [("q", wanted.text)] if wanted.text else []
        pairs += [("tag", tag) for tag in wanted.tags]
        pairs += [("status", wanted.status)] if wanted.status else []
        pairs += [("sort", wanted.sort)] if wanted.sort != SORTS[0] else []
        pairs += [("page", str(wanted.page))] if wanted.page > 1 else []
        return f"?{urlencode(pairs)}"

    def with_tag(self, tag: str) -> str:
        """Return the URL that asks for a tag too, or no longer."""
        if tag in self.tags:
            return self.href(tags=tuple(t for t in self.tags if t != tag))
        return self.href(tags=(*self.tags, tag)[-_MOST_TAGS:])


def asked(params: QueryParams) -> Query:
    """Read what a URL asks for; what makes no sense is passed over."""
    status, sort = params.get("status", ""), params.get("sort", "")
    page = params.get("page", "")
    tags = dict.fromkeys(filter(None, params.getlist("tag")))
    return Query(
        text=params.get("q", "").strip()[:_LONGEST_SEARCH],
        tags=tuple(tags)[:_MOST_TAGS],
        status=status if status in STATUSES else "",
        sort=sort if sort in SORTS else SORTS[0],
        page=int(page) if page in _PAGES else 1,
    )


def counts(statuses: Counter[str], running: int) -> dict[str, int]:
    """Tell how many checks there are by status, and in all; who runs counts twice."""
    counted = dict.fromkeys(STATUSES, 0) | {"all": statuses.total()} | statuses
    return counted | {"started": running}


def counts_of(items: Sequence[Shown]) -> dict[str, int]:
    """Count checks as `counts` does."""
    running = sum(item.check.last_start is not None for item in items)
    return counts(Counter(item.status for item in items), running)


def tags_of(texts: Mapping[str, int], most: int = 40) -> list[str]:
    """Return the tags that most checks have, by name; so many checks have each text."""
    counted: Counter[str] = Counter()
    for text, checks in texts.items():
        for tag in split_tags(text):
            counted[tag] += checks
    tags = (tag for tag, _ in counted.most_common(most) if clean(tag))
    return sorted(tags, key=natural)


def trouble(counted: Mapping[str, int]) -> tuple[str, str]:
    """Return the icon for all checks together, and what the title begins with."""
    for status, icon in (("down", "down"), ("grace", "late")):
        if count := counted.get(status, 0):
            return icon, f"({count} {icon}) "
    return "up", ""


def is_wanted(
    line: Line, status: ShownStatus, query: Query, *, by_code: bool = True
) -> bool:
    """Tell whether a check is asked for, by codes only if `by_code`."""
    if query.status and not (
        line.is_running if query.status == "started" else status == query.status
    ):
        return False
    if query.tags and not set(query.tags) <= set(split_tags(line.tags)):
        return False
    if not query.text:
        return True
    code = line.code if by_code else line.unique_key
    text = f"{line.name} {line.tags} {line.slug} {code}".casefold()
    return all(word in text for word in query.words)


# What a list is ordered by, and then by ids.
Key = tuple[Any, ...]


def key(line: Line, status: ShownStatus, sort: str) -> Key:
    """Return what a check is ordered by."""
    if sort == "last":
        return (-line.last_ping if line.last_ping else 0.0,)
    # Those without a name have nothing to be ordered by.
    name = not line.name, natural(line.name)
    return name if sort == "name" else (_RANKS[status], *name)


async def flips_of(
    conn: Connection, items: Iterable[Shown], now: datetime
) -> dict[int, list[Turn]]:
    """Return the flips that the rows of these checks show."""
    ids = [item.check.id for item in items]
    return await store.flips.lately(conn, ids, now - bars.SPAN, _MOST_FLIPS)


async def alone_of(conn: Connection, items: Iterable[Shown]) -> set[int]:
    """Return the ids of those of these checks that no channel serves."""
    return await store.channels.alone_among(conn, [item.check.id for item in items])


def maintained_of(parts: Parts, items: Iterable[Shown], now: datetime) -> set[int]:
    """Return the ids of those of these checks for which a window is open."""
    maintenance = parts.maintenance
    if not maintenance:
        return set()
    checks = (item.check for item in items)
    return {check.id for check in checks if maintenance.until(check, now)}


def rows(
    items: Iterable[Shown],
    flips: Mapping[int, Sequence[Turn]],
    url: Paths,
    now: datetime,
    alone: Container[int] = (),
    troubles: Mapping[int, Trouble] | None = None,
    maintained: Container[int] = (),
) -> dict[str, Markup]:
    """Return the rows of the list, by their ids in the page.

    `alone` holds the ids of checks that no channel serves, `troubles` why checks went
    down, `maintained` the ids of those for which a maintenance window is open.

    They are put together here: a template takes three times as long, for 1000 of them.
    """
    return {
        f"c{item.check.id}": row(
            item,
            flips.get(item.check.id, ()),
            url,
            now,
            item.check.id in alone,
            (troubles or {}).get(item.check.id),
            item.check.id in maintained,
        )
        for item in items
    }


def row(
    item: Shown,
    flips: Sequence[Turn],
    url: Paths,
    now: datetime,
    is_alone: bool = False,
    trouble: Trouble | None = None,
    is_maintained: bool = False,
) -> Markup:
    """Return one row: status, name and tags, schedule, last and next ping, days.

    Where something is wrong, what that is stands in the place of the schedule.
    """
    status, run = item.status, ""
    check = rules.as_shown(item.check, now)
    wrong = why.sentence(item, trouble, now, readonly=url.readonly)
    alone = "<small>no channel</small>" if is_alone else ""
    alone += "<small>in maintenance</small>" if is_maintained else ""
    if check.is_muted(now):
        end = stamped(check.muted_until or now, now, "relative")
        alone += f'<small class="bell"><span>muted, ends {end}</span></small>'
    if check.last_start is not None:
        length = stamped(check.last_start, now, "elapsed")
        run = f'<small class="run">running for {length}</small>'
    return Markup(  # noqa: S704 - each part is escaped, or made here
        f'<li id="c{check.id}" class="{status}">'
        f'<span class="status is-{status}">{STATUS_WORDS[status]}</span>'
        f'<p><a class="name" href="{url.check(check)}">{_name(check.name)}</a>'
        f" {_tags(check)}{alone}</p>"
        f"<p>{wrong or wording.schedule(check)}{run}</p>"
        f"<p>{_last(check, now)}<small>{_next(item, flips, now)}</small></p>"
        f"{bars.bar(check.status, flips, now)}</li>"
    )


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    text = escape(check_name(name))
    return f'<span class="muted">{text}</span>' if text == UNNAMED else str(text)


def _tags(check: Check) -> str:
    return "".join(map(_tag, check.tag_list)) if check.tags else ""


@lru_cache(maxsize=1024)
def _tag(tag: str) -> str:
    href = escape("?" + urlencode({"tag": tag}))
    text = escape(clean(tag))
    # A link that nobody can see or hit is none.
    return f'<a class="tag" href="{href}">{text}</a>' if text else ""


def _last(check: Check, now: datetime) -> str:
    if check.last_ping is None:
        return '<span class="muted">no ping yet</span>'
    last = stamped(check.last_ping, now, "relative")
    if not check.excused:
        return last
    # Until it pings again nothing is known of it: hcl was away, and may have missed it.
    since = stamped(check.last_ping, now, "absolute")
    return f'{last}<small class="unheard">not heard since {since}</small>'


def _next(item: Shown, flips: Sequence[Turn], now: datetime) -> str:
    """Tell what is to come, or since when it is overdue."""
    check, status = item
    if status == "down":
        if check.status != "down":
            return "overdue"
        if not flips:
            return f"down for more than {bars.DAYS} d"
        since = datetime.fromtimestamp(flips[-1][0], UTC)
        return f"down for {stamped(since, now, 'elapsed')}"
    if check.status == "paused" or check.alert_after is None:
        return ""
    due = schedule.next_ping(check) or check.alert_after
    if check.last_start is not None and due <= check.last_start:
        return f"to end {stamped(check.alert_after, now, 'relative')}"
    word = "was due" if due < now else "due"
    return f"{word} {stamped(due, now, 'relative')}"
