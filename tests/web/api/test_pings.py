"""The log of pings over the Management API: fields, durations, bodies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.pings.arrival import Target
from tests.app import CONFIG, ROOT, App, running_app
from tests.build import make_ping


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])
A = "123e4567-e89b-12d3-a456-426614174000"
B = "00000000-e89b-12d3-a456-426614174000"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS_72 = 72 * 3600


async def new_check(app: App, **fields: Any) -> str:
    """Create a check and return its UUID."""
    response = await app.api("POST", "checks/", json=fields)
    return str(response.json()["uuid"])


async def get_pings(app: App, code: str, version: int = 3) -> list[dict[str, Any]]:
    response = await app.api("GET", f"checks/{code}/pings/", version=version)
    assert response.status_code == 200
    assert list(response.json()) == ["pings"]
    return list(response.json()["pings"])


async def signal(app: App, code: str, seconds: float, **fields: Any) -> None:
    """Send a ping so many seconds after START."""
    ping = make_ping(created=START + timedelta(seconds=seconds), **fields)
    await app.parts.pinging.receive(Target(code=code), ping)


@VERSIONS
async def test_check_without_pings_has_an_empty_log(app: App, version: int) -> None:
    code = await new_check(app)

    assert await get_pings(app, code, version) == []


@VERSIONS
async def test_ping_has_its_fields(app: App, version: int) -> None:
    code = await new_check(app)
    await app.http.get(f"/ping/{code}/start?rid={A}", headers={"User-Agent": "curl"})
    await app.http.post(
        f"/ping/{code}/log", content=b"x", headers={"User-Agent": "wget"}
    )

    newest, oldest = await get_pings(app, code, version)

    for ping in (newest, oldest):
        date = datetime.fromisoformat(ping["date"])
        assert abs(datetime.now(UTC) - date) < timedelta(minutes=5)
        assert ping.pop("date") == date.isoformat(timespec="microseconds")
    shared = {"scheme": "http", "remote_addr": "192.0.2.1"}
    assert newest == shared | {
        "type": "log",
        "n": 2,
        "method": "POST",
        "ua": "wget",
        "rid": None,
        "body_url": f"{ROOT}/api/v{version}/checks/{code}/pings/2/body",
    }
    assert oldest == shared | {
        "type": "start",
        "n": 1,
        "method": "GET",
        "ua": "curl",
        "rid": A,
        "body_url": None,
    }


@pytest.mark.parametrize("microsecond", [0, 1, 500_000, 999_999])
async def test_date_has_its_microseconds(app: App, microsecond: int) -> None:
    code = await new_check(app)

    await signal(app, code, microsecond / 1_000_000)

    (ping,) = await get_pings(app, code)
    assert ping["date"] == f"2026-01-01T00:00:00.{microsecond:06}+00:00"


async def test_ping_by_mail_is_listed(app: App) -> None:
    code = await new_check(app, methods="POST")
    fields = {"scheme": "email", "method": "", "remote_addr": "", "ua": "Email from x"}

    await signal(app, code, 0, body=b"mail", **fields)

    (ping,) = await get_pings(app, code)
    assert (ping["type"], ping["scheme"], ping["method"]) == ("success", "email", "")


async def test_log_of_one_check_shows_no_other(app: App) -> None:
    one, other = await new_check(app), await new_check(app)
    await app.http.get(f"/ping/{one}/fail")
    await app.http.get(f"/ping/{other}/start")

    (ping,) = await get_pings(app, one)

    assert (ping["n"], ping["type"]) == (1, "fail")


# Durations


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ("0 success", {}),
        ("0 start; 5 success", {2: 5}),
        ("0 start; 5 fail", {2: 5}),
        ("0 start; 5.128 success", {2: 5.13}),
        ("0 start; 0 success", {2: 0}),
        ("0 start; 5 log; 6 success", {3: 6}),
        ("0 start; 5 success; 6 success", {2: 5}),
        ("0 start; 5 fail; 6 success", {2: 5}),
        ("0 start; 4 start; 5 success", {3: 1}),
        ("0 start; 4 start; 5 success; 6 success", {3: 1}),
        ("0 start A; 5 success A", {2: 5}),
        ("0 start A; 5 success", {}),
        ("0 start; 5 success A", {}),
        ("0 start A; 5 success B", {}),
        ("0 start A; 5 success B; 6 success A", {3: 6}),
        ("0 start A; 5 fail B; 6 success A", {3: 6}),
        ("0 start A; 5 success; 6 success A", {3: 6}),
        ("0 start A; 1 start B; 5 success A; 7 fail B", {3: 5, 4: 6}),
        ("0 start A; 1 start B; 5 success B; 7 success A", {3: 4, 4: 7}),
        ("0 start; 1 start A; 5 success; 7 success A", {3: 5, 4: 6}),
        ("0 start A; 1 success A; 2 success A", {2: 1}),
        ("0 start A; 1 success A; 2 start A; 5 success A", {2: 1, 4: 3}),
        (f"0 start; {HOURS_72 - 0.5} success", {2: HOURS_72 - 0.5}),
        (f"0 start; {HOURS_72} success", {}),
        (f"0 start; {HOURS_72 + 1} success", {}),
    ],
)
@VERSIONS
async def test_duration_is_from_the_latest_start_of_the_run(
    app: App, signals: str, expected: dict[int, float], version: int
) -> None:
    code = await new_check(app)

    for text in signals.split("; "):
        seconds, action, *rid = text.split()
        named = {"A": A, "B": B}[rid[0]] if rid else None
        await signal(app, code, float(seconds), action=action, rid=named)

    pings = await get_pings(app, code, version)
    durations = {p["n"]: p["duration"] for p in pings if "duration" in p}
    assert durations == expected


async def test_ignored_outcome_has_no_duration_and_ends_no_run(app: App) -> None:
    code = await new_check(app, methods="POST")
    await signal(app, code, 0, action="start", method="POST")
    await signal(app, code, 1, action="success", method="GET")
    await signal(app, code, 5, action="success", method="POST")

    newest, ignored, _ = await get_pings(app, code)

    assert newest["duration"] == 5
    assert "duration" not in ignored


@VERSIONS
async def test_no_duration_is_negative_over_a_step_back(app: App, version: int) -> None:
    code = await new_check(app)
    await signal(app, code, 7200, action="start")
    await signal(app, code, 10, action="success")

    newest, _ = await get_pings(app, code, version)
    check = (await app.api("GET", f"checks/{code}", version=version)).json()

    assert (newest["duration"], check["last_duration"]) == (0, 0)


async def test_duration_does_not_depend_on_the_checks_own_run(app: App) -> None:
    code = await new_check(app)
    await signal(app, code, 0, action="start")
    await app.api("POST", f"checks/{code}/pause")
    await signal(app, code, 5, action="success")

    newest, _ = await get_pings(app, code)

    assert newest["duration"] == 5


async def test_start_before_the_listed_pings_counts(tmp_path: Path) -> None:
    text = f"{CONFIG}\n[pings]\nlog_limit = 2"
    async with running_app(tmp_path, text) as app:
        code = await new_check(app)
        await signal(app, code, 0, action="start")
        await signal(app, code, 1, action="log")
        await signal(app, code, 2, action="log")
        await signal(app, code, 3, action="success")

        newest, oldest = await get_pings(app, code)

        assert (newest["n"], oldest["n"]) == (4, 3)
        assert newest["duration"] == 3


async def test_start_before_the_listed_pings_counts_over_a_step_back(
    tmp_path: Path,
) -> None:
    text = f"{CONFIG}\n[pings]\nlog_limit = 2"
    async with running_app(tmp_path, text) as app:
        code = await new_check(app)
        await signal(app, code, 0, action="start")
        # Longer ahead than a run may take.
        await signal(app, code, 1_000_000, action="log")
        await signal(app, code, 3, action="success")

        newest, _ = await get_pings(app, code)

        assert newest["duration"] == 3


async def test_outcome_before_the_listed_pings_ends_its_run(tmp_path: Path) -> None:
    text = f"{CONFIG}\n[pings]\nlog_limit = 1"
    async with running_app(tmp_path, text) as app:
        code = await new_check(app)
        await signal(app, code, 0, action="start")
        await signal(app, code, 1, action="success")
        await signal(app, code, 2, action="success")

        (newest,) = await get_pings(app, code)

        assert "duration" not in newest


# How many


async def test_no_more_pings_than_the_log_keeps(tmp_path: Path) -> None:
    text = f"{CONFIG}\n[pings]\nlog_limit = 3"
    async with running_app(tmp_path, text) as app:
        code = await new_check(app)
        for i in range(5):
            await app.http.post(f"/ping/{code}", content=b"%d" % i)

        before = await get_pings(app, code)
        await app.pruner.prune_once(0)
        after = await get_pings(app, code)
        bodies = [
            await app.api("GET", f"checks/{code}/pings/{n}/body") for n in range(7)
        ]

        assert [ping["n"] for ping in before] == [5, 4, 3]
        assert after == before
        assert [b.status_code for b in bodies] == [404] * 3 + [200] * 3 + [404]
        check = (await app.api("GET", f"checks/{code}")).json()
        assert check["n_pings"] == 5


async def test_no_more_than_a_thousand_pings(tmp_path: Path) -> None:
    text = f"{CONFIG}\n[pings]\nlog_limit = 5000"
    async with running_app(tmp_path, text) as app:
        code = await new_check(app)
        for i in range(1010):
            await signal(app, code, i, action="log", body=b"x")

        pings = await get_pings(app, code)
        oldest = await app.api("GET", f"checks/{code}/pings/1/body")

        assert [ping["n"] for ping in pings] == list(range(1010, 10, -1))
        assert oldest.status_code == 200


# Bodies


@pytest.mark.parametrize(
    "body",
    [b"hello", b"\0", b"\xff\xfe", b"<script>alert(1)</script>", "Grüße".encode()],
)
@VERSIONS
async def test_body_comes_as_plain_text(app: App, body: bytes, version: int) -> None:
    code = await new_check(app)
    await app.http.post(f"/ping/{code}", content=body)
    (ping,) = await get_pings(app, code, version)

    response = await app.api("GET", f"checks/{code}/pings/1/body", version=version)

    assert ping["body_url"] == str(response.url)
    assert (response.status_code, response.content) == (200, body)
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "n", ["0", "2", "3", "999", "2147483648", "9" * 15, "9" * 19, "9" * 30, "9" * 5000]
)
@VERSIONS
async def test_body_that_is_not_there_is_not_found(
    app: App, n: str, version: int
) -> None:
    code = await new_check(app)
    await app.http.post(f"/ping/{code}", content=b"x")
    await app.http.post(f"/ping/{code}")

    response = await app.api("GET", f"checks/{code}/pings/{n}/body", version=version)

    assert response.status_code == 404
    assert isinstance(response.json()["error"], str)
    assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_body_of_another_check_is_not_shown(app: App) -> None:
    one, other = await new_check(app), await new_check(app)
    await app.http.post(f"/ping/{one}", content=b"one")

    response = await app.api("GET", f"checks/{other}/pings/1/body")

    assert response.status_code == 404
