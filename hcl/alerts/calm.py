"""Whether and when a message that waits goes out, and with which others; pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TypeVar
from zoneinfo import ZoneInfo

from hcl.config import Calm, ChannelConfig, QuietHours, TagConfig
from hcl.model import Hold, Notification
from hcl.store.waiting import MUTED, OVER, SHORT, Waiting

# Checks that one message tells of.
LONGEST_SUMMARY = 100

# Changes of one check that are told, the newest.
LONGEST_HISTORY = 100

_MINUTE = timedelta(minutes=1)

# Why a message is not sent.
_OLD = "not sent: newer changes are told"
_LATE_OVER = "not sent: it is late no more"
_LATE_UNTOLD = "not sent: that it was late was not told"
_UNTOLD = "not sent: that it was down was not told"

Bundle = tuple[Waiting, ...]
_T = TypeVar("_T")


@dataclass(slots=True)
class Plan:
    """What becomes of messages that wait.

    `dropped` are not sent, and why; `held` are put off, until when and why; each of
    `bundles` goes out as one message.
    """

    dropped: list[tuple[Notification, str]] = field(default_factory=list)
    held: list[tuple[Notification, datetime, Hold]] = field(default_factory=list)
    bundles: list[Bundle] = field(default_factory=list)


def calm_of(
    channel: ChannelConfig, tags: Iterable[TagConfig], check_tags: Iterable[str]
) -> Calm:
    """Return what counts for a check on a channel: a tag's word, else the channel's.

    Of several tags that say something the first in the file wins.
    """
    own = set(check_tags)
    said = [*(tag.calm for tag in tags if tag.tag in own), channel.calm]
    return Calm(
        remind_every=_first(calm.remind_every for calm in said),
        delay=_first(calm.delay for calm in said),
        quiet_hours=_first(calm.quiet_hours for calm in said),
        urgent=_first(calm.urgent for calm in said),
    )


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def quiet_until(hours: QuietHours, now: datetime) -> datetime | None:
    """Return when the quiet hours end that `now` is in; None: it is in none."""
    if not _is_quiet(hours, now):
        return None
    local = now.astimezone(ZoneInfo(hours.tz))
    day = local.date()
    if local.time() >= hours.end:
        day += timedelta(days=1)
    end = datetime.combine(day, hours.end, local.tzinfo)
    # In autumn an hour comes twice, and its first end may be over.
    ends = (end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    until = next((moment for moment in ends if moment > now), None)
    # In spring one is left out, maybe with the end: then the clock is past it at once.
    while until and not _is_quiet(hours, until - _MINUTE):
        until -= _MINUTE
    return until


def _is_quiet(hours: QuietHours, now: datetime) -> bool:
    time = now.astimezone(ZoneInfo(hours.tz)).time()
    if hours.end < hours.start:
        return time >= hours.start or time < hours.end
    return hours.start <= time < hours.end


def plan(
    channel: ChannelConfig,
    tags: Sequence[TagConfig],
    waiting: Sequence[Waiting],
    now: datetime,
    *,
    ways: frozenset[int],
    window_ends: datetime | None = None,
) -> Plan:
    """Decide on messages of one channel: all that wait of some checks, by their id.

    `ways` holds the ids of the rows of the channel and of the groups that it is in.
    `window_ends` is when a message goes out that already gathers flips; None: none
    does.
    """
    result = Plan()
    ready: list[Bundle] = []
    fresh: list[Bundle] = []
    is_apart = channel.settings.is_for_machines
    for rows in by_check(waiting):
        if (muted := rows[0].muted_until) is not None and now < muted:
            _hold_muted(rows, muted, result)
            continue
        calm = calm_of(channel, tags, rows[0].tags)
        told, behind = _parted(channel, rows, calm, ways, now, result)
        if not is_apart:
            old, told = told[:-LONGEST_HISTORY], told[-LONGEST_HISTORY:]
            result.dropped += [(row.notification, _OLD) for row in old]
        # What goes with those that are held, or behind them, is held as long: what
        # stays due would be looked at without end.
        held = (*told, *behind)
        if (until := _quiet_until(calm, now)) is not None:
            result.held += [(row.notification, until, "quiet") for row in held]
        elif rows[0].notification.announcement_id:
            # It is no check's: nothing is gathered with it.
            fresh.append(told)
        elif channel.fold and not any(map(_is_gathered, told)):
            # A clock that is set back, or a longer fold, does not make it longer.
            ends = min(window_ends or now + channel.fold, now + channel.fold)
            result.held += [(row.notification, ends, "fold") for row in held]
        elif told:
            ready.append(told)
    result.bundles += [*_bundles(ready, apart=is_apart), *fresh]
    return result


def _hold_muted(rows: Bundle, until: datetime, result: Plan) -> None:
    """Put off what waits of a muted check.

    What is over and nobody heard of is dropped at once: it may flap, and be muted for a
    year. What waited for the end of quiet hours was over before.
    """
    flips = tuple(row for row in rows if row.lateness is None)
    spent = frozenset(_spent(flips))
    for row in rows:
        lateness = row.lateness
        is_slow = lateness is not None and lateness.usual is not None
        is_past = row.notification.hold == "quiet"
        is_over = _is_fresh(row) and (row.is_stale or (is_slow and not is_past))
        if is_over or row.notification.id in spent:
            result.dropped.append((row.notification, MUTED))
        else:
            why: Hold = "quiet" if is_past else "mute"
            result.held.append((row.notification, until, why))


def _parted(
    channel: ChannelConfig,
    rows: Bundle,
    calm: Calm,
    ways: frozenset[int],
    now: datetime,
    result: Plan,
) -> tuple[Bundle, Bundle]:
    """Return what is ready of one check: what goes out first, and what goes after it.

    What tells of flips, of being late and of slow runs does not go together. The rest
    is put off or dropped.
    """
    events = [(row, row.lateness) for row in rows if row.lateness is not None]
    flips = tuple(row for row in rows if row.lateness is None)
    late = tuple(row for row, lateness in events if lateness.usual is None)
    slow = tuple(row for row, lateness in events if lateness.usual is not None)
    kinds = (
        # What is late is so since the last flip, and waits until that is told.
        tuple(_of_check(channel, flips, calm, ways, now, result)),
        tuple(_of_lateness(channel, late, calm, now, result)),
        tuple(_of_slow_runs(channel, slow, now, result)),
    )
    first, *others = [*filter(None, kinds), ()]
    return first, tuple(chain(*others))


def _of_slow_runs(
    channel: ChannelConfig, rows: Sequence[Waiting], now: datetime, result: Plan
) -> Iterator[Waiting]:
    """Yield messages of slow runs that are ready; drop what was over in a mute."""
    for row in rows:
        if row.notification.hold == "mute" and _is_fresh(row):
            result.dropped.append((row.notification, MUTED))
        elif not _is_early(row, channel, now):
            yield row


def _of_lateness(
    channel: ChannelConfig,
    rows: Sequence[Waiting],
    calm: Calm,
    now: datetime,
    result: Plan,
) -> Iterator[Waiting]:
    """Yield messages of being late that are ready; put off or drop others."""
    for row in rows:
        lateness, notification = row.lateness, row.notification
        if lateness is None:
            continue
        until = _late_until(row, calm)
        if row.is_stale:
            why = _LATE_OVER if lateness.ended is None else _LATE_UNTOLD
            result.dropped.append((notification, why))
        elif until is not None and now < until:
            result.held.append((notification, until, "delay"))
        elif not _is_early(row, channel, now):
            yield row


def _late_until(row: Waiting, calm: Calm) -> datetime | None:
    """Return before when it is too early to say that a check is late."""
    lateness, notification = row.lateness, row.notification
    if not calm.delay or lateness is None or lateness.ended is not None:
        return None
    if notification.attempts or notification.notice:
        return None
    return lateness.began + calm.delay


def _quiet_until(calm: Calm, now: datetime) -> datetime | None:
    if calm.quiet_hours is None or calm.urgent:
        return None
    return quiet_until(calm.quiet_hours, now)


def by_check(waiting: Iterable[Waiting]) -> list[Bundle]:
    """Put the messages of each check together, in the order of its flips.

    Each that tells of hcl itself stands alone.
    """
    checks: dict[int, list[Waiting]] = {}
    for row in waiting:
        checks.setdefault(row.notification.topic, []).append(row)
    # What comes late from another channel may tell of an older flip.
    return [
        tuple(sorted(rows, key=lambda row: row.notification.flip_id))
        for rows in checks.values()
    ]


def _is_gathered(row: Waiting) -> bool:
    """Tell whether it was held to go out with others."""
    return row.notification.hold in ("fold", "quiet")


def _of_check(
    channel: ChannelConfig,
    rows: Sequence[Waiting],
    calm: Calm,
    ways: frozenset[int],
    now: datetime,
    result: Plan,
) -> Iterator[Waiting]:
    """Yield what is ready of one check; put off or drop what is not to be sent."""
    why = {row.notification.id: _UNTOLD for row in rows if row.is_stale}
    why |= dict.fromkeys(_spent(rows), MUTED)
    for number, row in enumerate(rows):
        notification, later = row.notification, islice(rows, number + 1, None)
        if notification.id in why:
            result.dropped.append((notification, why[notification.id]))
        elif notification.reminder and _is_over(row, rows, ways):
            result.dropped.append((notification, OVER))
        elif _is_early(row, channel, now):
            continue
        elif (until := _delayed_until(row, calm, now)) is None:
            yield row
        elif (end := _next_flip(row, later)) and _ends_before(end, until):
            result.dropped.append((notification, SHORT))
            why[end.notification.id] = SHORT
        elif _is_ended_untold(row, end, until):
            result.dropped.append((notification, OVER))
        elif now < until:
            result.held.append((notification, until, "delay"))
        else:
            yield row


def _spent(rows: Sequence[Waiting]) -> Iterator[int]:
    """Yield the ids of outages that nobody heard of, since they began and ended muted.

    Where a try failed, or another channel told of the outage, its end is told too.
    """
    for number, row in enumerate(rows):
        if row.flip.new_status != "down" or not _is_untold(row):
            continue
        end = _next_flip(row, islice(rows, number + 1, None))
        over = row.ended if end is None else _was_at(end)
        if over is not None and row.muted_until and over > row.muted_until:
            continue
        if end is None:
            # A check that was paused has no message of that.
            if row.status != "down":
                yield row.notification.id
        else:
            yield row.notification.id
            if end.flip.new_status == "up":
                yield from _fresh_ends(row, end, rows)


def _fresh_ends(row: Waiting, end: Waiting, rows: Iterable[Waiting]) -> Iterator[int]:
    """Yield the ids of messages of an `end` that nobody tried, of the kind of `row`.

    The channel's own, or those in another's place: people may know by the other kind.
    """
    flip_id, brought = end.notification.flip_id, bool(row.notification.notice)
    for told in (one.notification for one in rows if _is_fresh(one)):
        if told.flip_id == flip_id and bool(told.notice) == brought:
            yield told.id


def _is_untold(row: Waiting) -> bool:
    held = row.notification.hold == "mute" and not row.notification.reminder
    return held and _is_fresh(row)


def _is_fresh(row: Waiting) -> bool:
    return not row.notification.attempts and not row.handed_on


def _is_early(row: Waiting, channel: ChannelConfig, now: datetime) -> bool:
    """Tell whether it is held for a time that has not come."""
    notification = row.notification
    if notification.attempts or row.next_try <= now:
        return False
    return notification.hold == "remind" or (
        notification.hold == "fold" and bool(channel.fold)
    )


def _is_over(row: Waiting, rows: Iterable[Waiting], ways: frozenset[int]) -> bool:
    """Tell whether there is nothing to be reminded of any more."""
    if row.status != "down" or _next_flip(row, rows) is not None:
        return True
    # What comes from another channel needs none of the check's own.
    return not row.notification.notice and not row.channels & ways


def _delayed_until(row: Waiting, calm: Calm, now: datetime) -> datetime | None:
    """Return before when it is too early to tell of an outage; None: it is not."""
    notification = row.notification
    if not calm.delay or row.flip.new_status != "down":
        return None
    if notification.reminder or notification.attempts or notification.notice:
        return None
    if (began := _was_at(row)) > now + _MINUTE:
        # A clock that was ahead holds nobody's message back until it is there again.
        return None
    return began + calm.delay


def _was_at(row: Waiting) -> datetime:
    """Return when a flip was by the clock as it is set now.

    What waits to be told moves with a clock that is set back, which flips may not.
    """
    return min(row.flip.created, row.notification.created)


def _next_flip(row: Waiting, others: Iterable[Waiting]) -> Waiting | None:
    """Return the first message of a newer flip of the check."""
    flip_id = row.notification.flip_id
    return next((r for r in others if r.notification.flip_id > flip_id), None)


def _is_ended_untold(row: Waiting, end: Waiting | None, until: datetime) -> bool:
    """Tell whether an outage ended before a moment, with no message of its own."""
    if end.flip.new_status == "up" if end else row.status == "down":
        return False
    # A pause has none, nor has what is up again where the channel does not tell that.
    return row.ended is None or row.ended < until


def _ends_before(end: Waiting, until: datetime) -> bool:
    return end.flip.new_status == "up" and _was_at(end) < until


def _bundles(ready: Iterable[Bundle], *, apart: bool) -> Iterator[Bundle]:
    """Put messages together that go out as one, given those of each check.

    `apart`: each is one of its own, the oldest of each check first.
    """
    gathered = iter([rows for rows in ready if any(map(_is_gathered, rows))])
    while some := tuple(islice(gathered, LONGEST_SUMMARY)):
        yield tuple(row for rows in some for row in rows)
    for rows in ready:
        if not any(map(_is_gathered, rows)):
            yield rows[:1] if apart else rows
