"""One try to deliver a message, and what is written down of it."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from aiosqlite import Connection

from hcl import store
from hcl.alerts.calm import Bundle
from hcl.alerts.lines import FAILED_AFTER, PAUSES, Line
from hcl.alerts.transports import NOTHING, DeliveryError, load
from hcl.clock import Clock, Now
from hcl.model import Message, Notification
from hcl.outgoing.reasons import lacks_descriptors
from hcl.store.outbox import Outcome
from hcl.store.waiting import Waiting
from hcl.words.handing import undelivered
from hcl.words.lengths import brief
from hcl.words.names import check_name

logger = logging.getLogger(__name__)

# Where a permanent refusal begins in PAUSES: it may still be somebody's mistake.
PERMANENT_STEP = 5

# A message that could not be delivered while hcl ran for so long is given up.
GIVE_UP_AFTER = timedelta(days=7)

# … but not before so many tries.
GIVE_UP_TRIES = 6

# Seconds between tries where this process has too many files open, or the system has.
_SCARCE_PAUSES = (0.01, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, slots=True)
class EndedTry:
    """A try that has ended, when, and what came of it.

    `is_failing`: the channel does not deliver, and its fallback has to. `opens`: it
    failed before, and delivers again. `partly`: it delivers, but some of its receivers
    take the message later. All times are those of a clock that had taken so many
    `steps`.
    """

    line: Line
    outcome: Outcome
    at: datetime
    is_failing: bool = False
    opens: bool = False
    partly: bool = False
    steps: int = 0

    @property
    def word(self) -> Literal["sent", "failed", "given_up"]:
        """Name what became of it, as the metrics do."""
        if self.outcome.sent is not None:
            return "sent"
        return "given_up" if self.outcome.next_try is None else "failed"


async def try_once(
    line: Line,
    bundle: Bundle,
    message: Message,
    now: Now,
    jitter: Callable[[], float],
    clock: Clock,
) -> EndedTry:
    """Send a message, and decide what follows; raise only what cancels it.

    `now` is the time that pauses count by, the `clock` what is written down.
    """
    told = tuple(row.notification for row in bundle)
    outcome = Outcome(told, "", began=clock.now(), asked=now(), ran=clock.ran)
    has_failed, steps = line.failures > 0, len(clock.steps)
    begun, partly = clock.monotonic(), False
    try:
        answer = await _send(line, message, outcome.began)
        outcome = replace(outcome, answer=answer, sent=clock.now())
    except DeliveryError as error:
        outcome = replace(outcome, answer=str(error), refused=error.permanent)
        partly = error.partly
    except Exception as error:
        logger.exception("a transport failed")
        outcome = replace(outcome, answer=repr(error))
    outcome = replace(outcome, seconds=clock.monotonic() - begun)
    if step := clock.set_since(steps):
        outcome = replace(
            outcome, began=outcome.began + step, asked=_plus(outcome.asked, step)
        )
    what = f"{_what(message)} over {line.channel.name}"
    if outcome.sent is not None:
        logger.info("sent: %s: %s", what, outcome.answer)
    comes_through = _is_taken(outcome) or partly
    if comes_through and line.note_success():
        logger.info("%s delivers again", line.channel.name)
    ended = EndedTry(line, outcome, now(), opens=comes_through and has_failed)
    if outcome.sent is None:
        ended = _failed(replace(ended, partly=partly), what, jitter)
    if ended.outcome.next_try is None:
        # Also after what is given up: the check is down still.
        reminders = reminders_after(line, bundle, now())
        ended = replace(ended, outcome=replace(ended.outcome, reminders=reminders))
    return replace(ended, steps=len(clock.steps))


def moved(ended: EndedTry, by: timedelta) -> EndedTry:
    """Move a try along with a clock that was set before it is written down."""
    if not by:
        return ended
    outcome = ended.outcome
    outcome = replace(
        outcome,
        began=outcome.began + by,
        sent=_plus(outcome.sent, by),
        next_try=_plus(outcome.next_try, by),
        soon=_plus(outcome.soon, by),
        asked=_plus(outcome.asked, by),
        reminders=tuple((told, at + by) for told, at in outcome.reminders),
    )
    return replace(ended, outcome=outcome, at=ended.at + by)


def _plus(moment: datetime | None, by: timedelta) -> datetime | None:
    return None if moment is None else moment + by


async def _send(line: Line, message: Message, began: datetime) -> str:
    """Send a message; wait a moment where there are no descriptors to be had."""
    for pause in _SCARCE_PAUSES:
        try:
            return await _send_now(line, message, began)
        except Exception as error:
            if not lacks_descriptors(error):
                raise
        # They come and go: the pause after a failure would be far longer.
        await asyncio.sleep(pause)
    return await _send_now(line, message, began)


async def _send_now(line: Line, message: Message, began: datetime) -> str:
    # To import libraries takes descriptors too.
    await load(line.channel)
    return await line.transport.send(message, began)


def _what(message: Message) -> str:
    if message.announcement is not None:
        return f'"{message.announcement.subject}"'
    if len(message.alerts) > 1:
        return f"a summary of {len(message.alerts)} checks"
    [alert] = message.alerts
    # Its code would do as a name too, but whoever knows it can ping the check.
    name = check_name(alert.check.name, f"check {alert.check.id}")
    return f"{name} {alert.status}"


def _failed(ended: EndedTry, what: str, jitter: Callable[[], float]) -> EndedTry:
    """Decide what follows a try that failed: when the next is, or that none is."""
    line, outcome, partly = ended.line, ended.outcome, ended.partly
    told, line.has_failed = outcome.notifications, True
    tries = max(n.attempts for n in told) + 1
    # What is refused says nothing of other messages: they need not wait.
    if not outcome.refused and not partly:
        line.note_failure(ended.at)
    has_to = outcome.refused or max(tries, line.failures) >= FAILED_AFTER
    failing = has_to and not partly
    if failing and not line.is_failing:
        line.is_failing = True
        logger.error("%s does not deliver: %s", line.channel.name, outcome.answer)
    # What is newer than the rest gets all of its time, and the rest with it. While hcl
    # does not run nothing can be tried, and whatever the clock says makes nothing old.
    age, least = outcome.ran - max(n.ran for n in told), min(n.attempts for n in told)
    if age > GIVE_UP_AFTER.total_seconds() and least + 1 >= GIVE_UP_TRIES:
        logger.error("given up after %d tries: %s: %s", tries, what, outcome.answer)
        return replace(ended, is_failing=failing)
    step = max(tries - 1, PERMANENT_STEP * outcome.refused)
    pause = PAUSES[min(step, len(PAUSES) - 1)] * jitter()
    wait = brief(pause)
    logger.warning("failed, next try in %s: %s: %s", wait, what, outcome.answer)
    outcome = replace(outcome, next_try=ended.at + pause, soon=ended.at + PAUSES[0])
    return replace(ended, outcome=outcome, is_failing=failing)


def reminders_after(
    line: Line, rows: Iterable[Waiting], now: datetime
) -> tuple[tuple[Notification, datetime], ...]:
    """Return what is to be repeated of messages that are finished, and when."""
    return tuple(
        (row.notification, now + every)
        for row in rows
        if row.flip.new_status == "down"
        and not row.notification.notice
        and (every := line.calm_of(row.tags).remind_every)
    )


async def write_down(
    conn: Connection,
    tries: Sequence[EndedTry],
    rows: Mapping[str, int],
    *,
    frees_others: bool = True,
) -> None:
    """Note what became of tries, and hand on what their channels do not deliver.

    `rows` holds the row ids of channels by their id in the file. `frees_others`: where
    one came through all that waits over its channel is looked at.
    """
    # What was taken need not be handed on, and what is given up now must be.
    await store.outbox.note(conn, [t.outcome for t in tries if t.outcome.sent])
    for ended in tries:
        fallback = rows.get(ended.line.channel.fallback or "")
        if ended.is_failing and fallback is not None:
            await store.notifications.hand_on(
                conn,
                ended.line.row_id,
                fallback,
                _notice(ended),
                ended.at,
                decided=ended.line.planned or ended.at,
                # Others may be taken where one is refused.
                only=ended.outcome.notifications if ended.outcome.refused else None,
            )
    await store.outbox.note(conn, [t.outcome for t in tries if not t.outcome.sent])
    for ended in tries:
        row_id, outcome = ended.line.row_id, ended.outcome
        if (through := _through(ended)) is not None:
            await store.channels.note_sent(conn, row_id, through)
        if outcome.sent is None:
            since = outcome.began if ended.is_failing else None
            await store.channels.note_failed(
                conn, row_id, outcome.answer, since, ended.line.failures
            )
    if frees_others:
        await _free_others(conn, tries)


async def _free_others(conn: Connection, tries: Iterable[EndedTry]) -> None:
    """Where one message came through, let others be tried now; once for each channel.

    It is written down with the tick: who is killed in between would forget it.
    """
    through = {t.line: at for t in tries if (at := _through(t)) is not None}
    opened = {t.line for t in tries if t.opens}
    for line, at in through.items():
        if line in opened:
            await store.outbox.retry(conn, at, line.row_id)
        elif line.has_failed:
            await store.outbox.retry_refused(conn, at, line.row_id)
            line.has_failed = await store.outbox.has_failed(conn, line.row_id)


def _through(ended: EndedTry) -> datetime | None:
    """Return when a message came through to some receivers at least; None: to none."""
    if ended.partly:
        return ended.at
    return ended.outcome.sent if _is_taken(ended.outcome) else None


def _is_taken(outcome: Outcome) -> bool:
    """Tell whether a receiver took it: what is not asked for shows of none if it works.

    As the end of being late is, where a webhook has no request for what is up.
    """
    return outcome.sent is not None and outcome.answer != NOTHING


def _notice(ended: EndedTry) -> str:
    return undelivered(ended.line.channel.name, ended.outcome.answer)
