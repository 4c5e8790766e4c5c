"""What things are called: checks, signals, why a message waits, or hcl was away."""

from functools import lru_cache

from hcl.model import Action, Check, Hold
from hcl.words.lines import one_line

UNNAMED = "unnamed check"

# What the signals are called.
ACTIONS: dict[Action, str] = {
    "success": "success",
    "fail": "failure",
    "start": "start",
    "log": "log",
    "ign": "ignored",
}

# Why a message waits that has not been tried yet.
HELD: dict[Hold, str] = {
    "": "next to be sent",
    "delay": "its delay is not over",
    "remind": "a reminder, if it is still down then",
    "quiet": "held for quiet hours",
    "fold": "held to go out with others",
    "mute": "the check is muted",
}


def why_waits(hold: Hold, *, is_blocked: bool) -> str:
    """Say why a message waits that has not been tried.

    `is_blocked` as in store.tries.Record.
    """
    return "this integration is failing" if is_blocked else HELD[hold]


# Why hcl was away.
AWAY: dict[str, str] = {
    "stopped": "it did not run",
    "suspended": "the machine slept",
    "starved": "the process stood still",
    "unwritable": "its database could not be written",
    "clock": "the clock was set",
    "restored": "a backup was restored",
    "moved": "it was not in charge yet",
}


# A list names a thousand checks at once, again and again.
@lru_cache(maxsize=4096)
def check_name(name: str, otherwise: str = UNNAMED) -> str:
    """Write a check's name in one line, or `otherwise` if nobody could see that."""
    text = one_line(name)
    seen = any(map(str.isprintable, text.replace(" ", "")))
    return text if seen else otherwise


def title(check: Check, *, readonly: bool = False) -> str:
    """Name a check for people, by its code if it has no name.

    The code is a secret of those who may change the check.
    """
    return check_name(check.name, UNNAMED if readonly else check.code)
