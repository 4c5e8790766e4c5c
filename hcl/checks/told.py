"""Who was told of a check, and how that went, in words; pure."""

from datetime import datetime
from typing import Literal, NamedTuple

from hcl.store.tries import Record
from hcl.words.lengths import in_seconds
from hcl.words.lines import one_line
from hcl.words.names import HELD

Mark = Literal["sent", "waits", "failed", "dropped"]

_MARKS: dict[str, Mark] = {
    "sent": "sent",
    "waits": "waits",
    "failed": "failed",
    "given up": "failed",
    "not sent": "dropped",
}


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
            if record.kind == "group":
                return Told(mark, f"{verb} {name}", answer, at)
            return Told(mark, f"{verb} {name}", took, at, answer=answer)
        case "waits":
            why = HELD[record.hold]
            return Told(mark, f"{name} waits", why, at, until=record.next_try)
        case "failed":
            what = f"{name} failed {_times(record.attempts)}"
            return Told(mark, what, "", at, until=record.next_try, answer=answer)
        case "given up":
            what = f"{name} failed {_times(record.attempts)}, given up"
            return Told(mark, what, "", at, answer=answer)
        case "not sent":
            return Told(mark, f"{name} was not told", _why_not(record), at)


def _why_not(record: Record) -> str:
    return one_line(record.answer).removeprefix("not sent: ")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
