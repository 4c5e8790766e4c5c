"""Moments, lengths and schedules, as pages word them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from hcl.model import Check, Kind, ShownStatus
from hcl.words.lengths import duration, every
from hcl.words.lines import clean, one_line
from hcl.words.moments import moment
from hcl.words.schedule import in_words

# The word that people read for each status.
STATUS_WORDS: dict[ShownStatus, str] = {
    "new": "new",
    "up": "up",
    "grace": "late",
    "down": "down",
    "paused": "paused",
    "started": "running",
}

UNNAMED = "unnamed check"

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def brief(length: timedelta) -> str:
    """Write a length in its largest unit: `12 min`; in two where one says little."""
    seconds = int(length.total_seconds())
    for i, (unit, word) in enumerate(_UNITS):
        if seconds >= unit:
            count = seconds // unit
            text = f"{count} {word}"
            # 1 h 50 min is nearly twice 1 h; of 20 h nobody asks for minutes.
            if i < len(_UNITS) - 1 and count < 3:
                smaller, its_word = _UNITS[i + 1]
                rest = (seconds - count * unit) // smaller
                text += f" {rest} {its_word}" if rest else ""
            return text
    return "0 s"


def relative(then: datetime, now: datetime) -> str:
    """Say how far off a moment is: `12 min ago`, `in 3 h`, `now`."""
    # app.js says the same of the same moments.
    if abs(now - then) < timedelta(seconds=5):
        return "now"
    return f"{brief(now - then)} ago" if then < now else f"in {brief(then - now)}"


def iso(when: datetime) -> str:
    """Write a moment for scripts: whole seconds, UTC."""
    # Formatting by a pattern takes three times as long.
    return f"{when.astimezone(UTC).isoformat()[:19]}Z"


def time(when: datetime | None, kind: str = "relative", tz: str = "UTC") -> Markup:
    """Show a moment, which app.js words in the viewer's language and zone.

    `kind` is relative, absolute, or elapsed: how long ago, without saying so. None is
    shown as a dash.
    """
    if when is None:
        return Markup('<span class="none">–</span>')
    now = datetime.now(UTC)
    exact = moment(when, tz)
    if kind == "absolute":
        text, title = exact, ""
    else:
        text = brief(now - when) if kind == "elapsed" else relative(when, now)
        title = f' title="{escape(exact)}"'
    return Markup(  # noqa: S704 - escaped above and here
        f'<time datetime="{iso(when)}" data-{kind}{title}>{escape(text)}</time>'
    )


@lru_cache(maxsize=4096)
def check_name(name: str) -> str:
    """Write a check's name in one line that can be seen."""
    text = one_line(name)
    seen = any(map(str.isprintable, text.replace(" ", "")))
    return text if seen else UNNAMED


def schedule_words(check: Check) -> str:
    """Say when pings are expected: `every 5 minutes`, or the expression."""
    return _words(check.kind, check.timeout, check.schedule, check.tz)


@lru_cache(maxsize=4096)
def _words(kind: Kind, timeout: timedelta, schedule: str, tz: str) -> str:
    if kind == "simple":
        return every(timeout)
    words = in_words(schedule) if kind == "cron" else ""
    zone = "" if tz == "UTC" else f" {one_line(tz)}"
    return (words or _expression(schedule)) + zone


def schedule_text(check: Check) -> str:
    """Write the expression of a schedule as it is, in one line."""
    return _expression(check.schedule)


@lru_cache(maxsize=4096)
def _expression(schedule: str) -> str:
    lines = schedule.strip().splitlines()
    return "; ".join(filter(None, map(one_line, lines)))


def schedule(check: Check) -> Markup:
    """Show when pings are expected; hovering tells all of it."""
    if check.kind == "simple":
        full = f"{every(check.timeout)}, grace {duration(check.grace)}"
    else:
        full = f"{schedule_text(check)} ({check.tz}), grace {duration(check.grace)}"
    words = escape(schedule_words(check))
    return Markup(  # noqa: S704 - escaped above and here
        f'<span title="{escape(full)}">{words}</span>'
    )


def status_word(shown: ShownStatus) -> str:
    """Name a status for people."""
    return STATUS_WORDS[shown]


GLOBALS: dict[str, Callable[..., Any]] = {
    "time_tag": time,
    "schedule_tag": schedule,
    "status_word": status_word,
}
FILTERS: dict[str, Callable[..., Any]] = {
    "brief": brief,
    "check_name": check_name,
    "clean": clean,
    "duration": duration,
    "iso": iso,
}
