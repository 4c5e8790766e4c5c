"""The lists of the Management API: made in slices, since they may be long."""

import logging
import re
from collections.abc import (
    AsyncIterator,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Sequence,
)
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from hcl import store
from hcl.checks.check_json import iso, next_turn
from hcl.checks.runs import MAX_RUN, Runs
from hcl.db import Gaps
from hcl.model import Check, Flip, Ping
from hcl.web.api.api import find
from hcl.web.api.endpoint import Call
from hcl.web.badges.badges import badge_urls
from hcl.web.errors import ApiError
from hcl.web.json_answer import encoded
from hcl.web.shared import Make, Until
from hcl.words.refusals import DAMAGED

logger = logging.getLogger(__name__)

# Of checks, pings, flips and tags so many are written in one go of the loop; so many
# checks are read in one.
SLICE = 50
READ = 400

# The most pings in one answer.
PINGS_LIMIT = 1000

# The latest moment and the longest span that flips can be asked for, in seconds.
LATEST = 10_000_000_000
LONGEST = 31_536_000

# As Healthchecks does: numbers may bear a sign, and `seconds` zeros behind a point too.
_DIGITS = re.compile(r"\+?([0-9]+)")
_WHOLE = re.compile(r"\+?([0-9]+)(?:\.0*)?")
_LONGEST_NUMBER = 20

_JSON = {"Content-Type": "application/json"}


async def list_checks(call: Call) -> Response:
    """GET checks/: the project's checks, those with a slug or all of some tags."""
    query = call.request.query_params
    slug, tags = query.get("slug", ""), frozenset(query.getlist("tag"))

    async def texts(until: Until) -> AsyncIterator[Iterable[str]]:
        conn = await call.parts.database.current()
        last_id = 0
        # An empty tag is no check's.
        while "" not in tags:
            checks = await store.checks.of_project(
                conn, call.project.id, slug=slug, tags=tags, after=last_id, limit=READ
            )
            if tags:
                kept = [check for check in checks if tags.issubset(check.tag_list)]
            else:
                kept = checks
            codes: dict[int, list[str]] = {}
            if kept and not call.readonly:
                ids = [check.id for check in kept]
                codes = await store.channels.codes_of_checks(conn, ids)
            for start in range(0, len(kept), SLICE):
                yield _described(call, kept[start : start + SLICE], codes, until)
            if len(checks) < READ:
                return
            last_id = checks[-1].id

    key = (call.version, call.readonly, call.project.id, slug, tags)
    return await _answer(call, key, _list("checks", texts))


def _described(
    call: Call, checks: Iterable[Check], codes: dict[int, list[str]], until: Until
) -> Iterator[str]:
    now = call.parts.clock.shown()
    until.note(call.parts.maintenance.turn(call.project.id, now))
    for check in checks:
        until.note(next_turn(check, call.version, now))
        yield call.describe(check, codes.get(check.id, []), now)


async def list_pings(call: Call) -> Response:
    """GET checks/<uuid>/pings/: the log, newest first, with the lengths of runs."""
    check = await find(call)
    # The log has all pings, filed or not.
    reader = call.parts.database.committed
    limit = min(call.parts.config.pings.log_limit, PINGS_LIMIT)

    gaps = Gaps(logger)

    async def texts(_until: Until) -> AsyncIterator[Iterable[str]]:
        newest = await store.pings.newest(reader, check.id, limit, gaps)
        lengths = {}
        if newest:
            lengths = await gaps.readable(_lengths(call, check, newest), {})
        for start in range(0, len(newest), SLICE):
            yield (
                encoded(_ping(call, check, ping, lengths.get(ping.n)))
                for ping in newest[start : start + SLICE]
            )

    def end() -> str:
        # Whoever counts on all of them has to know.
        return f'], "incomplete": {encoded(DAMAGED)}}}' if gaps.found else "]}"

    key = ("pings", call.version, check.id)
    return await _answer(call, key, _written(texts, '{"pings": [', end))


