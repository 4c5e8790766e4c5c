"""What Prometheus reads: a project's checks, and the server itself."""

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Scope

from hcl.counters import Histogram
from hcl.pings.arrival import Target
from hcl.web.figures.prometheus import Family, HistogramFamily, answer
from hcl.web.http.proxies import Proxies
from tests.app import CONFIG, OTHER_READ_KEY, READ_KEY, WRITE_KEY, App, running_app
from tests.build import HOUR, NOW, make_ping
from tests.store import change, pragma, put_check, put_flip, rows

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(text: str) -> Samples:
    """Read metrics as Prometheus does; each sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def project_code(app: App, project_id: int = 1) -> str:
    sql = "SELECT code FROM projects WHERE id = ?"
    return str((await rows(app.database, sql, project_id))[0])


async def read(app: App) -> Samples:
    """Read the project's metrics."""
    url = f"/projects/{await project_code(app)}/metrics/{READ_KEY}"
    response = await app.http.get(url)
    assert response.status_code == 200
    return parse(response.text)


def of_check(samples: Samples, name: str) -> dict[str, float]:
    """Return a metric of each check, by the check's name."""
    return {
        dict(labels)["name"]: value
        for (metric, labels), value in samples.items()
        if metric == name
    }


async def test_checks_of_every_status_are_told(app: App) -> None:
    now = datetime.now(UTC)
    states: dict[str, dict[str, Any]] = {
        "new": {},
        "up": {"status": "up", "alert_after": now + 2 * HOUR},
        "late": {"status": "up", "alert_after": now + HOUR / 2},
        "down": {"status": "down"},
        "overdue": {"status": "up", "alert_after": now - HOUR},
        "paused": {"status": "paused"},
        "running": {"status": "up", "alert_after": now + HOUR, "last_start": now},
    }
    for name, state in states.items():
        last_ping = now - 23 * HOUR if name == "running" else None
        await put_check(app.database, **{"name": name, "last_ping": last_ping} | state)

    samples = await read(app)

    up = of_check(samples, "hc_check_up")
    assert {name for name, value in up.items() if not value} == {"down", "overdue"}
    assert set(up) == set(states)
    for metric, named in (
        ("started", "running"),
        ("grace", "late"),
        ("paused", "paused"),
    ):
        values = of_check(samples, f"hc_check_{metric}")
        assert {name for name, value in values.items() if value} == {named}
        assert set(values) == set(states)
    assert samples["hc_checks_total", ()] == 7
    assert samples["hc_checks_down_total", ()] == 2


async def test_labels_name_the_check_as_it_is_called(app: App) -> None:
    name = 'a "quoted" \\ name\nof two lines, ü {x="1"} 1'
    check = await put_check(app.database, name=name, tags="db prod")

    samples = await read(app)

    labels = {"name": name, "tags": "db prod", "unique_key": check.unique_key}
    assert samples["hc_check_up", tuple(sorted(labels.items()))] == 1


async def test_tag_is_down_if_one_of_its_checks_is(app: App) -> None:
    await put_check(app.database, tags="db prod", status="down")
    await put_check(app.database, tags="prod web")

    samples = await read(app)

    tags = {
        dict(key[1])["tag"]: v for key, v in samples.items() if key[0] == "hc_tag_up"
    }
    assert tags == {"db": 0, "prod": 0, "web": 1}


async def test_last_duration_is_told_where_it_is_known(app: App) -> None:
    length = timedelta(seconds=12.5)
    await put_check(app.database, name="known", last_duration=length)
    await put_check(app.database, name="unknown")

    samples = await read(app)

    assert of_check(samples, "hc_check_last_duration_seconds") == {"known": 12.5}


async def test_ping_that_was_just_received_counts(app: App) -> None:
    late = datetime.now(UTC) - HOUR
    check = await put_check(
        app.database, name="a", status="up", last_ping=late, alert_after=late
    )
    await app.http.get(f"/ping/{check.code}")

    assert of_check(await read(app), "hc_check_up") == {"a": 1}


