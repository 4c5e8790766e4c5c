"""What people ask for who open a window: read, and refused in the API's words; pure."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from hcl.checks.spec import SpecError
from hcl.model import split_tags
from hcl.words.lines import one_line

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=30)
REASON_LENGTH, TAGS_LENGTH = 200, 500


class Asked(NamedTuple):
    """For how long, for which tags (none: all checks), and why."""

    length: timedelta
    tags: tuple[str, ...]
    reason: str


def parse(document: Mapping[str, Any]) -> Asked:
    """Read what a request asks for. Raises SpecError."""
    seconds = document.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise SpecError("seconds", "is not a number", None)
    if seconds < SHORTEST.total_seconds():
        raise SpecError("seconds", "is too small", None)
    if seconds > LONGEST.total_seconds():
        raise SpecError("seconds", "is too large", None)
    tags = split_tags(_text(document, "tags", TAGS_LENGTH))
    reason = one_line(_text(document, "reason", REASON_LENGTH))
    return Asked(timedelta(seconds=seconds), tuple(dict.fromkeys(tags)), reason)


def _text(document: Mapping[str, Any], name: str, most: int) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise SpecError(name, "is not a string", None)
    if len(value) > most:
        raise SpecError(name, "is too long", None)
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can spell half of a surrogate pair; no text holds one.
        raise SpecError(name, "is not a string", None) from None
    return value
