"""Badges: what their URLs answer, by tag, for all checks, and for one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import httpx2
import pytest

from hcl.pings.arrival import Target
from tests.app import CONFIG, OTHER_WRITE_KEY, ROOT, App, running_app
from tests.build import make_ping
from tests.web.api.calls import create


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


FORMATS = ("svg", "json", "shields")
KINDS = [*FORMATS, *(f"{fmt}3" for fmt in FORMATS)]
COLORS = {"up": "success", "late": "important", "down": "critical"}
TYPES = {
    "svg": "image/svg+xml",
    "json": "application/json",
    "shields": "application/json",
}

# How a check comes to show each status.
STATUSES = ("new", "up", "started", "paused", "grace", "down", "overdue", "overrun")
DOWN = ("down", "overdue", "overrun")


async def check_with(app: App, status: str, **fields: Any) -> dict[str, Any]:
    """Create a check and bring it to this status; the checker has not looked yet."""
    grace = 3600 if status == "grace" else 60
    check = await create(app, timeout=60, grace=grace, **fields)
    code, now = check["uuid"], datetime.now(UTC)
    if status == "paused":
        await app.api("POST", f"checks/{code}/pause")
    elif status != "new":
        signals = {"started": "start", "overrun": "start", "down": "fail"}
        late = status in ("grace", "overdue", "overrun")
        ping = make_ping(
            created=now - timedelta(minutes=10 if late else 0),
            action=signals.get(status, "success"),
        )
        await app.parts.pinging.receive(Target(code=code), ping)
    return check


async def badges_of(app: App, **call: Any) -> dict[str, dict[str, str]]:
    response = await app.api("GET", "badges/", **call)
    assert response.status_code == 200
    return dict(response.json()["badges"])


async def get_json(app: App, url: str) -> dict[str, Any]:
    response = await app.http.get(url)
    assert response.status_code == 200, url
    return dict(response.json())


def assert_tells(
    response: httpx2.Response, kind: str, label: str, status: str, **counts: int
) -> None:
    """Judge a badge of some format; `counts` are those of its JSON."""
    assert response.status_code == 200
    fmt = kind.removesuffix("3")
    assert response.headers["Content-Type"] == TYPES[fmt]
    if fmt == "svg":
        svg = fromstring(response.content)
        assert svg.get("aria-label") == f"{label}: {status}"
    elif fmt == "json":
        assert response.json() == {"status": status, **counts}
        assert list(response.json()) == ["status", "total", "grace", "down"]
    else:
        assert response.json() == {
            "schemaVersion": 1,
            "label": label,
            "message": status,
            "color": COLORS[status],
        }


def expected(status: str, kind: str) -> tuple[str, dict[str, int]]:
    """Return what a badge of one check with this status says."""
    grace, down = int(status == "grace"), int(status in DOWN)
    word = "down" if down else "late" if grace and kind.endswith("3") else "up"
    return word, {"total": 1, "grace": grace, "down": down}


# What badges say


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", STATUSES)
async def test_badge_of_a_tag_tells_its_status(
    app: App, status: str, kind: str
) -> None:
    await check_with(app, status, tags="prod")

    url = (await badges_of(app))["prod"][kind]
    response = await app.http.get(url)

    word, counts = expected(status, kind)
    assert_tells(response, kind, "prod", word, **counts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", STATUSES)
async def test_badge_of_all_checks_bears_the_name_of_the_site(
    tmp_path: Path, status: str, kind: str
) -> None:
    text = CONFIG.replace("[server]", '[server]\nsite_name = "Jobs & <more>"')
    async with running_app(tmp_path, text) as app:
        await check_with(app, status)

        url = (await badges_of(app))["*"][kind]
        response = await app.http.get(url)

    word, counts = expected(status, kind)
    assert_tells(response, kind, "Jobs & <more>", word, **counts)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", STATUSES)
async def test_badge_of_a_check_tells_its_status(
    app: App, status: str, kind: str
) -> None:
    check = await check_with(app, status, name="Nightly <backup>")

    response = await app.http.get(url_of(check, kind))

    word, counts = expected(status, kind)
    assert_tells(response, kind, "Nightly <backup>", word, **counts)


def url_of(check: dict[str, Any], kind: str) -> str:
    """Return the URL of a check's badge, made from the one of its document."""
    fmt, states = kind.removesuffix("3"), 3 if kind.endswith("3") else 2
    start, key = check["badge_url"].rsplit("/", 1)
    assert start == f"{ROOT}/b/2"
    return f"{ROOT}/b/{states}/{key.removesuffix('svg')}{fmt}"


@pytest.mark.parametrize("kind", KINDS)
async def test_check_without_a_name_is_labelled_with_its_uuid(
    app: App, kind: str
) -> None:
    check = await create(app)

    response = await app.http.get(url_of(check, kind))

    assert_tells(response, kind, check["uuid"], "up", total=1, grace=0, down=0)


async def test_badge_url_of_a_check_is_a_badge(app: App) -> None:
    check = await create(app, name="a")

    response = await app.http.get(check["badge_url"])

    assert_tells(response, "svg", "a", "up")


