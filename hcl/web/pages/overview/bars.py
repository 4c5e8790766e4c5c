"""How a check fared on each of the last days, as a small bar."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby

from markupsafe import Markup

from hcl.model import Status
from hcl.store.flips import Turn
from hcl.words.lengths import brief

DAYS = 14
SPAN = timedelta(days=DAYS)

# A day's width in the bar; its style sheet leaves a gap in each.
_WIDTH = 7
_DAY = timedelta(days=1).total_seconds()
_ALL = DAYS * _DAY
_ALWAYS: dict[Status, tuple[str, str]] = {
    "up": ("u", "up all the time"),
    "down": ("d", "down all the time"),
    "new": ("", "nothing is known"),
    "paused": ("", "paused all the time"),
}


def bar(status: Status, flips: Sequence[Turn], now: datetime) -> Markup:
    """Draw the days up to now; `status` is the check's own, flips come as written."""
    if not flips:
        letter, text = _ALWAYS[status]
        return _drawn(letter * DAYS or "-" * DAYS, text)
    down, known = _seconds(flips, now)
    letters = "".join(map(_letter, down, known))
    times = sum(new_status == "down" for _, _, new_status in flips)
    lost = timedelta(seconds=sum(down))
    if not any(down):
        return _drawn(letters, "never down")
    text = f"down {brief(lost)}" + (f" in {times} times" if times > 1 else "")
    return _drawn(letters, text)


def _seconds(flips: Sequence[Turn], now: datetime) -> tuple[list[float], list[float]]:
    """Add up, for each day, the time down, and the time that counts at all."""
    down = [0.0] * DAYS
    up = [0.0] * DAYS
    days = {"up": up, "down": down}
    start, end = (now - SPAN).timestamp(), _ALL
    # A list may show thousands of flips: this loop is most of what it costs.
    for created, _, status in reversed(flips):
        begin = created - start
        # Of time that a clock which was set back told twice, what was written last is
        # right; and what lies ahead has not happened.
        if begin < end:
            begin = max(begin, 0.0)
            if status in days:
                _spread(days[status], begin, end)
            end = begin
    if (status := flips[0][1]) in days:
        _spread(days[status], 0.0, end)
    return down, [sum(pair) for pair in zip(up, down, strict=True)]


def _spread(days: list[float], begin: float, end: float) -> None:
    """Add the time from `begin` to `end` to the days that it is in."""
    day, last = int(begin / _DAY), int(end / _DAY)
    while day < last:
        until = (day + 1) * _DAY
        days[day] += until - begin
        begin, day = until, day + 1
    if begin < end:
        days[day] += end - begin


def _letter(down: float, known: float) -> str:
    """Return the class of a day: up, partly down, down, or nothing known."""
    if not known:
        return "-"
    if not down:
        return "u"
    return "d" if down * 2 >= known else "p"


def _drawn(letters: str, text: str) -> Markup:
    return Markup(  # noqa: S704 - all made here
        f'<svg class="bar" role="img"><title>{DAYS} days: {text}</title>'
        f"{_paths(letters)}</svg>"
    )


@lru_cache(maxsize=4096)
def _paths(letters: str) -> str:
    paths, x = [], 0
    for letter, days in groupby(letters):
        width = _WIDTH * len(list(days))
        kind = "" if letter == "-" else f' class="{letter}"'
        paths.append(f'<path{kind} d="M{x} 10h{width}"/>')
        x += width
    return "".join(paths)
