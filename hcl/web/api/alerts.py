"""What no peer has: who is told of a check, and for how long nobody is."""

from typing import Any

from starlette.responses import Response

from hcl import store
from hcl.checks import managing, spec
from hcl.checks.check_json import iso
from hcl.checks.why import explain
from hcl.checks.why.explaining import explanation_of
from hcl.checks.why.settings import zone_of
from hcl.store.tries import Record
from hcl.web.api.endpoint import Call
from hcl.web.json_answer import JSONResponse, json_response
from hcl.words.names import why_waits

# The most messages in one answer.
MESSAGES_LIMIT = 500


async def mute_check(call: Call) -> Response:
    """POST checks/<uuid>/mute: tell nobody for so many seconds; 0 ends that."""
    # That there is no such check is told before what is wrong with the length.
    await managing.owned(call.parts.database.committed, call.project, call.code)
    length, now = spec.parse_mute(call.document), call.parts.clock.now()
    managed = await call.parts.managing.mute(call.project, call.code, length, now)
    return json_response(call.describe(managed.check, managed.codes))


async def explain_check(call: Call) -> Response:
    """GET checks/<uuid>/explain/: why it has the status it has, in words."""
    conn = await call.parts.database.current()
    check = await managing.owned(conn, call.project, call.code)
    shown = call.parts.clock.shown()
    windows = call.parts.maintenance.open_for(check, shown)
    found = await explanation_of(conn, check, shown, windows)
    home = call.parts.config.alerts.tz
    return JSONResponse(
        {
            "lines": list(explain.lines(found, zone_of(check, home))),
            "summary": found.summary,
            "timeline": [
                {"date": iso(at), "text": text} for at, text in found.timeline
            ],
            "rules": list(found.rules),
        }
    )


async def list_messages(call: Call) -> Response:
    """GET checks/<uuid>/messages/: who was told, and how that went, newest first."""
    conn = call.parts.database.committed
    check = await managing.owned(conn, call.project, call.code)
    records = await store.tries.of_check(conn, check.id, MESSAGES_LIMIT)
    return JSONResponse({"messages": [_message(record) for record in records]})


def _message(record: Record) -> dict[str, Any]:
    document: dict[str, Any] = {
        "date": iso(record.created),
        "channel": record.channel,
        "event": record.event,
        "status": record.outcome,
        "tries": record.attempts + (record.sent is not None),
        "answer": record.answer,
    }
    waits = record.outcome == "waits"
    if waits:
        # What has not been tried has no answer, and a reason.
        why = why_waits(record.hold, is_blocked=record.is_blocked)
        document["answer"] = record.answer or why
    if record.next_try is not None and not (waits and record.is_blocked):
        document["next_try"] = iso(record.next_try)
    return document
