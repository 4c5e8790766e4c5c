"""Read what waits, plan what each channel sends next, write down what is put off."""

import logging
from datetime import datetime, timedelta

from hcl import store
from hcl.alerts import calm
from hcl.alerts.lines import Line, Lines
from hcl.clock import Now
from hcl.db import Database, UnusableError, UnwritableError, readable, tell
from hcl.store.waiting import Waiting

logger = logging.getLogger(__name__)

# Checks whose messages are read and planned at a time.
_READ_AT_ONCE = 100

# Messages of one check that are read where each goes out by itself, the oldest: a check
# may have flapped for the week that a receiver was away.
MOST_OF_A_CHECK = 50

# How long a plan holds: what is ready for longer, behind others, is planned anew.
_FRESH = timedelta(seconds=1)


async def fill(database: Database, line: Line, at: Now, ways: frozenset[int]) -> None:
    """Plan what is due next, once all that was planned before has been started.

    `ways` is as in calm.plan; `at` returns one moment, by the clock as it was set last.
    """
    if line.planned is None or at() - line.planned > _FRESH:
        line.queue.clear()
    most = _most(line)
    while not line.queue:
        now = at()
        waiting, unsure = await _due(database, line, now, most)
        if not waiting:
            return
        ends = None
        if line.channel.fold:
            ends = await store.outbox.window_ends(database.committed, line.row_id, now)
        plan = calm.plan(
            line.channel, line.tags, waiting, now, ways=ways, window_ends=ends
        )
        plan = _without(plan, unsure)
        line.queue.extend(plan.bundles)
        line.planned = now
        # What is held with others has to be put off as a whole.
        most = -1
        puts_off = plan.dropped or plan.held
        if puts_off and not await _put_off(database, plan, now, at):
            return


def _most(line: Line) -> int:
    """Return how many messages of a check are read at first, -1 for all."""
    # Its fallback is handed all that it owes: no more of that than was decided on.
    hands_on = line.channel.fallback is not None and line.has_failed
    is_for_machines = line.channel.settings.is_for_machines
    return MOST_OF_A_CHECK if is_for_machines and not hands_on else -1


async def _due(
    database: Database, line: Line, now: datetime, most: int
) -> tuple[list[Waiting], frozenset[int]]:
    """Read what is due, but of what has a message under way.

    Of each check `most` messages are read, -1 for all; which of them are the last of
    several more, by their ids, is returned too.
    """
    # What ends while this is read was still waiting for its tick when it was read.
    under_way = set(line.under_way)
    limit = _READ_AT_ONCE + len(under_way)
    try:
        due = await store.waiting.due(database.committed, line.row_id, now, limit, most)
    except UnusableError as error:
        if not error.is_damage:
            raise
        tell(logger, "cannot read all that is to be sent", error)
        due = await _due_of_each(database, line, now, limit, most)
    due = [row for row in due if row.notification.topic not in under_way]
    if most > 0 and any(row.notification.hold in ("fold", "quiet") for row in due):
        return await _due(database, line, now, -1)
    last = {
        rows[-1].notification.id for rows in calm.by_check(due) if len(rows) == most
    }
    # What follows it is not known: it counts as what it was for then.
    due = [
        row._replace(status=row.flip.new_status) if row.notification.id in last else row
        for row in due
    ]
    return due, frozenset(last)


async def _due_of_each(
    database: Database, line: Line, now: datetime, limit: int, most: int
) -> list[Waiting]:
    """Read what is due of each check by itself: what is damaged holds no other up."""
    conn, found, count = database.committed, list[Waiting](), 0
    for check_id in await store.waiting.checks_waiting(conn, line.row_id):
        of_check = store.waiting.due_of(conn, line.row_id, now, check_id, most)
        rows = await readable(of_check, [], logger)
        found += rows
        count += bool(rows)
        if count >= limit:
            break
    return sorted(found, key=lambda row: row.notification.id)


def _without(plan: calm.Plan, unsure: frozenset[int]) -> calm.Plan:
    """Leave out what cannot be decided on yet; it may be over with what is before."""
    if not unsure:
        return plan
    held = [one for one in plan.held if one[0].id not in unsure]
    bundles = [b for b in plan.bundles if b[0].notification.id not in unsure]
    return calm.Plan(plan.dropped, held, bundles)


async def _put_off(database: Database, plan: calm.Plan, now: datetime, at: Now) -> bool:
    """Write down what is not sent now; return False if that cannot be done.

    It was planned `now`, which the clock may call otherwise since, see `fill`.
    """
    try:
        async with database.transaction(changes_checks=False) as conn:
            await store.outbox.finish(conn, plan.dropped)
            held, written = plan.held, at()
            if step := written - now:
                # Quiet hours end by the clock: it is decided on anew.
                held = [
                    (told, written if why == "quiet" else until + step, why)
                    for told, until, why in held
                ]
            await store.outbox.hold(conn, held, written)
    except UnwritableError as error:
        # What is ready goes out although the database cannot be written.
        tell(logger, "cannot put off messages", error)
        return False
    return True


async def plan_anew(
    database: Database, lines: Lines, now: datetime, *, retry: bool
) -> None:
    """Decide anew on what is put off, and on reminders: the settings may differ.

    `retry`: what waits after a failure is due at once.
    """
    async with database.transaction(changes_checks=False) as conn:
        if retry:
            await store.outbox.retry(conn, now)
        under_way = [(line.row_id, topic) for line in lines for topic in line.under_way]
        told = await store.notifications.last_told(conn)
        await store.notifications.drop_reminders(conn, under_way)
        await store.outbox.look_again(conn, now)
        ends = [(line.row_id, now + line.channel.fold) for line in lines]
        await store.outbox.gather_until(conn, ends)
        await store.notifications.add_reminders(
            conn,
            [
                (notification, _remind_at(now, sent, planned, every))
                for notification, tags, sent, planned in told
                if (line := lines.get(notification.channel_id))
                and (every := line.calm_of(tags).remind_every)
            ],
            now,
        )


def _remind_at(
    now: datetime, sent: datetime, planned: datetime | None, every: timedelta
) -> datetime:
    """Return when a channel is reminded that was told at `sent`."""
    if sent <= now:
        return max(now, sent + every)
    # A clock that was ahead puts none off until it is there again; nor does each start
    # put off once more what the one before has planned.
    return max(now, min(planned or now + every, now + every))
