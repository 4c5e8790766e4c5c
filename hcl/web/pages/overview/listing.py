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
from hcl.checks import rules
from hcl.model import Check, ShownStatus
from hcl.store.flips import Trouble, Turn
from hcl.web.pages import wording
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.frame import Paths
from hcl.web.pages.overview import bars, why
from hcl.web.pages.wording import STATUS_WORDS, stamped
from hcl.words.lines import clean
from hcl.words.names import UNNAMED, check_name

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
# Of all checks together, for their bars: a check that flips all the time may have more.
_MOST_FLIPS = 20_000


@dataclass(frozen=True, slots=True)
class Query:
    """What the URL of a list asks for."""

    text: str = ""
    tags: tuple[str, ...] = ()
    status: str = ""
    sort: str = "status"

    def href(self, **changes: Any) -> str:
        """Return a URL, relative to the list's own, that asks for something else."""
        wanted = replace(self, **changes)
        pairs = [("q", wanted.text)] if wanted.text else []
        pairs += [("tag", tag) for tag in wanted.tags]
        pairs += [("status", wanted.status)] if wanted.status else []
        pairs += [("sort", wanted.sort)] if wanted.sort != SORTS[0] else []
        return f"?{urlencode(pairs)}"

    def with_tag(self, tag: str) -> str:
        """Return the URL that asks for a tag too, or no longer."""
        if tag in self.tags:
            return self.href(tags=tuple(t for t in self.tags if t != tag))
        return self.href(tags=(*self.tags, tag)[-_MOST_TAGS:])


def asked(params: QueryParams) -> Query:
    """Read what a URL asks for; what makes no sense is passed over."""
    status, sort = params.get("status", ""), params.get("sort", "")
    tags = dict.fromkeys(filter(None, params.getlist("tag")))
    return Query(
        text=params.get("q", "").strip()[:_LONGEST_SEARCH],
        tags=tuple(tags)[:_MOST_TAGS],
        status=status if status in STATUSES else "",
        sort=sort if sort in SORTS else SORTS[0],
    )


def counts(items: Sequence[Shown]) -> dict[str, int]:
    """Count checks by status, and all of them; those that run count twice."""
    counted: Counter[str] = Counter(item.status for item in items)
    counted["started"] = sum(item.check.last_start is not None for item in items)
    return dict.fromkeys(STATUSES, 0) | {"all": len(items)} | counted


def tags_of(items: Iterable[Shown], most: int = 40) -> list[str]:
    """Return the tags in use, those that most checks have, by name."""
    counted = Counter(
        tag for item in items if item.check.tags for tag in item.check.tag_list
    )
    tags = (tag for tag, _ in counted.most_common(most) if clean(tag))
    return sorted(tags, key=str.casefold)


def trouble(counted: Mapping[str, int]) -> tuple[str, str]:
    """Return the icon for all checks together, and what the title begins with."""
    for status, icon in (("down", "down"), ("grace", "late")):
        if count := counted.get(status, 0):
            return icon, f"({count} {icon}) "
    return "up", ""


def narrowed(
    items: Iterable[Shown], query: Query, *, by_code: bool = True
) -> list[Shown]:
    """Return what is asked for, in the order asked for.

    `by_code`: it may be looked for by codes; who may not see them could find them out.
    """
    words = query.text.casefold().split()
    kept = [
        item
        for item in items
        if (not query.status or _has_status(item, query.status))
        and (not query.tags or set(query.tags) <= set(item.check.tag_list))
        and (not words or _holds(item.check, words, by_code))
    ]
    if query.sort == "name":
        kept.sort(key=lambda item: _name_key(item.check))
    elif query.sort == "last":
        kept.sort(key=_last_key)
    else:
        kept.sort(key=lambda item: (_RANKS[item.status], _name_key(item.check)))
    return kept


def _has_status(item: Shown, status: str) -> bool:
    if status == "started":
        return item.check.last_start is not None
    return item.status == status


def _holds(check: Check, words: list[str], by_code: bool) -> bool:
    key = check.code if by_code else check.unique_key
    text = f"{check.name} {check.tags} {check.slug} {key}".casefold()
    return all(word in text for word in words)


def _name_key(check: Check) -> tuple[bool, str, int]:
    # Those without a name have nothing to be ordered by.
    return not check.name, check.name.casefold(), check.id


def _last_key(item: Shown) -> tuple[float, int]:
    last = item.check.last_ping
    return -last.timestamp() if last else 0.0, item.check.id


async def flips_of(
    conn: Connection, items: Iterable[Shown], now: datetime
) -> dict[int, list[Turn]]:
    """Return the flips that the rows of these checks show."""
    ids = [item.check.id for item in items]
    return await store.flips.lately(conn, ids, now - bars.SPAN, _MOST_FLIPS)


async def alone_of(conn: Connection, items: Iterable[Shown]) -> set[int]:
    """Return the ids of those of these checks that no channel serves."""
    return await store.channels.alone_among(conn, [item.check.id for item in items])


def rows(
    items: Iterable[Shown],
    flips: Mapping[int, Sequence[Turn]],
    url: Paths,
    now: datetime,
    alone: Container[int] = (),
    troubles: Mapping[int, Trouble] | None = None,
) -> dict[str, Markup]:
    """Return the rows of the list, by their ids in the page.

    `alone` holds the ids of checks that no channel serves, `troubles` why checks went
    down.

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
) -> Markup:
    """Return one row: status, name and tags, schedule, last and next ping, days.

    Where something is wrong, what that is stands in the place of the schedule.
    """
    status, run = item.status, ""
    check = rules.as_shown(item.check, now)
    wrong = why.sentence(item, trouble, now, readonly=url.readonly)
    alone = "<small>no channel</small>" if is_alone else ""
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
    due = check.alert_after - check.grace
    if check.last_start is not None and due <= check.last_start:
        return f"to end {stamped(check.alert_after, now, 'relative')}"
    word = "was due" if due < now else "due"
    return f"{word} {stamped(due, now, 'relative')}"
