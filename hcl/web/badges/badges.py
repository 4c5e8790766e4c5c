"""Badges: their URLs, which bear a signature so that no tag can be guessed."""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from aiosqlite import Connection
from starlette.requests import Request
from starlette.responses import Response

from hcl import store
from hcl.checks import rules
from hcl.model import ShownStatus, split_tags
from hcl.web.badges.badge_svg import badge_svg
from hcl.web.json_answer import JSONResponse, encoded
from hcl.web.parts import Parts
from hcl.web.shared import Until

_JSON = "application/json"
_TYPES = {"svg": "image/svg+xml"}

# Checks that are looked at in one go of the loop.
_SLICE = 500

_FORMATS = ("svg", "json", "shields")

_COLORS = {"up": "success", "late": "important", "down": "critical"}

_HEADERS = {"Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private"}


def signature(secret: str, badge_key: str, tag: str) -> str:
    """Return 8 characters that only the server can make for this project and tag."""
    message = f"{badge_key}/{tag}".encode()
    digest = hmac.digest(secret.encode(), message, hashlib.sha256)
    return base64.urlsafe_b64encode(digest)[:8].decode()


def badge_urls(root: str, secret: str, badge_key: str, tag: str) -> dict[str, str]:
    """Return the URLs of a tag's badges; the tag `*` stands for all checks.

    The names with a 3 have three states (late is one), the others two.
    """
    start = f"{root}/badge/{quote(badge_key)}/{signature(secret, badge_key, tag)}"
    end = "" if tag == "*" else "/" + quote(tag, safe="")
    urls = {}
    for fmt in _FORMATS:
        urls[fmt] = f"{start}-2{end}.{fmt}"
        urls[f"{fmt}3"] = f"{start}{end}.{fmt}"
    return urls


async def get_badge(request: Request, parts: Parts) -> Response:
    """GET /badge/<key>/<signature>[/<tag>].<fmt>: a tag's checks, or all together."""
    params = request.path_params
    key, signed = params["key"], params["signature"]
    tag = _signed_tag(parts.secret, key, params.get("tag", "*"), signed[:8])
    if tag is None:
        return _not_found()
    project = parts.by_badge_key.get(key)
    if project is None:
        return _not_found()
    every = tag == "*"
    label = parts.config.server.site_name if every else tag
    fmt, with_late = params["fmt"], not signed[8:]

    async def make(until: Until) -> AsyncIterator[bytes]:
        now = parts.clock.shown()
        conn = await parts.database.current()
        counts = await _counts(conn, project.id, "" if every else tag, now, until)
        yield _drawn(fmt, label, counts, with_late=with_late)

    kept_as = ("badge", project.id, tag, fmt, with_late)
    headers = {**_HEADERS, "Content-Type": _TYPES.get(fmt, _JSON)}
    return await parts.answers.answer(request, kept_as, make, headers)


async def _counts(
    conn: Connection, project_id: int, tag: str, now: datetime, until: Until
) -> Counter[ShownStatus]:
    """Count a tag's checks by their shown status; "": all of the project's."""
    counts: Counter[ShownStatus] = Counter()
    last_id = 0
    while True:
        found = await store.tallies.others(conn, project_id, tag, now, last_id, _SLICE)
        for check in found:
            last_id = check.id
            until.note(rules.next_turn(check, now))
            if not tag or tag in check.tag_list:
                counts[rules.shown_status(check, now)] += 1
        if len(found) < _SLICE:
            break
    for tally in await store.tallies.steady(conn, project_id, tag, now):
        if not tag or tag in split_tags(tally.tags):
            counts[tally.status] += tally.checks
            until.note(tally.late)
    return counts


def _signed_tag(secret: str, key: str, tag: str, signed: str) -> str | None:
    """Return which tag a URL is for; None: the signature is another's."""
    # As Healthchecks does: its URLs of some tags are quoted twice.
    for candidate in (tag, unquote(tag)):
        if hmac.compare_digest(signature(secret, key, candidate), signed):
            return candidate
    return None


async def get_check_badge(request: Request, parts: Parts) -> Response:
    """GET /b/<2 or 3>/<key>.<fmt>: one check, in two states or three."""
    params = request.path_params
    reader = await parts.database.current()
    check = await store.checks.by_badge_key(reader, params["key"])
    if check is None:
        return _not_found()
    fmt = params["fmt"]
    counts = Counter([rules.shown_status(check, parts.clock.shown())])
    # Its code is a secret, but the peer's label: spec and clients expect it.
    label = check.name or check.code
    content = _drawn(fmt, label, counts, with_late=params["states"] == "3")
    return Response(content, headers=_HEADERS, media_type=_TYPES.get(fmt, _JSON))


def _drawn(
    fmt: str, label: str, counts: Counter[ShownStatus], *, with_late: bool
) -> bytes:
    # As Healthchecks does: a tag that no check has any more is up.
    status = "up"
    if counts["down"]:
        status = "down"
    elif counts["grace"] and with_late:
        status = "late"
    if fmt == "svg":
        return badge_svg(label, status).encode()
    document = _shields(label, status) if fmt == "shields" else _json(status, counts)
    return encoded(document).encode()


def _json(status: str, counts: Counter[ShownStatus]) -> dict[str, Any]:
    return {
        "status": status,
        "total": counts.total(),
        "grace": counts["grace"],
        "down": counts["down"],
    }


def _shields(label: str, status: str) -> dict[str, Any]:
    """Describe a badge to shields.io, by the schema of its endpoint badges."""
    return {
        "schemaVersion": 1,
        "label": label,
        "message": status,
        "color": _COLORS[status],
    }


def _not_found() -> Response:
    return JSONResponse({"error": "not found"}, 404, _HEADERS)
