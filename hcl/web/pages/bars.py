"""How a check fared on each of the last days, as a small bar."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

from markupsafe import Markup

from hcl.model import Flip, Status
from hcl.web.pages.wording import brief

DAYS = 14
SPAN = timedelta(days=DAYS)

# A day's width in the bar; its style sheet leaves a gap in each.
_WIDTH = 7
_DAY = timedelta(days=1).total_seconds()
_ALWAYS: dict[Status, tuple[str, str]] = {
    "up": ("u", "up all the time"),
    "down": ("d", "down all the time"),
    "new": ("", "nothing is known"),
    "paused": ("", "paused all the time"),
}


def bar(status: Status, flips: Sequence[Flip], now: datetime) -> Markup:
    """Draw the days up to now; `status` is the check's own, flips come oldest first."""
    if not flips:
        letter, text = _ALWAYS[status]
        return _drawn(letter * DAYS or "-" * DAYS, text)
    down, known = _seconds(flips, now)
    letters = "".join(map(_letter, down, known))
    times = sum(flip.new_status == "down" for flip in flips)
    lost = timedelta(seconds=sum(down))
    if not any(down):
        return _drawn(letters, "never down")
    text = f"down {brief(lost)}" + (f" in {times} times" if times > 1 else "")
    return _drawn(letters, text)


def _seconds(flips: Sequence[Flip], now: datetime) -> tuple[list[float], list[float]]:
    """Add up, for each day, the time down, and the time that counts at all."""
    down, known = [0.0] * DAYS, [0.0] * DAYS
    begin, status = 0.0, flips[0].old_status
    start = now - SPAN
    for flip in (*flips, None):
        end = DAYS * _DAY if flip is None else (flip.created - start).total_seconds()
        # A clock that was set back turns no time around.
        end = min(max(end, begin), DAYS * _DAY)
        if status in ("up", "down"):
            _spread(known, begin, end)
            if status == "down":
                _spread(down, begin, end)
        begin = end
        if flip is not None:
            status = flip.new_status
    return down, known


def _spread(days: list[float], begin: float, end: float) -> None:
    day = int(begin // _DAY)
    while begin < end:
        until = min(end, (day + 1) * _DAY)
        days[day] += until - begin
        begin, day = until, day + 1


def _letter(down: float, known: float) -> str:
    """Return the class of a day: up, partly down, down, or nothing known."""
    if not known:
        return "-"
    if not down:
        return "u"
    return "d" if down * 2 >= known else "p"


def _drawn(letters: str, text: str) -> Markup:
    paths, x = [], 0
    for letter, days in groupby(letters):
        width = _WIDTH * len(list(days))
        kind = "" if letter == "-" else f' class="{letter}"'
        paths.append(f'<path{kind} d="M{x} 10h{width}"/>')
        x += width
    return Markup(  # noqa: S704 - all made here
        f'<svg class="bar" role="img"><title>{DAYS} days: {text}</title>'
        f"{''.join(paths)}</svg>"
    )