async def _lengths(
    call: Call, check: Check, newest: Sequence[Ping]
) -> dict[int, timedelta]:
    """Return how long the runs took that these pings ended."""
    # A clock that was set back may have stamped a later one earlier.
    since = min(ping.created for ping in newest) - MAX_RUN
    runs, n = Runs(), 0
    while earlier := await store.pings.signals_before(
        call.parts.database.committed,
        check.id,
        newest[-1].n,
        since,
        after=n,
        limit=PINGS_LIMIT,
    ):
        runs.take(earlier)
        n = earlier[-1].n
    return runs.take(reversed(newest))


def _ping(
    call: Call, check: Check, ping: Ping, length: timedelta | None
) -> dict[str, Any]:
    root = f"{call.parts.site.root}/api/v{call.version}/checks/{check.code}"
    document: dict[str, Any] = {
        "type": ping.action,
        "date": ping.created.isoformat(timespec="microseconds"),
        "n": ping.n,
        "scheme": ping.scheme,
        "remote_addr": ping.remote_addr or None,
        "method": ping.method,
        "ua": ping.ua,
        "rid": ping.rid,
        "body_url": f"{root}/pings/{ping.n}/body" if ping.body else None,
    }
    if length is not None:
        document["duration"] = round(length.total_seconds(), 2)
    return document


async def list_flips(call: Call) -> Response:
    """GET checks/<uuid>/flips/ and checks/<unique_key>/flips/, newest first."""
    check = await find(call)
    start = _number(call, "start", LATEST)
    end = _number(call, "end", LATEST)
    # As Healthchecks does: an empty or zero `seconds` is no filter.
    text = call.request.query_params.get("seconds")
    seconds = _number(call, "seconds", LONGEST, _WHOLE) if text else None
    if seconds:
        start = max(call.now.timestamp() - seconds, start or 0)

    async def texts(_until: Until) -> AsyncIterator[Iterable[str]]:
        reader, before = call.parts.database.committed, None
        while flips := await store.flips.slice_of_check(
            reader, check.id, start, end, before, SLICE
        ):
            yield map(_flip, flips.values())
            before = min(flips)

    # With `seconds` it is another at each moment.
    key = None if seconds else ("flips", check.id, start, end)
    name = "flips" if call.parts.config.api.flips == "object" else ""
    return await _answer(call, key, _list(name, texts))


def _flip(flip: Flip) -> str:
    return encoded({"timestamp": iso(flip.created), "up": int(flip.new_status == "up")})


def _number(
    call: Call, name: str, greatest: int, form: re.Pattern[str] = _DIGITS
) -> float | None:
    text = call.request.query_params.get(name)
    if text is None:
        return None
    match = form.fullmatch(text.strip())
    # int() would choke on thousands of digits.
    if match is None or len(text) > _LONGEST_NUMBER or int(match[1]) > greatest:
        raise ApiError(400, f"invalid query parameter: {name}")
    return int(match[1])


async def list_badges(call: Call) -> Response:
    """GET badges/: the badge URLs of each tag, and of all checks together."""
    parts, project = call.parts, call.project

    async def texts(_until: Until) -> AsyncIterator[Iterable[str]]:
        tags = await store.tallies.tags_of_project(parts.database.committed, project.id)
        names = [*sorted(tags - {"*"}), "*"]
        for start in range(0, len(names), SLICE):
            yield map(urls, names[start : start + SLICE])

    def urls(tag: str) -> str:
        found = badge_urls(parts.site.root, parts.secret, project.badge_key, tag)
        return f"{encoded(tag)}: {encoded(found)}"

    make = _written(texts, '{"badges": {', lambda: "}}")
    return await _answer(call, ("badges", project.id), make)


# What an answer's parts are, written as JSON.
_Texts = Callable[[Until], AsyncIterator[Iterable[str]]]


def _list(name: str, texts: _Texts) -> Make:
    """Write a list, in an object under this name, if it has one."""
    begin, end = (f'{{"{name}": [', "]}") if name else ("[", "]")
    return _written(texts, begin, lambda: end)


def _written(texts: _Texts, begin: str, end: Callable[[], str]) -> Make:
    async def make(until: Until) -> AsyncIterator[bytes]:
        before = begin
        async for some in texts(until):
            if text := ", ".join(some):
                yield f"{before}{text}".encode()
                before = ", "
        yield (end() if before is not begin else begin + end()).encode()

    return make


async def _answer(call: Call, key: Hashable, make: Make) -> Response:
    return await call.parts.answers.answer(call.request, key, make, _JSON)
