"""Figures for Prometheus: of a project's checks, and of the server itself."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

from aiosqlite import Connection
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hcl import __version__, store
from hcl.checks import rules
from hcl.model import Check, ShownStatus
from hcl.store.tallies import Labelled
from hcl.web.auth import KEY_LENGTH, key_in
from hcl.web.figures import figures
from hcl.web.figures.prometheus import (
    CONTENT_TYPE,
    Family,
    HistogramFamily,
    Labels,
    answer,
    gauge,
    lines_of,
    samples_of,
)
from hcl.web.http.hosts import is_own
from hcl.web.parts import Parts
from hcl.web.shared import Until

# Of a sample; None: there is none.
Value = float | bool | None


async def get_project_metrics(request: Request, parts: Parts) -> Response:
    """GET /projects/<uuid>/metrics/<key>, or with the key as a bearer token."""
    key = request.path_params.get("key")
    if key is None:
        header = request.headers.get("Authorization", "").encode("latin-1")
        scheme, _, key = key_in(header).partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer":
            headers = {"WWW-Authenticate": "Bearer"}
            return PlainTextResponse("no bearer token", 401, headers)
    if len(key) != KEY_LENGTH:
        return PlainTextResponse("a key has 32 characters", 400)
    access = parts.keyring.find(key)
    if access is None:
        await parts.refuse_key(request.scope)
    code = request.path_params["code"]
    # As Healthchecks does: a key that can do more does not open this.
    opened = {p.code: p for p in access.projects} if access and access.readonly else {}
    if code not in opened:
        return PlainTextResponse("wrong key", 403)
    headers = {"Content-Type": CONTENT_TYPE}
    kept_as = ("metrics", opened[code].id)
    make = partial(_of_project, parts, opened[code].id)
    return await parts.answers.answer(request, kept_as, make, headers)


# Of checks so many are told of in one go of the loop.
_SLICE = 200


class _Seen:
    """What was seen of a project's checks, for one family after the other."""

    def __init__(self) -> None:
        self.shown: dict[int, ShownStatus] = {}
        self.running: set[int] = set()
        # Whether a check with the tag is down.
        self.tags: dict[str, bool] = {}

    def see(self, check: Check, status: ShownStatus) -> None:
        self.shown[check.id] = status
        if check.last_start is not None:
            self.running.add(check.id)
        for tag in check.tag_list:
            self.tags[tag] = self.tags.get(tag, False) or status == "down"


async def _of_project(
    parts: Parts, project_id: int, until: Until
) -> AsyncIterator[bytes]:
    """Write the figures of a project's checks.

    A family stands in one place, so that each goes through all checks once more: to
    keep what they are called would take as much memory as the answer.
    """
    seen, now = _Seen(), parts.clock.shown()
    conn = await parts.database.current()
    last_id = 0
    while found := await store.checks.of_project(
        conn, project_id, after=last_id, limit=_SLICE
    ):
        for check in found:
            until.note(rules.next_turn(check, now))
            seen.see(check, rules.shown_status(check, now))
        last_id = found[-1].id
        # It is a slice, though there is nothing to send yet.
        yield b""
    for name, text, value_of in _families(seen):
        async for piece in _of_each(conn, project_id, seen, name, text, value_of):
            yield piece
    yield lines_of(_of_all(seen))


def _families(seen: _Seen) -> Iterator[tuple[str, str, Callable[[Labelled], Value]]]:
    """Yield the families that have a sample for each check."""
    shown = seen.shown
    yield "hc_check_up", "0 while the check is down.", lambda c: shown[c.id] != "down"
    yield "hc_check_started", "1 while a run is open.", lambda c: c.id in seen.running
    yield "hc_check_grace", "1 while a ping is late.", lambda c: shown[c.id] == "grace"
    yield (
        "hc_check_paused",
        "1 while the check is paused.",
        lambda c: shown[c.id] == "paused",
    )
    yield (
        "hc_check_last_duration_seconds",
        "How long the last run took, where that is known.",
        lambda c: c.last_duration,
    )


