"""Stand for what people set of a check, so that it is seen later what is new of it."""

import hashlib
from collections.abc import Container

from hcl.checks import spec
from hcl.model import SETTINGS, Check
from hcl.moving.moved import MovedCheck

_BEFORE_MUTE = "@"


def of(moved: MovedCheck, channels: Container[str]) -> str:
    """Stand for a check's settings and channels, as they come, and for a mute.

    `channels` are the codes of those that come along.
    """
    return _digest(moved, channels) + mute(moved.check)


def mute(check: Check) -> str:
    """Stand for how long a check is muted."""
    until = check.muted_until
    return "" if until is None else f"{_BEFORE_MUTE}{until.timestamp():.3f}"


def settings_in(mark: str) -> str:
    """Return the part of a mark that stands for settings and channels."""
    return mark.partition(_BEFORE_MUTE)[0]


def mute_in(mark: str) -> str:
    """Return the part of a mark that stands for a mute."""
    return mark.removeprefix(settings_in(mark))


def _digest(moved: MovedCheck, channels: Container[str]) -> str:
    # What was brought by a version that did not know a setting has its default still.
    values = {name: getattr(moved.check, name) for name in SETTINGS}
    settings = [
        value
        for name, value in values.items()
        if name not in spec.FINER_FIELDS or value != Check._field_defaults[name]
    ]
    served = sorted(code for code in moved.channels if code in channels)
    return hashlib.sha256(repr((settings, served)).encode()).hexdigest()[:32]
