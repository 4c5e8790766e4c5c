"""Changes of status over the Management API: GET checks/<…>/flips/."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.pings.arrival import Target
from tests.app import CONFIG, READ_KEY, App, running_app
from tests.build import make_ping


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])
START = datetime(2024, 1, 1, tzinfo=UTC)
T = int(START.timestamp())


async def new_check(app: App, **fields: Any) -> str:
    """Create a check and return its UUID."""
    response = await app.api("POST", "checks/", json=fields)
    return str(response.json()["uuid"])


async def get_flips(app: App, code: str, query: str = "") -> list[dict[str, Any]]:
    response = await app.api("GET", f"checks/{code}/flips/{query}", key=READ_KEY)
    assert response.status_code == 200
    assert list(response.json()) == ["flips"]
    return list(response.json()["flips"])


async def signal(app: App, code: str, created: datetime, **fields: Any) -> None:
    """Send a ping of a chosen moment."""
    ping = make_ping(created=created, **fields)
    await app.parts.pinging.receive(Target(code=code), ping)


async def flip(app: App, code: str, *seconds: float) -> None:
    """Let a check go up, down, up … so many seconds after START."""
    for i, after in enumerate(seconds):
        action = "fail" if i % 2 else "success"
        await signal(app, code, START + timedelta(seconds=after), action=action)


def unique_key(code: str) -> str:
    digits = code.replace("-", "")[:16]
    return hashlib.sha1(digits.encode()).hexdigest()


@VERSIONS
async def test_check_that_never_changed_has_no_flips(app: App, version: int) -> None:
    code = await new_check(app)

    response = await app.api("GET", f"checks/{code}/flips/", version=version)

    assert response.json() == {"flips": []}


@VERSIONS
@pytest.mark.parametrize("by", ["code", "unique_key"])
async def test_flips_come_newest_first(app: App, version: int, by: str) -> None:
    code = await new_check(app)
    await flip(app, code, 0, 10.75, 20)
    name = code if by == "code" else unique_key(code)

    response = await app.api("GET", f"checks/{name}/flips/", version=version)

    assert response.json() == {
        "flips": [
            {"timestamp": "2024-01-01T00:00:20+00:00", "up": 1},
            {"timestamp": "2024-01-01T00:00:10+00:00", "up": 0},
            {"timestamp": "2024-01-01T00:00:00+00:00", "up": 1},
        ]
    }


async def test_newest_flip_is_the_last_one_whatever_the_clock_said(app: App) -> None:
    code = await new_check(app)
    # The power is cut after the fail, and the clock is half an hour behind at boot.
    await flip(app, code, 0, 7140, 4620)

    assert [
        (flip["timestamp"][11:16], flip["up"]) for flip in await get_flips(app, code)
    ] == [
        ("01:17", 1),
        ("01:59", 0),
        ("00:00", 1),
    ]


@VERSIONS
async def test_flips_are_a_bare_list_if_so_configured(
    tmp_path: Path, version: int
) -> None:
    text = CONFIG.replace("[api]", '[api]\nflips = "list"')
    async with running_app(tmp_path, text) as app:
        code = await new_check(app)
        await flip(app, code, 0)

        response = await app.api("GET", f"checks/{code}/flips/", version=version)

        assert response.json() == [{"timestamp": "2024-01-01T00:00:00+00:00", "up": 1}]


async def test_flips_of_one_check_show_no_other(app: App) -> None:
    one, other = await new_check(app), await new_check(app)
    await flip(app, one, 0, 1)
    await flip(app, other, 2)

    assert [flip["up"] for flip in await get_flips(app, other)] == [1]


async def test_pings_that_change_nothing_are_no_flips(app: App) -> None:
    code = await new_check(app)
    for i, action in enumerate(["start", "log", "success", "success", "start", "ign"]):
        await signal(app, code, START + timedelta(seconds=i), action=action)

    assert [flip["up"] for flip in await get_flips(app, code)] == [1]


# Filters


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [20, 10, 0]),
        ("?x=1", [20, 10, 0]),
        (f"?start={T}", [20, 10, 0]),
        (f"?start={T + 1}", [20, 10]),
        (f"?start={T + 10}", [20, 10]),
        (f"?start={T + 11}", [20]),
        (f"?start={T + 21}", []),
        (f"?end={T}", []),
        (f"?end={T + 1}", [0]),
        (f"?end={T + 20}", [10, 0]),
        (f"?end={T + 21}", [20, 10, 0]),
        (f"?start={T + 10}&end={T + 20}", [10]),
        (f"?start={T + 10}&end={T + 10}", []),
        (f"?start={T + 20}&end={T}", []),
        (f"?&start={T + 20}", [20]),
        ("?start=0", [20, 10, 0]),
        ("?end=0", []),
        ("?start=10000000000", []),
        ("?end=10000000000", [20, 10, 0]),
        ("?seconds=", [20, 10, 0]),
        ("?seconds", [20, 10, 0]),
        ("?seconds=0", [20, 10, 0]),
        ("?seconds=00", [20, 10, 0]),
        ("?seconds=60", []),
        *((f"?seconds={n}", []) for n in ("60.0", "60.", "%2B60", "+60", "60.000")),
        ("?seconds=0.0", [20, 10, 0]),
        ("?seconds=%2B0", [20, 10, 0]),
        ("?seconds=31536000.0", []),
        (f"?start=%2B{T + 11}", [20]),
        (f"?end=%2B{T + 1}", [0]),
        (f"?seconds=0&start={T + 20}", [20]),
        (f"?seconds=&end={T + 1}", [0]),
    ],
)
async def test_flips_are_filtered_by_time(
    app: App, query: str, expected: list[int]
) -> None:
    code = await new_check(app)
    await flip(app, code, 0, 10, 20)

    for name in (code, unique_key(code)):
        flips = await get_flips(app, name, query)

        moments = [datetime.fromisoformat(flip["timestamp"]) for flip in flips]
        assert [int(moment.timestamp()) - T for moment in moments] == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(30, 0), (90, 1), (3700, 2), (31_536_000, 2)]
)
async def test_seconds_count_back_from_now(
    app: App, seconds: int, expected: int
) -> None:
    code = await new_check(app)
    now = datetime.now(UTC)
    await signal(app, code, now - timedelta(seconds=3600), action="success")
    await signal(app, code, now - timedelta(seconds=60), action="fail")

    flips = await get_flips(app, code, f"?seconds={seconds}")

    assert len(flips) == expected


@VERSIONS
@pytest.mark.parametrize(
    "query",
    [
        "?seconds=x",
        "?seconds=-1",
        "?seconds=1.5",
        "?seconds=1e3",
        "?seconds=.0",
        "?seconds=1.0.0",
        "?seconds=%2B%2B1",
        "?seconds=%2B-1",
        "?seconds=1.01",
        "?seconds=31536001.0",
        "?seconds=31536001",
        "?seconds=%D9%A3",
        "?seconds=" + "9" * 5000,
        "?seconds=nan",
        "?start=",
        "?start",
        "?start=x",
        "?start=-1",
        "?start=1.5",
        "?start=1.0",
        "?end=1.0",
        "?start=10000000001",
        "?start=" + "9" * 5000,
        "?start=%00",
        "?start=2024-01-01",
        "?end=",
        "?end",
        "?end=x",
        "?end=-1",
        "?end=10000000001",
        "?end=1_000",
        "?start=0&end=",
        "?seconds=0&start=x",
    ],
    ids=lambda query: query[:30],
)
async def test_bad_filter_is_refused(app: App, query: str, version: int) -> None:
    code = await new_check(app)

    response = await app.api("GET", f"checks/{code}/flips/{query}", version=version)

    assert response.status_code == 400
    assert response.headers["Access-Control-Allow-Origin"] == "*"


# What makes a flip


async def test_pause_and_resume_are_flips(app: App) -> None:
    code = await new_check(app)
    await app.http.get(f"/ping/{code}")
    await app.api("POST", f"checks/{code}/pause")
    await app.api("POST", f"checks/{code}/pause")
    await app.api("POST", f"checks/{code}/resume")
    await app.api("POST", f"checks/{code}/resume")
    await app.http.get(f"/ping/{code}")

    assert [flip["up"] for flip in await get_flips(app, code)] == [1, 0, 0, 1]


async def test_timeout_bears_the_time_of_the_deadline(app: App) -> None:
    code = await new_check(app, timeout=60, grace=120)
    await flip(app, code, 0)

    await app.checker.check_once(START + timedelta(days=30))

    assert await get_flips(app, code) == [
        {"timestamp": "2024-01-01T00:03:00+00:00", "up": 0},
        {"timestamp": "2024-01-01T00:00:00+00:00", "up": 1},
    ]


async def test_timeout_of_a_cron_check_bears_the_time_of_its_deadline(
    app: App,
) -> None:
    code = await new_check(app, schedule="30 * * * *", tz="Asia/Kolkata", grace=60)
    await flip(app, code, 0)

    await app.checker.check_once(START + timedelta(days=30))

    # Half past the hour there is the full hour in UTC.
    newest = (await get_flips(app, code))[0]
    assert newest == {"timestamp": "2024-01-01T01:01:00+00:00", "up": 0}


async def test_ping_before_the_checker_looked_leaves_no_timeout(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)
    await flip(app, code, 0)
    await signal(app, code, START + timedelta(hours=1), action="success")

    flipped = await app.checker.check_once(START + timedelta(hours=1, seconds=30))

    assert flipped == 0
    assert [flip["up"] for flip in await get_flips(app, code)] == [1]


async def test_edit_is_no_flip(app: App) -> None:
    code = await new_check(app)
    await flip(app, code, 0)

    await app.api("POST", f"checks/{code}", json={"timeout": 60, "grace": 60})

    assert [flip["up"] for flip in await get_flips(app, code)] == [1]


async def test_many_checks_go_down_at_once_each_at_its_own_time(
    tmp_path: Path,
) -> None:
    text = CONFIG.replace("check_limit = 10", "check_limit = 1000")
    async with running_app(tmp_path, text) as app:
        codes = [await new_check(app, timeout=60 + i, grace=60) for i in range(250)]
        for code in codes:
            await flip(app, code, 0)

        flipped = await app.checker.check_once(START + timedelta(days=1))

        assert flipped == 250
        for i in (0, 100, 249):
            newest = (await get_flips(app, codes[i]))[0]
            expected = START + timedelta(seconds=120 + i)
            assert newest == {"timestamp": expected.isoformat(), "up": 0}
