"""What can be done to a check with one button."""

from contextlib import suppress

from starlette.responses import Response

from hcl import store
from hcl.checks import editing
from hcl.checks.managing import ChannelError, EditedError, LimitError
from hcl.checks.rules import NotPausedError
from hcl.db import SQLError
from hcl.model import DECLARED, Check, Ping, Project
from hcl.pings.arrival import Target
from hcl.web.pages.check import declared, whom
from hcl.web.pages.visit.errors import PageError
from hcl.web.pages.visit.visit import Visit
from hcl.words.lines import one_line
from hcl.words.names import title
from hcl.words.refusals import CHANNEL_GONE, no_more_checks

_UA = "hcl dashboard"


async def pause(visit: Visit) -> Response:
    """POST /checks/<code>/pause."""
    project, check = await visit.check()
    now = visit.parts.clock.now()
    await visit.parts.managing.pause(project, check.code, now)
    return _back(visit, check.code, "Paused.")


async def resume(visit: Visit) -> Response:
    """POST /checks/<code>/resume."""
    project, check = await visit.check()
    now = visit.parts.clock.now()
    try:
        await visit.parts.managing.resume(project, check.code, now)
    except NotPausedError:
        raise PageError(
            409,
            "Not paused",
            "It is not paused: somebody else, or a ping, has resumed it.",
        ) from None
    return _back(visit, check.code, "Resumed: it waits for the next ping.")


async def ping(visit: Visit) -> Response:
    """POST /checks/<code>/ping: a success, as if the job had sent it."""
    _, check = await visit.check()
    await visit.parts.pinging.receive(Target(code=check.code), _signal(visit))
    newest: list[Ping] = []
    # Filters have a say: it may count as something else. It is recorded, and if its log
    # cannot be read now, nobody is to think that it is not.
    with suppress(SQLError):
        newest = await store.pings.newest(visit.parts.database.committed, check.id, 1)
    action = newest[0].action if newest and newest[0].ua == _UA else "success"
    notice = {
        "success": "Pinged: a success was recorded.",
        "fail": "Pinged: by the keyword filters it counts as a failure.",
    }.get(action, "Pinged, but this check ignores such a ping; see its log.")
    return _back(visit, check.code, notice)


def _signal(visit: Visit) -> Ping:
    """Make the ping of who pressed the button."""
    scope = visit.request.scope
    headers = dict(reversed(scope["headers"]))
    remote_addr, scheme = visit.parts.proxies.origin(scope, headers)
    return Ping(
        n=0,
        # Not the visit's: what came since then came before this one.
        created=visit.parts.clock.now(),
        action="success",
        scheme=scheme,
        remote_addr=remote_addr,
        method="POST",
        ua=_UA,
        rid=None,
        exitstatus=None,
        body=b"",
    )


async def copy(visit: Visit) -> Response:
    """POST /checks/<code>/copy."""
    parts = visit.parts
    project, check = await visit.check()
    try:
        made, _, _ = await parts.managing.copy(project, check.code)
    except LimitError:
        raise PageError(
            403,
            "Too many checks",
            no_more_checks(project.check_limit),
        ) from None
    return _back(visit, made.code, "Copied: this is the new check.")


async def clear(visit: Visit) -> Response:
    """POST /checks/<code>/clear."""
    project, check = await visit.check()
    await visit.parts.managing.clear(project, check.code)
    return _back(visit, check.code, "The log is empty now.")


async def confirm_clear(visit: Visit) -> Response:
    """GET /checks/<code>/clear."""
    return await _ask(visit, clears=True)


async def confirm_delete(visit: Visit) -> Response:
    """GET /checks/<code>/delete."""
    return await _ask(visit, clears=False)


async def _ask(visit: Visit, *, clears: bool) -> Response:
    project, check = await visit.check()
    if check.origin == DECLARED and not clears:
        told = declared.facts(visit, project, check, "Delete")
        return await visit.render("declared.html", **told)
    return await visit.render(
        "delete.html",
        project=project,
        nav="checks",
        check=check,
        clears=clears,
        title=title(check),
    )


async def delete(visit: Visit) -> Response:
    """POST /checks/<code>/delete."""
    project, check = await visit.check()
    if check.origin == DECLARED:
        told = declared.facts(visit, project, check, "Delete")
        return await visit.render("declared.html", **told)
    await visit.parts.managing.delete(project, check.code)
    return visit.see_other(f"/projects/{project.code}/", f"Deleted {title(check)}.")


async def assign(visit: Visit) -> Response:
    """POST /checks/<code>/integrations: use these and no others."""
    project, check = await visit.check()
    offered = await _offered(visit, project)
    wanted = sorted(whom.without_members(visit.form.get("channel", []), offered))
    seen = visit.form.get("seen", [""])[-1]
    try:
        await visit.parts.managing.assign(project, check.code, wanted, seen=seen)
    except ChannelError:
        raise PageError(
            422,
            "No such integration",
            CHANNEL_GONE,
        ) from None
    except EditedError as error:
        return await _ask_again(visit, project, check, wanted, error, offered)
    return _back(visit, check.code, "Integrations saved.")


async def _offered(visit: Visit, project: Project) -> tuple[whom.Choice, ...]:
    conn, config = visit.parts.database.committed, visit.parts.config
    return await whom.choices(conn, config, project)


async def _ask_again(
    visit: Visit,
    project: Project,
    check: Check,
    wanted: list[str],
    error: EditedError,
    offered: tuple[whom.Choice, ...],
) -> Response:
    """Tell that somebody else has assigned integrations meanwhile; nothing is saved.

    The form then bears what is assigned now: to send it again is to save it.
    """
    return await visit.render(
        "assign.html",
        status=409,
        project=project,
        nav="checks",
        check=check,
        title=title(check),
        one_line=one_line,
        channels=offered,
        used=error.codes,
        ticked=wanted,
        seen=editing.seen_channels(error.codes),
    )


def _back(visit: Visit, code: str, notice: str) -> Response:
    return visit.see_other(f"/checks/{code}", notice)
