"""What a seed has in store: which jobs there are, and what happens when."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.sim.jobs import DAY, KINDS

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
    "delete": 1,
    "reload": 1,
}

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

    def without(self, *, events: frozenset[Event]) -> "Plan":
        """Leave some events out."""
        left = tuple(event for event in self.events if event not in events)
        return replace(self, events=left)


def plan(seed: str, days: float) -> Plan:
    """Draw a plan for so many days."""
    rng = random.Random(f"{seed} plan")
    seconds = days * DAY
    events = sorted(_events(rng, seed, seconds), key=lambda event: event.at)
    return Plan(seed, seconds, tuple(range(len(KINDS))), tuple(events))


def _events(rng: random.Random, seed: str, seconds: float) -> Iterator[Event]:
    last = seconds - PEACE
    months = max(1, round(last / MONTH))
    for month in range(months):
        start, end = last * month / months, last * (month + 1) / months
        for kind, times in (FAULTS | PEOPLE).items():
            for number in range(times):
                at = rng.uniform(max(start, DAY / 2), end)
                yield Event(at, kind, f"{seed} {kind} {month} {number}")


def shrink(story: Plan, fails: Callable[[Plan], bool], patience: int = 200) -> Plan:
    """Leave out all that a story does not need to fail; try so often at most."""
    left = patience

    def still_fails(smaller: Plan) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(smaller)

    size = max(1, len(story.events) // 2)
    while size and left > 0:
        for start in range(0, len(story.events), size):
            part = frozenset(story.events[start : start + size])
            if part and still_fails(smaller := story.without(events=part)):
                story = smaller
                break
        else:
            size //= 2
    for job in story.jobs:
        fewer = tuple(other for other in story.jobs if other != job)
        if fewer and still_fails(smaller := replace(story, jobs=fewer)):
            story = smaller
    return story
