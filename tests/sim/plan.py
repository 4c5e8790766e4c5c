"""What a seed has in store: which jobs there are, and what happens when."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.sim.jobs import DAY, KINDS

_Part = TypeVar("_Part")

# What happens each month at least so often.
MONTH = 30 * DAY
FAULTS: dict[str, int] = {
    "crash": 1,
    "crash_at_statement": 3,
    "crash_at_commit": 3,
    "crash_at_send": 2,
    "restart": 1,
    "suspend": 1,
    "stop": 1,
    "starve": 1,
    "step": 2,
    "unsynchronise": 1,
    "boot_without_time": 1,
    "disk_full": 1,
    "disk_read_only": 1,
    "restore": 1,
    "lose_tail": 1,
    "second_server": 1,
    "restarts": 1,
    "receiver": 8,
}
PEOPLE: dict[str, int] = {
    "die": 8,
    "edit": 10,
    "assign": 2,
    "pause": 2,
    "mute": 3,
    "maintain": 4,
    "delete": 1,
    "reload": 1,
    "slip": 3,
    "refine": 6,
}

# What ends what can be watched does not come more often in a dense story.
_ENDING = frozenset(("delete", "die", "restore"))

# At the end nothing more goes wrong, so that all that is owed can arrive.
PEACE = 8 * DAY


@dataclass(frozen=True)
class Event:
    """Something that happens; its own seed decides on the rest of it."""

    at: float
    kind: str
    seed: str


@dataclass(frozen=True)
class Plan:
    """A story before it is told: it can be told again, and with less in it."""

    seed: str
    seconds: float
    jobs: tuple[int, ...]
    events: tuple[Event, ...]


def plan(seed: str, days: float, dense: int = 1) -> Plan:
    """Draw a plan for so many days, with so many times as much that happens in them.

    What goes wrong in pairs alone is found so, which years do not show else.
    """
    rng = random.Random(f"{seed} plan")
    seconds = days * DAY
    events = sorted(_events(rng, seed, seconds, dense), key=lambda event: event.at)
    return Plan(seed, seconds, tuple(range(len(KINDS))), tuple(events))


def _events(
    rng: random.Random, seed: str, seconds: float, dense: int
) -> Iterator[Event]:
    last = seconds - PEACE
    months = max(1, round(last / MONTH))
    # Of less than a month only a part.
    share = last / MONTH if months == 1 else 1.0
    for month in range(months):
        start, end = last * month / months, last * (month + 1) / months
        for kind, times in (FAULTS | PEOPLE).items():
            for number in range(times * (1 if kind in _ENDING else dense)):
                if share < 1 and rng.random() > share:
                    continue
                at = rng.uniform(max(start, DAY / 2), end)
                yield Event(at, kind, f"{seed} {kind} {month} {number}")


def shrink(
    story: Plan, fails: Callable[[Plan], bool], first: int, patience: float = 60.0
) -> Plan:
    """Leave out all that a story does not need to fail; for so many seconds of CPU.

    `first` is the job that is most likely all that it takes.
    """
    end = time.process_time() + patience

    def still_fails(smaller: Plan) -> bool:
        nonlocal story
        if time.process_time() > end or not fails(smaller):
            return False
        story = smaller
        return True

    # Fewer jobs are told sooner.
    if not still_fails(replace(story, jobs=(first,))):
        _cut(story.jobs, lambda jobs: still_fails(replace(story, jobs=jobs)))
    _cut(story.events, lambda events: still_fails(replace(story, events=events)), 0)
    return story


def _cut(
    parts: tuple[_Part, ...],
    still_fails: Callable[[tuple[_Part, ...]], bool],
    least: int = 1,
) -> None:
    """Leave out many parts at once, and fewer and fewer then."""
    size = len(parts) - least
    while size:
        start = 0
        while start < len(parts):
            fewer = parts[:start] + parts[start + size :]
            if least <= len(fewer) < len(parts) and still_fails(fewer):
                parts = fewer
            else:
                start += size
        size //= 2