async def _of_each(
    conn: Connection,
    project_id: int,
    seen: _Seen,
    name: str,
    text: str,
    value_of: Callable[[Labelled], Value],
) -> AsyncIterator[bytes]:
    yield lines_of([Family(name, "gauge", text, [])])
    last_id = 0
    while found := await store.tallies.labelled(conn, project_id, last_id, _SLICE):
        samples = [
            ({"name": c.name, "tags": c.tags, "unique_key": c.unique_key}, float(value))
            for c in found
            # One that was made meanwhile has not been seen.
            if c.id in seen.shown and (value := value_of(c)) is not None
        ]
        yield samples_of(name, samples)
        last_id = found[-1].id


def _of_all(seen: _Seen) -> Iterator[Family]:
    text = "0 while a check with the tag is down."
    tags = sorted(seen.tags.items())
    samples = [({"tag": tag}, float(not is_down)) for tag, is_down in tags]
    yield Family("hc_tag_up", "gauge", text, samples)
    down = sum(status == "down" for status in seen.shown.values())
    yield gauge("hc_checks_total", "How many checks there are.", len(seen.shown))
    yield gauge("hc_checks_down_total", "How many checks are down.", down)


async def get_server_metrics(request: Request, parts: Parts) -> Response:
    """GET /metrics, for the addresses that hcl.toml allows."""
    allowed = parts.config.metrics.allow
    if not parts.proxies.is_from(request.scope, allowed):
        return PlainTextResponse("metrics.allow does not name your address", 403)
    if not is_own(request.scope, parts.site.root):
        return PlainTextResponse(
            "ask by an address, or by the host of server.site_root", 403
        )
    families = [*_of_work(parts), *await _of_queues(parts), *_of_size(parts)]
    return answer(families)


def _of_work(parts: Parts) -> Iterator[Family | HistogramFamily]:
    metrics = parts.counters
    yield Family("hcl_info", "gauge", "The version.", [({"version": __version__}, 1)])
    yield Family(
        "hcl_pings_total",
        "counter",
        "Pings recorded, by what they counted as.",
        [({"action": action}, count) for action, count in metrics.pings.items()],
    )
    yield HistogramFamily(
        "hcl_batch_pings", "Pings that shared a transaction.", metrics.batch_pings
    )
    yield HistogramFamily(
        "hcl_commit_seconds",
        "How long such a batch took, up to its end on the disk.",
        metrics.commit_seconds,
    )
    samples: list[tuple[Labels, float]] = [
        ({"kind": kind, "outcome": outcome}, count)
        for (kind, outcome), count in metrics.deliveries.items()
    ]
    text = "Tries to deliver a message, by the channel's kind and what became of it."
    yield Family("hcl_deliveries_total", "counter", text, samples)


async def _of_queues(parts: Parts) -> list[Family]:
    queues = await figures.queues(parts, parts.clock.now())
    lag, age = queues.checker_lag.total_seconds(), queues.oldest.total_seconds()
    return [
        gauge(
            "hcl_checker_lag_seconds", "How long the oldest deadline is overdue.", lag
        ),
        gauge(
            "hcl_outbox_messages", "Messages that wait to be delivered.", queues.owed
        ),
        gauge("hcl_outbox_held_messages", "Messages put off on purpose.", queues.held),
        gauge("hcl_channels_failing", "Channels that do not deliver.", queues.failing),
        gauge("hcl_outbox_oldest_seconds", "How long the oldest of them waits.", age),
        gauge(
            "hcl_inbox_pings", "Pings that are not filed in a log yet.", queues.inbox
        ),
    ]


def _of_size(parts: Parts) -> Iterator[Family]:
    sizes = figures.sizes(parts)
    yield gauge("hcl_database_bytes", "Size of the database's file.", sizes.database)
    yield gauge("hcl_wal_bytes", "Size of its write-ahead log.", sizes.wal)
    yield gauge("process_resident_memory_bytes", "Memory of the process.", sizes.memory)
    yield Family(
        "process_cpu_seconds_total",
        "counter",
        "CPU time of the process.",
        [({}, time.process_time())],
    )
    yield gauge(
        "process_start_time_seconds",
        "When the server began.",
        parts.started.timestamp(),
    )
