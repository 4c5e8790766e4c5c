"""[[projects.reports]]: what was down, and how long runs took, told now and then."""

import re
from collections.abc import Sequence
from datetime import time
from typing import get_args

from hcl.config.channels.calm import read_zone
from hcl.config.keys import KEYS
from hcl.config.reading import Table, closest, shown
from hcl.config.settings import ChannelConfig, ReportConfig, ReportEvery

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME = r"(?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9])"
_FORMS: dict[ReportEvery, tuple[str, str]] = {
    "day": (_TIME, "09:00"),
    "week": (rf"(?P<day>{'|'.join(_DAYS)}) {_TIME}", "Mon 09:00"),
    "month": (rf"(?P<day>[1-9]|[12][0-9]|3[01]) {_TIME}", "1 09:00"),
}
_MOST = 20


def read_reports(
    project: Table, channels: Sequence[ChannelConfig]
) -> tuple[ReportConfig, ...]:
    """Read all [[projects.reports]], each for some of the project's channels."""
    tables = project.tables("reports")
    found = [_report(table, channels) for table in tables[:_MOST]]
    if len(tables) > _MOST:
        raise tables[_MOST].error(
            "every", f"is one report too many; use {_MOST} at most"
        )
    for i, report in enumerate(found):
        if report in found[:i]:
            raise tables[i].error("every", "is the same report as one before it")
    return tuple(found)


def _report(table: Table, channels: Sequence[ChannelConfig]) -> ReportConfig:
    table.allow(KEYS["projects.reports"])
    every = table.choice("every", "week", get_args(ReportEvery))
    day, at = _at(table, every)
    return ReportConfig(
        every=every,
        at=at,
        day=day,
        tz=read_zone(table, "tz") if "tz" in table.data else "",
        channels=_channels(table, channels),
        tags=_tags(table),
        quiet=table.flag("quiet", False),
    )


def _at(table: Table, every: ReportEvery) -> tuple[int, time]:
    form, example = _FORMS[every]
    value = table.line("at", example)
    match = re.fullmatch(form, value)
    if not match:
        problem = f"{shown(value)} is no moment of a {every}"
        raise table.error("at", f'{problem}; use one like "{example}"')
    day = match.groupdict().get("day", "0")
    number = _DAYS.index(day) if day in _DAYS else int(day)
    return number, time.fromisoformat(match["time"])


def _channels(table: Table, channels: Sequence[ChannelConfig]) -> tuple[str, ...]:
    """Read the names of channels; return their ids."""
    ids = {channel.name: channel for channel in channels}
    names = table.lines("channels")
    if not names:
        raise table.error("channels", "is empty; name one at least")
    for i, name in enumerate(names):
        channel = ids.get(name)
        if channel is None:
            near = closest(name, ids)
            hint = f" (did you mean {shown(near)}?)" if near else ""
            problem = f"no channel of this project is named {shown(name)}{hint}"
            raise table.error("channels", f"{problem}; use names of channels", i)
        # What a webhook asks is made for checks, and so are tickets and lamps.
        if not (channel.settings.hears_of_server or "server" in channel.events):
            problem = f'{shown(name)} does not tell of "server"'
            raise table.error("channels", f"{problem}; add that to its events", i)
    return tuple(dict.fromkeys(ids[name].id for name in names))


def _tags(table: Table) -> frozenset[str]:
    tags = table.lines("tags", ())
    for i, tag in enumerate(tags):
        if tag.split() != [tag]:
            raise table.error("tags", f"{shown(tag)} is not one tag; use one each", i)
    return frozenset(tags)