@pytest.mark.parametrize(
    ("key", "status"),
    [
        (READ_KEY, 200),
        (WRITE_KEY, 403),
        (OTHER_READ_KEY, 403),
        ("x" * 32, 403),
        ("x" * 31, 400),
        ("x" * 33, 400),
    ],
)
async def test_read_only_key_of_the_project_opens(
    app: App, key: str, status: int
) -> None:
    url = f"/projects/{await project_code(app)}/metrics/"

    by_url = await app.http.get(url + key)
    by_header = await app.http.get(url, headers={"Authorization": f"Bearer {key}"})
    with_blanks = await app.http.get(url, headers={"Authorization": f"Bearer  {key} "})

    assert (by_url.status_code, by_header.status_code) == (status, status)
    assert with_blanks.status_code == status


@pytest.mark.parametrize("key", ["ü" * 32, "ab/cd+ef/" + "g" * 23])
async def test_any_32_characters_can_be_the_key(tmp_path: Path, key: str) -> None:
    async with running_app(tmp_path, CONFIG.replace(READ_KEY, key)) as app:
        url = f"/projects/{await project_code(app)}/metrics/"
        header = [(b"Authorization", f"Bearer {key}".encode())]

        by_url = await app.http.get(url + key)
        by_header = await app.http.get(url, headers=header)

        assert (by_url.status_code, by_header.status_code) == (200, 200)


@pytest.mark.parametrize("header", [{}, {"Authorization": f"Basic {READ_KEY}"}])
async def test_no_bearer_token_is_401(app: App, header: dict[str, str]) -> None:
    url = f"/projects/{await project_code(app)}/metrics/"

    response = await app.http.get(url, headers=header)

    assert response.status_code == 401


async def test_empty_bearer_token_is_400(app: App) -> None:
    url = f"/projects/{await project_code(app)}/metrics/"

    response = await app.http.get(url, headers={"Authorization": "Bearer "})

    assert response.status_code == 400


async def test_unknown_project_is_403_whatever_the_key(app: App) -> None:
    code = "00000000-0000-4000-8000-000000000000"

    response = await app.http.get(f"/projects/{code}/metrics/{READ_KEY}")

    assert response.status_code == 403


async def test_project_without_checks_has_metrics(app: App) -> None:
    samples = await read(app)

    assert samples == {("hc_checks_total", ()): 0, ("hc_checks_down_total", ()): 0}


async def server_metrics(app: App) -> Samples:
    response = await app.http.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return parse(response.text)


@pytest.fixture
async def local(tmp_path: Path) -> Any:
    """The app, with requests from this machine."""
    async with running_app(tmp_path, peer="127.0.0.1") as app:
        yield app


async def test_server_counts_pings_and_batches(local: App) -> None:
    check = await put_check(local.database)
    receive = local.parts.pinging.receive
    await asyncio.gather(
        *(receive(Target(code=check.code), make_ping()) for _ in "abc")
    )
    await receive(Target(code=check.code), make_ping(action="log"))
    await receive(Target(code="unknown"), make_ping())

    samples = await server_metrics(local)

    assert samples["hcl_pings_total", (("action", "success"),)] == 3
    assert samples["hcl_pings_total", (("action", "log"),)] == 1
    assert samples["hcl_batch_pings_bucket", (("le", "2.0"),)] == 1
    assert samples["hcl_batch_pings_bucket", (("le", "5.0"),)] == 2
    assert samples["hcl_batch_pings_sum", ()] == 4
    assert samples["hcl_commit_seconds_count", ()] == 2
    assert 0 < samples["hcl_commit_seconds_sum", ()] < 5
    assert samples["hcl_inbox_pings", ()] == 4


async def test_server_tells_of_its_queues_and_size(local: App) -> None:
    now = datetime.now(UTC)
    check = await put_check(local.database, 1, status="up", alert_after=now - HOUR)
    await put_flip(local.database, check, now - 2 * HOUR)

    await put_flip(local.database, check, now - HOUR, "down", "up")
    await put_flip(local.database, check, now - HOUR)
    held = "UPDATE notifications SET hold = 'quiet' WHERE id > 1"
    await change(local.database, held)
    await change(local.database, "UPDATE channels SET failing_since = 1 WHERE id = 2")

    samples = await server_metrics(local)

    assert samples["hcl_checker_lag_seconds", ()] == pytest.approx(3600, abs=60)
    assert samples["hcl_outbox_messages", ()] == 1
    assert samples["hcl_outbox_held_messages", ()] == 2
    assert samples["hcl_channels_failing", ()] == 1
    assert samples["hcl_outbox_oldest_seconds", ()] == pytest.approx(7200, abs=60)
    assert samples["hcl_database_bytes", ()] > 0
    assert samples["hcl_wal_bytes", ()] > 0
    assert samples["process_resident_memory_bytes", ()] > 10_000_000
    assert samples["process_cpu_seconds_total", ()] > 0


