"""[[projects.maintenance]]: windows in which nobody is called down."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from hcl.config.channels.calm import read_zone
from hcl.config.keys import KEYS
from hcl.config.reading import Table, shown
from hcl.config.settings import Window

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=31)
_LONGEST_ONCE = timedelta(days=366)
_MOST = 100

# So many openings are looked at, from a year on of which no zone is special.
_LOOKED_AT = 20
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def read_windows(project: Table) -> tuple[Window, ...]:
    """Read all [[projects.maintenance]]; a name may stand there once."""
    found: dict[str, Window] = {}
    for table in project.tables("maintenance"):
        table.allow(KEYS["projects.maintenance"])
        window = _window(table)
        if window.name in found:
            problem = f"{shown(window.name)} is there already"
            raise table.error("name", f"{problem}; give each its own")
        if len(found) >= _MOST:
            raise table.error("name", f"is one too many; use {_MOST} windows at most")
        found[window.name] = window
    return tuple(found.values())


def _window(table: Table) -> Window:
    name, tz = table.name("name"), read_zone(table, "tz")
    tags = frozenset(read_tag_names(table))
    is_once = "from" in table.data or "to" in table.data
    if "schedule" not in table.data and not is_once:
        raise table.error(
            "schedule", "is missing; use schedule and length, or from and to"
        )
    if is_once:
        for key in ("schedule", "length"):
            if key in table.data:
                problem = "stands beside from and to"
                raise table.error(key, f"{problem}; use schedule and length, or these")
        start, end = _once(table, tz)
        return Window(name, tags, tz=tz, start=start, end=end)
    length = _length(table)
    schedule = _schedule(table, tz, length)
    return Window(name, tags, schedule, tz, length)


def read_tag_names(table: Table) -> tuple[str, ...]:
    """Read the key `tags`: those of checks; none are all."""
    tags = table.lines("tags", ())
    for i, tag in enumerate(tags):
        if tag.split() != [tag]:
            raise table.error("tags", f"{shown(tag)} is not one tag; use one each", i)
    return tuple(dict.fromkeys(tags))


def _length(table: Table) -> timedelta:
    length = table.length("length", most=_LONGEST)
    if length is None:
        raise table.error("length", "is missing; say how long it is open")
    if length < _SHORTEST:
        problem = f"{shown(table.data['length'])} is too short"
        raise table.error("length", f"{problem}; use 1m at least")
    return length


def _schedule(table: Table, tz: str, length: timedelta) -> str:
    """Read when it opens, and refuse what never opens or never closes."""
    value = table.text("schedule").strip()
    try:
        starts = list(islice(_openings(value, tz), _LOOKED_AT))
    except Exception as error:
        # The parsers raise anything.
        problem = f"{shown(value)} is no cron or OnCalendar expression"
        raise table.error("schedule", f"{problem}: {error}") from error
    if not starts:
        raise table.error("schedule", f"{shown(value)} never opens; use another")
    # What an hour that is left out brings nearer is no mistake.
    if all(later - earlier <= length for earlier, later in pairwise(starts)) and (
        len(starts) > 1
    ):
        problem = "is so long that it opens again before it closes"
        raise table.error("length", f"{problem}; pause checks that nobody watches")
    return value


def _openings(expression: str, tz: str) -> Iterator[datetime]:
    """Yield the moments that an expression names, of each of its lines in turn."""
    after = _SOME_TIME.astimezone(ZoneInfo(tz))
    if "\n" not in expression and len(expression.split()) == 5:
        # Imported at first use: few have windows.
        from cronsim import CronSim

        return (moment.astimezone(UTC) for moment in CronSim(expression, after))
    from oncalendar import OnCalendar

    found = (
        moment.astimezone(UTC)
        for line in expression.split("\n")
        for moment in islice(OnCalendar(line, after), _LOOKED_AT)
    )
    return iter(sorted(found))


def _once(table: Table, tz: str) -> tuple[datetime, datetime]:
    start, end = min(_moments(table, "from", tz)), max(_moments(table, "to", tz))
    if end <= start:
        raise table.error("to", "is not after from; use a later moment")
    if end - start > _LONGEST_ONCE:
        problem = f"is {(end - start).days} days after from"
        raise table.error("to", f"{problem}; use {_LONGEST_ONCE.days} days at most")
    return start, end


def _moments(table: Table, key: str, tz: str) -> list[datetime]:
    """Read a moment by the clock of a zone: two where an hour comes twice, or never."""
    value = table.data.get(key)
    # TOML has moments of its own.
    text = value.isoformat() if isinstance(value, datetime) else table.line(key)
    try:
        local = datetime.fromisoformat(text if _MOMENT.fullmatch(text) else "")
        zone = ZoneInfo(tz)
        return [
            local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)
        ]
    except (ValueError, OverflowError):
        problem = f"{shown(text)} is not a moment"
        raise table.error(key, f'{problem}; use one like "2026-12-01T22:00"') from None
