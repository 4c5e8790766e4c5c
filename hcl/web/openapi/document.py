"""The APIs as an OpenAPI 3.1 document, made for the settings of this server.

It is imported when somebody first asks for it, not before: see docs.py.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from hcl import __version__
from hcl.web.auth import KEY_LENGTH
from hcl.web.json_answer import encoded
from hcl.web.openapi import (
    answers,
    checks,
    maintenance,
    pinging,
    readers,
    schemas,
    server,
    telling,
)
from hcl.web.parts import Parts

_DESCRIPTION = """\
Jobs report by the **Pinging API**: they need no key, only the address of their check.
Checks are made, read and changed through the **Management API**, with a key of the
project.

This is version 3 of the Management API. Versions 1 and 2 are there too, with `v1` or
`v2` in the URL; they differ in two points. They make the slug of a check from its
name, unless the request has a `slug`. And version 1 shows the status `started` while a
run is open.

Requests are read leniently: a body is JSON whatever its `Content-Type`, and keys that
are not known are ignored. A list URL without its closing slash is answered by `301` to
the one with it. Every answer of the Management API allows CORS; `OPTIONS` is answered
by `204`, and a method that a URL does not have by `405`.

While the database cannot be used, requests are answered by `503` and change nothing;
ask again after the seconds in `Retry-After`.
"""

_TAGS = {
    "Pinging": "Report that a job has run, starts, or has failed. Any HTTP method"
    " counts, those that are not listed here too.",
    "Checks": "Read, make, change, pause, resume and delete the checks of a project.",
    "Log": "What was received for a check: its pings.",
    "Flips": "When a check changed its status.",
    "Integrations": "The channels of a project, by which it alerts. They are described"
    " in the server's config file.",
    "Maintenance": "Windows of time in which nobody is called down.",
    "Badges": "Addresses of pictures and documents that show how checks fare.",
    "Prometheus": "Figures for Prometheus, in its text format.",
    "Server": "How the server itself fares, and this document.",
}


class Facts(NamedTuple):
    """The settings that the document tells of.

    `root` has no slash at its end, `ping_endpoint` has one. `flips` is api.flips.
    """

    root: str
    ping_endpoint: str
    ping_body_limit: int
    api_body_limit: int
    log_limit: int
    flips: str


def facts_of(parts: Parts) -> Facts:
    """Return what the document has to tell of a running server."""
    config = parts.config
    return Facts(
        root=parts.site.root,
        ping_endpoint=parts.site.ping_endpoint,
        ping_body_limit=config.pings.body_limit,
        api_body_limit=config.api.body_limit,
        log_limit=config.pings.log_limit,
        flips=config.api.flips,
    )


@lru_cache(maxsize=1)
def document(facts: Facts) -> dict[str, Any]:
    """Return the document; nobody may change it."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "hcl",
            "version": __version__,
            "summary": "A cron-job and heartbeat monitor: its APIs.",
            "description": _DESCRIPTION,
            "license": {"name": "BSD 3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": facts.root}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": {
            **pinging.paths(facts.ping_endpoint, facts.ping_body_limit),
            **checks.paths(
                api_body_limit=facts.api_body_limit,
                log_limit=facts.log_limit,
                flips=facts.flips,
            ),
            **maintenance.paths(facts.api_body_limit),
            **server.paths(),
            **readers.paths(),
        },
        "components": {
            "schemas": schemas.SCHEMAS | telling.SCHEMAS | maintenance.SCHEMAS,
            "headers": answers.HEADERS,
            "responses": answers.RESPONSES,
            "securitySchemes": _SECURITY,
        },
    }


@lru_cache(maxsize=1)
def written(facts: Facts) -> str:
    """Return the document as JSON."""
    return encoded(document(facts))


_KEY = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
_BODY_KEY = (
    "In a `POST` it may stand in the body instead, as `api_key`; the header wins."
)
_SECURITY = {
    "readWriteKey": {
        **_KEY,
        "description": f"A key of {KEY_LENGTH} characters that may read and change one"
        f" project. {_BODY_KEY}",
    },
    "readOnlyKey": {
        **_KEY,
        "description": f"A key of {KEY_LENGTH} characters that may read one project,"
        " and does not see what would let its holder ping or change a check.",
    },
    "readOnlyToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A read-only key of the project.",
    },
    "metricsKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Metrics-Key",
        "description": "The `metrics_key` in the table `[api]` of the config file.",
    },
}
