"""What happened to a check, and will: lines in their order; pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple


class Line(NamedTuple):
    """Something that happened, or will, and when; `at` None: it is of no moment."""

    at: datetime | None
    text: str


def place(line: Line, timeline: Sequence[Line]) -> int:
    """Return where a line stands: before the first that comes later."""
    for number, other in enumerate(timeline):
        if line.at is not None and other.at is not None and line.at < other.at:
            return number
    return len(timeline)


def in_order(timeline: Iterable[Line], now: datetime) -> list[Line]:
    """Put what is to come behind what has happened, in its order.

    What has happened stays as it was told: order is not taken from the clock. A line of
    no moment stands below the one that it was told after.
    """
    past: list[Line] = []
    ahead: list[list[Line]] = []
    last = past
    for line in timeline:
        if line.at is not None:
            last = past
            if line.at > now:
                last = []
                ahead.append(last)
        last.append(line)
    ahead.sort(key=lambda lines: lines[0].at or now)
    return [*past, *(line for lines in ahead for line in lines)]
