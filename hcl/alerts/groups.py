"""Groups of channels: what comes to one is told by each of its channels."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from hcl import store
from hcl.alerts.delivery import reminders_after
from hcl.alerts.lines import Line, Lines
from hcl.alerts.planning import fill
from hcl.clock import Now
from hcl.db import Database, UnusableError, tell
from hcl.store.outbox import Outcome
from hcl.store.waiting import Waiting
from hcl.words.handing import NOTHING_HANDED

logger = logging.getLogger(__name__)


def ways_to(line: Line, lines: Iterable[Line]) -> frozenset[int]:
    """Return the rows of a channel and of the groups that it is in."""
    groups = (
        other.row_id
        for other in lines
        if line.channel.id in other.channel.settings.members
    )
    return frozenset((line.row_id, *groups))


def leading_to(line: Line, lines: Iterable[Line]) -> frozenset[int]:
    """Return the rows of a channel and of those whose messages may come to it."""
    found, others = {line.channel.id: line.row_id}, list(lines)
    while more := {
        other.channel.id: other.row_id
        for other in others
        if other.channel.id not in found
        and not found.keys().isdisjoint(
            (other.channel.fallback, *other.channel.settings.members)
        )
    }:
        found |= more
    return frozenset(found.values())


async def expand(
    database: Database, lines: Lines, tries: Mapping[int, datetime], at: Now
) -> bool:
    """Have the channels of each group tell of what is due there, if anything is.

    `tries` holds when the next message is due, by the id of a channel's row. Raises
    UnusableError if one cannot pass on just now what came to it, after the others.
    """
    any_due, trouble = False, None
    for line in lines:
        members, due = line.channel.settings.members, tries.get(line.row_id)
        if members and due is not None and due <= at():
            rows = [lines.rows[code] for code in members]
            try:
                await _expand_one(database, line, rows, at, ways_to(line, lines))
            except UnusableError as error:
                tell(logger, "cannot pass on what came to a group", error)
                # Damage lasts: it is no reason to look at all channels ever again.
                trouble = trouble if error.is_damage else error
            any_due = True
    if trouble is not None:
        raise trouble
    return any_due


async def _expand_one(
    database: Database,
    line: Line,
    members: Sequence[int],
    at: Now,
    ways: frozenset[int],
) -> None:
    await fill(database, line, at, ways)
    while waiting := [row for bundle in line.queue for row in bundle]:
        line.queue.clear()
        await _hand_to(database, line, waiting, members, at)
        await fill(database, line, at, ways)


def _handed(count: int, members: int) -> str:
    """Say what became of a message to a group."""
    reason = "have it already, or do not tell of this"
    if count == 0:
        return f"{NOTHING_HANDED}: its channels {reason}"
    rest = f"; the others {reason}" if count < members else ""
    return f"handed to {count} of its {members} channels{rest}"


async def _hand_to(
    database: Database,
    line: Line,
    waiting: Sequence[Waiting],
    members: Sequence[int],
    at: Now,
) -> None:
    async with database.transaction(changes_checks=False) as conn:
        outcomes, now = [], at()
        for row in waiting:
            notification = row.notification
            reminders = reminders_after(line, [row], now)
            count = await store.notifications.expand(
                conn, notification, members, now, reminds=bool(reminders)
            )
            outcome = Outcome(
                (notification,),
                _handed(count, len(members)),
                began=now,
                sent=now,
                reminders=reminders,
            )
            outcomes.append(outcome)
        await store.outbox.note(conn, outcomes)
