"""The Management API, v1 to v3: what each request does; lists are in `lists`."""

import hmac

from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.checks import managing, spec
from hcl.checks.managing import Managed, UnknownCheckError
from hcl.checks.spec import CheckSpec, SpecError
from hcl.model import Check
from hcl.web.api.endpoint import Call
from hcl.web.auth import key_in
from hcl.web.errors import ApiError
from hcl.web.json_answer import JSONResponse, json_response
from hcl.web.parts import Parts


async def create_check(call: Call) -> Response:
    """POST checks/: create a check, or update the one that `unique` finds."""
    try:
        wanted = _wanted(call)
    except SpecError as error:
        kept = await _matched(call) if error.limit else None
        if kept is None:
            raise
        wanted = _wanted(call, kept)
    managed = await call.parts.managing.create(call.project, wanted, call.now)
    return _answer(call, managed)


async def _matched(call: Call) -> Check | None:
    """Return the check that `unique` finds, of a request with a text that is too long.

    It may be the check's own, from before there was a limit.
    """
    names = (*spec.UNIQUE_FIELDS, "unique")
    named = {name: call.document[name] for name in names if name in call.document}
    try:
        wanted = spec.parse(named, bounded=False)
    except SpecError:
        return None
    return await managing.matched(call.parts.database.committed, call.project, wanted)


async def get_check(call: Call) -> Response:
    """GET checks/<uuid> and checks/<unique_key>."""
    return await _described(call, await find(call))


async def update_check(call: Call) -> Response:
    """POST checks/<uuid>: change the fields that are named."""
    # That there is no such check is told before what is wrong with the fields; in what
    # state it is does not matter here.
    check = await managing.owned(call.parts.database.committed, call.project, call.code)
    wanted = _wanted(call, check)
    managed = await call.parts.managing.update(
        call.project, call.code, wanted, call.parts.clock.now()
    )
    return _answer(call, managed)


def _wanted(call: Call, kept: Check | None = None) -> CheckSpec:
    # As Healthchecks does: before v3 the slug follows the name.
    is_old = call.version < spec.FINER_VERSION
    named = call.document
    if is_old:
        named = {k: v for k, v in named.items() if k not in spec.FINER_FIELDS}
    return spec.parse(named, slug_follows_name=is_old, kept=kept)


def _answer(call: Call, managed: Managed) -> Response:
    status = 201 if managed.created else 200
    return json_response(call.describe(managed.check, managed.codes), status)


async def delete_check(call: Call) -> Response:
    """DELETE checks/<uuid>: the check as it was."""
    managed = await call.parts.managing.delete(call.project, call.code)
    return _answer(call, managed)


async def pause_check(call: Call) -> Response:
    """POST checks/<uuid>/pause."""
    managed = await call.parts.managing.pause(call.project, call.code, call.now)
    return _answer(call, managed)


async def resume_check(call: Call) -> Response:
    """POST checks/<uuid>/resume: from paused only."""
    managed = await call.parts.managing.resume(call.project, call.code, call.now)
    return _answer(call, managed)


async def get_ping_body(call: Call) -> Response:
    """GET checks/<uuid>/pings/<n>/body: the bytes as they came."""
    check = await find(call)
    n = call.request.path_params["n"]
    ping = None
    if check.n_pings - call.parts.config.pings.log_limit < n <= check.n_pings:
        ping = await store.pings.by_n(call.parts.database.committed, check.id, n)
    if ping is None or not ping.body:
        raise ApiError(404, "not found")
    # As Healthchecks does: no charset, since nobody knows it.
    return Response(ping.body, headers={"Content-Type": "text/plain"})


async def list_channels(call: Call) -> Response:
    """GET channels/: the project's channels, in the file's order."""
    channels = await store.channels.of_project(
        call.parts.database.committed, call.project.id
    )
    return JSONResponse(
        {
            "channels": [
                {"id": channel.code, "name": channel.name, "kind": channel.kind}
                for channel in channels
            ]
        }
    )


async def get_metrics(request: Request, parts: Parts) -> Response:
    """GET metrics/: a few figures, for holders of the metrics key."""
    wanted = parts.config.api.metrics_key
    key = key_in(request.headers.get("X-Metrics-Key", "").encode("latin-1")).strip()
    if not wanted or not hmac.compare_digest(key.encode(), wanted.encode()):
        if wanted and key:
            await parts.refuse_key(request.scope)
        raise ApiError(403, "wrong metrics key")
    reader = await parts.database.current()
    return JSONResponse(
        {
            "ts": int(parts.clock.timestamp()),
            "max_ping_id": await store.pings.highest_id(reader),
            "max_notification_id": await store.notifications.highest_id(reader),
            "num_unprocessed_flips": await store.notifications.count_waiting(reader),
        }
    )


async def find(call: Call) -> Check:
    """Return the check of the URL, if it is the caller's."""
    reader = await call.parts.database.current()
    if "code" in call.request.path_params:
        return await managing.owned(reader, call.project, call.code)
    unique_key = call.request.path_params["unique_key"]
    check = await store.checks.by_unique_key(reader, call.project.id, unique_key)
    if check is None:
        raise UnknownCheckError
    return check


async def _described(call: Call, check: Check) -> Response:
    reader = call.parts.database.committed
    codes = (
        [] if call.readonly else await store.channels.codes_of_check(reader, check.id)
    )
    return json_response(call.describe(check, codes))
