"""The outbox: notifications that wait, and what became of each try."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiosqlite import Connection

from hcl.model import Hold, Notification
from hcl.store import notifications, tries
from hcl.store.times import moment, seconds, stamp

# Of a message that is refused, what it takes to believe that.
_REFUSAL = timedelta(hours=1)
# Failed tries of a message that are kept: the first ones.
_MOST_TRIES = 20
# Longer than any pause between two tries.
_LONGEST = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try to send notifications as one message.

    `began` is when, `seconds` how long it took; `asked` is when by the sender's clock,
    None: by no other; `ran` is for how many seconds hcl had run. `sent` is when the
    message was taken, None if it was not; `next_try` is when to try again, None: never;
    `soon` if a newer message came meanwhile. `refused`: it will hardly be taken later
    either. `reminders` are due if the check is still down then.
    """

    notifications: tuple[Notification, ...]
    answer: str
    began: datetime
    seconds: float = 0.0
    sent: datetime | None = None
    next_try: datetime | None = None
    soon: datetime | None = None
    refused: bool = False
    asked: datetime | None = None
    reminders: tuple[tuple[Notification, datetime], ...] = ()
    ran: float = 0.0


async def next_tries(conn: Connection) -> dict[int, datetime]:
    """Return when each channel with waiting messages has to send next, by its id."""
    rows = await conn.execute_fetchall(
        "SELECT * FROM (SELECT id, (SELECT min(next_try) FROM notifications"
        " WHERE channel_id = channels.id AND next_try IS NOT NULL) AS first"
        " FROM channels) WHERE first IS NOT NULL"
    )
    return {row[0]: datetime.fromtimestamp(row[1], UTC) for row in rows}


async def next_after(conn: Connection, now: datetime) -> datetime | None:
    """Return when the first message that is not yet due is; None: none waits."""
    rows = await conn.execute_fetchall(
        "SELECT min((SELECT min(next_try) FROM notifications"
        " WHERE channel_id = channels.id AND next_try > ?)) FROM channels",
        (stamp(now),),
    )
    return moment(next(iter(rows))[0])


async def oldest_due(conn: Connection) -> datetime | None:
    """Return the earliest moment at which a channel that delivers has to send.

    None: nothing waits there. What channels owe that fail is their receivers' doing.
    """
    rows = await conn.execute_fetchall(
        "SELECT min((SELECT min(next_try) FROM notifications"
        " WHERE channel_id = channels.id AND next_try IS NOT NULL)) FROM channels"
        " WHERE failing_since IS NULL"
    )
    return moment(next(iter(rows))[0])


async def window_ends(
    conn: Connection, channel_id: int, now: datetime
) -> datetime | None:
    """Return when a message goes out that gathers flips; None: none does."""
    rows = await conn.execute_fetchall(
        "SELECT min(next_try) FROM notifications WHERE channel_id = ? AND next_try > ?"
        " AND hold = 'fold' AND attempts = 0",
        (channel_id, stamp(now)),
    )
    return moment(next(iter(rows))[0])


async def retry(conn: Connection, now: datetime, channel_id: int | None = None) -> None:
    """Let what waits after a failure be due now, of all channels or of one."""
    await conn.execute(
        "UPDATE notifications SET next_try = :now WHERE next_try > :now"
        " AND (hold IN ('', 'mute') OR attempts > 0)"
        " AND (:channel_id IS NULL OR channel_id = :channel_id)",
        {"now": stamp(now), "channel_id": channel_id},
    )


async def retry_refused(conn: Connection, now: datetime, channel_id: int) -> None:
    """Let what failed over a channel be due now, but what was tried within the hour.

    A message may be refused for its own sake, so that others say little of it: one that
    failed so often that its tries are kept no more waits for its own pause.
    """
    await conn.execute(
        "UPDATE notifications SET next_try = :now WHERE next_try > :now"
        " AND attempts > 0 AND attempts < :most AND channel_id = :channel_id"
        " AND NOT EXISTS (SELECT 1 FROM tries"
        " WHERE notification_id = notifications.id AND created > :before)",
        {
            "now": stamp(now),
            "channel_id": channel_id,
            "most": _MOST_TRIES,
            "before": stamp(now - _REFUSAL),
        },
    )


async def has_failed(conn: Connection, channel_id: int) -> bool:
    """Tell whether anything waits over a channel that has failed before."""
    one = (
        "SELECT 1 FROM notifications WHERE channel_id = ? AND next_try IS NOT NULL"
        " AND attempts > 0 LIMIT 1"
    )
    return bool(list(await conn.execute_fetchall(one, (channel_id,))))


async def look_again(conn: Connection, now: datetime) -> None:
    """Let what was put off be due now, so that it is decided on by other settings.

    What waits for longer than anything does is due too: the clock was ahead.
    """
    await conn.execute(
        "UPDATE notifications SET next_try = :now WHERE next_try > :now"
        " AND ((hold IN ('delay', 'quiet', 'mute') AND attempts = 0)"
        " OR ((hold != 'remind' OR attempts > 0) AND next_try > :longest))",
        {"now": stamp(now), "longest": stamp(now + _LONGEST)},
    )


async def gather_until(conn: Connection, ends: Iterable[tuple[int, datetime]]) -> None:
    """Have what gathers over channels, by their row ids, go out by a moment each.

    Where a channel folds for less time now, what comes next would overtake it.
    """
    await conn.executemany(
        "UPDATE notifications SET next_try = :end WHERE next_try > :end"
        " AND channel_id = :id AND hold = 'fold' AND attempts = 0",
        [{"id": id_, "end": stamp(end)} for id_, end in ends],
    )


