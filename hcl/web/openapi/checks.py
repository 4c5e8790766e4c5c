"""Checks, their log and their flips, in the OpenAPI document."""

from hcl.web.api.alerts import MESSAGES_LIMIT
from hcl.web.api.lists import LATEST, LONGEST, PINGS_LIMIT
from hcl.web.openapi.answers import (
    CODE_PARAMETER,
    JSON,
    READ,
    ROOT,
    TEXT,
    WRITE,
    Node,
    answer,
    listed,
    operation,
    response,
    schema,
    text,
)
from hcl.web.ping import UUID

_UUID_OR_KEY: Node = {
    **CODE_PARAMETER,
    "description": "The check's UUID, or its `unique_key`.",
    "schema": {"type": "string", "pattern": f"^({UUID}|[0-9a-f]{{40}})$"},
}


def paths(*, api_body_limit: int, log_limit: int, flips: str) -> Node:
    """Return the paths of checks, as the config makes them."""
    too_large = answer(
        f"The body has more than {api_body_limit} bytes. Nothing was changed.",
        schema("Error"),
    )
    return {
        f"{ROOT}/checks/": {"get": _list_checks(), "post": _create_check(too_large)},
        f"{ROOT}/checks/{{uuid}}": {
            "get": _get_check(),
            "post": _update_check(too_large),
            "delete": _delete_check(),
        },
        f"{ROOT}/checks/{{uuid}}/pause": {"post": _pause_check(too_large)},
        f"{ROOT}/checks/{{uuid}}/resume": {"post": _resume_check(too_large)},
        f"{ROOT}/checks/{{uuid}}/mute": {"post": _mute_check(too_large)},
        f"{ROOT}/checks/{{uuid}}/pings/": {"get": _list_pings(log_limit)},
        f"{ROOT}/checks/{{uuid}}/pings/{{n}}/body": {"get": _get_ping_body()},
        f"{ROOT}/checks/{{uuid}}/messages/": {"get": _list_messages()},
        f"{ROOT}/checks/{{uuid}}/explain/": {"get": _explain_check()},
        f"{ROOT}/checks/{{uuid}}/flips/": {"get": _list_flips(flips)},
    }


def _body(name: str, /, **example: object) -> Node:
    return {"content": {JSON: {"schema": schema(name), "example": example}}}


_ONE_CHECK: Node = {"403": response("Forbidden"), "404": response("NotFound")}


def _changing(too_large: Node) -> Node:
    return {
        "400": response("BadRequest"),
        **_ONE_CHECK,
        "405": response("NotAllowed"),
        "413": too_large,
    }


def _list_checks() -> Node:
    slug = {
        "name": "slug",
        "in": "query",
        "description": "Only checks with this slug; an empty one means all.",
        "schema": {"type": "string"},
    }
    tag = {
        "name": "tag",
        "in": "query",
        "description": "Only checks with this tag. May be repeated: then with all of"
        " them.",
        "schema": {"type": "array", "items": {"type": "string"}},
        "style": "form",
        "explode": True,
    }
    checks = {"type": "array", "items": schema("Check")}
    return operation(
        "list_checks",
        "Checks",
        "List checks",
        "The checks of the project, in the order in which they were made.",
        security=READ,
        parameters=[slug, tag],
        responses={"200": answer("The checks.", listed("checks", checks))},
    )


def _create_check(too_large: Node) -> Node:
    return operation(
        "create_check",
        "Checks",
        "Make a check",
        "Makes a check, or changes the one that `unique` finds.",
        security=WRITE,
        requestBody=_body(
            "NewCheck",
            name="Nightly backup",
            slug="nightly-backup",
            schedule="5 3 * * *",
            tz="Europe/Riga",
            grace=1800,
            channels="*",
        ),
        responses={
            "200": answer("A check was found and changed: this one.", schema("Check")),
            "201": answer("The new check.", schema("Check")),
            "400": response("BadRequest"),
            "403": answer(
                "The project has all the checks it may have.", schema("Error")
            ),
            "409": response("Declared"),
            "413": too_large,
        },
    )


def _get_check() -> Node:
    return operation(
        "get_check",
        "Checks",
        "Read a check",
        "One check, as the holder of the key may see it.",
        security=READ,
        parameters=[_UUID_OR_KEY],
        responses={"200": answer("The check.", schema("Check")), **_ONE_CHECK},
    )


def _update_check(too_large: Node) -> Node:
    return operation(
        "update_check",
        "Checks",
        "Change a check",
        "Changes the fields that are named, and leaves the others as they are.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        requestBody=_body("CheckChanges", name="Backup", timeout=3600, grace=600),
        responses={
            "200": answer("The check as it is now.", schema("Check")),
            "409": response("Declared"),
            **_changing(too_large),
        },
    )