async def test_server_counts_deliveries_by_outcome(local: App) -> None:
    check = await put_check(local.database, 1)
    await put_flip(local.database, check, NOW)

    await local.sender.send_once(datetime.now(UTC))

    # Nobody listens at the channel's address.
    samples = await server_metrics(local)
    labels = (("kind", "webhook"), ("outcome", "failed"))
    assert samples["hcl_deliveries_total", labels] == 1


@pytest.mark.parametrize(
    ("peer", "forwarded", "allowed"),
    [
        ("127.0.0.1", None, True),
        ("::1", None, True),
        ("192.0.2.1", None, False),
        ("192.0.2.1", "127.0.0.1", False),
        ("127.0.0.1", "192.0.2.1", False),
        # A client wrote the first, the proxy added the second.
        ("127.0.0.1", "127.0.0.1, 192.0.2.1", False),
        ("127.0.0.1", "192.0.2.1, 127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1, nonsense", False),
        ("127.0.0.1", "nonsense, 127.0.0.1", False),
    ],
)
async def test_only_allowed_addresses_read_the_servers_metrics(
    tmp_path: Path, peer: str, forwarded: str | None, allowed: bool
) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    async with running_app(tmp_path, peer=peer) as app:
        response = await app.http.get("/metrics", headers=headers)

    assert response.status_code == (200 if allowed else 403)


async def test_networks_that_the_config_names_may_read(tmp_path: Path) -> None:
    text = CONFIG + '\n[metrics]\nallow = ["192.0.2.0/24"]\n'
    async with running_app(tmp_path, text, peer="192.0.2.9") as app:
        assert (await app.http.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        *(("127.0.0.1:8000", True), ("[::1]", True), ("hcl.example", True)),
        *(("localhost:8000", True), ("hcl.example.evil.example", False)),
        *(("evil.example:8000", False), ("", False)),
    ],
)
async def test_page_of_another_site_cannot_read_the_servers_metrics(
    local: App, host: str, allowed: bool
) -> None:
    response = await local.http.get("/metrics", headers={"Host": host})
    preflight = await local.http.options("/metrics", headers={"Host": host})

    assert response.status_code == (200 if allowed else 403)
    names = [*response.headers, *preflight.headers]
    assert not [name for name in names if name.startswith("access-control")]


def test_two_headers_are_one_list() -> None:
    networks = [ip_network("192.0.2.2")]
    scope: Scope = {
        "client": None,
        "headers": [
            (b"x-forwarded-for", b"192.0.2.1"),
            (b"x-forwarded-for", b"192.0.2.2"),
        ],
    }

    assert Proxies([]).is_from(scope, networks)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_any_label_is_read_back(value: str) -> None:
    text = bytes(answer([Family("m", "gauge", "A text.", [({"a": value}, 1)])]).body)

    assert parse(text.decode()) == {("m", (("a", value),)): 1}


def test_histogram_counts_what_is_at_most_each_bound() -> None:
    histogram = Histogram(1, 2.5)
    for value in (0, 1, 1.5, 2.5, 3):
        histogram.observe(value)

    samples = parse(
        bytes(answer([HistogramFamily("h", "A text.", histogram)]).body).decode()
    )

    assert samples["h_bucket", (("le", "1.0"),)] == 2
    assert samples["h_bucket", (("le", "2.5"),)] == 4
    assert samples["h_bucket", (("le", "+Inf"),)] == 5
    assert samples["h_sum", ()] == 8
    assert samples["h_count", ()] == 5


async def test_status_says_that_the_database_cannot_be_written(app: App) -> None:
    check = await put_check(app.database)
    with sqlite3.connect(app.config.database.path) as other:
        other.execute("BEGIN IMMEDIATE")
        await pragma(app.database, "busy_timeout = 1")
        refused = await app.http.get(f"/ping/{check.code}")
        during = await app.http.get("/api/v3/status/")
        other.rollback()
    other.close()
    after: httpx2.Response = await app.http.get("/api/v3/status/")

    assert refused.status_code == 503
    assert (during.status_code, during.text) == (503, "the database cannot be written")
    assert (after.status_code, after.text) == (200, "OK")
