"""What schedules and time zones people write, and when schedules fire."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from hcl import bounds
from hcl.client.sync.schedules import Stored, stored
from hcl.model import Kind

# A schedule must fire after this moment to be accepted, as Healthchecks does.
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

# As Healthchecks does: tzdata has these as zones of their own, without a place, and
# clients read the name of a place back.
_US_ZONES = {
    "EST5EDT": "America/New_York",
    "CST6CDT": "America/Chicago",
    "MST7MDT": "America/Denver",
    "PST8PDT": "America/Los_Angeles",
}


# As Healthchecks does: old names of places are kept though they are links in tzdata, or
# clients that set one would see a change at each run.
_KEPT = frozenset(
    f"{area}/{place}"
    for area, places in {
        "Africa": "Timbuktu",
        "America": "Atka Coral_Harbour Ensenada Montreal Nipigon Pangnirtung Porto_Acre"
        " Rainy_River Santa_Isabel Shiprock Thunder_Bay Virgin Yellowknife",
        "Asia": "Chongqing Harbin Istanbul Kashgar Tel_Aviv",
        "Atlantic": "Jan_Mayen",
        "Australia": "Canberra Currie Yancowinna",
        "Europe": "Belfast Nicosia Tiraspol",
        "Pacific": "Johnston Samoa Yap",
    }.items()
    for place in places.split()
)


# What is longer is not understood: thousands of lines would take minutes, and no pings
# be heard. It becomes no expression that is short enough.
_LONGEST_PASTED = 2 * bounds.SCHEDULE_LENGTH


class ScheduleError(ValueError):
    """A schedule or a time zone cannot be understood, or failed while it was read."""


def kind_of(expression: str) -> Kind:
    """Tell cron from OnCalendar: one line of five fields is cron, anything else not."""
    if "\n" not in expression.strip() and len(expression.split()) == 5:
        return "cron"
    return "oncalendar"


def validate(expression: str) -> None:
    """Raise ScheduleError unless the expression parses and fires after EPOCH."""
    if problem := _problem_of(expression):
        raise ScheduleError(problem)


# A file with many checks says the same again and again, and a form asks several times;
# to find out that one never fires takes longest.
@lru_cache(maxsize=1024)
def _problem_of(expression: str) -> str:
    try:
        first = next_occurrence(kind_of(expression), expression, "UTC", EPOCH)
    except ScheduleError as error:
        return str(error)
    return "never fires" if first is None else ""


def pasted(expression: str) -> Stored:
    """Return what is stored for an expression that people pasted from elsewhere.

    It stays as it is if it parses, or if nobody understands it. The API is as strict as
    Healthchecks; pages and hcl.toml are not.
    """
    if len(expression) > _LONGEST_PASTED:
        return Stored(expression)
    try:
        validate(expression)
    except ScheduleError:
        return stored(expression)
    return Stored(expression)


def next_occurrence(
    kind: Kind, expression: str, tz: str, after: datetime
) -> datetime | None:
    """Return the first moment after `after` that the expression names, in UTC.

    None: it never fires again. Raises ScheduleError, whatever the parser raised.
    """
    try:
        lines = _lines(expression) if kind == "oncalendar" else (expression,)
        local = after.astimezone(ZoneInfo(tz))
        moments = [_first(_occurrences(kind, line, local), after) for line in lines]
    except Exception as error:
        # The parsers raise anything: IsADirectoryError, say, for the zone "America".
        raise ScheduleError(f"{type(error).__name__}: {error}") from error
    return min((moment for moment in moments if moment is not None), default=None)


def _lines(expression: str) -> tuple[str, ...]:
    """Return the lines of an OnCalendar, without those that name no day that exists."""
    lines = tuple(dict.fromkeys(expression.strip().split("\n")))
    return lines if len(lines) == 1 else _firing(lines)


# To find out that there is no 30 February takes 15 ms a line, and each ping asks.
@lru_cache(maxsize=1024)
def _firing(lines: tuple[str, ...]) -> tuple[str, ...]:
    def fires(line: str) -> bool:
        return _first(_occurrences("oncalendar", line, EPOCH), EPOCH) is not None

    return tuple(line for line in lines if fires(line))


def next_occurrences(
    kind: Kind, expression: str, tz: str, after: datetime, count: int
) -> list[datetime]:
    """Return the next moments after `after`, `count` at most, in UTC.

    Raises ScheduleError.
    """
    moments: list[datetime] = []
    while len(moments) < count:
        moment = next_occurrence(kind, expression, tz, after)
        if moment is None:
            break
        moments.append(moment)
        after = moment
    return moments


def _first(occurrences: Iterator[datetime], after: datetime) -> datetime | None:
    # The libraries count by the clock on the wall: in the hour that autumn repeats,
    # what they call next may lie before.
    moments = (occurrence.astimezone(UTC) for occurrence in occurrences)
    return next((moment for moment in moments if moment > after), None)


def _occurrences(kind: Kind, expression: str, after: datetime) -> Iterator[datetime]:
    # Imported at first use: a server of simple checks needs neither.
    if kind == "cron":
        from cronsim import CronSim

        return CronSim(expression, after)
    from oncalendar import OnCalendar

    return OnCalendar(expression, after)


def canonical_zone(name: str) -> str:
    """Return the name under which a time zone is kept, or raise ScheduleError.

    Names of tzdata's zone.tab, 29 old ones, UTC, GMT and Etc/… stay as they are; other
    links become their target.
    """
    if name in _US_ZONES:
        return _US_ZONES[name]
    places, zones, links = _tzdata()
    known = name in zones or name in links
    is_kept = name in _KEPT or name in ("UTC", "GMT") or name.startswith("Etc/")
    if name in places or (known and is_kept):
        return name
    if name in links:
        return canonical_zone(links[name])
    raise ScheduleError(f"{name!r} is not a time zone")


def zones() -> list[str]:
    """Return the time zones to choose from: those of places, and UTC."""
    places, _, _ = _tzdata()
    return ["UTC", *sorted(places)]


@cache
def _tzdata() -> tuple[frozenset[str], frozenset[str], dict[str, str]]:
    """Read tzdata's places (zone.tab), zones and links (tzdata.zi, see zic(8))."""
    # Imported here: who only asks whether Apprise is there may lack it. By their path:
    # importlib.resources would take 1.6 MB of memory.
    import tzdata

    folder = Path(tzdata.__file__).parent / "zoneinfo"
    tab = (folder / "zone.tab").read_text("utf-8").splitlines()
    places = frozenset(
        line.split("\t")[2] for line in tab if line and not line.startswith("#")
    )
    zones, links = set(), {}
    for line in (folder / "tzdata.zi").read_text("utf-8").splitlines():
        fields = line.split(" ")
        if fields[0] == "Z":
            zones.add(fields[1])
        elif fields[0] == "L":
            links[fields[2]] = fields[1]
    return places, frozenset(zones), links