async def shift(
    conn: Connection, by: timedelta, now: datetime, written: datetime | None = None
) -> None:
    """Move when what waits is tried, and was written, after a step of the clock.

    Only what was `written` since a moment, by the old time; None: all. What waits for
    the end of quiet hours, or of a mute, is decided on anew.
    """
    await conn.execute(
        "UPDATE notifications SET created = created + :by,"
        " next_try = iif(hold IN ('quiet', 'mute') AND attempts = 0, :now,"
        " next_try + :by)"
        " WHERE next_try IS NOT NULL AND (:written IS NULL OR created >= :written)",
        {"by": seconds(by), "now": stamp(now), "written": stamp(written)},
    )


async def hold(
    conn: Connection, held: Iterable[tuple[Notification, datetime, Hold]], now: datetime
) -> None:
    """Put off messages, each until a moment.

    What is muted may wait for a year: its age counts from the end.
    """
    await conn.executemany(
        "UPDATE notifications SET next_try = :until, hold = :why,"
        f" ran = iif(:why = 'mute', max(ran, {notifications.RAN} + :until - :now), ran)"
        " WHERE id = :id AND next_try IS NOT NULL",
        [
            {
                "until": stamp(until),
                "now": stamp(now),
                "why": why,
                "id": notification.id,
            }
            for notification, until, why in held
        ],
    )


async def finish(conn: Connection, dropped: Iterable[tuple[Notification, str]]) -> None:
    """Give up messages that need not be sent any more, each with the reason."""
    await conn.executemany(
        "UPDATE notifications SET next_try = NULL, answer = ? WHERE id = ?",
        [(why, notification.id) for notification, why in dropped],
    )


async def note(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    """Tick off what was sent, plan the next try of what failed, give up the rest.

    What was refused for good, and is an hour old as hcl runs, is given up if a newer
    message of its check waits behind it. Other messages of a check wait with one
    that failed. Reminders are written down unless the check has flipped meanwhile.
    """
    tried = [(outcome, n) for outcome in outcomes for n in outcome.notifications]
    await conn.executemany(
        # What was given up meanwhile, with its channel, stays so, and says so: by that
        # it is known once the channel is back.
        "UPDATE notifications SET sent = :sent,"
        " answer = iif(:sent IS NULL AND next_try IS NULL, answer, :answer),"
        " next_try = iif(next_try IS NULL OR (:refused AND ran <= :old AND EXISTS"
        " (SELECT 1 FROM notifications newer"
        " WHERE newer.check_id = notifications.check_id"
        " AND newer.channel_id = notifications.channel_id AND newer.id > :last"
        " AND newer.next_try IS NOT NULL)), NULL, :next_try),"
        " attempts = attempts + (:sent IS NULL),"
        # What is tried is muted no more: it waits like all that failed.
        " hold = iif(hold = 'mute', '', hold) WHERE id = :id",
        [
            {
                "sent": stamp(outcome.sent),
                "next_try": stamp(outcome.next_try),
                "answer": outcome.answer,
                "refused": outcome.refused,
                "old": outcome.ran - _REFUSAL.total_seconds(),
                "id": notification.id,
                "last": max(n.id for n in outcome.notifications),
            }
            for outcome, notification in tried
        ],
    )
    await _let_others_wait(conn, outcomes)
    await tries.add(
        conn,
        [
            (n.id, o.began, o.seconds, o.sent is not None, o.answer)
            for o, n in tried
            if o.sent or n.attempts < _MOST_TRIES
        ],
    )
    for outcome in outcomes:
        if outcome.reminders:
            now = outcome.asked or outcome.began
            await notifications.add_reminders(conn, outcome.reminders, now)


async def _let_others_wait(conn: Connection, outcomes: Sequence[Outcome]) -> None:
    """Let what is owed of checks wait with their messages that failed.

    But not for long if it came during the try. What was held until now is owed too.
    """
    last = {
        (number, n.check_id): (outcome, n)
        for number, outcome in enumerate(outcomes)
        if outcome.next_try is not None
        for n in outcome.notifications
    }
    await conn.executemany(
        "UPDATE notifications SET next_try = iif(EXISTS (SELECT 1 FROM notifications n"
        " WHERE n.channel_id = :channel_id AND n.check_id = :check_id"
        " AND n.next_try IS NOT NULL AND n.attempts = 0 AND n.hold = ''"
        " AND n.created >= :began), min(:soon, :next_try), max(next_try, :next_try)),"
        " hold = iif(hold IN ('delay', 'quiet', 'fold') AND attempts = 0, '', hold)"
        " WHERE channel_id = :channel_id AND check_id = :check_id"
        " AND next_try IS NOT NULL AND (hold IN ('', 'mute') OR attempts > 0"
        " OR next_try <= :began)"
        " AND EXISTS"
        " (SELECT 1 FROM notifications f WHERE f.id = :id AND f.next_try IS NOT NULL)",
        [
            {
                "channel_id": n.channel_id,
                "check_id": n.check_id,
                "id": n.id,
                "began": stamp(outcome.asked or outcome.began),
                "soon": stamp(outcome.soon or outcome.next_try),
                "next_try": stamp(outcome.next_try),
            }
            for outcome, n in last.values()
        ],
    )
