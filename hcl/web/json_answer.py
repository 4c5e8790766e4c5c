"""JSON answers: by orjson where there are wheels of it, else by json."""

from collections.abc import Callable
from typing import Any

from starlette.responses import JSONResponse as SlowJSONResponse
from starlette.responses import Response

_dump: Callable[[Any], bytes]

try:
    import orjson
except ImportError:
    # What Starlette does is the same to the byte.
    _dump = SlowJSONResponse(None).render
else:
    _dump = orjson.dumps


class JSONResponse(Response):
    """A document as JSON, in UTF-8; orjson takes a twentieth of the time of json."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the document."""
        return _dump(content)
