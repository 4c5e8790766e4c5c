"""How a check fared on each of the last days, as a small bar and in one figure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from hcl.model import Status
from hcl.store.flips import Turn
from hcl.words.lengths import short

# Days that the bar shows, and those that the share is of.
DAYS, OF_SHARE = 14, 30
SPAN = timedelta(days=OF_SHARE)

# A day's width in the bar; its style sheet leaves a gap in each.
_WIDTH = 7
# Days that are named for all; of more there is only a sum.
_NAMED = 3
_NONE = '<span class="none">–</span>'


class Days(NamedTuple):
    """The bar, the share of the time that was up ("100 %"), and whether it was not."""

    bar: Markup
    share: str
    is_well: bool = True


_ALWAYS: dict[Status, tuple[str, str, str]] = {
    "up": ("u", "never down", "100 %"),
    "down": ("d", "down all the time", "0 %"),
    "new": ("-", "nothing is known", _NONE),
    "paused": ("-", "paused all the time", _NONE),
}


def days(status: Status, flips: Sequence[Turn], now: datetime, zone: tzinfo) -> Days:
    """Draw the days of a zone up to now.

    `status` is the check's own, `flips` are those of SPAN, as they were written.
    """
    if not flips:
        letter, text, share = _ALWAYS[status]
        bar = _drawn(letter * DAYS, text, ())
        return Days(bar, share, status != "down")
    starts = _starts(now.astimezone(zone).date(), zone)
    down, known = _seconds(flips, starts, now.timestamp())
    letters = "".join(map(_letter, down[-DAYS:], known[-DAYS:]))
    told = tuple(_told(starts[-DAYS:], down[-DAYS:], known[-DAYS:], zone))
    return Days(
        _drawn(letters, _summed(told, down[-DAYS:], known[-DAYS:]), told),
        _share(sum(down), sum(known)),
        not told,
    )


@lru_cache(maxsize=64)
def _starts(today: date, zone: tzinfo) -> tuple[float, ...]:
    """Return when the last days of a zone began, in unix seconds."""
    dates = (today - timedelta(days=n) for n in reversed(range(OF_SHARE)))
    return tuple(
        datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() for day in dates
    )


def _seconds(
    flips: Sequence[Turn], starts: Sequence[float], now: float
) -> tuple[list[float], list[float]]:
    """Add up, for each day, the time down, and the time that counts at all."""
    down, up = [0.0] * len(starts), [0.0] * len(starts)
    times = {"up": up, "down": down}
    end = now
    # A list may show thousands of flips: this loop is most of what it costs.
    for created, _, status in reversed(flips):
        # Of time that a clock which was set back told twice, what was written last is
        # right; and what lies ahead has not happened.
        if created < end:
            begin = max(created, starts[0])
            if status in times:
                _spread(times[status], starts, begin, end)
            end = begin
    if (status := flips[0][1]) in times:
        _spread(times[status], starts, starts[0], end)
    return down, [sum(pair) for pair in zip(up, down, strict=True)]


def _spread(
    times: list[float], starts: Sequence[float], begin: float, end: float
) -> None:
    """Add the time from `begin` to `end` to the days that it is in."""
    if begin >= end:
        return
    day = bisect_right(starts, begin) - 1
    while day + 1 < len(starts) and starts[day + 1] < end:
        times[day] += starts[day + 1] - begin
        day += 1
        begin = starts[day]
    times[day] += end - begin


def _letter(down: float, known: float) -> str:
    """Return the class of a day: up, partly down, down, or nothing known."""
    if not known:
        return "-"
    if not down:
        return "u"
    return "d" if down * 2 >= known else "p"


def _share(down: float, known: float) -> str:
    """Write how much of the known time was up, never rounded up."""
    if not known:
        return _NONE
    return "100 %" if not down else f"{int((1 - down / known) * 1000) / 10:.1f} %"


def _told(
    starts: Sequence[float],
    down: Sequence[float],
    known: Sequence[float],
    zone: tzinfo,
) -> Iterator[tuple[int, str]]:
    """Say of each day that was not up, by its number, what it was."""
    for number, (start, lost, all_of_it) in enumerate(
        zip(starts, down, known, strict=True)
    ):
        if lost:
            day = datetime.fromtimestamp(start, zone)
            is_whole = lost >= all_of_it and all_of_it > 80_000
            length = "all day" if is_whole else short(timedelta(seconds=lost))
            yield number, f"{day:%a} {day.day} {day:%b}: down {length}"


def _summed(
    told: Sequence[tuple[int, str]], down: Sequence[float], known: Sequence[float]
) -> str:
    if not told:
        return "never down" if any(known) else "nothing is known"
    if len(told) <= _NAMED:
        return "; ".join(words for _, words in told)
    return f"down {short(timedelta(seconds=sum(down)))} on {len(told)} days"


# A bar with nothing in it to tell is drawn by the style sheet.
_PLAIN = {"u" * DAYS: " all-up", "-" * DAYS: ""}


def _drawn(letters: str, text: str, told: Sequence[tuple[int, str]]) -> Markup:
    marks = "".join(
        f'<path class="{letters[number]}" d="M{number * _WIDTH}'
        f' {_MIDDLES[letters[number]]}h7"><title>{words}</title></path>'
        for number, words in told
    )
    if letters in _PLAIN:
        kind, words = _PLAIN[letters], f"{DAYS} days: {text}"
        return Markup(f'<i class="bar{kind}" role="img" aria-label="{words}"></i>')  # noqa: S704 - as below
    return Markup(  # noqa: S704 - all made here
        f'<svg class="bar" role="img"><title>{DAYS} days: {text}</title>'
        f"{_paths(letters)}{marks}</svg>"
    )


# Where strokes of the style sheet's widths lie: at the bottom, and caps at the top.
_MIDDLES = {"u": "13", "-": "17", "d": "10", "p": "4.5"}


@lru_cache(maxsize=4096)
def _paths(letters: str) -> str:
    """Draw what lies below: what was up, or partly, and what nobody knows."""
    paths, x = [], 0
    for letter, run in groupby(letters.replace("p", "u")):
        width = _WIDTH * len(list(run))
        # Days that were down are drawn one by one, unless all were.
        if letter != "d" or len(letters) * _WIDTH == width:
            kind = "" if letter == "-" else f' class="{letter}"'
            paths.append(f'<path{kind} d="M{x} {_MIDDLES[letter]}h{width}"/>')
        x += width
    return "".join(paths)
