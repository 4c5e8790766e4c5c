"""The Management API, v1 to v3: what each request does and answers."""

import hmac
import re
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.checks import managing, rules, spec
from hcl.checks.check_json import iso
from hcl.checks.managing import Managed, UnknownCheckError
from hcl.checks.spec import CheckSpec, SpecError
from hcl.model import Check, Ping
from hcl.web.api.endpoint import Call
from hcl.web.badges.badges import badge_urls
from hcl.web.errors import ApiError
from hcl.web.json_answer import JSONResponse
from hcl.web.parts import Parts

# The most pings in one answer.
PINGS_LIMIT = 1000

# The latest moment and the longest span that flips can be asked for, in seconds.
LATEST = 10_000_000_000
LONGEST = 31_536_000

# As Healthchecks does: numbers may bear a sign, and `seconds` zeros behind a point too.
_DIGITS = re.compile(r"\+?([0-9]+)")
_WHOLE = re.compile(r"\+?([0-9]+)(?:\.0*)?")
_LONGEST_NUMBER = 20


async def list_checks(call: Call) -> Response:
    """GET checks/: the project's checks, those with a slug or all of some tags."""
    reader, query = await call.parts.database.current(), call.request.query_params
    if query.get("slug"):
        checks = await store.checks.of_project_by_slug(
            reader, call.project.id, query["slug"]
        )
    else:
        checks = await store.checks.of_project(reader, call.project.id)
    tags = set(query.getlist("tag"))
    codes: dict[int, list[str]] = {}
    if not call.readonly:
        codes = await store.channels.codes_of_project(reader, call.project.id)
    return JSONResponse(
        {
            "checks": [
                call.describe(check, codes.get(check.id, []))
                for check in checks
                if not tags or tags.issubset(check.tag_list)
            ]
        }
    )


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
    return await _described(call, await _find(call))


async def update_check(call: Call) -> Response:
    """POST checks/<uuid>: change the fields that are named."""
    # That there is no such check is told before what is wrong with the fields; in what
    # state it is does not matter here.
    check = await managing.owned(call.parts.database.committed, call.project, call.code)
    wanted = _wanted(call, check)
    managed = await call.parts.managing.update(
        call.project, call.code, wanted, call.now
    )
    return _answer(call, managed)


def _wanted(call: Call, kept: Check | None = None) -> CheckSpec:
    # As Healthchecks does: before v3 the slug follows the name.
    return spec.parse(call.document, slug_follows_name=call.version < 3, kept=kept)


def _answer(call: Call, managed: Managed) -> Response:
    status = 201 if managed.created else 200
    return JSONResponse(call.describe(managed.check, managed.codes), status)


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


async def list_pings(call: Call) -> Response:
    """GET checks/<uuid>/pings/: the log, newest first, with the lengths of runs."""
    check = await _find(call)
    # The log has all pings, filed or not.
    reader = call.parts.database.committed
    limit = min(call.parts.config.pings.log_limit, PINGS_LIMIT)
    newest = await store.pings.newest(reader, check.id, limit)
    earlier = []
    if newest:
        # A clock that was set back may have stamped a later one earlier.
        since = min(ping.created for ping in newest) - rules.MAX_RUN
        n = newest[-1].n
        earlier = await store.pings.signals_before(reader, check.id, n, since)
    lengths = rules.run_lengths([*earlier, *reversed(newest)])
    return JSONResponse(
        {"pings": [_ping(call, check, ping, lengths.get(ping.n)) for ping in newest]}
    )


def _ping(
    call: Call, check: Check, ping: Ping, length: timedelta | None
) -> dict[str, Any]:
    root = f"{call.parts.site.root}/api/v{call.version}/checks/{check.code}"
    document: dict[str, Any] = {
        "type": ping.action,
        "date": ping.created.isoformat(timespec="microseconds"),
        "n": ping.n,
        "scheme": ping.scheme,
        "remote_addr": ping.remote_addr or None,
        "method": ping.method,
        "ua": ping.ua,
        "rid": ping.rid,
        "body_url": f"{root}/pings/{ping.n}/body" if ping.body else None,
    }
    if length is not None:
        document["duration"] = round(length.total_seconds(), 2)
    return document


async def get_ping_body(call: Call) -> Response:
    """GET checks/<uuid>/pings/<n>/body: the bytes as they came."""
    check = await _find(call)
    n = call.request.path_params["n"]
    ping = None
    if check.n_pings - call.parts.config.pings.log_limit < n <= check.n_pings:
        ping = await store.pings.by_n(call.parts.database.committed, check.id, n)
    if ping is None or not ping.body:
        raise ApiError(404, "not found")
    # As Healthchecks does: no charset, since nobody knows it.
    return Response(ping.body, headers={"Content-Type": "text/plain"})


async def list_flips(call: Call) -> Response:
    """GET checks/<uuid>/flips/ and checks/<unique_key>/flips/, newest first."""
    check = await _find(call)
    start = _number(call, "start", LATEST)
    end = _number(call, "end", LATEST)
    # As Healthchecks does: an empty or zero `seconds` is no filter.
    text = call.request.query_params.get("seconds")
    seconds = _number(call, "seconds", LONGEST, _WHOLE) if text else None
    if seconds:
        start = max(call.now.timestamp() - seconds, start or 0)
    flips = await store.flips.of_check(
        call.parts.database.committed, check.id, start, end
    )
    document = [
        {"timestamp": iso(flip.created), "up": int(flip.new_status == "up")}
        for flip in flips
    ]
    if call.parts.config.api.flips == "list":
        return JSONResponse(document)
    return JSONResponse({"flips": document})


def _number(
    call: Call, name: str, greatest: int, form: re.Pattern[str] = _DIGITS
) -> float | None:
    text = call.request.query_params.get(name)
    if text is None:
        return None
    match = form.fullmatch(text.strip())
    # int() would choke on thousands of digits.
    if match is None or len(text) > _LONGEST_NUMBER or int(match[1]) > greatest:
        raise ApiError(400, f"invalid query parameter: {name}")
    return int(match[1])


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


async def list_badges(call: Call) -> Response:
    """GET badges/: the badge URLs of each tag, and of all checks together."""
    checks = await store.checks.of_project(
        call.parts.database.committed, call.project.id
    )
    tags = sorted({tag for check in checks for tag in check.tag_list} - {"*"})
    parts = call.parts
    return JSONResponse(
        {
            "badges": {
                tag: badge_urls(
                    parts.site.root, parts.secret, call.project.badge_key, tag
                )
                for tag in [*tags, "*"]
            }
        }
    )


async def get_metrics(request: Request, parts: Parts) -> Response:
    """GET metrics/: a few figures, for holders of the metrics key."""
    wanted = parts.config.api.metrics_key
    key = request.headers.get("X-Metrics-Key", "")
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


async def _find(call: Call) -> Check:
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
    return JSONResponse(call.describe(check, codes))
