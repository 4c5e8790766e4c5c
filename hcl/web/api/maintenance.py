"""What no peer has: windows of maintenance, listed, opened and ended."""

from typing import Any

from starlette.responses import Response

from hcl.checks.check_json import iso
from hcl.checks.windows import asking
from hcl.checks.windows.calendar import Opening
from hcl.checks.windows.maintenance import MaintenanceError, UnknownWindowError
from hcl.web.api.endpoint import Call
from hcl.web.errors import ApiError
from hcl.web.json_answer import JSONResponse

# Windows that are to come, in one answer.
UPCOMING_LIMIT = 50


async def list_windows(call: Call) -> Response:
    """GET maintenance/: what is open, and when each opens next, the first first."""
    maintenance, project, now = call.parts.maintenance, call.project.id, call.now
    found = maintenance.open_now(project, now)
    found += maintenance.upcoming(project, now, UPCOMING_LIMIT, of_each=1)
    return JSONResponse(
        {
            "windows": [
                _window(opening, is_open=opening.start <= now) for opening in found
            ]
        }
    )


async def open_window(call: Call) -> Response:
    """POST maintenance/: open one now, for so many seconds."""
    wanted = asking.parse(call.document)
    try:
        window = await call.parts.maintenance.open(
            call.project.id,
            wanted.length,
            call.now,
            tags=wanted.tags,
            reason=wanted.reason,
        )
    except MaintenanceError as error:
        raise ApiError(409, str(error)) from error
    opening = Opening(call.now, call.now + wanted.length, window)
    return JSONResponse(_window(opening, is_open=True), 201)


async def end_window(call: Call) -> Response:
    """DELETE maintenance/<id>: end one that was opened by hand."""
    maintenance, project = call.parts.maintenance, call.project.id
    id_ = int(call.request.path_params["n"])
    for opening in maintenance.open_now(project, call.now):
        if id_ and opening.window.id == id_:
            try:
                await maintenance.end(project, id_, call.now)
            except UnknownWindowError:
                break
            ended = opening._replace(end=call.now)
            return JSONResponse(_window(ended, is_open=False))
    raise ApiError(404, "not found")


def _window(opening: Opening, *, is_open: bool) -> dict[str, Any]:
    window = opening.window
    return {
        # Those of hcl.toml have none: only there they can be changed.
        "id": window.id or None,
        "reason": window.name,
        "tags": " ".join(sorted(window.tags)),
        "start": iso(opening.start),
        "end": iso(opening.end),
        "open": is_open,
    }
