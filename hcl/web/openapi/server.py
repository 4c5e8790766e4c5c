"""The lists of a project, and the server itself, in the OpenAPI document."""

from hcl.web.openapi.answers import (
    READ,
    ROOT,
    TEXT,
    WRITE,
    Node,
    answer,
    listed,
    operation,
    schema,
    text,
)


def paths() -> Node:
    """Return the paths."""
    return {
        f"{ROOT}/channels/": {"get": _list_channels()},
        f"{ROOT}/badges/": {"get": _list_badges()},
        f"{ROOT}/status/": _status(),
        f"{ROOT}/metrics/": {"get": _get_metrics()},
        f"{ROOT}/openapi.json": _openapi(),
    }


def _list_channels() -> Node:
    channels = {"type": "array", "items": schema("Integration")}
    return operation(
        "list_channels",
        "Integrations",
        "List integrations",
        "The channels of the project, in the order of the config file.",
        security=WRITE,
        responses={"200": answer("The channels.", listed("channels", channels))},
    )


def _list_badges() -> Node:
    badges = {"type": "object", "additionalProperties": schema("BadgeUrls")}
    return operation(
        "list_badges",
        "Badges",
        "List badges",
        "The addresses of the badges of each tag; `*` stands for all checks. They can"
        " be given to anybody: nobody can guess one from another.",
        security=READ,
        responses={"200": answer("The badges, by tag.", listed("badges", badges))},
    )


def _status() -> Node:
    well = text("The server is well.", "OK")
    trouble = answer(
        "It is not, and this is why: the database takes no query or cannot be written,"
        " the checker is late, or the sender is stuck.",
        {"type": "string"},
        TEXT,
    )
    get = operation(
        "get_status",
        "Server",
        "Ask how the server is",
        "Needs no key: made for what watches hcl.",
        security=[],
        responses={"200": well},
    )
    get["responses"]["503"] = trouble
    head = {
        **get,
        "operationId": "head_status",
        "responses": {
            "200": {**well, "content": {}},
            "503": {**trouble, "content": {}},
        },
    }
    return {"get": get, "head": head}


def _get_metrics() -> Node:
    return operation(
        "get_metrics",
        "Server",
        "Read a few figures",
        "There is a key of its own for it.",
        security=[{"metricsKey": []}],
        responses={
            "200": answer("The figures.", schema("Metrics")),
            "403": answer("The key is wrong, or none is configured.", schema("Error")),
        },
    )


def _openapi() -> Node:
    get = operation(
        "get_openapi",
        "Server",
        "Read this document",
        "The APIs in the form of OpenAPI 3.1.",
        security=[],
        responses={"200": answer("The document.", {"type": "object"})},
    )
    del get["responses"]["503"]
    head = {
        **get,
        "operationId": "head_openapi",
        "responses": {"200": {"description": "The document."}},
    }
    return {"get": get, "head": head}
