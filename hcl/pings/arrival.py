"""Whom a ping is for, and what became of it."""

from enum import IntEnum, auto
from typing import NamedTuple

from hcl.model import Ping

# A ping key and a slug.
Slug = tuple[str, str]


class Target(NamedTuple):
    """Whom a ping is for: a check's code, or else a ping key and a slug.

    `create`: make the check if the project has none with this slug. `is_late`: the ping
    bears the time that its signal is of, which may be before the check's last one.
    `is_ahead`: that was ahead of hcl's time, so that it counts as of when it came.
    """

    code: str = ""
    ping_key: str = ""
    slug: str = ""
    create: bool = False
    is_late: bool = False
    is_ahead: bool = False


class Receipt(IntEnum):
    """What became of a ping. Nothing is recorded of an unknown or ambiguous one."""

    RECORDED = auto()
    CREATED = auto()
    UNKNOWN = auto()
    AMBIGUOUS = auto()


# A ping, whom it is for, and how many steps of the clock had been taken when it came.
Arrival = tuple[Target, Ping, int]
