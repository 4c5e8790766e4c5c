"""Who has taken which message: what others of a channel refused comes to those alone.

It is remembered while hcl runs: after a crash all get it again, rather than one never.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from hcl.model import Alert, Message

# Messages that are remembered: the newest.
_MOST = 1000


class _Kept(NamedTuple):
    receivers: frozenset[str]
    begun: float


_kept: dict[str, _Kept] = {}


def identity(message: Message) -> str:
    """Name a message by what it tells: the same for every try to deliver it."""
    if message.announcement is not None:
        told = message.announcement
        return f"{message.notice}\n{told.id} {told.created}"
    return "\n".join([message.notice, *map(_seed, message.alerts)])


def _seed(alert: Alert) -> str:
    flips = (*alert.earlier, alert.flip)
    times = " ".join(flip.created.isoformat() for flip in flips)
    late = f" {alert.status}" if alert.lateness else ""
    return f"{alert.check.code} {times} {alert.reminder}{late}"


def by(key: str) -> frozenset[str]:
    """Return who has taken a message; `key` names the channel too."""
    return _kept[key].receivers if key in _kept else frozenset()


def waited(key: str) -> float:
    """Return for how many seconds some have had a message that others have not."""
    return time.monotonic() - _kept[key].begun if key in _kept else 0.0


def note(key: str, receivers: Iterable[str]) -> None:
    """Remember who has taken a message that is to come again."""
    taken = set(receivers)
    if not taken:
        return
    begun = _kept[key].begun if key in _kept else time.monotonic()
    _kept[key] = _Kept(by(key) | taken, begun)
    while len(_kept) > _MOST:
        del _kept[next(iter(_kept))]


def forget(key: str) -> None:
    """Forget a message that all have taken."""
    _kept.pop(key, None)
