"""What a report says: in short for chats, and in full, with small charts; pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from hcl.alerts.reports.faring import FLAPS, Delivery, Faring
from hcl.config import ReportConfig
from hcl.model import Announcement, Line, Section
from hcl.words import moments
from hcl.words.lengths import exact, rough
from hcl.words.lines import counted, cut, one_line
from hcl.words.refusals import DAMAGED

# How many lines a section has, and how many names a sentence.
_LINES, _NAMED = 20, 5
_NAME = 80
# What takes no time at all is divided by.
_TICK = timedelta(microseconds=1)

_ADVERBS = {"day": "Daily", "week": "Weekly", "month": "Monthly"}


class Told(NamedTuple):
    """What a report is made of: how checks fared that have something to tell.

    `checks` is how many it is about. `has_gaps`: part of what it tells is damaged.
    """

    farings: Sequence[Faring]
    checks: int
    deliveries: Sequence[Delivery]
    has_gaps: bool = False


def of_report(
    project: tuple[int, str],
    report: ReportConfig,
    span: tuple[datetime, datetime],
    told: Told,
    now: datetime,
    home: str = "UTC",
) -> Announcement | None:
    """Put a report into words; None: it is a quiet one, and there is nothing to say.

    `project` is its id and name; `home` the zone of moments if the report has none.
    """
    project_id, name = project
    tz = report.tz or home
    down = sorted(
        (f for f in told.farings if f.outages and f.silent_since is None),
        key=lambda f: f.down,
        reverse=True,
    )
    silent = [f for f in told.farings if f.silent_since is not None]
    news = list(_news(down, silent, told, tz))
    if not news and report.quiet and not told.has_gaps:
        return None
    head = f"{_ADVERBS[report.every]} report of {one_line(name)}"
    return Announcement(
        project_id,
        now,
        "report",
        f"{head}: {_in_a_line(down, silent, told)}",
        [_summary(span, tz, told, down), *map(_in_short, news)],
        # How long runs take is no news, but worth a look.
        sections=(*news, *_longest(told.farings)),
    )


def _news(
    down: Sequence[Faring], silent: Sequence[Faring], told: Told, tz: str
) -> Iterable[Section]:
    """Yield the parts that have something to say."""
    flapped = [f for f in down if f.flaps]
    # What takes longer now each time is told as that.
    slow = [f for f in told.farings if f.slow and not f.change]
    changed = [f for f in told.farings if f.change]
    found = (
        _section("Was down", down, _outage, with_cells=True),
        _section(f"Flapped ({FLAPS} times or more within a day)", flapped, _flapping),
        _section("Nobody pings any more", silent, lambda f: _silence(f, tz)),
        _section("Runs far longer than usual", slow, lambda f: _slowness(f, tz)),
        _section("Run times that changed", changed, _change),
        Section("Channels that failed", tuple(_failures(told.deliveries, tz))),
    )
    return (section for section in found if section.lines)


def _section(
    title: str,
    farings: Sequence[Faring],
    text: Callable[[Faring], str],
    *,
    with_cells: bool = False,
) -> Section:
    lines = tuple(
        Line(cut(f.title, _NAME), text(f), f.code, f.cells if with_cells else ())
        for f in farings[:_LINES]
    )
    return Section(title, lines, len(farings) - len(lines))


def _in_a_line(down: Sequence[Faring], silent: Sequence[Faring], told: Told) -> str:
    """Say what matters most in a few words."""
    parts = []
    if down:
        parts.append(f"{counted(len(down), 'check')} {_was(len(down))} down")
    if silent:
        verb = "is" if len(silent) == 1 else "are"
        parts.append(f"{counted(len(silent), 'check')} {verb} silent")
    if failed := len(told.deliveries):
        parts.append(f"{counted(failed, 'channel')} failed")
    if told.has_gaps:
        parts.append("not all is known")
    return ", ".join(parts) or "nothing was down"


def _summary(
    span: tuple[datetime, datetime], tz: str, told: Told, down: Sequence[Faring]
) -> str:
    when = moments.span(*span, tz).replace("from", "From", 1)
    checks = counted(told.checks, "check")
    gaps = f" {DAMAGED}" if told.has_gaps else ""
    if not down:
        nobody = "it did not go" if told.checks == 1 else "none went"
        fared = "it is not known who went" if told.has_gaps else nobody
        return f"{when}: {checks}; {fared} down.{gaps}"
    outages = counted(sum(f.outages for f in down), "outage")
    length = rough(sum((f.down for f in down), timedelta(0)))
    return (
        f"{when}: {checks}, of which {len(down):,} {_was(len(down))}"
        f" down: {outages}, {length} in all.{gaps}"
    )


def _in_short(section: Section) -> str:
    """Say a part in one paragraph."""
    said = [f"{line.name}: {line.text}" for line in section.lines[:_NAMED]]
    more = section.more + len(section.lines) - len(said)
    if more:
        said.append(f"and {more:,} more")
    return f"{section.title} – {'; '.join(said)}."


def _outage(faring: Faring) -> str:
    many = "" if faring.outages == 1 else f"{counted(faring.outages, 'outage')}, "
    still = ", and still is" if faring.is_down else ""
    return f"{many}{rough(faring.down)}{still}"


def _flapping(faring: Faring) -> str:
    return f"went down {faring.went:,} times"


def _silence(faring: Faring, tz: str) -> str:
    if faring.silent_since is None:
        return ""
    return f"last heard at {moments.moment(faring.silent_since, home=tz)}"


def _slowness(faring: Faring, tz: str) -> str:
    worst = max(faring.slow, key=lambda run: run.length / max(run.usual, _TICK))
    length, usual = exact(worst.length), exact(worst.usual)
    text = f"{length} instead of {usual}, at {moments.moment(worst.ended, home=tz)}"
    others = len(faring.slow) - 1
    return f"{text}, and {counted(others, 'other run')}" if others else text


def _change(faring: Faring) -> str:
    if faring.change is None:
        return ""
    before, since = faring.change
    return f"usually {exact(since)}, {exact(before)} before"


def _failures(deliveries: Iterable[Delivery], tz: str) -> Iterable[Line]:
    for channel, messages, failed, given_up, since in deliveries:
        parts = []
        if failed:
            of = f"{failed:,} of {counted(messages, 'message')}"
            parts.append(f"{of} failed at first" if not given_up else f"{of} failed")
        if given_up:
            parts.append(f"{given_up:,} given up")
        if since is not None:
            parts.append(f"has not delivered since {moments.moment(since, home=tz)}")
        yield Line(cut(one_line(channel), _NAME), ", ".join(parts))


def _longest(farings: Iterable[Faring]) -> Iterable[Section]:
    """Yield the part with the longest runs, if there were runs."""
    ran = sorted(
        ((f.longest, f) for f in farings if f.longest is not None),
        key=lambda pair: pair[0],
        reverse=True,
    )[:_NAMED]
    if ran:
        top = max(ran[0][0], _TICK)
        lines = [
            Line(cut(f.title, _NAME), exact(length), f.code, bar=length / top)
            for length, f in ran
        ]
        yield Section("Longest runs", tuple(lines))


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
