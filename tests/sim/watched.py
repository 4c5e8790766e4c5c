"""What is known of one check: what its job truly did, and what hcl heard of it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.sim.jobs import Job
from tests.sim.model import Flipped, Model
from tests.sim.moments import NEVER
from tests.sim.network import Attempt


@dataclass
class Watched:
    """One check, as hcl ought to see it, and as one who is always there sees it."""

    job: Job
    code: str
    id: int
    channels: set[str]
    model: Model
    perfect: Model
    # What the log has to hold, by number: the request, what it counts as, its run.
    log: dict[int, tuple[int, str, str | None]] = field(default_factory=dict)
    verified: int = 0
    # Requests of which nobody knows whether they were recorded.
    unsure: dict[int, Attempt] = field(default_factory=dict)
    # Outcomes that were sent since one was heard last.
    unheard: list[float] = field(default_factory=list)
    # Flips that hcl wrote, and whose cause is yet to be told.
    seen: deque[tuple[int, Flipped]] = field(default_factory=deque)
    flipped_at: float = 0.0
    # What it became by each of its flips.
    flips: list[str] = field(default_factory=list)
    # When it truly went down.
    down_since: float | None = None
    # For how long it may be excused since, by what was edited meanwhile.
    patience: float = 0.0
    examined_at: float = NEVER
    # What people asked for and nobody answered: was it done, and what it changes.
    asked: tuple[Callable[[Any], bool], Callable[[], None]] | None = None
