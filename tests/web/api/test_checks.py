"""Checks over the Management API: list, create, read, delete, and the limit."""

import hashlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hcl import store
from tests.app import OTHER_READ_KEY, OTHER_WRITE_KEY, READ_KEY, ROOT, App
from tests.build import DAY
from tests.store import put_check
from tests.web.api.calls import FULL, create, names, update


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])

DEFAULTS: dict[str, Any] = {
    "name": "",
    "slug": "",
    "tags": "",
    "desc": "",
    "grace": 3600,
    "n_pings": 0,
    "status": "new",
    "started": False,
    "last_ping": None,
    "next_ping": None,
    "manual_resume": False,
    "methods": "",
    "subject": "",
    "subject_fail": "",
    "start_kw": "",
    "success_kw": "",
    "failure_kw": "",
    "filter_subject": False,
    "filter_body": False,
    "filter_http_body": False,
    "filter_default_fail": False,
    "channels": "",
    "timeout": 86400,
}
PRIVATE = {"uuid", "ping_url", "update_url", "pause_url", "resume_url", "channels"}


# What a check looks like


@VERSIONS
async def test_created_check_has_the_defaults(app: App, version: int) -> None:
    check = await create(app, version)

    code = check["uuid"]
    url = f"{ROOT}/api/v{version}/checks/{code}"
    assert check.pop("badge_url").startswith(f"{ROOT}/b/2/")
    assert check == DEFAULTS | {
        "uuid": code,
        "ping_url": f"{ROOT}/ping/{code}",
        "update_url": url,
        "pause_url": f"{url}/pause",
        "resume_url": f"{url}/resume",
    }


@VERSIONS
async def test_fields_come_in_order(app: App, version: int) -> None:
    simple = await create(app, version)
    cron = await create(app, version, schedule="0 * * * *")
    code = simple["uuid"]
    await app.http.get(f"/ping/{code}/start")
    await app.http.get(f"/ping/{code}")
    timed = await app.api("GET", f"checks/{code}", version=version)

    head = list(DEFAULTS)[:-2]
    urls = ["uuid", "ping_url", "update_url", "pause_url", "resume_url", "channels"]
    assert list(simple) == [*head, "badge_url", *urls, "timeout"]
    assert list(cron) == [*head, "badge_url", *urls, "schedule", "tz"]
    assert list(timed.json()) == [
        *(*head, "badge_url", "last_duration"),
        *(*urls, "timeout"),
    ]


@VERSIONS
async def test_answers_of_every_kind_agree(app: App, version: int) -> None:
    created = await create(app, version, **FULL, channels="*")
    url = f"checks/{created['uuid']}"

    single = await app.api("GET", url, version=version)
    listed = await app.api("GET", "checks/", version=version)
    updated = await app.api("POST", url, json={}, version=version)
    deleted = await app.api("DELETE", url, version=version)

    assert single.json() == created
    assert listed.json() == {"checks": [created]}
    assert (updated.status_code, updated.json()) == (200, created)
    assert (deleted.status_code, deleted.json()) == (200, created)


@VERSIONS
async def test_reader_sees_unique_key_and_nothing_private(
    app: App, version: int
) -> None:
    check = await create(app, version, **FULL, channels="*")
    digits = check["uuid"].replace("-", "")[:16]
    unique_key = hashlib.sha1(digits.encode()).hexdigest()
    expected = {name: value for name, value in check.items() if name not in PRIVATE}
    expected["unique_key"] = unique_key

    for path in (f"checks/{check['uuid']}", f"checks/{unique_key}"):
        single = await app.api("GET", path, key=READ_KEY, version=version)

        assert (single.status_code, single.json()) == (200, expected)
    listed = await app.api("GET", "checks/", key=READ_KEY, version=version)
    assert listed.json() == {"checks": [expected]}


@VERSIONS
async def test_unique_key_shows_all_to_a_writer(app: App, version: int) -> None:
    check = await create(app, version)
    read = await app.api("GET", f"checks/{check['uuid']}", key=READ_KEY)

    response = await app.api(
        "GET", f"checks/{read.json()['unique_key']}", version=version
    )

    assert response.json() == check


@pytest.mark.parametrize("key", [OTHER_READ_KEY, OTHER_WRITE_KEY])
async def test_check_of_another_project_is_not_shown(app: App, key: str) -> None:
    check = await create(app)
    read = await app.api("GET", f"checks/{check['uuid']}", key=READ_KEY)

    by_code = await app.api("GET", f"checks/{check['uuid']}", key=key)
    by_key = await app.api("GET", f"checks/{read.json()['unique_key']}", key=key)

    assert (by_code.status_code, by_key.status_code) == (403, 404)


# Lists