@pytest.mark.parametrize(
    ("statuses", "two", "three"),
    [
        (("up", "up"), "up", "up"),
        (("up", "grace"), "up", "late"),
        (("grace", "down"), "down", "down"),
        (("down", "grace", "grace"), "down", "down"),
        (("paused", "new", "overdue"), "down", "down"),
    ],
)
async def test_badge_tells_the_worst_status_and_counts(
    app: App, statuses: tuple[str, ...], two: str, three: str
) -> None:
    for status in statuses:
        await check_with(app, status, tags="x")
    await check_with(app, "down", tags="y")

    urls = (await badges_of(app))["x"]
    counts = {
        "total": len(statuses),
        "grace": statuses.count("grace"),
        "down": sum(status in DOWN for status in statuses),
    }
    assert await get_json(app, urls["json"]) == {"status": two, **counts}
    assert await get_json(app, urls["json3"]) == {"status": three, **counts}


async def test_badge_counts_checks_with_the_very_tag(app: App) -> None:
    await check_with(app, "down", tags="production")
    await check_with(app, "up", tags="my  prod ")
    await check_with(app, "down", tags="Prod pro prod.")

    badges = await badges_of(app)

    assert (await get_json(app, badges["prod"]["json"]))["total"] == 1
    assert (await get_json(app, badges["prod"]["json"]))["status"] == "up"
    assert (await get_json(app, badges["*"]["json"]))["total"] == 3


async def test_badge_counts_checks_of_its_own_project(app: App) -> None:
    await check_with(app, "up", tags="prod")
    await app.api("POST", "checks/", json={"tags": "prod"}, key=OTHER_WRITE_KEY)

    badges = await badges_of(app)

    for tag in ("prod", "*"):
        assert (await get_json(app, badges[tag]["json"]))["total"] == 1


async def test_tag_that_no_check_has_any_more_is_up(app: App) -> None:
    check = await check_with(app, "down", tags="prod")
    badges = await badges_of(app)

    await app.api("DELETE", f"checks/{check['uuid']}")

    nothing = {"status": "up", "total": 0, "grace": 0, "down": 0}
    assert await get_json(app, badges["prod"]["json3"]) == nothing
    assert await get_json(app, badges["*"]["json3"]) == nothing
    gone = await app.http.get(check["badge_url"])
    assert gone.status_code == 404


async def test_badge_follows_what_happens(app: App) -> None:
    check = await check_with(app, "up", name="a", tags="t")
    urls = [url_of(check, "json"), (await badges_of(app))["t"]["json"]]
    for end, status in (("/fail", "down"), ("/start", "down"), ("", "up")):
        await app.http.get(f"/ping/{check['uuid']}{end}")

        for url in urls:
            assert (await get_json(app, url))["status"] == status


# How badges are answered


@pytest.mark.parametrize("kind", KINDS)
async def test_badges_are_open_to_all_and_kept_by_nobody(app: App, kind: str) -> None:
    check = await create(app, tags="prod")
    badges = await badges_of(app)

    for url in (badges["prod"][kind], badges["*"][kind], url_of(check, kind)):
        response = await app.http.get(url, headers={"Origin": "http://elsewhere"})

        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert {"no-store", "max-age=0", "private"} <= set(
            response.headers["Cache-Control"].split(", ")
        )


@pytest.mark.parametrize(
    ("method", "status"),
    [
        *(("GET", 200), ("HEAD", 200), ("OPTIONS", 204)),
        *((method, 405) for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE")),
    ],
)
async def test_badges_are_only_read(app: App, method: str, status: int) -> None:
    check = await create(app, tags="prod")
    badges = await badges_of(app)

    for url in (badges["prod"]["svg"], badges["*"]["json"], check["badge_url"]):
        response = await app.http.request(method, url)

        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        if status == 405:
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


async def test_badges_ignore_their_query(app: App) -> None:
    await create(app, tags="prod")

    url = (await badges_of(app))["prod"]["json"]

    assert (await get_json(app, f"{url}?style=flat&x=.svg"))["total"] == 1


async def test_badges_of_an_unusable_database_say_so(own_app: App) -> None:
    check = await create(own_app, tags="prod")
    badges = await badges_of(own_app)
    async with own_app.database.transaction() as conn:
        await conn.execute("ALTER TABLE check_states RENAME TO gone")

    for url in (badges["prod"]["svg"], badges["*"]["json"], check["badge_url"]):
        response = await own_app.http.get(url)

        assert response.status_code == 503
        assert "Retry-After" in response.headers


async def test_badge_takes_few_queries_until_something_changes(
    app: App,
) -> None:
    for status in STATUSES:
        await check_with(app, status, tags="prod")
    check = await create(app, tags="prod")
    badges = await badges_of(app)
    queries: list[str] = []

    await app.database.committed.set_trace_callback(queries.append)
    for url in (badges["prod"]["svg"], badges["*"]["json"], check["badge_url"]):
        await app.http.get(url)

    # Those that are as they were kept are counted, and others read; of one check, one.
    assert len(queries) == 2 + 2 + 1

    await app.http.get(badges["*"]["json"])
    assert len(queries) == 5

    await app.http.get(check["ping_url"])
    queries.clear()
    await app.http.get(badges["*"]["json"])
    assert len(queries) == 2
