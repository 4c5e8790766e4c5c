"""The rows of the list: what they show, put together by hand.

A template takes three times as long, for 1000 of them.
"""

import asyncio
import logging
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import urlencode

from aiosqlite import Connection
from markupsafe import Markup, escape

from hcl import store
from hcl.checks import rules, schedule
from hcl.checks.windows.maintenance import Maintenance
from hcl.db import Gaps
from hcl.model import Check
from hcl.store.flips import Trouble, Turn
from hcl.web.pages import wording
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.frame import Paths
from hcl.web.pages.overview import bars, why
from hcl.web.pages.overview.usual import usual_of
from hcl.web.pages.wording import STATUS_WORDS, stamped
from hcl.words.lines import clean
from hcl.words.moments import moment, zone
from hcl.words.names import UNNAMED, check_name

logger = logging.getLogger(__name__)

# Rows that are written in one go of the loop.
SLICE = 5

# Of all checks together, for their bars: a check that flips all the time may have more.
_MOST_FLIPS = 20_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What rows show besides their checks, by the checks' ids.

    `alone` holds those that no channel serves though there are some, `troubles` why
    checks went down, `usual` how long runs take of those that run, `maintained` those
    for which a window is open.
    """

    flips: Mapping[int, Sequence[Turn]] = field(default_factory=dict)
    alone: Container[int] = ()
    troubles: Mapping[int, Trouble] = field(default_factory=dict)
    usual: Mapping[int, timedelta] = field(default_factory=dict)
    maintained: Container[int] = ()


async def facts_of(
    conn: Connection, items: Sequence[Shown], now: datetime, maintenance: Maintenance
) -> Facts:
    """Read what the rows of these checks show, each by one query for all of them."""
    ids = [item.check.id for item in items]
    return Facts(
        await store.flips.lately_known(
            conn, ids, now - bars.SPAN, _MOST_FLIPS, now, Gaps(logger)
        ),
        await store.channels.overlooked_among(conn, ids),
        await why.troubles_of(conn, items),
        await usual_of(conn, items),
        _maintained(maintenance, items, now),
    )


def _maintained(
    maintenance: Maintenance, items: Iterable[Shown], now: datetime
) -> set[int]:
    if not maintenance:
        return set()
    checks = (item.check for item in items)
    return {check.id for check in checks if maintenance.until(check, now)}


async def rows(
    items: Iterable[Shown],
    facts: Facts,
    url: Paths,
    now: datetime,
    *,
    is_selecting: bool = False,
) -> dict[str, Markup]:
    """Return the rows of the list, by their ids in the page.

    `is_selecting`: each has a box, by which it can be chosen.
    """
    found = {}
    for number, item in enumerate(items):
        drawn = row(item, facts, url, now, is_selecting=is_selecting)
        found[f"c{item.check.id}"] = drawn
        if number % SLICE == SLICE - 1:
            # Whoever waits with a ping comes first.
            await asyncio.sleep(0)
    return found


def row(
    item: Shown,
    facts: Facts,
    url: Paths,
    now: datetime,
    *,
    is_selecting: bool = False,
) -> Markup:
    """Return one row: status and since when, name and tags, what is due, and the past.

    Where something is wrong, a sentence stands in the place of what is due.
    """
    check = rules.as_shown(item.check, now)
    flips = facts.flips.get(check.id, ())
    link, status = url.check(check), item.status
    box = _box(check) if is_selecting else ""
    days = bars.days(check.status, flips, now, zone(check.tz) or UTC)
    bar: str = days.bar
    if not days.is_well:
        bar = f'<a class="days" href="{link}/log?kind=flip">{bar}</a>'
    # Without the end tags that HTML does not ask for, and what the places of the four
    # paragraphs tell the style sheet: a list has many rows.
    return Markup(  # noqa: S704 - each part is escaped, or made here
        f'<li id="c{check.id}" class="row is-{status}">{box}'
        f"<p>{_status(item, facts, now)}"
        f'<p><a class="name" href="{link}">{_name(check.name)}</a>'
        f"{_tags(check)}"
        f"{_what(item, check, facts, now, readonly=url.readonly)}"
        f"<p>{days.share}</p>{bar}"
    )


def _status(item: Shown, facts: Facts, now: datetime) -> str:
    check, status = item
    word = STATUS_WORDS[status]
    if status in ("down", "grace"):
        word = f"<b>{word}</b>"
        if since := why.since(item, facts.troubles.get(check.id), now):
            word += f" {stamped(since, now, 'elapsed')}"
    # Before the run, which may be cut where there is little room.
    if check.is_muted(now) and check.muted_until is not None:
        end = f"muted until {moment(check.muted_until)}"
        word += (
            f' <span class="bell" title="{end}"><span class="out">{end}</span></span>'
        )
    if check.id in facts.alone:
        word += " <small>no channel</small>"
    if check.id in facts.maintained:
        word += " <small>in maintenance</small>"
    if check.last_start is not None:
        word += _run(check.last_start, facts.usual.get(check.id), now)
    return word


def _run(started: datetime, usual: timedelta | None, now: datetime) -> str:
    """Say how long a run has taken so far, and of how long it usually takes."""
    length = f'<span class="out">running for </span>{stamped(started, now, "elapsed")}'
    about = f" of ~{about_so_long(usual)}" if usual else ""
    return f' <span class="run">{length}{about}</span>'


def about_so_long(length: timedelta) -> str:
    """Write a length roughly, in one unit: `74 s`, `12 min`, `3 h`."""
    seconds = length.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 1):.0f} s"


def _box(check: Check) -> str:
    name = escape(check_name(check.name))
    return (
        f'<label class="pick"><input type="checkbox" name="check" value="{check.code}">'
        f'<span class="out">Select {name}</span></label>'
    )


@lru_cache(maxsize=4096)
def _name(name: str) -> str:
    text = escape(check_name(name))
    return f'<span class="muted">{text}</span>' if text == UNNAMED else str(text)


def _tags(check: Check) -> str:
    return "".join(map(_tag, check.tag_list)) if check.tags else ""


@lru_cache(maxsize=1024)
def _tag(tag: str) -> str:
    href = escape("?" + urlencode({"tag": tag}))
    text = escape(clean(tag))
    # A link that nobody can see or hit is none.
    return f' <a class="tag" href="{href}">{text}</a>' if text else ""


def _what(
    item: Shown, check: Check, facts: Facts, now: datetime, *, readonly: bool
) -> str:
    """Say what is wrong; else when pings are due, when one came, and the next is."""
    wrong = why.sentence(
        item, facts.troubles.get(check.id), now, readonly=readonly
    ) or _unheard(check, now)
    if wrong:
        return f'<p class="what">{wrong}'
    last = "<span>no ping yet</span>"
    if check.last_ping is not None:
        last = stamped(check.last_ping, now, "relative")
    return f'<p class="due">{wording.schedule(check)}{last}{_next(item, now)}'


def _unheard(check: Check, now: datetime) -> str:
    """Say that nothing is known of a check: hcl was away, and may have missed it."""
    if not check.excused or check.last_ping is None:
        return ""
    since = stamped(check.last_ping, now, "said")
    return f'<span class="unheard">not heard since {since}</span>'


def _next(item: Shown, now: datetime) -> str:
    """Tell what is to come."""
    check, status = item
    if status == "down" and check.status != "down":
        return "<span>overdue</span>"
    if check.status in ("down", "paused") or check.alert_after is None:
        return ""
    due = schedule.next_ping(check) or check.alert_after
    if check.last_start is not None and due <= check.last_start:
        return f"<span>to end {stamped(check.alert_after, now, 'relative')}</span>"
    at = stamped(due, now, "relative")
    return f"<span>was due {at}</span>" if due < now else at
