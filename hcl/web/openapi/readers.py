"""What badges and Prometheus read, in the OpenAPI document."""

from hcl.web.auth import KEY_LENGTH
from hcl.web.openapi.answers import JSON, TEXT, Node, header
from hcl.web.ping import UUID

_SVG = "image/svg+xml"
_CORS = "Access-Control-Allow-Origin"
_TEXT = {"type": "string"}
_BADGE_KEY = (
    "The badge key of the {}, as it stands in the addresses that the API gives."
)


def paths() -> Node:
    """Return the paths."""
    badge = "/badge/{badge_key}/{signature}"
    return {
        badge + ".{format}": _badge("all", [_PROJECT_KEY, _SIGNATURE, _FORMAT]),
        badge + "/{tag}.{format}": _badge(
            "tag", [_PROJECT_KEY, _SIGNATURE, _TAG, _FORMAT]
        ),
        "/b/{states}/{badge_key}.{format}": _badge(
            "check", [_STATES, _CHECK_KEY, _FORMAT]
        ),
        "/projects/{project}/metrics/": _metrics("by_header", _WITH_HEADER, [_PROJECT]),
        "/projects/{project}/metrics/{key}": _metrics("by_url", [], [_PROJECT, _KEY]),
        "/metrics": _server_metrics(),
    }


def _path_parameter(name: str, description: str, schema: Node, example: str) -> Node:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


# Healthchecks takes user names for them.
_KEY_SCHEMA = {"type": "string", "pattern": "^[A-Za-z0-9_.@+~-]+$"}
_UUID_SCHEMA = {"type": "string", "pattern": f"^{UUID}$"}
_PROJECT_KEY = _path_parameter(
    "badge_key", _BADGE_KEY.format("project"), _KEY_SCHEMA, "3a30202a3e8bcd442a6e01"
)
_CHECK_KEY = _path_parameter(
    "badge_key",
    _BADGE_KEY.format("check"),
    _UUID_SCHEMA,
    "5b5cd5b5-3c5a-4f6e-8d6f-0b4d1a1c9a10",
)
_SIGNATURE = _path_parameter(
    "signature",
    "What proves that the address was given out. With `-2` behind it the badge has two"
    " states: late counts as up.",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{8}(-2)?$"},
    "ZDsr7I9f-2",
)
_TAG = _path_parameter(
    "tag", "The tag; any characters.", {"type": "string", "pattern": ".+"}, "prod"
)
_STATES = _path_parameter(
    "states",
    "With 2, late counts as up.",
    {"type": "string", "enum": ["2", "3"]},
    "2",
)
_FORMAT = _path_parameter(
    "format",
    "A picture, a document with counts, or one for the endpoint badges of shields.io.",
    {"type": "string", "enum": ["svg", "json", "shields"]},
    "svg",
)
_PROJECT = _path_parameter(
    "project",
    "The project's UUID; `hcl check-config` prints it.",
    _UUID_SCHEMA,
    "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
)
_KEY = _path_parameter(
    "key",
    "A read-only key of the project.",
    {"type": "string", "minLength": KEY_LENGTH, "maxLength": KEY_LENGTH},
    "hcr_rrrrrrrrrrrrrrrrrrrrrrrrrrrr",
)
_WITH_HEADER: list[Node] = [{"readOnlyToken": []}]


def _badge(of: str, parameters: list[Node]) -> Node:
    what = {"all": "all checks", "tag": "the checks with a tag", "check": "one check"}
    return _both(
        f"badge_of_{of}",
        "Badges",
        f"Badge of {what[of]}",
        "Whether they are up, late or down; needs no key. New, paused and started count"
        " as up. Nothing may keep the answer.",
        parameters=parameters,
        security=[],
        responses={
            "200": _answer(
                "The badge.", {_SVG: _TEXT, JSON: {"type": "object"}}, "Cache-Control"
            ),
            "404": _not_found("There is no such badge."),
        },
    )


def _metrics(how: str, security: list[Node], parameters: list[Node]) -> Node:
    place = "header" if security else "URL"
    responses = {
        "200": _answer("The metrics, in the text format of Prometheus.", {TEXT: _TEXT}),
        "400": _answer("The key has a wrong length.", {TEXT: _TEXT}),
        "403": _answer("The key does not open this project.", {TEXT: _TEXT}),
        "404": _not_found("There is no such address."),
    }
    if security:
        responses["401"] = _answer("There is no bearer token.", {TEXT: _TEXT})
    return _both(
        f"project_metrics_{how}",
        "Prometheus",
        f"Metrics of a project's checks, key in the {place}",
        "`hc_check_up`, `hc_check_started`, `hc_check_grace`, `hc_check_paused` and"
        " `hc_check_last_duration_seconds` of each check, `hc_tag_up` of each tag,"
        " `hc_checks_total` and `hc_checks_down_total`.",
        parameters=parameters,
        security=security,
        responses=responses,
    )


def _server_metrics() -> Node:
    return _both(
        "server_metrics",
        "Prometheus",
        "Metrics of the server",
        "Pings, batches, queues, deliveries and sizes. Who may read them says"
        " `metrics.allow` in the config file.",
        parameters=[],
        security=[],
        responses={
            "200": _answer("The metrics.", {TEXT: _TEXT}),
            "403": _answer(
                "Your address may not read them, or `Host` is another site's.",
                {TEXT: _TEXT},
            ),
        },
        cors=False,
    )


def _answer(description: str, content: dict[str, Node], *headers: str) -> Node:
    return {
        "description": description,
        "headers": {name: header(name) for name in (_CORS, *headers)},
        "content": {kind: {"schema": schema} for kind, schema in content.items()},
    }


def _not_found(description: str) -> Node:
    # The router's own has no headers.
    return {**_answer(description, {JSON: {}, TEXT: _TEXT}), "headers": {}}


def _both(
    name: str,
    tag: str,
    summary: str,
    description: str,
    *,
    parameters: list[Node],
    security: list[Node],
    responses: Node,
    cors: bool = True,
) -> Node:
    """Describe an address for GET and HEAD."""
    shared = {
        "tags": [tag],
        "summary": summary,
        "description": description,
        "security": security,
    }
    # Their text differs, so the one that all others have would not be true.
    answers = {**responses, "503": _answer("Ask again later.", {JSON: {}, TEXT: _TEXT})}
    if not cors:
        answers = {status: {**each, "headers": {}} for status, each in answers.items()}
    bare = {status: {**each, "content": {}} for status, each in answers.items()}
    return {
        "parameters": parameters,
        "get": {**shared, "operationId": name, "responses": answers},
        "head": {**shared, "operationId": f"{name}_head", "responses": bare},
    }
