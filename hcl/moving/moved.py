"""What moves: projects, channels, checks, flips and pings, wherever they come from."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from hcl.config.settings import Access, Window
from hcl.model import Check, Flip, Ping

# Stands for the id of a project that its server does not tell.
NO_CODE = "00000000-0000-0000-0000-000000000000"


class MovingError(Exception):
    """What is to be moved cannot be; the text is a line for people."""


@dataclass(frozen=True, slots=True)
class MovedKey:
    """An API key: itself, or else its HMAC with the old server's secret."""

    access: Access
    key: str = ""
    hmac: str = ""


@dataclass(frozen=True, slots=True)
class MovedChannel:
    """A channel as the old server had it.

    `value` is what its kind keeps there; None: it is a secret that was not told.
    """

    code: str
    name: str
    kind: str
    value: str | None = None
    is_disabled: bool = False
    is_verified: bool = True
    events: tuple[str, ...] = ()


@dataclass(slots=True)
class MovedProject:
    """A project with its keys and channels; "" where the old one had none.

    `id` is the old server's, which signs badges with its SECRET_KEY if it
    `signs_badges`. `windows` were opened by hand, and are not over. `checks`,
    `pings` and `flips` are numbers. `remarks` tell what hcl has no place for, a line
    each.
    """

    id: int
    code: str
    name: str
    owner: str = ""
    ping_key: str = ""
    badge_key: str = ""
    signs_badges: bool = False
    check_limit: int = 0
    keys: list[MovedKey] = field(default_factory=list)
    channels: list[MovedChannel] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    checks: int = 0
    pings: int = 0
    flips: int = 0
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MovedCheck:
    """A check with its state; its id and its project's are the old server's.

    `channels` are the codes of those that it uses.
    """

    check: Check
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MovedFlip:
    """A flip, the number of the last ping up to it, and whether people were told.

    `untold` are the codes of the channels that were not; none: that is not known, and
    if it is not `is_told`, none was.
    """

    flip: Flip
    n_pings: int
    is_told: bool = True
    untold: tuple[str, ...] = ()


class Source(Protocol):
    """What is moved from.

    `checks` yields those of projects, given by ids; `flips` and `pings` are those of
    the check that was yielded last, oldest first, and are to be asked for in this
    order. All raise MovingError.
    """

    name: str
    as_of: datetime
    projects: list[MovedProject]
    # What is left behind, a line each; complete once all was read.
    remarks: list[str]

    def checks(self, project_ids: Collection[int]) -> Iterator[MovedCheck]:
        """Yield the checks of projects."""

    def flips(self) -> list[MovedFlip]:
        """Return all flips of the last check."""

    def pings(self, after: int) -> Iterator[Ping]:
        """Yield the pings of the last check with a number above `after`."""

    def close(self) -> None:
        """Let go of what is open."""
