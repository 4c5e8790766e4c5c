"""A check's log: pings and flips together, the newest first, filtered and paged."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from urllib.parse import urlencode

from aiosqlite import Connection
from starlette.datastructures import QueryParams

from hcl import store
from hcl.checks import runs
from hcl.db import Gaps
from hcl.model import Action, Check, Ping
from hcl.web.pages.check.entries import EXCERPT, Page, Place, Timeline
from hcl.words import names

ACTIONS: dict[Action, str] = {
    action: word.capitalize() for action, word in names.ACTIONS.items()
}
KINDS: dict[str, str] = dict(ACTIONS) | {"flip": "Changes of status, and messages"}

# What the log offers at a click: a word, and the kinds that it stands for.
_CHIPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("all", ()),
    ("runs", ("success", "fail")),
    ("failures", ("fail",)),
    ("changes and messages", ("flip",)),
)

# Messages of one flip that are shown, the newest; and on a page those of no flip.
_MOST_TOLD = 6
_MOST_LATE = 100

_LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True)
class Search:
    """What a page of the log was asked for, as it was typed and as it is meant.

    `kinds` empty: all. `problem` tells which part cannot be understood.
    """

    kinds: tuple[str, ...] = ()
    text: str = ""
    since_text: str = ""
    until_text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[int, int] | None = None
    problem: str = ""

    @property
    def is_filter(self) -> bool:
        """Tell whether some of the log is left out."""
        return bool(self.kinds or self.text or self.since or self.until)

    @property
    def wants_flips(self) -> bool:
        """Tell whether flips are asked for: they have no bodies to be searched."""
        return not self.text and (not self.kinds or "flip" in self.kinds)

    @property
    def actions(self) -> tuple[str, ...] | None:
        """Return the kinds of pings that are asked for, () for all; None: no pings."""
        found = tuple(kind for kind in self.kinds if kind != "flip")
        return None if self.kinds and not found else found


def read_search(query: QueryParams, zone: tzinfo, *, bodies: bool) -> Search:
    """Read the filters of a URL; days are those of a zone.

    `bodies`: whether the viewer may know what is in them.
    """
    since_text = query.get("from", "").strip()[:40]
    until_text = query.get("to", "").strip()[:40]
    problem = ""
    since = until = None
    try:
        since = _moment(since_text, zone, timedelta(0))
        until = _moment(until_text, zone, timedelta(days=1))
    except (ValueError, OverflowError):
        problem = "Dates are written as 2026-01-31."
    return Search(
        kinds=tuple(kind for kind in KINDS if kind in query.getlist("kind")),
        text=_text(query.get("q", "")) if bodies else "",
        since_text=since_text,
        until_text=until_text,
        since=since,
        until=until,
        before=_place(query.get("before", "")),
        problem=problem,
    )


def query_of(search: Search, before: str) -> str:
    """Write the filters as a URL has them, from another place on."""
    pairs = [("kind", kind) for kind in search.kinds]
    pairs += [
        ("q", search.text),
        ("from", search.since_text),
        ("to", search.until_text),
        ("before", before),
    ]
    return urlencode([(name, value) for name, value in pairs if value])


def chips(kinds: tuple[str, ...]) -> list[tuple[str, str, bool]]:
    """Return what the log offers: a word, its query, whether it is what is shown."""
    return [
        (word, urlencode([("kind", kind) for kind in its]), kinds == its)
        for word, its in _CHIPS
    ]


def _text(typed: str) -> str:
    # What SQLite takes for the end of a text, and halves of characters, are nowhere.
    text = typed.replace("\0", "").strip()[:_LONGEST_SEARCH]
    return text.encode("utf-8", "ignore").decode()


def _moment(text: str, zone: tzinfo, whole_day: timedelta) -> datetime | None:
    if not text:
        return None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        day = date.fromisoformat(text) + whole_day
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _place(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d{1,15})(?:-(\d{1,15}))?", text, re.ASCII)
    return (int(match[1]), int(match[2] or 0)) if match else None


async def load(
    conn: Connection,
    check: Check,
    search: Search,
    limit: int,
    gaps: Gaps,
    signals: Sequence[Ping] | None = None,
) -> Timeline:
    """Return a page of a check's log.

    `signals` are its last ones, oldest first, if they were read already. Of the bodies
    only those on the page are read, unless text is looked for. What is damaged is left
    out, and stands in `gaps`.
    """
    places = await _places(conn, check, search, limit + 1, gaps)
    older = ""
    if len(places) > limit:
        del places[limit:]
        older = f"{places[-1][0]}-{places[-1][1]}"
    ns = [n for n, flip_id, _ in places if not flip_id]
    found = {
        excerpt.ping.n: excerpt
        for excerpt in await store.excerpts.of_check(conn, check.id, ns, EXCERPT, gaps)
    }
    if signals is None and found:
        oldest = min(excerpt.ping.created for excerpt in found.values())
        before = store.pings.signals_before(
            conn, check.id, max(found) + 1, oldest - runs.MAX_RUN
        )
        signals = await gaps.readable(before, [])
    flip_ids = [flip_id for _, flip_id, flip in places if flip is not None]
    told = store.tries.of_log(
        conn,
        check.id,
        flip_ids,
        _span(check, search, places, is_last=not older),
        most=_MOST_TOLD,
        most_late=_MOST_LATE,
    )
    messages = await gaps.readable(told, store.tries.Told({}, {}, []))
    page = Page(check, found, signals or (), messages, folds=not search.kinds)
    # Mails are dear to decode, and pings wait for none of them.
    return Timeline(await asyncio.to_thread(page.entries, places), older)


def _span(
    check: Check, search: Search, places: Sequence[Place], *, is_last: bool
) -> tuple[int, int]:
    """Return the numbers of pings between which messages of no flip stand on a page."""
    if not search.wants_flips or search.since or search.until:
        # Neither are they pings.
        return 1, 0
    least = 0 if is_last else places[-1][0]
    return least, search.before[0] - 1 if search.before else check.n_pings


async def _places(
    conn: Connection, check: Check, search: Search, limit: int, gaps: Gaps
) -> list[Place]:
    """Return numbers of pings, and flips, in order, the newest first.

    By the numbers, not by time: the clock may have been set. A flip stands above the
    last ping up to it.
    """
    places: list[Place] = []
    actions = search.actions
    if actions is not None:
        below = None
        if search.before is not None:
            n, flip_id = search.before
            below = n + 1 if flip_id else n
        wanted = store.pings.Wanted(
            below, actions, search.since, search.until, search.text
        )
        places += [
            (n, 0, None)
            for n in await store.pings.numbers(conn, check.id, wanted, limit, gaps)
        ]
    if search.wants_flips:
        flips = store.flips.logged(
            conn,
            check.id,
            limit,
            before=search.before,
            since=search.since,
            until=search.until,
        )
        places += [
            (logged.n_pings, logged.id, logged.flip)
            for logged in await gaps.readable(flips, [])
        ]
    places.sort(key=lambda place: place[:2], reverse=True)
    return places[:limit]
