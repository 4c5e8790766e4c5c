"""What can be done to a check with one button."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.checks import managing
from hcl.checks.managing import ChannelError, EditedError, LimitError
from hcl.checks.rules import NotPausedError
from hcl.model import Ping
from hcl.pings.arrival import Target
from hcl.web.pages import frame
from hcl.web.pages.check import due
from hcl.web.pages.frame import PageError
from hcl.web.pages.visit.viewer import Viewer
from hcl.web.parts import Parts
from hcl.words.lines import one_line

_UA = "hcl dashboard"


async def pause(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/pause."""
    project, check = await frame.owned_check(request, parts, viewer)
    await parts.managing.pause(project, check.code, datetime.now(UTC))
    return _back(check.code, "Paused.")


async def resume(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/resume."""
    project, check = await frame.owned_check(request, parts, viewer)
    try:
        await parts.managing.resume(project, check.code, datetime.now(UTC))
    except NotPausedError:
        raise PageError(
            409,
            "Not paused",
            "The check is not paused: somebody, or a ping, was faster.",
        ) from None
    return _back(check.code, "Resumed: it waits for the next ping.")


async def ping(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/ping: a success, as if the job had sent it."""
    _, check = await frame.owned_check(request, parts, viewer)
    headers = dict(reversed(request.scope["headers"]))
    remote_addr, scheme = parts.proxies.origin(request.scope, headers)
    signal = Ping(
        n=0,
        created=datetime.now(UTC),
        action="success",
        scheme=scheme,
        remote_addr=remote_addr,
        method="POST",
        ua=_UA,
        rid=None,
        exitstatus=None,
        body=b"",
    )
    await parts.pinging.receive(Target(code=check.code), signal)
    # Filters have a say: it may count as something else.
    newest = await store.pings.newest(parts.database.committed, check.id, 1)
    action = newest[0].action if newest and newest[0].ua == _UA else "success"
    notice = {
        "success": "Pinged: a success is recorded.",
        "fail": "Pinged: by the keyword filters it counts as a failure.",
    }.get(action, "Pinged, but this check ignores such a ping; see its log.")
    return _back(check.code, notice)


async def copy(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/copy."""
    project, check = await frame.owned_check(request, parts, viewer)
    try:
        made = await parts.managing.copy(project, check.code, datetime.now(UTC))
    except LimitError:
        raise PageError(
            403,
            "No more checks",
            f"The project has {project.check_limit:,} checks, and may have no more."
            " Delete one, or raise check_limit in hcl.toml.",
        ) from None
    return _back(made.code, "This is the copy.")


async def clear(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/clear."""
    project, check = await frame.owned_check(request, parts, viewer)
    await parts.managing.clear(project, check.code)
    return _back(check.code, "The pings are gone from the log.")


async def confirm_delete(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """GET /checks/<code>/delete."""
    project, check = await frame.owned_check(request, parts, viewer)
    return frame.render(
        request,
        parts,
        viewer,
        "delete.html",
        project=project,
        nav="checks",
        check=check,
        title=due.title(check),
    )


async def delete(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/delete."""
    project, check = await frame.owned_check(request, parts, viewer)
    await parts.managing.delete(project, check.code)
    return frame.see_other(
        f"/projects/{project.code}/", f"{due.title(check)} is deleted."
    )


async def assign(request: Request, parts: Parts, viewer: Viewer) -> Response:
    """POST /checks/<code>/integrations: use these and no others."""
    project, check = await frame.owned_check(request, parts, viewer)
    wanted = request.state.form.get("channel", [])
    seen = request.state.form.get("seen", [""])[-1]
    try:
        await parts.managing.assign(project, check.code, wanted, seen=seen)
    except ChannelError:
        raise PageError(
            422,
            "No such integration",
            "One of these integrations is gone from hcl.toml meanwhile.",
        ) from None
    except EditedError as error:
        available = await store.channels.of_project(
            parts.database.committed, project.id
        )
        # The form then bears what is assigned now: to send it again is to save it.
        return frame.render(
            request,
            parts,
            viewer,
            "assign.html",
            status=409,
            project=project,
            nav="checks",
            check=check,
            title=due.title(check),
            one_line=one_line,
            channels=available,
            used=error.codes,
            wanted=wanted,
            seen=managing.seen_channels(error.codes),
        )
    return _back(check.code, "The integrations are assigned.")


def _back(code: str, notice: str) -> Response:
    return frame.see_other(f"/checks/{code}", notice)
