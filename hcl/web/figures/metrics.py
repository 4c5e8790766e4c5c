"""Figures for Prometheus: of a project's checks, and of the server itself."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hcl import __version__, store
from hcl.checks import rules
from hcl.model import Check, ShownStatus
from hcl.web.auth import KEY_LENGTH
from hcl.web.figures import figures
from hcl.web.figures.prometheus import Family, HistogramFamily, Labels, answer, gauge
from hcl.web.http.hosts import is_own
from hcl.web.parts import Parts


async def get_project_metrics(request: Request, parts: Parts) -> Response:
    """GET /projects/<uuid>/metrics/<key>, or with the key as a bearer token."""
    key = request.path_params.get("key")
    if key is None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
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
    if access is None or not access.readonly or access.project.code != code:
        return PlainTextResponse("wrong key", 403)
    conn = await parts.database.current()
    found = await store.checks.of_project(conn, access.project.id)
    return answer(_of_checks(found, parts.clock.shown()))


def _of_checks(found: Sequence[Check], now: datetime) -> Iterator[Family]:
    shown = [(check, rules.shown_status(check, now)) for check in found]
    labels = {
        check.id: {
            "name": check.name,
            "tags": check.tags,
            "unique_key": check.unique_key,
        }
        for check in found
    }

    def of_each(
        name: str, text: str, is_so: Callable[[Check, ShownStatus], bool]
    ) -> Family:
        samples = [(labels[c.id], float(is_so(c, status))) for c, status in shown]
        return Family(name, "gauge", text, samples)

    yield of_each("hc_check_up", "0 while the check is down.", lambda _, s: s != "down")
    yield of_each(
        "hc_check_started",
        "1 while a run is open.",
        lambda check, _: check.last_start is not None,
    )
    yield of_each(
        "hc_check_grace", "1 while a ping is late.", lambda _, s: s == "grace"
    )
    yield of_each(
        "hc_check_paused", "1 while the check is paused.", lambda _, s: s == "paused"
    )
    yield Family(
        "hc_check_last_duration_seconds",
        "gauge",
        "How long the last run took, where that is known.",
        [
            (labels[check.id], check.last_duration.total_seconds())
            for check in found
            if check.last_duration is not None
        ],
    )
    down = [check for check, status in shown if status == "down"]
    yield _of_tags(found, down)
    yield gauge("hc_checks_total", "How many checks there are.", len(found))
    yield gauge("hc_checks_down_total", "How many checks are down.", len(down))


def _of_tags(found: Sequence[Check], down: Sequence[Check]) -> Family:
    tags = sorted({tag for check in found for tag in check.tag_list})
    tags_down = {tag for check in down for tag in check.tag_list}
    samples = [({"tag": tag}, float(tag not in tags_down)) for tag in tags]
    text = "0 while a check with the tag is down."
    return Family("hc_tag_up", "gauge", text, samples)


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
