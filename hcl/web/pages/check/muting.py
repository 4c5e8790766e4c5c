"""Mutes: the buttons on a check's page, and the page that links in messages lead to."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from starlette.responses import Response

from hcl import store
from hcl.checks import mute_links, spec
from hcl.model import Check, Project
from hcl.web.pages.visit import notices
from hcl.web.pages.visit.errors import PageError, no_such_check
from hcl.web.pages.visit.visit import Visit
from hcl.words.lengths import duration
from hcl.words.moments import zone
from hcl.words.names import title

# Who is asked at night for tomorrow morning means the one that comes.
_NIGHT, _MORNING = 5, 8


class Choice(NamedTuple):
    """A length that is offered: the button's words, and what it sends."""

    words: str
    name: str
    value: str


def choices(now: datetime, home: str) -> list[Choice]:
    """Return the lengths that a check's page offers; `home` is the zone of messages."""
    morning, word = _morning(now, home)
    return [
        Choice("1 h", "seconds", "3600"),
        Choice("4 h", "seconds", "14400"),
        Choice(f"until {word}{morning:%H:%M}", "until", morning.isoformat()),
    ]


def _morning(now: datetime, home: str) -> tuple[datetime, str]:
    """Return the morning that comes by the clock of a zone, and which day's it is."""
    place = zone(home) or UTC
    local = now.astimezone(place).replace(tzinfo=None)
    day = local if local.hour < _NIGHT else local + timedelta(days=1)
    morning = day.replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    # Worked out on the wall: another offset may count by then.
    return morning.replace(tzinfo=place), "" if day is local else "tomorrow "


async def mute(visit: Visit) -> Response:
    """POST /checks/<code>/mute: for `seconds`, or `until` a moment; 0 ends it."""
    project, check = await visit.check()
    length, now = _length(visit), visit.parts.clock.now()
    if length is None:
        told = f"{notices.BAD}That moment has passed: nothing was changed. Choose anew."
        return visit.see_other(f"/checks/{check.code}", told)
    await visit.parts.managing.mute(project, check.code, length, now)
    told = "Muted: hcl keeps watching it, and tells nobody until the end."
    if not length:
        told = "No longer muted: messages that waited go out now."
    return visit.see_other(f"/checks/{check.code}", told)


def _length(visit: Visit) -> timedelta | None:
    """Return for how long to mute; None: until a moment that has passed.

    A page may have been open for days, and to mute is not to unmute.
    """
    seconds = visit.form.get("seconds", [""])[-1]
    try:
        if seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
            return spec.parse_mute({"seconds": int(seconds)})
        until = datetime.fromisoformat(visit.form.get("until", [""])[-1])
        if until <= visit.now:
            return None
        left = int((until - visit.now).total_seconds()) + 1
        return spec.parse_mute({"seconds": left})
    except (ValueError, TypeError, OverflowError):
        raise PageError(422, "No such length", "A mute lasts a year at most.") from None


async def ask(visit: Visit) -> Response:
    """GET /mute/<code>/<seconds>/<signature>: ask once, since others follow links."""
    _, check = await _linked(visit)
    return await visit.render(
        "mute.html",
        title=title(check, readonly=True),
        length=duration(_linked_length(visit)),
        muted_until=check.muted_until if check.is_muted(visit.now) else None,
        action=visit.url.to(visit.request.url.path),
    )


async def by_link(visit: Visit) -> Response:
    """POST /mute/<code>/<seconds>/<signature>: mute; a longer mute stays."""
    project, check = await _linked(visit)
    length, now = _linked_length(visit), visit.parts.clock.now()
    if check.muted_until is None or check.muted_until < now + length:
        await visit.parts.managing.mute(project, check.code, length, now)
    path = mute_links.path(visit.parts.secret, check.code, length)
    return visit.see_other(path, "Muted.")


def _linked_length(visit: Visit) -> timedelta:
    return timedelta(seconds=int(visit.request.path_params["seconds"]))


async def _linked(visit: Visit) -> tuple[Project, Check]:
    """Return the check of a link that is signed, and its project. Raises PageError."""
    code, seconds, signature = (
        visit.request.path_params[name] for name in ("code", "seconds", "signature")
    )
    parts = visit.parts
    if not mute_links.is_signed(parts.secret, code, seconds, signature):
        raise PageError(404, "No such link", "It is not one of this server's.")
    conn = await parts.database.current()
    check = await store.checks.by_code(conn, code)
    project = check and parts.projects.get(check.project_id)
    if check is None or project is None:
        raise no_such_check()
    return project, check
