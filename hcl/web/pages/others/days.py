"""How a check fared on each of the last 90 days in UTC, drawn for others; pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from hcl.model import Status
from hcl.store.flips import Turn
from hcl.words.lengths import short

DAYS = 90
SPAN = timedelta(days=DAYS)

# A day's width in the bar, of which two are a gap.
_WIDTH = 7
_DAY = 86_400.0
# Days that a screen reader hears one by one; of more it hears a sum.
_NAMED = 5
# Where strokes of the style sheet's widths lie.
_MIDDLES = {"u": "13", "-": "17"}


class Days(NamedTuple):
    """The bar, and how much of the known time was up: "99.9 %", "" if none is known."""

    bar: Markup
    share: str


class _Times(NamedTuple):
    """Of each day the seconds down, and those that are known at all."""

    start: float
    down: list[float]
    known: list[float]


def days(status: Status, turns: Sequence[Turn], now: datetime) -> Days:
    """Draw the days up to now; `status` is the check's own, turns are as written."""
    times = _times(status, turns, now)
    down, known = sum(times.down), sum(times.known)
    told = _told(times)
    words = "; ".join(text for _, text in told[-_NAMED:]) or "never down"
    if not known:
        words = "nothing is known"
    elif len(told) > _NAMED:
        words = f"down {short(timedelta(seconds=down))} on {len(told)} days"
    base = "".join("u" if seconds else "-" for seconds in times.known)
    return Days(_drawn(base, words, told, times), _share(down, known))


def _times(status: Status, turns: Sequence[Turn], now: datetime) -> _Times:
    end = now.timestamp()
    first = (end // _DAY - (DAYS - 1)) * _DAY
    times = _Times(first, [0.0] * DAYS, [0.0] * DAYS)
    for created, _, held in reversed(turns):
        # Of time that a clock which was set back told twice, what was written last is
        # right; and what lies ahead has not happened.
        begin = min(created, end)
        _spread(times, held, begin, end)
        end = begin
    _spread(times, turns[0][1] if turns else status, first, end)
    return times


def _spread(times: _Times, status: Status, begin: float, end: float) -> None:
    """Add the time from `begin` to `end` to the days that it is in."""
    begin = max(begin, times.start)
    while begin < end and status in ("up", "down"):
        day = int((begin - times.start) // _DAY)
        stop = min(times.start + (day + 1) * _DAY, end)
        times.known[day] += stop - begin
        if status == "down":
            times.down[day] += stop - begin
        begin = stop


def _told(times: _Times) -> list[tuple[int, str]]:
    """Say of each day that was not up, by its number, what it was."""
    told = []
    for number, seconds in enumerate(times.down):
        if seconds >= 1:
            day = datetime.fromtimestamp(times.start + number * _DAY, UTC)
            length = "all day" if seconds >= _DAY else short(timedelta(seconds=seconds))
            word = "today" if number == DAYS - 1 else f"{day:%a} {day.day} {day:%b}"
            told.append((number, f"{word}: down {length}"))
    return told


def _share(down: float, known: float) -> str:
    """Write how much of the known time was up, never rounded up."""
    if not known:
        return ""
    return "100 %" if not down else f"{int((1 - down / known) * 1000) / 10:.1f} %"


def _drawn(
    base: str, words: str, told: Sequence[tuple[int, str]], times: _Times
) -> Markup:
    marks = "".join(
        f'<rect x="{number * _WIDTH}" width="5" height="{_height(times, number)}">'
        f"<title>{text}</title></rect>"
        for number, text in told
    )
    return Markup(  # noqa: S704 - all made here
        f'<svg class="bar" viewBox="0 0 {DAYS * _WIDTH - 2} 20"'
        ' preserveAspectRatio="none"'
        f' role="img" aria-label="{DAYS} days: {words}">{_paths(base)}{marks}</svg>'
    )


def _height(times: _Times, number: int) -> int:
    # What is wrong is taller: it can be told without colour.
    return 20 if times.down[number] * 2 >= times.known[number] else 9


@lru_cache(maxsize=1024)
def _paths(base: str) -> str:
    paths, x = [], 0
    for letter, run in groupby(base):
        width = _WIDTH * len(list(run))
        kind = "" if letter == "-" else f' class="{letter}"'
        paths.append(f'<path{kind} d="M{x} {_MIDDLES[letter]}h{width - 2}"/>')
        x += width
    return "".join(paths)
