"""Windows of maintenance in the OpenAPI document."""

from hcl.checks.windows import asking
from hcl.web.api.maintenance import UPCOMING_LIMIT
from hcl.web.openapi.answers import (
    JSON,
    READ,
    ROOT,
    WRITE,
    Node,
    answer,
    listed,
    operation,
    response,
    schema,
)
from hcl.web.openapi.schemas import API_KEY, MOMENT, of_object, or_null, text

SCHEMAS: dict[str, Node] = {
    "WindowRequest": {
        "type": "object",
        "description": "For how long nobody is called down, and of which checks.",
        "required": ["seconds"],
        "properties": {
            "seconds": {
                "type": "integer",
                "minimum": int(asking.SHORTEST.total_seconds()),
                "maximum": int(asking.LONGEST.total_seconds()),
                "description": "Seconds from now on.",
            },
            "tags": {
                "type": "string",
                "maxLength": asking.TAGS_LENGTH,
                "description": "Checks with one of these tags, which are separated by"
                " spaces; empty: all checks.",
            },
            "reason": {
                "type": "string",
                "maxLength": asking.REASON_LENGTH,
                "description": "What people read of it.",
            },
            "api_key": API_KEY,
        },
    },
    "Window": of_object(
        "A maintenance window: one time that it is open.",
        {
            "id": or_null(
                {"type": "integer", "minimum": 1},
                "Names one that was opened by hand; null: it is in the config file.",
            ),
            "reason": text("What people read of it."),
            "tags": text("Checks with one of these tags; empty: all checks."),
            "start": {**MOMENT, "description": "When it opens, or opened."},
            "end": {**MOMENT, "description": "When it closes."},
            "open": {"type": "boolean", "description": "Whether it is open now."},
        },
    ),
}


def paths(api_body_limit: int) -> Node:
    """Return the paths."""
    return {
        f"{ROOT}/maintenance/": {"get": _list(), "post": _open(api_body_limit)},
        f"{ROOT}/maintenance/{{id}}": {"delete": _end()},
    }


def _list() -> Node:
    windows = {"type": "array", "items": schema("Window")}
    return operation(
        "list_windows",
        "Maintenance",
        "List maintenance windows",
        "What is open now, and the next opening of each window, the first first;"
        f" {UPCOMING_LIMIT} at most are to come.",
        security=READ,
        responses={"200": answer("The windows.", listed("windows", windows))},
    )


def _open(limit: int) -> Node:
    body = {JSON: {"schema": schema("WindowRequest"), "example": {"seconds": 7200}}}
    return operation(
        "open_window",
        "Maintenance",
        "Open a maintenance window",
        "From now on nobody is called down for so many seconds. What is due by the end"
        " has its grace from there.",
        security=WRITE,
        requestBody={"content": body, "required": True},
        responses={
            "201": answer("The window.", schema("Window")),
            "400": response("BadRequest"),
            "409": answer("Too many are open. Nothing was changed.", schema("Error")),
            "413": answer(
                f"The body has more than {limit} bytes. Nothing was changed.",
                schema("Error"),
            ),
        },
    )


def _end() -> Node:
    parameter = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The window's id.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 10**15 - 1},
        "example": 1,
    }
    return operation(
        "end_window",
        "Maintenance",
        "End a maintenance window",
        "One that was opened by hand ends now, and what was due in it has its grace.",
        security=WRITE,
        parameters=[parameter],
        responses={
            "200": answer("The window as it was.", schema("Window")),
            "404": response("NotFound"),
        },
    )
