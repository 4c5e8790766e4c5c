"""What may be asked of a check: the fields of a create or update, validated."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from hcl.bounds import (
    DESC_LENGTH,
    EARLIEST,
    KEYWORDS_LENGTH,
    LONGEST,
    MOST_OUTCOMES,
    NAME_LENGTH,
    SCHEDULE_LENGTH,
    SHORTEST,
    SHORTEST_RUN,
    SLUG_LENGTH,
    TAGS_LENGTH,
)
from hcl.checks import schedule
from hcl.model import Check

__all__ = [
    "CheckSpec",
    "DESC_LENGTH",
    "EARLIEST",
    "FINER_FIELDS",
    "FINER_VERSION",
    "KEYWORDS_LENGTH",
    "LONGEST",
    "MOST_OUTCOMES",
    "NAME_LENGTH",
    "NO_LENGTH",
    "SCHEDULE_LENGTH",
    "SHORTEST",
    "SHORTEST_RUN",
    "SLUG_LENGTH",
    "SpecError",
    "TAGS_LENGTH",
    "UNIQUE_FIELDS",
    "parse",
    "parse_mute",
    "slugify",
]

UNIQUE_FIELDS = ("name", "slug", "tags", "timeout", "grace")
# What no version of the API knows before this, and no client of Healthchecks.
FINER_FIELDS = ("down_after", "early", "max_run", "min_run")
FINER_VERSION = 3
# What stands for null, in a field that may be null.
NO_LENGTH = timedelta(0)
_SLUG = re.compile(r"[a-z0-9-_]*")


class SpecError(ValueError):
    """A request asks for something that is not allowed; the text is the API's.

    `problem` is the part of it that does not name the field, `limit` how long a text
    may be that is too long.
    """

    def __init__(self, subject: str, problem: str, limit: int | None) -> None:
        super().__init__(f"json validation error: {subject} {problem}")
        self.problem = problem
        self.limit = limit


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """The fields that a request names; None: it does not name this one.

    In alphabetical order, since the first field in this order with an error is the
    one that is told, as Healthchecks does. A `max_run` or `min_run` of NO_LENGTH: there
    is to be none. `slug_follows_name` is none of them: a check
    that gets another name, and no slug, gets a slug of this name.
    """

    channels: str | None = None
    desc: str | None = None
    down_after: int | None = None
    early: timedelta | None = None
    failure_kw: str | None = None
    filter_body: bool | None = None
    filter_default_fail: bool | None = None
    filter_http_body: bool | None = None
    filter_subject: bool | None = None
    grace: timedelta | None = None
    manual_resume: bool | None = None
    max_run: timedelta | None = None
    methods: str | None = None
    min_run: timedelta | None = None
    name: str | None = None
    schedule: str | None = None
    slug: str | None = None
    start_kw: str | None = None
    subject: str | None = None
    subject_fail: str | None = None
    success_kw: str | None = None
    tags: str | None = None
    timeout: timedelta | None = None
    tz: str | None = None
    unique: tuple[str, ...] | None = None
    slug_follows_name: bool = False


def parse(
    document: Mapping[str, Any],
    *,
    slug_follows_name: bool = False,
    kept: Check | None = None,
    bounded: bool = True,
) -> CheckSpec:
    """Validate a request's JSON object; unknown keys are ignored.

    `kept` is the check that is to be changed: what it has, it may keep, though it may
    be longer than is allowed today; not `bounded`: any text may. Raises SpecError with
    the API's text for the first wrong field.
    """
    named = {}
    for name, read in _READERS.items():
        if name in document:
            try:
                named[name] = read(document[name])
            except _FieldError as error:
                text = document[name]
                if error.limit and (not bounded or text == getattr(kept, name, None)):
                    named[name] = text
                    continue
                subject = error.subject or name
                raise SpecError(subject, error.problem, error.limit) from None
    return CheckSpec(**named, slug_follows_name=slug_follows_name)


def parse_mute(document: Mapping[str, Any]) -> timedelta:
    """Read for how long to mute a check, a year at most; no length ends a mute.

    Raises SpecError.
    """
    value = document.get("seconds")
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpecError("seconds", "is not a number", None)
    if value < 0:
        raise SpecError("seconds", "is too small", None)
    if value > LONGEST.total_seconds():
        raise SpecError("seconds", "is too large", None)
    return timedelta(seconds=value)


def slugify(name: str) -> str:
    """Make a slug from a name as API v1 and v2 do: `Foo.b_C` becomes `foob_c`."""
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    text = re.sub(r"[^\w\s-]", "", text.lower())
    # One letter can become several: ㎭ is "rads".
    return re.sub(r"[-\s]+", "-", text).strip("-_")[:SLUG_LENGTH]


class _FieldError(Exception):
    def __init__(
        self, problem: str, *, subject: str = "", limit: int | None = None
    ) -> None:
        self.problem = problem
        self.subject = subject
        self.limit = limit


def _string(limit: int | None = None) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise _FieldError("is not a string")
        if limit is not None and len(value) > limit:
            raise _FieldError("is too long", limit=limit)
        try:
            value.encode()
        except UnicodeEncodeError:
            # JSON can spell half of a surrogate pair; no text holds one.
            raise _FieldError("is not a string") from None
        return value

    return read


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _FieldError("is not a boolean")
    return value


def _seconds(value: Any) -> timedelta:
    # As Healthchecks does: true counts as the number 1, and so is too small.
    if not isinstance(value, int):
        raise _FieldError("is not a number")
    if value < SHORTEST.total_seconds():
        raise _FieldError("is too small")
    if value > LONGEST.total_seconds():
        raise _FieldError("is too large")
    return timedelta(seconds=value)


def _number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _FieldError("is not a number")
        if value < least:
            raise _FieldError("is too small")
        if value > most:
            raise _FieldError("is too large")
        return value

    return read


def _run(value: Any) -> timedelta:
    if value is None:
        return NO_LENGTH
    shortest, longest = (int(at.total_seconds()) for at in (SHORTEST_RUN, LONGEST))
    return timedelta(seconds=_number(shortest, longest)(value))


def _early(value: Any) -> timedelta:
    return timedelta(seconds=_number(0, int(EARLIEST.total_seconds()))(value))


def _slug(value: Any) -> str:
    text = _string(SLUG_LENGTH)(value)
    if not _SLUG.fullmatch(text):
        raise _FieldError("does not match pattern")
    return text


def _methods(value: Any) -> str:
    if not isinstance(value, str) or value not in ("", "POST"):
        raise _FieldError("has unexpected value")
    return value


def _schedule(value: Any) -> str:
    text = _string(SCHEDULE_LENGTH)(value)
    try:
        schedule.validate(text)
    except schedule.ScheduleError:
        raise _FieldError("is not a valid cron or OnCalendar expression") from None
    return text


def _tz(value: Any) -> str:
    try:
        return schedule.canonical_zone(_string()(value))
    except schedule.ScheduleError:
        raise _FieldError("is not a valid timezone") from None


def _unique(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _FieldError("is not an array")
    for item in value:
        if not isinstance(item, str) or item not in UNIQUE_FIELDS:
            raise _FieldError("has unexpected value", subject="an item in 'unique'")
    return tuple(value)


# What reads a field, where its type does not tell.
_OWN_READERS: dict[str, Callable[[Any], Any]] = {
    "desc": _string(DESC_LENGTH),
    "down_after": _number(1, MOST_OUTCOMES),
    "early": _early,
    "failure_kw": _string(KEYWORDS_LENGTH),
    "max_run": _run,
    "methods": _methods,
    "min_run": _run,
    "name": _string(NAME_LENGTH),
    "schedule": _schedule,
    "slug": _slug,
    "start_kw": _string(KEYWORDS_LENGTH),
    "subject": _string(KEYWORDS_LENGTH),
    "subject_fail": _string(KEYWORDS_LENGTH),
    "success_kw": _string(KEYWORDS_LENGTH),
    "tags": _string(TAGS_LENGTH),
    "tz": _tz,
    "unique": _unique,
}
_READERS_BY_TYPE: dict[Any, Callable[[Any], Any]] = {
    str | None: _string(),
    bool | None: _boolean,
    timedelta | None: _seconds,
}
_READERS = {
    field.name: _OWN_READERS.get(field.name) or _READERS_BY_TYPE[field.type]
    for field in fields(CheckSpec)
    if field.name != "slug_follows_name"
}
