"""Who was told of a check, and how that went, in words; pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Literal, NamedTuple

from hcl.store.tries import Record
from hcl.words.handing import NOTHING_HANDED, instead_of
from hcl.words.lengths import in_seconds
from hcl.words.lines import one_line
from hcl.words.names import why_waits

Mark = Literal["sent", "waits", "failed", "dropped"]

_MARKS: dict[str, Mark] = {
    "sent": "sent",
    "waits": "waits",
    "failed": "failed",
    "given up": "failed",
    "not sent": "dropped",
}


# What a message tells of, where no change of status says it.
_OF = {"late": " that it is late", "slow": " of a slow run"}


class Told(NamedTuple):
    """A message as people read of it.

    `what` names the channel and says what happened there, `detail` how; `at` is when.
    `until` is when it is tried next; None: never. `answer` is what the receiver said,
    which is not for everybody's eyes.
    """

    mark: Mark
    what: str
    detail: str
    at: datetime
    until: datetime | None = None
    answer: str = ""


def told(record: Record) -> Told:
    """Say what became of a message."""
    name, mark = one_line(record.channel), _MARKS[record.outcome]
    last = record.tries[-1] if record.tries else None
    at = record.sent or (last.created if last else record.created)
    answer = one_line(record.answer) if last or record.outcome == "sent" else ""
    match record.outcome:
        case "sent":
            verb = "Reminded" if record.event == "reminder" else "Told"
            took = f"in {in_seconds(last.took)}" if last else ""
            what = f"{verb} {name}{_OF.get(record.status, '')}"
            if record.kind == "group":
                return _of_group(Told(mark, what, answer, at), name)
            return Told(mark, what, _in_place(record, took), at, answer=answer)
        case "waits":
            # What is held by nothing is due already.
            until = record.next_try if record.hold else None
            why = why_waits(record.hold, is_blocked=record.is_blocked)
            return Told(mark, f"{name} waits", why, at, until=until)
        case "failed":
            what = f"{name} failed {_times(record.attempts)}"
            return Told(mark, what, "", at, until=record.next_try, answer=answer)
        case "given up":
            what = f"{name} failed {_times(record.attempts)}, given up"
            return Told(mark, what, "", at, answer=answer)
        case "not sent":
            return Told(mark, f"{name} was not told", _why_not(record), at)


def _of_group(sent: Told, name: str) -> Told:
    """Say that a group had nothing to hand on, where that is so."""
    before, colon, why = sent.detail.partition(f"{NOTHING_HANDED}: ")
    if before or not colon:
        return sent
    return Told("dropped", f"{name} told nobody", why, sent.at)


def _in_place(record: Record, took: str) -> str:
    other = instead_of(record.notice)
    return f"instead of {one_line(other)}, {took}".strip(" ,") if other else took


def _why_not(record: Record) -> str:
    return one_line(record.answer).removeprefix("not sent: ")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


class Heard(NamedTuple):
    """What became of all messages of one outage over one channel, in a line.

    `said` are words and moments that follow the channel's name, in their order.
    `answer` is why it failed, which is not for everybody's eyes.
    """

    mark: Mark
    name: str
    said: tuple[str | datetime, ...]
    answer: str = ""


def heard_by(records: Sequence[Record]) -> list[Heard]:
    """Say who was told, a line for each channel; `records` come newest first.

    Who heard of it comes first, then who did not, then who is to hear of it.
    """
    # A group is told by its channels.
    by_channels = [record for record in records if record.kind != "group"] or records
    by_name = sorted(by_channels, key=lambda record: (record.channel, record.id))
    lines = [
        _heard(one_line(name), list(of_one))
        for name, of_one in groupby(by_name, lambda record: record.channel)
    ]
    return sorted(lines, key=lambda line: _ORDER[line.mark])


_ORDER: dict[Mark, int] = {"sent": 0, "failed": 1, "waits": 2, "dropped": 3}


def _heard(name: str, records: list[Record]) -> Heard:
    """Say what became of one channel's messages, which come oldest first."""
    # That a reminder is planned says nothing of whether it works.
    tried = [r for r in records if not (r.reminder and r.outcome == "waits")]
    record = (tried or records)[-1]
    said = told(record)
    answer = said.answer if said.mark == "failed" else ""
    return Heard(said.mark, name, tuple(_said(record, said, records)), answer)


def _said(
    record: Record, said: Told, records: Iterable[Record]
) -> Iterator[str | datetime]:
    match record.outcome:
        case "sent":
            yield from _said_of_sent(record, said, records)
        case "waits" if record.hold and said.until is not None:
            yield from ("is told", said.until, f"({said.detail})")
        case "waits":
            blocked = f"is not told yet: {said.detail}"
            yield blocked if record.is_blocked else "is told soon"
        case "failed":
            yield f"failed {_times(record.attempts)}"
            if said.until is not None:
                yield from ("and is tried again", said.until)
        case "given up":
            yield from (f"failed {_times(record.attempts)} until", said.at)
            yield "and was given up"
        case "not sent":
            yield f"was not told: {said.detail}"


def _said_of_sent(
    record: Record, said: Told, records: Iterable[Record]
) -> Iterator[str | datetime]:
    if said.mark == "dropped":
        yield f"told nobody: {said.detail}"
        return
    first = next(r for r in records if r.sent is not None)
    if not first.reminder:
        yield from ("got it", told(first).at)
        if other := instead_of(first.notice):
            yield f"instead of {one_line(other)}"
    if record.reminder:
        yield "was reminded" if first.reminder else "and was reminded"
        yield said.at
