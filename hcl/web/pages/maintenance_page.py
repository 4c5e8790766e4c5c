"""Maintenance windows: what is open, what opens next, and a form to open one now."""

from collections.abc import Collection
from datetime import timedelta

from starlette.responses import Response

from hcl import store
from hcl.checks.spec import SpecError
from hcl.checks.windows import asking
from hcl.checks.windows.maintenance import MaintenanceError, UnknownWindowError
from hcl.model import Project
from hcl.web.pages.visit import notices
from hcl.web.pages.visit.errors import PageError
from hcl.web.pages.visit.visit import Visit
from hcl.words.lines import clean

# Openings that are shown, in all and of one window, and lengths that are offered.
_MOST, _MOST_OF_ONE = 20, 4
_LENGTHS = {
    "30 min": timedelta(minutes=30),
    "1 h": timedelta(hours=1),
    "2 h": timedelta(hours=2),
    "4 h": timedelta(hours=4),
    "12 h": timedelta(hours=12),
    "1 d": timedelta(days=1),
    "7 d": timedelta(days=7),
}


async def page(visit: Visit) -> Response:
    """GET /projects/<code>/maintenance."""
    project, maintenance = visit.project(), visit.parts.maintenance
    return await visit.render(
        "maintenance.html",
        project=project,
        nav="maintenance",
        open_now=maintenance.open_now(project.id, visit.now),
        upcoming=maintenance.upcoming(project.id, visit.now, _MOST, _MOST_OF_ONE),
        lengths={
            words: int(length.total_seconds()) for words, length in _LENGTHS.items()
        },
        reason_length=asking.REASON_LENGTH,
        tags_length=asking.TAGS_LENGTH,
        used=await _used(visit, project),
        clean=clean,
    )


async def start(visit: Visit) -> Response:
    """POST /projects/<code>/maintenance: open a window now."""
    project = visit.project()
    try:
        wanted = asking.parse(
            {
                "seconds": _whole(visit.form.get("seconds", [""])[-1]),
                "tags": " ".join(visit.form.get("tags", [""])[-1].split()),
                "reason": visit.form.get("reason", [""])[-1],
            }
        )
        await visit.parts.maintenance.open(
            project.id,
            wanted.length,
            visit.parts.clock.now(),
            tags=wanted.tags,
            reason=wanted.reason,
        )
    except SpecError as error:
        text = "A window lasts from 1 minute to 30 days; tags and reason are short."
        raise PageError(422, "No such window", text) from error
    except MaintenanceError as error:
        raise PageError(409, "Not opened", f"{error}.".capitalize()) from error
    told = _opened(wanted.tags, await _used(visit, project))
    return visit.see_other(f"/projects/{project.code}/maintenance", told)


async def _used(visit: Visit, project: Project) -> set[str]:
    """Return the tags that checks have: a window of others is of none."""
    conn = await visit.parts.database.current()
    return await store.tallies.tags_of_project(conn, project.id)


def _opened(tags: Collection[str], used: set[str]) -> str:
    """Say that a window is open, and which of its tags no check has."""
    unused = " or ".join(clean(tag) for tag in tags if tag not in used)
    if tags and used.isdisjoint(tags):
        return (
            f"{notices.BAD}The window is open, but for no check: none is tagged"
            f" {unused}."
        )
    told = "The window is open: its checks do not go down until it ends."
    return f"{told} No check is tagged {unused}." if unused else told


async def end(visit: Visit) -> Response:
    """POST /projects/<code>/maintenance/<id>/end: end one that was opened by hand."""
    project, now = visit.project(), visit.parts.clock.now()
    told = "The window has ended. What was due in it gets its grace from now."
    try:
        await visit.parts.maintenance.end(
            project.id, visit.request.path_params["n"], now
        )
    except UnknownWindowError:
        told = "That window is over already."
    return visit.see_other(f"/projects/{project.code}/maintenance", told)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
