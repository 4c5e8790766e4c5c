"""JSON answers, written as the peer writes them."""

import json
from typing import Any

from starlette.responses import Response

# As Healthchecks does: ", " and ": " between the parts, and \u for what is not ASCII,
# since scripts look for '"status": "up"'. orjson takes a tenth of the time, but can do
# neither; a check in a list is written out by hcl/checks/check_json.py.
encoded = json.JSONEncoder(check_circular=False).encode


class JSONResponse(Response):
    """A document as JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the document."""
        return encoded(content).encode()


def json_response(text: str, status: int = 200) -> Response:
    """Answer with what is written as JSON already."""
    return Response(text, status, media_type=JSONResponse.media_type)
