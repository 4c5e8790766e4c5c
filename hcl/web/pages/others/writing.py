"""A page for others, written a few rows at a time."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

import jinja2
from markupsafe import Markup, escape

from hcl.checks import schedule
from hcl.config import PageConfig
from hcl.model import ShownStatus
from hcl.web.pages.frame import Paths
from hcl.web.pages.others.days import DAYS, days
from hcl.web.pages.others.gathering import Gathered, Seen
from hcl.web.pages.wording import STATUS_WORDS
from hcl.web.parts import Parts
from hcl.words.lengths import short
from hcl.words.lines import clean
from hcl.words.moments import iso, said
from hcl.words.names import check_name

# Rows that are written in one go of the loop, and names that the verdict tells.
_SLICE = 5
_NAMED = 3

_CLASSES: dict[ShownStatus, str] = {"grace": "late", "started": "up"}


async def page(
    template: jinja2.Template, parts: Parts, config: PageConfig, gathered: Gathered
) -> str:
    """Write the page: what is wrong, then all checks in groups by the page's tags."""
    groups: dict[str, list[Markup]] = {tag: [] for tag in config.tags} or {"": []}
    for number, seen in enumerate(gathered.seen):
        groups[_group(seen, config.tags)].append(_row(seen, gathered.now))
        if number % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
    status, verdict = _verdict(gathered)
    await asyncio.sleep(0)
    return template.render(
        title=config.title,
        slug=config.slug,
        url=Paths(parts.site, readonly=True),
        status=status,
        verdict=verdict,
        wrong=Markup("; ").join(_wrong(gathered, status)),
        groups={clean(tag): Markup("").join(rows) for tag, rows in groups.items()},
        hidden=gathered.hidden,
        days=DAYS,
        updated=_time(gathered.now, gathered.now),
    )


def _group(seen: Seen, tags: tuple[str, ...]) -> str:
    own = seen.check.tag_list
    return next((tag for tag in tags if tag in own), tags[0] if tags else "")


def _verdict(gathered: Gathered) -> tuple[str, str]:
    """Say in a few words how all is, and by which status that is shown."""
    counts, total = gathered.counts, gathered.counts.total()
    for status in ("down", "grace"):
        if count := counts[status]:
            word = STATUS_WORDS[status]
            verb = "is" if count == 1 else "are"
            text = f"{count} of {total} {verb} {word}" if total > 1 else word.title()
            return _CLASSES.get(status, status), text
    if not total:
        return "new", "Nothing is shown here yet"
    if counts["up"] + counts["started"] == total:
        return "up", f"All {total} are up" if total > 1 else "Up"
    return "up" if counts["up"] else "new", "Nothing is down"


def _wrong(gathered: Gathered, status: str) -> Iterator[Markup]:
    """Name the first that are so, since when."""
    found = [
        seen
        for seen in gathered.seen
        if status in ("down", "late") and _class(seen.status) == status
    ]
    for seen in found[:_NAMED]:
        since = _since(seen, gathered.now)
        name = escape(check_name(seen.check.name))
        when = _time(since, gathered.now) if since else ""
        yield Markup("{}, since {}").format(name, when) if since else name
    if len(found) > _NAMED:
        yield Markup(f"and {len(found) - _NAMED} more")  # noqa: S704 - a number


def _class(status: ShownStatus) -> str:
    return _CLASSES.get(status, status)


def _row(seen: Seen, now: datetime) -> Markup:
    bar, share = days(seen.check.status, seen.turns, now)
    return Markup(
        '<li class="service"><h3>{}</h3>{}{}<p class="share">{}</p></li>\n'
    ).format(_name(seen.check.name), _state(seen, now), bar, share or "–")


@lru_cache(maxsize=4096)
def _name(name: str) -> Markup:
    return escape(check_name(name))


def _state(seen: Seen, now: datetime) -> Markup:
    """Say how it is, and since when, or until when it is in maintenance."""
    more, since = Markup(""), _since(seen, now)
    if seen.maintenance is not None:
        end = _time(seen.maintenance, now)
        more = Markup("<small>in maintenance until {}</small>").format(end)
    elif since is not None and seen.status in ("down", "grace"):
        length = short(max(now - since, timedelta(0)))
        more = Markup(' <time datetime="{}" data-length>{}</time>').format(
            iso(since), length.replace(" ", "\u00a0")
        )
    elif since is not None and seen.status == "up":
        more = Markup("<small>since {}</small>").format(_day(since, now))
    return Markup('<p class="state is-{}"><span><b>{}</b>{}</span></p>').format(
        _class(seen.status), STATUS_WORDS[seen.status], more
    )


def _since(seen: Seen, now: datetime) -> datetime | None:
    """Return since when it is as it is shown; None: that is not known."""
    if seen.status == "grace":
        return schedule.shown_late_since(seen.check, now)
    # Down, but not called so yet: nothing is written of it.
    if seen.since is None or seen.status != seen.check.status:
        return None
    # By a clock that was ahead it may lie in the future.
    return min(seen.since, now)


def _day(when: datetime, now: datetime) -> Markup:
    """Say on which day a moment was, in UTC; others.js says it by the reader's."""
    day = said(when, now).rpartition(" ")[0].replace(" ", "\u00a0")
    return Markup('<time datetime="{}" data-day>{}</time>').format(iso(when), day)


def _time(when: datetime, now: datetime) -> Markup:
    """Say a moment in UTC; others.js says it by the reader's clock."""
    day = said(when, now).replace(" ", "\u00a0")
    return Markup('<time datetime="{}">{} UTC</time>').format(iso(when), day)
