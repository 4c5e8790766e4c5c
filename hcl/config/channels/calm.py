"""How much is told, and when: the keys of channels and tags that keep people calm."""

import re
from datetime import time
from zoneinfo import ZoneInfo

from hcl.config.keys import KEYS
from hcl.config.reading import Table, shown
from hcl.config.settings import Calm, QuietHours, TagConfig

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def read_calm(table: Table) -> Calm:
    """Read what a channel or a tag says of repeats, delays and quiet hours."""
    return Calm(
        remind_every=table.length("remind_every"),
        delay=table.length("delay"),
        quiet_hours=_quiet_hours(table) if "quiet_hours" in table.data else None,
        urgent=table.flag("urgent", False) if "urgent" in table.data else None,
    )


def read_tags(project: Table) -> tuple[TagConfig, ...]:
    """Read all [[projects.tags]]; a tag may stand there once."""
    found: dict[str, TagConfig] = {}
    for table in project.tables("tags"):
        table.allow(KEYS["projects.tags"])
        tag = table.name("tag")
        if tag.split() != [tag]:
            raise table.error("tag", f"{shown(tag)} has a space; use one tag")
        if tag in found:
            raise table.error("tag", f"{shown(tag)} is there already; use one table")
        found[tag] = TagConfig(tag, read_calm(table))
    return tuple(found.values())


def _quiet_hours(owner: Table) -> QuietHours:
    table = owner.table("quiet_hours", KEYS["quiet_hours"])
    start, end = _time(table, "from"), _time(table, "to")
    if start == end:
        raise table.error("to", "is the same as from; leave some time to send in")
    return QuietHours(start, end, read_zone(table, "tz"))


def _time(table: Table, key: str) -> time:
    value = table.line(key)
    if not _TIME.fullmatch(value):
        problem = f"{shown(value)} is not a time of day"
        raise table.error(key, f'{problem}; use one like "07:00"')
    return time.fromisoformat(value)


def read_zone(table: Table, key: str) -> str:
    """Read a time zone; UTC if absent."""
    value = table.line(key, "UTC")
    try:
        ZoneInfo(value)
    # What ZoneInfo raises for names that are no zones; a directory's is an OSError, and
    # of thousands of slashes it goes too deep.
    except (KeyError, ValueError, OSError, RecursionError):
        problem = f"{shown(value)} is not a time zone"
        raise table.error(key, f"{problem}; use one like Europe/Riga") from None
    return value
