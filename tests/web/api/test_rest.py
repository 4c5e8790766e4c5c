"""The smaller lists of the Management API: channels, badges, status, metrics."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx2
import pytest

from hcl.pings.arrival import Target
from tests.app import (
    CONFIG,
    METRICS_KEY,
    OTHER_WRITE_KEY,
    READ_KEY,
    ROOT,
    WRITE_KEY,
    App,
    running_app,
)
from tests.build import make_ping
from tests.store import change

VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])


async def new_check(app: App, **fields: Any) -> str:
    """Create a check and return its UUID."""
    response = await app.api("POST", "checks/", json=fields)
    return str(response.json()["uuid"])


async def signal(app: App, code: str, created: datetime, **fields: Any) -> None:
    """Send a ping of a chosen moment."""
    ping = make_ping(created=created, **fields)
    await app.parts.pinging.receive(Target(code=code), ping)


def ago(**length: float) -> datetime:
    return datetime.now(UTC) - timedelta(**length)


# channels/


@VERSIONS
async def test_channels_are_listed_in_the_order_of_the_file(
    app: App, version: int
) -> None:
    response = await app.api("GET", "channels/", version=version)

    channels = response.json()["channels"]
    assert list(response.json()) == ["channels"]
    assert [list(channel) for channel in channels] == [["id", "name", "kind"]] * 2
    assert [channel["name"] for channel in channels] == ["Hook A", "Hook B"]
    assert {channel["kind"] for channel in channels} == {"webhook"}
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert all(re.fullmatch(uuid, channel["id"]) for channel in channels)


async def test_project_without_channels_lists_none(app: App) -> None:
    response = await app.api("GET", "channels/", key=OTHER_WRITE_KEY)

    assert response.json() == {"channels": []}


# badges/


async def get_badges(app: App, key: str = READ_KEY) -> dict[str, dict[str, str]]:
    response = await app.api("GET", "badges/", key=key)
    assert response.status_code == 200
    return dict(response.json()["badges"])


@VERSIONS
async def test_badges_have_a_url_for_each_format_and_number_of_states(
    app: App, version: int
) -> None:
    await new_check(app, tags="prod")

    response = await app.api("GET", "badges/", version=version)

    badges = response.json()["badges"]
    assert set(badges) == {"prod", "*"}
    for tag, end in (("prod", "/prod"), ("*", "")):
        urls = badges[tag]
        assert set(urls) == {"svg", "svg3", "json", "json3", "shields", "shields3"}
        match = re.fullmatch(
            rf"{ROOT}/badge/([^/]+)/([\w-]{{8}})-2{end}\.svg", urls["svg"]
        )
        assert match
        start = f"{ROOT}/badge/{match[1]}/{match[2]}"
        for fmt in ("svg", "json", "shields"):
            assert urls[fmt] == f"{start}-2{end}.{fmt}"
            assert urls[f"{fmt}3"] == f"{start}{end}.{fmt}"


async def test_badges_of_a_project_without_tags(app: App) -> None:
    await new_check(app, tags="")

    assert list(await get_badges(app)) == ["*"]


async def test_badges_are_of_all_tags_once(app: App) -> None:
    await new_check(app, tags="b  a ")
    await new_check(app, tags=" a c")

    assert set(await get_badges(app)) == {"a", "b", "c", "*"}


@pytest.mark.parametrize(
    "tag",
    [
        *("a/b", "..", ".", "a?b", "a#b", "a%2Fb", "ü", "😀", "a&b", '"', "<b>"),
        *("a\\b", "+", "a\0b", "x" * 300, "a.svg", "'", "{}"),
    ],
)
async def test_tag_of_any_characters_fits_in_one_part_of_the_url(
    app: App, tag: str
) -> None:
    await new_check(app, tags=tag)

    url = (await get_badges(app))[tag]["svg3"]

    path = urlsplit(url).path
    assert url == ROOT + path
    *_, signature, last = path.split("/")
    assert (len(signature), path.count("/")) == (8, 4)
    assert unquote(last) == f"{tag}.svg"
    assert last == f"{quote(tag, safe='')}.svg"


async def test_tag_star_is_not_taken_for_all_checks(app: App) -> None:
    await new_check(app, tags="* a")

    badges = await get_badges(app)

    assert set(badges) == {"a", "*"}
    assert badges["*"]["svg"].endswith("-2.svg")


async def test_signatures_differ_by_tag_and_project(app: App) -> None:
    await new_check(app, tags="a b")
    await app.api("POST", "checks/", json={"tags": "a b"}, key=OTHER_WRITE_KEY)

    ours = await get_badges(app)
    theirs = await get_badges(app, OTHER_WRITE_KEY)

    urls = [*ours.values(), *theirs.values()]
    assert len({url["svg3"].split("/")[5][:8] for url in urls}) == 6


async def test_badge_urls_stay_the_same(app: App) -> None:
    await new_check(app, tags="a")
    before = await get_badges(app)

    await new_check(app, tags="b")

    assert (await get_badges(app, WRITE_KEY))["a"] == before["a"]


# status/


async def get_status(app: App, version: int = 3) -> tuple[int, str]:
    response = await app.http.get(f"/api/v{version}/status/")
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return response.status_code, response.text


@VERSIONS
async def test_status_of_a_well_server(app: App, version: int) -> None:
    code = await new_check(app, channels="*")
    await app.http.get(f"/ping/{code}")
    await app.http.get(f"/ping/{code}/fail")

    assert await get_status(app, version) == (200, "OK")


@pytest.mark.parametrize("key", ["", "x", WRITE_KEY])
async def test_status_looks_at_no_key(app: App, key: str) -> None:
    response = await app.api("GET", "status/", key=key)

    assert response.status_code == 200


@VERSIONS
async def test_status_tells_that_the_checker_is_late(app: App, version: int) -> None:
    code = await new_check(app, timeout=60, grace=60)
    await signal(app, code, ago(seconds=160), action="success")

    late = await get_status(app, version)
    await app.checker.check_once(datetime.now(UTC))
    after = await get_status(app, version)

    assert late == (503, "the checker is late")
    assert after == (200, "OK")


async def test_status_waits_for_the_judgment_of_an_absence(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)
    await signal(app, code, ago(seconds=160), action="success")
    app.clock.shown_as_of = ago(seconds=155)

    judging = await get_status(app)
    app.clock.looked -= 31
    hanging = await get_status(app)

    assert judging == (200, "OK")
    assert hanging == (503, "the checker is late")


async def test_status_leaves_the_checker_some_time(app: App) -> None:
    code = await new_check(app, timeout=60, grace=60)

    await signal(app, code, ago(seconds=125), action="success")

    assert await get_status(app) == (200, "OK")


@pytest.mark.parametrize(
    ("minutes", "expected"), [(9, (200, "OK")), (11, (503, "the sender is stuck"))]
)
async def test_status_tells_that_the_sender_is_stuck(
    app: App, minutes: int, expected: tuple[int, str]
) -> None:
    code = await new_check(app, channels="*")

    await signal(app, code, ago(minutes=minutes), action="fail")

    assert await get_status(app) == expected


async def test_messages_that_a_failing_channel_owes_are_not_the_senders_fault(
    app: App,
) -> None:
    code = await new_check(app, channels="*")
    await signal(app, code, ago(minutes=11), action="fail")
    await change(app.database, "UPDATE channels SET failing_since = 1")

    assert await get_status(app) == (200, "OK")


@VERSIONS
async def test_status_tells_that_the_database_takes_no_query(
    app: App, version: int
) -> None:
    async with app.database.transaction() as conn:
        await conn.execute("ALTER TABLE notifications RENAME TO gone")

    assert await get_status(app, version) == (503, "the database takes no query")


# metrics/


async def get_metrics(app: App, version: int = 3) -> dict[str, Any]:
    response = await app.http.get(
        f"/api/v{version}/metrics/", headers={"X-Metrics-Key": METRICS_KEY}
    )
    assert response.status_code == 200
    return dict(response.json())


@VERSIONS
async def test_metrics_have_their_figures(app: App, version: int) -> None:
    metrics = await get_metrics(app, version)

    assert list(metrics) == [
        *("ts", "max_ping_id", "max_notification_id", "num_unprocessed_flips")
    ]
    assert abs(metrics["ts"] - time.time()) < 60
    assert isinstance(metrics["ts"], int)
    assert metrics["num_unprocessed_flips"] == 0


async def test_metrics_key_may_have_any_letters(tmp_path: Path) -> None:
    key = "schlüssel" * 3
    async with running_app(tmp_path, CONFIG.replace(METRICS_KEY, key)) as app:
        for written in (key.encode(), key.encode("latin-1")):
            response = await app.http.get(
                "/api/v3/metrics/", headers=[(b"X-Metrics-Key", written)]
            )

            assert response.status_code == 200


async def test_metrics_count_what_happens(app: App) -> None:
    one, two = await new_check(app, channels="*"), await new_check(app)
    for end in ("", "/start", "/log", "/fail"):
        await app.http.get(f"/ping/{one}{end}")
        await app.http.get(f"/ping/{two}{end}")

    before = await get_metrics(app)
    await app.http.get(f"/ping/{one}")
    after = await get_metrics(app)

    assert before["max_ping_id"] < after["max_ping_id"]
    # The check without channels has nothing to tell; hook B wants no ups.
    assert (before["max_notification_id"], before["num_unprocessed_flips"]) == (2, 1)
    assert (after["max_notification_id"], after["num_unprocessed_flips"]) == (3, 2)


async def test_greatest_ids_never_fall(app: App) -> None:
    code = await new_check(app, channels="*")
    await app.http.get(f"/ping/{code}/fail")
    before = await get_metrics(app)

    await app.api("DELETE", f"checks/{code}")
    after = await get_metrics(app)

    for name in ("max_ping_id", "max_notification_id"):
        assert after[name] >= before[name] > 0


@VERSIONS
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"X-Metrics-Key", b"")],
        [(b"X-Metrics-Key", b"x")],
        [(b"X-Metrics-Key", METRICS_KEY.encode() + b"m")],
        [(b"X-Metrics-Key", METRICS_KEY.upper().encode())],
        [(b"X-Metrics-Key", b"\xff\xc3\xbc")],
        [(b"X-Api-Key", METRICS_KEY.encode())],
        [(b"X-Api-Key", WRITE_KEY.encode())],
        [(b"X-Metrics-Key", WRITE_KEY.encode())],
    ],
    ids=repr,
)
async def test_metrics_want_their_key(
    app: App, headers: list[tuple[bytes, bytes]], version: int
) -> None:
    response = await app.http.get(f"/api/v{version}/metrics/", headers=headers)

    assert_forbidden(response)


@pytest.mark.parametrize("key", ["", "x", METRICS_KEY])
async def test_metrics_without_a_configured_key_are_closed(
    tmp_path: Path, key: str
) -> None:
    text = CONFIG.replace(f'metrics_key = "{METRICS_KEY}"', "")
    async with running_app(tmp_path, text) as app:
        response = await app.http.get(
            "/api/v3/metrics/", headers={"X-Metrics-Key": key}
        )

        assert_forbidden(response)


def assert_forbidden(response: httpx2.Response) -> None:
    assert response.status_code == 403
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "ts" not in response.text


# Elsewhere


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/v4/checks/", "/api/v0/status/", "/api/v3", "/api/v33/checks/"],
)
async def test_versions_that_do_not_exist_are_not_found(app: App, path: str) -> None:
    response = await app.http.get(path, headers={"X-Api-Key": WRITE_KEY})

    assert response.status_code == 404