@VERSIONS
async def test_last_ping_is_never_in_the_future(app: App, version: int) -> None:
    now = datetime.now(UTC)
    ahead = await put_check(app.database, status="up", last_ping=now + 3 * DAY)
    past = now - DAY
    behind = await put_check(app.database, status="up", last_ping=past)

    listed = (await app.api("GET", "checks/", version=version)).json()["checks"]
    alone = (await app.api("GET", f"checks/{ahead.code}", version=version)).json()
    told = {check["uuid"]: check["last_ping"] for check in listed}

    for last_ping in (told[ahead.code], alone["last_ping"]):
        shown = datetime.fromisoformat(last_ping)
        assert timedelta(0) <= shown - now.replace(microsecond=0) < timedelta(minutes=1)
    assert told[behind.code] == past.isoformat(timespec="seconds")


async def test_list_is_in_order_of_creation(app: App) -> None:
    for name in ("b", "a", "d", "c"):
        await create(app, name=name)
    first = (await app.api("GET", "checks/")).json()["checks"][0]

    await update(app, first, tags="touched")
    await app.http.get(f"/ping/{first['uuid']}")

    assert await names(app) == ["b", "a", "d", "c"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a", "b", "c", "d"]),
        ("?", ["a", "b", "c", "d"]),
        ("?x=1&page=7&slug", ["a", "b", "c", "d"]),
        ("?tag=prod", ["a", "b"]),
        ("?tag=prod&tag=db", ["a"]),
        ("?tag=db&tag=prod&tag=db", ["a"]),
        ("?&tag=prod", ["a", "b"]),
        ("?&tag=prod&&tag=db&", ["a"]),
        ("?tag=pro", []),
        ("?tag=PROD", []),
        ("?tag=prod%20db", []),
        ("?tag=", []),
        ("?tag", []),
        ("?tag=&tag=prod", []),
        ("?tag=%25", []),
        ("?tag=%00", []),
        ("?tag=%FF", []),
        ("?tag=%C3%BC", ["c"]),
        ("?tag=a%2Bb", ["c"]),
        ("?tag=a+b", []),
        ("?slug=twin", ["b", "c"]),
        ("?slug=twin&tag=prod", ["b"]),
        ("?slug=twin&tag=", []),
        ("?slug=twi", []),
        ("?slug=TWIN", []),
        ("?slug=%25", []),
        ("?name=a", ["a", "b", "c", "d"]),
    ],
)
@VERSIONS
async def test_list_is_filtered(
    app: App, query: str, expected: list[str], version: int
) -> None:
    await create(app, name="a", slug="one", tags="prod db")
    await create(app, name="b", slug="twin", tags="  prod   www ")
    await create(app, name="c", slug="twin", tags="ü a+b")
    await create(app, name="d", slug="", tags="")

    assert await names(app, query, version) == expected


async def test_list_that_was_read_while_the_database_was_locked_is_not_kept(
    app: App,
) -> None:
    check = await create(app)
    await app.http.get(f"/ping/{check['uuid']}")
    await app.api("GET", "checks/")
    # Its state is put off.
    await app.http.get(f"/ping/{check['uuid']}")
    async with app.database.turn() as conn:
        await conn.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(app.config.database.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        [behind] = (await app.api("GET", "checks/")).json()["checks"]
    # As a sign of life, each minute.
    async with app.database.transaction(changes_checks=False) as conn:
        await store.settings.put(conn, "some", "thing")

    [listed] = (await app.api("GET", "checks/")).json()["checks"]

    assert (behind["n_pings"], listed["n_pings"]) == (1, 2)


# Deleting and the limit


@VERSIONS
async def test_deleted_check_is_gone(app: App, version: int) -> None:
    check = await create(app, name="a")
    await create(app, name="b")
    url = f"checks/{check['uuid']}"
    await app.http.post(f"/ping/{check['uuid']}", content=b"x")

    deleted = await app.api("DELETE", url, version=version)
    after = [
        await app.api(method, f"{url}{end}", version=version)
        for method, end in (
            ("GET", ""),
            ("POST", ""),
            ("DELETE", ""),
            ("POST", "/pause"),
            ("POST", "/resume"),
            ("GET", "/pings/"),
            ("GET", "/pings/1/body"),
            ("GET", "/flips/"),
        )
    ]

    assert deleted.json()["n_pings"] == 1
    assert {answer.status_code for answer in after} == {404}
    assert (await app.http.get(f"/ping/{check['uuid']}")).status_code == 404
    assert await names(app) == ["b"]


@VERSIONS
async def test_no_more_checks_than_the_limit(app: App, version: int) -> None:
    checks = [await create(app, name=f"{i}") for i in range(10)]
    fields = {"name": "3", "unique": ["name"]}

    beyond = await app.api("POST", "checks/", json={}, version=version)
    upsert = await app.api("POST", "checks/", json=fields, version=version)
    other = await app.api("POST", "checks/", json={}, key=OTHER_WRITE_KEY)
    await app.api("DELETE", f"checks/{checks[0]['uuid']}")
    room = await app.api("POST", "checks/", json={}, version=version)

    assert beyond.status_code == 403
    assert isinstance(beyond.json()["error"], str)
    assert beyond.headers["Access-Control-Allow-Origin"] == "*"
    assert (upsert.status_code, other.status_code, room.status_code) == (200, 201, 201)
    assert len(await names(app)) == 10
