"""What hcl.words says, as pages show it: the tags, globals and filters of templates."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape

from hcl.model import Check, ShownStatus
from hcl.words.lengths import brief, duration
from hcl.words.lines import clean
from hcl.words.moments import iso, moment, on_the_wall, relative, said, zone
from hcl.words.names import check_name
from hcl.words.schedule import in_full, in_short
from hcl.words.sizes import size

# The word that people read for each status.
STATUS_WORDS: dict[ShownStatus, str] = {
    "new": "new",
    "up": "up",
    "grace": "late",
    "down": "down",
    "paused": "paused",
    "started": "running",
}


# What time it is for the page that is being written.
_AS_OF: ContextVar[datetime] = ContextVar("_AS_OF")


@contextmanager
def as_of(now: datetime) -> Iterator[None]:
    """Say how long ago moments were as of this one, while a page is written."""
    token = _AS_OF.set(now)
    try:
        yield
    finally:
        _AS_OF.reset(token)


def time(when: datetime | None, kind: str = "relative", tz: str = "UTC") -> Markup:
    """Show a moment, which app.js words in the viewer's language and zone.

    `kind` is relative, absolute, said (`today 05:05`), hour (`05:05`), or elapsed: how
    long ago, without saying so. None is shown as a dash.
    """
    if when is None:
        return Markup('<span class="none">–</span>')
    now = _AS_OF.get()
    exact = moment(when, tz)
    if kind == "absolute":
        text, title = exact, ""
    else:
        text = _WORDED[kind](when, now, tz)
        title = f' title="{escape(exact)}"'
    return Markup(  # noqa: S704 - escaped above and here
        f'<time datetime="{iso(when)}" data-{kind}{title}>{escape(text)}</time>'
    )


_WORDED: dict[str, Callable[[datetime, datetime, str], str]] = {
    "relative": lambda when, now, _: relative(when, now),
    "elapsed": lambda when, now, _: brief(now - when),
    "said": said,
    "hour": lambda when, _, tz: f"{when.astimezone(zone(tz) or UTC):%H:%M}",
}


def stamped(when: datetime, now: datetime, kind: str = "absolute") -> str:
    """Show a moment as `time` does, where a thousand of them stand in a list."""
    length = max(now - when, timedelta(0))
    exact = iso(when)
    title = f"{exact[:10]} {exact[11:19]} UTC"
    if kind == "absolute":
        return f'<time datetime="{exact}" data-absolute>{title}</time>'
    text = brief(length) if kind == "elapsed" else relative(when, now)
    return f'<time datetime="{exact}" data-{kind} title="{title}">{text}</time>'


def schedule(check: Check) -> str:
    """Write, as HTML, when pings are expected; a cron line is told by hovering."""
    words = _escaped(in_short(check))
    if check.kind != "cron":
        return words
    return f'<span title="{_escaped(in_full(check))}">{words}</span>'


@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    return str(escape(text))


def status_word(shown: ShownStatus) -> str:
    """Name a status for people."""
    return STATUS_WORDS[shown]


def unbroken(text: str) -> str:
    """Keep a few words in one line."""
    return text.replace(" ", "\u00a0")


GLOBALS: dict[str, Callable[..., Any]] = {
    "time_tag": time,
    "status_word": status_word,
}
FILTERS: dict[str, Callable[..., Any]] = {
    "brief": brief,
    "check_name": check_name,
    "clean": clean,
    "duration": duration,
    "iso": iso,
    "moment": moment,
    "on_the_wall": on_the_wall,
    "size": size,
    "unbroken": unbroken,
}
