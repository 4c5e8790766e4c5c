"""What a page for others is made of, read a slice at a time."""

import asyncio
import heapq
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from aiosqlite import Connection

from hcl import store
from hcl.checks import rules
from hcl.checks.availability import goes_on
from hcl.db import Gaps
from hcl.model import Check, Project, ShownStatus, split_tags
from hcl.store.flips import Turn
from hcl.store.tallies import Line
from hcl.web.pages.others.days import SPAN
from hcl.web.parts import Parts
from hcl.web.shared import Until
from hcl.words.natural import natural

logger = logging.getLogger(__name__)

# Checks that are shown with their bars; of more only a number is told.
MOST_CHECKS = 300

# Checks that are looked at in one go of the loop, those that are read in full, and
# flips that are read of these.
_SLICE = 500
_READ_AT_ONCE = 20
_MOST_FLIPS = 2000

# The first have a place on the page, whatever else has.
_ORDER: dict[ShownStatus, int] = {"down": 0, "grace": 1}


@dataclass(frozen=True, slots=True)
class Seen:
    """A check as others see it, and since when it is as it is kept; None: not known.

    `maintenance` is when that ends, None: it is not on.
    """

    check: Check
    status: ShownStatus
    since: datetime | None
    turns: list[Turn]
    maintenance: datetime | None

    @property
    def changes(self) -> list[Turn]:
        """The turns but those between which an outage went on, out of hcl.toml."""
        found: list[Turn] = []
        for turn in self.turns:
            if found and goes_on(self.check, found[-1][1:], turn[1:]):
                found.pop()
            else:
                found.append(turn)
        return found


@dataclass(slots=True)
class Gathered:
    """All checks that the page shows, by name, and how many there are by status.

    `now` is as of when.
    """

    now: datetime
    counts: Counter[ShownStatus] = field(default_factory=Counter)
    seen: list[Seen] = field(default_factory=list)

    @property
    def hidden(self) -> int:
        """How many more there are."""
        return self.counts.total() - len(self.seen)


async def gather(
    parts: Parts, project: Project, tags: tuple[str, ...], until: Until
) -> Gathered:
    """Read the checks with one of these tags, all if there are none."""
    now, conn = parts.clock.shown(), await parts.database.current()
    gathered = Gathered(now)
    ids = await _choose(conn, project.id, frozenset(tags), gathered)
    for at in range(0, len(ids), _READ_AT_ONCE):
        some = ids[at : at + _READ_AT_ONCE]
        for seen in await _read(parts, conn, some, now):
            until.note(rules.next_turn(seen.check, now))
            gathered.seen.append(seen)
    until.note(parts.maintenance.turn(project.id, now))
    return gathered


async def _read(
    parts: Parts, conn: Connection, ids: list[int], now: datetime
) -> list[Seen]:
    checks = {check.id: check for check in await store.checks.by_ids(conn, ids)}
    gaps = Gaps(logger)
    turns = await store.flips.lately_known(
        conn, ids, now - SPAN, _MOST_FLIPS, now, gaps
    )
    # It may last for longer than the bar shows.
    since = await gaps.of_each(partial(store.tallies.since, conn), ids, None)
    return [
        Seen(
            check,
            rules.shown_status(check, now),
            since.get(check.id),
            turns.get(check.id, []),
            parts.maintenance.until(check, now),
        )
        for check in (checks[id_] for id_ in ids if id_ in checks)
    ]


async def _choose(
    conn: Connection, project_id: int, tags: frozenset[str], gathered: Gathered
) -> list[int]:
    """Count all, and return the ids of those that are shown, in their order."""
    best: list[tuple[int, tuple[bool, object, int]]] = []
    last_id = 0
    while lines := await store.tallies.lines(
        conn, project_id, gathered.now, last_id, _SLICE
    ):
        last_id = lines[-1].id
        lines = [line for line in lines if not tags or tags & {*split_tags(line.tags)}]
        other = await _not_steady(conn, lines, gathered.now)
        for line in lines:
            status = other.get(line.id, line.status)
            gathered.counts[status] += 1
            name = (not line.name, natural(line.name), line.id)
            best.append((_ORDER.get(status, 2), name))
        best = heapq.nsmallest(MOST_CHECKS, best)
        await asyncio.sleep(0)
    return [name[-1] for name in sorted(name for _, name in best)]


async def _not_steady(
    conn: Connection, lines: list[Line], now: datetime
) -> dict[int, ShownStatus]:
    """Tell the status of those that are not shown as they are kept."""
    ids = [line.id for line in lines if not line.is_steady]
    checks = await store.checks.by_ids(conn, ids) if ids else []
    return {check.id: rules.shown_status(check, now) for check in checks}
