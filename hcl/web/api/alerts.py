"""What no peer has: who is told of a check, and for how long nobody is."""

from starlette.responses import Response

from hcl.checks import managing, spec
from hcl.web.api.endpoint import Call
from hcl.web.json_answer import JSONResponse


async def mute_check(call: Call) -> Response:
    """POST checks/<uuid>/mute: tell nobody for so many seconds; 0 ends that."""
    # That there is no such check is told before what is wrong with the length.
    await managing.owned(call.parts.database.committed, call.project, call.code)
    managed = await call.parts.managing.mute(
        call.project, call.code, spec.parse_mute(call.document), call.now
    )
    return JSONResponse(call.describe(managed.check, managed.codes))
