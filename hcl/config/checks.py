"""[[projects.checks]]: checks declared in the file, with what the API takes."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from hcl import bounds, occurrences
from hcl.config.keys import KEYS
from hcl.config.reading import Table, as_length, closest, shown
from hcl.config.settings import ChannelConfig, CheckConfig
from hcl.model import Check

_SLUG = re.compile(r"[a-z0-9_-]+")
_LENGTHS = {
    "timeout": (bounds.SHORTEST, bounds.LONGEST),
    "grace": (bounds.SHORTEST, bounds.LONGEST),
    "max_run": (bounds.SHORTEST_RUN, bounds.LONGEST),
    "min_run": (bounds.SHORTEST_RUN, bounds.LONGEST),
    "early": (timedelta(0), bounds.EARLIEST),
}
_TEXTS = {
    "name": bounds.NAME_LENGTH,
    "start_kw": bounds.KEYWORDS_LENGTH,
    "success_kw": bounds.KEYWORDS_LENGTH,
    "failure_kw": bounds.KEYWORDS_LENGTH,
}
_SWITCHES = (
    "manual_resume",
    "filter_subject",
    "filter_body",
    "filter_http_body",
    "filter_default_fail",
)
_GRACE = int(Check._field_defaults["grace"].total_seconds())
# Which say nothing of a check that only has a period.
_OF_SCHEDULES = ("tz", "early")


def read_checks(
    project: Table, channels: Sequence[ChannelConfig]
) -> tuple[CheckConfig, ...]:
    """Read all checks that a project declares; a slug may stand there once."""
    found: dict[str, tuple[CheckConfig, str]] = {}
    for table in project.tables("checks"):
        check = read_check(table, channels)
        if check.slug in found:
            raise table.same_as("slug", found[check.slug][1])
        found[check.slug] = check, table.where("slug")
    return tuple(check for check, _ in found.values())


def read_check(table: Table, channels: Sequence[ChannelConfig]) -> CheckConfig:
    """Read one check. What it does not say has the default of the API.

    But for the name, which is the slug then, and the channels, which are all then: who
    declares a check wants to hear of it.
    """
    table.allow(KEYS["projects.checks"])
    slug = _slug(table)
    fields: dict[str, object] = {"slug": slug, "name": slug}
    readers: dict[str, Callable[[Table, str], object]] = {
        **dict.fromkeys(_TEXTS, _text),
        **dict.fromkeys(_LENGTHS, _length),
        **dict.fromkeys(_SWITCHES, _switch),
        "desc": _desc,
        "tags": _tags,
        "methods": _methods,
        "schedule": _schedule,
        "tz": _tz,
        "down_after": _down_after,
    }
    # In the order in which they stand, so that the first mistake is told first.
    fields |= {key: readers[key](table, key) for key in table.data if key in readers}
    if "schedule" in fields and "timeout" in fields:
        raise table.error("timeout", "stands beside schedule; use one of them")
    for key in _OF_SCHEDULES:
        if key in fields and "schedule" not in fields:
            raise table.error(
                key, "counts only beside a schedule; add one, or take it out"
            )
    _refuse_impossible_runs(table, fields)
    typed = str(table.data.get("schedule", "")).strip()
    is_turned = "schedule" in fields and str(fields["schedule"]).strip() != typed
    return CheckConfig(
        slug, fields, _channels(table, channels), typed if is_turned else ""
    )


def _refuse_impossible_runs(table: Table, fields: Mapping[str, object]) -> None:
    shortest = fields.get("min_run")
    if not isinstance(shortest, int):
        return
    limits = (fields.get("max_run"), fields.get("grace"), _GRACE)
    longest = next(limit for limit in limits if isinstance(limit, int))
    if longest >= shortest:
        return
    if "max_run" in fields:
        problem = "is less than min_run, so that no run could be right"
        raise table.error("max_run", f"{problem}; make it longer, or drop one")
    problem = "is more than grace, so that no run could be right"
    raise table.error("min_run", f"{problem}; set max_run, or make it shorter")


def _slug(table: Table) -> str:
    slug = table.line("slug")
    if not _SLUG.fullmatch(slug) or len(slug) > bounds.SLUG_LENGTH:
        allowed = f"use 1 to {bounds.SLUG_LENGTH} of a-z 0-9 - _"
        raise table.error(
            "slug", f"{shown(slug)} does not fit in a ping URL; {allowed}"
        )
    return slug


def _short(table: Table, key: str, text: str, limit: int) -> str:
    if len(text) > limit:
        problem = f"has {len(text):,} characters"
        raise table.error(key, f"{problem}; use {limit:,} at most")
    return text


def _text(table: Table, key: str) -> str:
    return _short(table, key, table.line(key), _TEXTS[key])


def _desc(table: Table, key: str) -> str:
    return _short(table, key, table.text(key), bounds.DESC_LENGTH)


def _tags(table: Table, key: str) -> str:
    if not isinstance(table.data[key], list):
        return _short(table, key, table.line(key), bounds.TAGS_LENGTH)
    tags = table.lines(key)
    for i, tag in enumerate(tags):
        if tag.split() != [tag]:
            raise table.error(key, f"{shown(tag)} has a space; use one tag", i)
    return _short(table, key, " ".join(tags), bounds.TAGS_LENGTH)


def _length(table: Table, key: str) -> int:
    least, most = _LENGTHS[key]
    length = table.length(key, most=most)
    if length is None or length < least:
        problem = f"{shown(table.data[key])} is too short"
        raise table.error(key, f"{problem}; use {as_length(least)} at least")
    return int(length.total_seconds())


def _switch(table: Table, key: str) -> bool:
    return table.flag(key, False)


def _methods(table: Table, key: str) -> str:
    # "" cannot be named among what is allowed.
    return "" if table.data[key] == "" else table.choice(key, "POST", ["POST"])


def _schedule(table: Table, key: str) -> str:
    typed = _short(table, key, table.text(key), bounds.SCHEDULE_LENGTH)
    text = occurrences.pasted(typed).text
    try:
        occurrences.validate(text)
    except occurrences.ScheduleError:
        problem = f"{shown(typed)} is no cron or OnCalendar expression that ever fires"
        allowed = 'use one like "5 3 * * *" or "Mon..Fri 08:00"'
        raise table.error(key, f"{problem}; {allowed}") from None
    if len(text) > bounds.SCHEDULE_LENGTH:
        problem = f"has {len(text):,} characters as it is stored, {shown(text)}"
        raise table.error(key, f"{problem}; use {bounds.SCHEDULE_LENGTH} at most")
    return text


def _tz(table: Table, key: str) -> str:
    name = table.line(key)
    try:
        return occurrences.canonical_zone(name)
    except occurrences.ScheduleError:
        problem = f"{shown(name)} is not a time zone"
        raise table.error(key, f"{problem}; use one like Europe/Riga") from None


def _down_after(table: Table, key: str) -> int:
    return table.whole(key, 1, least=1, most=bounds.MOST_OUTCOMES)


def _channels(
    table: Table, channels: Sequence[ChannelConfig]
) -> tuple[str, ...] | None:
    """Return the ids of channels that are named; None: all of the project."""
    if "channels" not in table.data:
        return None
    ids = {channel.name: channel.id for channel in channels}
    return tuple(
        _channel(table, ids, name, i) for i, name in enumerate(table.lines("channels"))
    )


def _channel(table: Table, ids: dict[str, str], name: str, index: int) -> str:
    if name in ids:
        return ids[name]
    near = closest(name, ids)
    hint = f" (did you mean {shown(near)}?)" if near else ""
    problem = f"no channel of the project is named {shown(name)}{hint}"
    allowed = f"use one of {', '.join(map(shown, ids))}" if ids else "add it"
    raise table.error("channels", f"{problem}; {allowed}", index)