def _delete_check() -> Node:
    return operation(
        "delete_check",
        "Checks",
        "Delete a check",
        "Deletes the check and all its history.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        responses={
            "200": answer("The check as it was.", schema("Check")),
            **_ONE_CHECK,
            "409": response("Declared"),
            "405": response("NotAllowed"),
        },
    )


def _pause_check(too_large: Node) -> Node:
    return operation(
        "pause_check",
        "Checks",
        "Pause a check",
        "The check expects no pings until it is resumed; nobody is told. A paused check"
        " stays paused. A body is not looked at.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        responses={
            "200": answer("The check as it is now.", schema("Check")),
            "400": response("BadRequest"),
            **_ONE_CHECK,
            "413": too_large,
        },
    )


def _resume_check(too_large: Node) -> Node:
    return operation(
        "resume_check",
        "Checks",
        "Resume a check",
        "A paused check becomes new: it waits for its first ping again. A body is not"
        " looked at.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        responses={
            "200": answer("The check as it is now.", schema("Check")),
            "400": response("BadRequest"),
            **_ONE_CHECK,
            "409": text("The check is not paused.", "check is not paused"),
            "413": too_large,
        },
    )


def _mute_check(too_large: Node) -> Node:
    return operation(
        "mute_check",
        "Checks",
        "Mute a check",
        "Nobody is told of the check for so many seconds; hcl keeps watching it. If it"
        " is down at the end, they are told then. 0 ends a mute.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        requestBody={**_body("Mute", seconds=14_400), "required": True},
        responses={
            "200": answer("The check as it is now.", schema("Check")),
            **_changing(too_large),
        },
    )


def _list_pings(log_limit: int) -> Node:
    pings = {
        "type": "array",
        "maxItems": min(log_limit, PINGS_LIMIT),
        "items": schema("Ping"),
    }
    found = listed("pings", pings)
    found["properties"]["incomplete"] = {"type": "string"}
    return operation(
        "list_pings",
        "Log",
        "List pings",
        "The pings of the check that the log keeps, the newest first. While some cannot"
        " be read, since the database is damaged, `incomplete` says so.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        responses={
            "200": answer("The pings.", found),
            **_ONE_CHECK,
        },
    )


def _list_messages() -> Node:
    messages = {
        "type": "array",
        "maxItems": MESSAGES_LIMIT,
        "items": schema("Message"),
    }
    return operation(
        "list_messages",
        "Log",
        "List messages",
        "Who was told of the check, and how that went, the newest first.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        responses={
            "200": answer("The messages.", listed("messages", messages)),
            **_ONE_CHECK,
        },
    )


def _explain_check() -> Node:
    return operation(
        "explain_check",
        "Log",
        "Explain a check",
        "Why the check has the status it has, what comes next, and by which rules.",
        security=WRITE,
        parameters=[CODE_PARAMETER],
        responses={
            "200": answer("The explanation.", schema("Explanation")),
            **_ONE_CHECK,
        },
    )


def _get_ping_body() -> Node:
    n = {
        "name": "n",
        "in": "path",
        "required": True,
        "description": "The number of the ping.",
        "schema": {"type": "integer", "minimum": 1},
        "example": 1,
    }
    return operation(
        "get_ping_body",
        "Log",
        "Read the body of a ping",
        "What the job sent, byte for byte.",
        security=WRITE,
        parameters=[CODE_PARAMETER, n],
        responses={
            "200": answer("The bytes; their encoding is not known.", {}, TEXT),
            "403": response("Forbidden"),
            "404": answer(
                "There is no such check or ping, it had no body, or the log keeps it no"
                " more.",
                schema("Error"),
            ),
        },
    )


def _moment(name: str, description: str) -> Node:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "integer", "minimum": 0, "maximum": LATEST},
    }


def _list_flips(flips: str) -> Node:
    answered: Node = {"type": "array", "items": schema("Flip")}
    seconds = {
        "name": "seconds",
        "in": "query",
        "description": "Only flips of the last so many seconds; 0 means all.",
        "schema": {"type": "integer", "minimum": 0, "maximum": LONGEST},
        "allowEmptyValue": True,
    }
    return operation(
        "list_flips",
        "Flips",
        "List flips",
        "The changes of the check's status, the newest first; pauses too.",
        security=READ,
        parameters=[
            _UUID_OR_KEY,
            seconds,
            _moment("start", "Only flips from this UNIX time on."),
            _moment("end", "Only flips before this UNIX time."),
        ],
        responses={
            "200": answer(
                "The flips.", answered if flips == "list" else listed("flips", answered)
            ),
            "400": response("BadRequest"),
            **_ONE_CHECK,
        },
    )
