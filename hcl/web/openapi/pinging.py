"""The Pinging API in the OpenAPI document."""

from hcl.checks.spec import SLUG_LENGTH
from hcl.web.openapi.answers import CODE_PARAMETER, TEXT, Node, response, text
from hcl.web.ping import UUID

_RUN = "0b5c6c1e-9d0f-4e0b-8f0a-2f3d1b6a7c11"

_METHODS = ("get", "head", "post")

_SIGNALS = {
    "": (
        "Success",
        "The job has run well. The check goes up, and its next ping is expected a"
        " period from now.",
    ),
    "start": (
        "Start",
        "A run begins. The ping that ends it tells how long it took; if none comes"
        " within grace, the check goes down.",
    ),
    "fail": ("Failure", "The job has failed. The check goes down at once."),
    "log": ("Log", "Record the request and its body, and change nothing else."),
}
_EXIT_STATUS = (
    "`0` is success, `1` to `255` is failure. The number is kept. The name of a signal,"
    " as systemd's `$EXIT_STATUS` has it (`TERM`, `KILL`), is failure too: 128 and the"
    " signal's number are kept."
)


def paths(ping_endpoint: str, body_limit: int) -> Node:
    """Return the paths of pings; so many bytes of a body are kept."""
    return {
        **_by_uuid(ping_endpoint, body_limit),
        **_by_slug(body_limit),
    }


def _by_uuid(ping_endpoint: str, body_limit: int) -> Node:
    paths: Node = {}
    for signal, (summary, description) in _SIGNALS.items():
        if not signal:
            description += (
                f" The addresses that the Management API gives out begin with"
                f" `{ping_endpoint}`. A closing slash is allowed here,"
                " and a second one before the UUID."
            )
        path = "/ping/{uuid}" + (f"/{signal}" if signal else "")
        paths[path] = _path(
            f"{summary}, by UUID",
            description,
            operation=f"{signal or 'success'}_by_uuid",
            parameters=[CODE_PARAMETER, _RID],
            statuses=_recorded(body_limit),
        )
    return paths


def _by_slug(body_limit: int) -> Node:
    paths: Node = {}
    root = "/ping/{ping_key}/{slug}"
    statuses = {**_recorded(body_limit), **_by_slug_only(body_limit)}
    shared = [_PING_KEY, _SLUG]
    for signal, (summary, description) in _SIGNALS.items():
        if not signal:
            description += (
                " This is the form of an exit status by UUID too: with the UUID of a"
                f" check for `ping_key` and a number for `slug`: {_EXIT_STATUS}"
            )
            summary = "Success, by slug; exit status, by UUID"
        else:
            summary += ", by slug"
        paths[f"{root}/{signal}" if signal else root] = _path(
            summary,
            description,
            operation=f"{signal or 'success'}_by_slug",
            parameters=[*shared, _CREATE, _RID],
            statuses=statuses,
        )
    paths[f"{root}/{{exitstatus}}"] = _path(
        "Exit status, by slug",
        f"The job has ended with this exit status, as in `/$?`: {_EXIT_STATUS}",
        operation="exitstatus_by_slug",
        parameters=[*shared, _EXITSTATUS, _CREATE, _RID],
        statuses=statuses,
    )
    return paths


def _path(
    summary: str,
    description: str,
    *,
    operation: str,
    parameters: list[Node],
    statuses: Node,
) -> Node:
    path: Node = {"parameters": parameters}
    for method in _METHODS:
        path[method] = {
            "operationId": f"{operation}_{method}",
            "tags": ["Pinging"],
            "summary": summary,
            "description": description,
            "security": [],
            "responses": _without_bodies(statuses) if method == "head" else statuses,
        }
    path["post"]["requestBody"] = {
        "description": "What the job has to say, of any type; it is kept as it comes.",
        "content": {TEXT: {"schema": {"type": "string"}, "example": "42 files saved"}},
    }
    return path


def _without_bodies(statuses: Node) -> Node:
    return {
        status: answer if "$ref" in answer else {**answer, "content": {}}
        for status, answer in statuses.items()
    }


def _recorded(body_limit: int) -> Node:
    return {
        "200": _said("The ping is on the disk.", "OK", body_limit),
        "400": _refused(
            "`rid` is no UUID. Nothing was recorded.",
            ["invalid uuid format"],
            body_limit,
        ),
        "404": _said("There is no such check.", "not found", body_limit),
        "503": response("PingUnavailable"),
    }


def _by_slug_only(body_limit: int) -> Node:
    return {
        "400": _refused(
            "The exit status is above 255 or the slug has capital letters (`invalid url"
            " format`), or `rid` is no UUID (`invalid uuid format`). Nothing was"
            " recorded.",
            ["invalid url format", "invalid uuid format"],
            body_limit,
        ),
        "201": _said(
            "The check was made, and the ping is on the disk.", "Created", body_limit
        ),
        "409": _said(
            "Several checks of the project have this slug. Nothing was recorded.",
            "ambiguous slug",
            body_limit,
        ),
    }


def _refused(description: str, bodies: list[str], body_limit: int) -> Node:
    node = _said(description, "", body_limit)
    node["content"] = {TEXT: {"schema": {"type": "string", "enum": bodies}}}
    return node


def _said(description: str, body: str, body_limit: int) -> Node:
    node = text(description, body, "Access-Control-Allow-Origin", "Cache-Control")
    node["headers"]["Ping-Body-Limit"] = {
        "description": "How many bytes of a body are kept; the rest is dropped.",
        "required": True,
        "schema": {"type": "integer", "const": body_limit},
    }
    return node


_PING_KEY: Node = {
    "name": "ping_key",
    "in": "path",
    "required": True,
    "description": "The project's ping key.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "example": "homehomehomehomehome22",
}
_SLUG: Node = {
    "name": "slug",
    "in": "path",
    "required": True,
    "description": "The check's slug.",
    "schema": {"type": "string", "pattern": f"^[a-z0-9_-]{{1,{SLUG_LENGTH}}}$"},
    "example": "nightly-backup",
}
_EXITSTATUS: Node = {
    "name": "exitstatus",
    "in": "path",
    "required": True,
    "description": "The exit status of the job.",
    "schema": {"type": "integer", "minimum": 0, "maximum": 255},
    "example": 0,
}
_RID: Node = {
    "name": "rid",
    "in": "query",
    "description": "Names the run by a UUID that the job has chosen, the same for its"
    " start and its end: so overlapping runs are told apart.",
    "schema": {
        "type": "string",
        "pattern": f"^{UUID.replace('a-f', 'a-fA-F')}$",
    },
    "example": _RUN,
}
_CREATE: Node = {
    "name": "create",
    "in": "query",
    "description": "`1`: make the check, if the project has none of this slug, with"
    " all the integrations of the project. Anything else means no.",
    "schema": {"type": "string"},
    "example": "1",
}
