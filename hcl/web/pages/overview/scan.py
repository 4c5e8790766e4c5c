"""All checks of a project: counted, searched and sorted, a slice at a time."""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules
from hcl.model import ShownStatus
from hcl.store.tallies import Line
from hcl.web.pages.dashboard.boards import Above, Fingerprint, Shown
from hcl.web.pages.overview import listing
from hcl.web.pages.overview.listing import Tally
from hcl.web.pages.overview.query import Query

# Checks that are looked at in one go of the loop.
_SLICE = 100

_NOTHING = Above()


@dataclass(slots=True)
class Scan:
    """What was seen: `counts` by status, and `matching` checks of what is asked for.

    `ids` are the first of these, in the order asked for; `mark` stands for all.
    `groups` are what the matching ones are grouped by, in their order, if they are.
    """

    counts: dict[str, int] = field(default_factory=dict)
    tags: list[Tally] = field(default_factory=list)
    groups: list[Tally] = field(default_factory=list)
    matching: int = 0
    ids: list[int] = field(default_factory=list)
    mark: str = ""


async def scan(
    conn: Connection,
    project_id: int,
    query: Query,
    now: datetime,
    *,
    first: int,
    above: Above = _NOTHING,
    by_code: bool = True,
) -> Scan:
    """Look at all checks; remember the first `first` of those that are asked for.

    `by_code`: it may be looked for by codes; who may not see them could find them out.
    `above` is what the page tells above them.
    """
    scanned, mark = Scan(), Fingerprint(above)
    statuses: Counter[str] = Counter()
    running = 0
    tags: dict[str, Counter[ShownStatus]] = defaultdict(Counter)
    best = _Best(query, first)
    last_id = 0
    while lines := await store.tallies.lines(conn, project_id, now, last_id, _SLICE):
        shown = await _shown(conn, lines, now)
        found = []
        for line in lines:
            status = shown.get(line.id, line.status)
            statuses[status] += 1
            running += line.is_running
            mark.add(line.id, status, line.n_pings, line.name, line.excused)
            if line.tags:
                tags[line.tags][status] += 1
            if listing.is_wanted(line, status, query, by_code=by_code):
                found.append((line, status))
        scanned.matching += len(found)
        best.take(found)
        last_id = lines[-1].id
    scanned.counts = listing.counts(statuses, running)
    scanned.tags = listing.tags_of(tags)
    scanned.groups, scanned.ids = best.ended()
    scanned.mark = str(mark)
    return scanned


class _Best:
    """The first checks of all that are taken, in the order asked for."""

    def __init__(self, query: Query, first: int) -> None:
        self._sort = query.sort
        self._first = first
        self._is_grouped = query.group == "tag"
        self._counts: dict[str, Counter[ShownStatus]] = defaultdict(Counter)
        # The first of each group, in order: in which order groups come is known when
        # all checks are looked at.
        self._found: dict[str, list[tuple[listing.Key, int]]] = defaultdict(list)

    def take(self, found: Iterable[tuple[Line, ShownStatus]]) -> None:
        """Look at some more."""
        for line, status in found:
            group = ""
            if self._is_grouped:
                group = listing.group_of(line.tags)
                self._counts[group][status] += 1
            place = listing.key(line, status, self._sort), line.id
            best = self._found[group]
            if len(best) < self._first:
                insort(best, place)
            elif best and place < best[-1]:
                best.pop()
                insort(best, place)

    def ended(self) -> tuple[list[Tally], list[int]]:
        """Return the groups, and the ids of the first checks."""
        groups = listing.in_order(Tally(*group) for group in self._counts.items())
        names = [group.name for group in groups] if self._is_grouped else [""]
        places = (place for name in names for place in self._found[name])
        return groups, [check_id for _, check_id in islice(places, self._first)]


async def _shown(
    conn: Connection, lines: list[Line], now: datetime
) -> dict[int, ShownStatus]:
    """Tell the status of those that are not shown as they are kept."""
    ids = [line.id for line in lines if not line.is_steady]
    if not ids:
        return {}
    checks = await store.checks.by_ids(conn, ids)
    return {check.id: rules.shown_status(check, now) for check in checks}


async def shown(conn: Connection, ids: list[int], now: datetime) -> list[Shown]:
    """Return checks in the order of their ids as they are given."""
    checks = {check.id: check for check in await store.checks.by_ids(conn, ids)}
    return [
        Shown(checks[check_id], rules.shown_status(checks[check_id], now))
        for check_id in ids
        if check_id in checks
    ]
