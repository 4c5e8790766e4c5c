"""What the operations of the OpenAPI document share: their form, and answers."""

from typing import Any

from hcl.web.errors import RETRY_AFTER
from hcl.web.ping import UUID

Node = dict[str, Any]

TEXT = "text/plain"
JSON = "application/json"

ROOT = "/api/v3"

# Which keys open an operation.
READ: list[Node] = [{"readWriteKey": []}, {"readOnlyKey": []}]
WRITE: list[Node] = [{"readWriteKey": []}]

CODE_PARAMETER: Node = {
    "name": "uuid",
    "in": "path",
    "required": True,
    "description": "The check's UUID, in lower case with hyphens.",
    "schema": {"type": "string", "pattern": f"^{UUID}$"},
    "example": "f618072a-7bde-4eee-af63-71a77c5723bc",
}

_CORS = "Access-Control-Allow-Origin"


def header(name: str) -> Node:
    """Refer to a header by its name."""
    return {"$ref": f"#/components/headers/{name}"}


def schema(name: str) -> Node:
    """Refer to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def response(name: str) -> Node:
    """Refer to a response by its name."""
    return {"$ref": f"#/components/responses/{name}"}


def answer(description: str, content: Node, media_type: str = JSON) -> Node:
    """Describe an answer of the Management API with a body of this schema."""
    return {
        "description": description,
        "headers": {_CORS: header(_CORS)},
        "content": {media_type: {"schema": content}},
    }


def text(description: str, body: str, *headers: str) -> Node:
    """Describe an answer that is one line of text, always the same."""
    return {
        "description": description,
        "headers": {name: header(name) for name in headers or [_CORS]},
        "content": {TEXT: {"schema": {"type": "string", "const": body}}},
    }


def operation(
    name: str,
    tag: str,
    summary: str,
    description: str,
    *,
    security: list[Node],
    responses: Node,
    **rest: object,
) -> Node:
    """Describe an operation of the Management API."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "security": security,
        **rest,
        "responses": {
            **responses,
            **({"401": response("Unauthorized")} if security in (READ, WRITE) else {}),
            "503": response("Unavailable"),
        },
    }


def listed(key: str, items: Node) -> Node:
    """Describe an object with this one member."""
    return {"type": "object", "required": [key], "properties": {key: items}}


HEADERS: dict[str, Node] = {
    _CORS: {
        "description": "Pages of any other site may read the answer.",
        "required": True,
        "schema": {"type": "string", "const": "*"},
    },
    "Cache-Control": {
        "description": "Forbids to keep the answer: each request is a ping.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "After how many seconds to ask again.",
        "required": True,
        "schema": {"type": "integer", "const": RETRY_AFTER},
    },
}

RESPONSES: dict[str, Node] = {
    "BadRequest": answer(
        "The body is no JSON object, or a field or a parameter has a value that is not"
        " allowed. Nothing was changed.",
        schema("Error"),
    ),
    "Unauthorized": answer(
        "The key is missing or has a wrong length (`missing api key`), is not known, or"
        " may only read (`wrong api key`).",
        schema("Error"),
    ),
    "Forbidden": answer("The check belongs to another project.", schema("Error")),
    "Declared": answer(
        "hcl.toml declares the check, or one with this slug, and alone changes what it"
        " says of it (`declared in hcl.toml`). Nothing was changed.",
        schema("Error"),
    ),
    "NotFound": answer("There is no such thing.", schema("Error")),
    "NotAllowed": {
        "description": "The address has the form of another one, which lacks this"
        " method.",
        "headers": {
            _CORS: header(_CORS),
            "Allow": {"required": True, "schema": {"type": "string"}},
        },
    },
    "Unavailable": {
        "description": "The database cannot be used now. Nothing was changed.",
        "headers": {
            _CORS: header(_CORS),
            "Retry-After": header("Retry-After"),
        },
        "content": {JSON: {"schema": schema("Error")}},
    },
    "PingUnavailable": {
        "description": "The database cannot be used now. The ping was not recorded.",
        "headers": {"Retry-After": header("Retry-After")},
        "content": {TEXT: {"schema": {"type": "string"}}},
    },
}
