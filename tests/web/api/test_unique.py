"""Upserts: POST checks/ with `unique` updates the oldest check that matches."""

from typing import Any

import pytest

from tests.app import OTHER_WRITE_KEY, App
from tests.web.api.calls import create, names, update


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"unique": ["name"], "name": "A"}, True),
        ({"unique": ["slug"], "slug": "a"}, True),
        ({"unique": ["tags"], "tags": "x y"}, True),
        ({"unique": ["timeout"], "timeout": 120}, True),
        ({"unique": ["grace"], "grace": 240}, True),
        ({"unique": ["name", "name"], "name": "A"}, True),
        ({"unique": ["name", "tags"], "name": "A", "tags": "x y"}, True),
        (
            {
                "unique": ["name", "slug", "tags", "timeout", "grace"],
                "name": "A",
                "slug": "a",
                "tags": "x y",
                "timeout": 120,
                "grace": 240,
            },
            True,
        ),
        ({"unique": ["name"], "name": "A", "slug": "z", "timeout": 999}, True),
        ({"unique": ["name"], "name": "a"}, False),
        ({"unique": ["name"], "name": "A "}, False),
        ({"unique": ["name"], "name": ""}, False),
        ({"unique": ["name"], "name": "%"}, False),
        ({"unique": ["tags"], "tags": "y x"}, False),
        ({"unique": ["tags"], "tags": "x"}, False),
        ({"unique": ["timeout"], "timeout": 121}, False),
        ({"unique": ["name", "tags"], "name": "A", "tags": "x"}, False),
        ({"unique": ["name", "tags"], "name": "A"}, False),
        ({"unique": ["name"]}, False),
        ({"unique": ["name"], "slug": "a"}, False),
        ({"unique": [], "name": "A"}, False),
        ({"name": "A"}, False),
    ],
)
@VERSIONS
async def test_unique_updates_the_check_that_matches(
    app: App, fields: dict[str, Any], matches: bool, version: int
) -> None:
    check = await create(app, name="A", slug="a", tags="x y", timeout=120, grace=240)
    wanted = fields | {"desc": "new"}

    response = await app.api("POST", "checks/", json=wanted, version=version)

    answer = response.json()
    assert answer["desc"] == "new"
    if matches:
        assert (response.status_code, answer["uuid"]) == (200, check["uuid"])
        url = f"checks/{check['uuid']}"
        assert (await app.api("GET", url, version=version)).json() == answer
        assert len(await names(app)) == 1
    else:
        assert response.status_code == 201
        assert len(await names(app)) == 2


async def test_unique_takes_the_oldest_of_several(app: App) -> None:
    await create(app, name="other")
    oldest = await create(app, name="A", desc="1")
    await create(app, name="A", desc="2")
    await update(app, oldest, desc="3")

    response = await app.api(
        "POST", "checks/", json={"name": "A", "unique": ["name"], "grace": 60}
    )

    assert response.status_code == 200
    assert response.json() == oldest | {"desc": "3", "grace": 60}


async def test_unique_matches_an_empty_value(app: App) -> None:
    check = await create(app)

    response = await app.api("POST", "checks/", json={"name": "", "unique": ["name"]})

    assert (response.status_code, response.json()) == (200, check)


async def test_unique_does_not_see_other_projects(app: App) -> None:
    fields = {"name": "A", "unique": ["name"]}
    await create(app, name="A")

    theirs = await app.api("POST", "checks/", json=fields, key=OTHER_WRITE_KEY)
    again = await app.api("POST", "checks/", json=fields, key=OTHER_WRITE_KEY)

    assert (theirs.status_code, again.status_code) == (201, 200)
    assert await names(app) == ["A"]


async def test_upsert_of_a_cron_check_repeats(app: App) -> None:
    fields = {"name": "A", "schedule": "0 3 * * *", "grace": 60}
    wanted = fields | {"unique": ["name", "grace"]}

    first = await app.api("POST", "checks/", json=wanted)
    second = await app.api("POST", "checks/", json=wanted)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


async def test_upsert_by_timeout_finds_the_hidden_one_of_a_cron_check(
    app: App,
) -> None:
    cron = await create(app, schedule="0 3 * * *")
    fields = {"timeout": 86400, "unique": ["timeout"]}

    response = await app.api("POST", "checks/", json=fields)

    assert (response.status_code, response.json()["uuid"]) == (200, cron["uuid"])
    assert response.json()["timeout"] == 86400


@pytest.mark.parametrize("version", [1, 2])
async def test_upsert_by_the_name_in_old_versions_keeps_the_slug(
    app: App, version: int
) -> None:
    await create(app, version, name="My Job", slug="own")

    response = await app.api(
        "POST", "checks/", json={"name": "My Job", "unique": ["name"]}, version=version
    )

    assert (response.status_code, response.json()["slug"]) == (200, "own")


async def test_upsert_sets_channels_and_keeps_the_history(app: App) -> None:
    check = await create(app, name="A")
    await app.http.get(f"/ping/{check['uuid']}")
    fields = {"name": "A", "unique": ["name"], "channels": "*"}

    response = await app.api("POST", "checks/", json=fields)

    answer = response.json()
    assert (answer["status"], answer["n_pings"]) == ("up", 1)
    assert len(answer["channels"].split(",")) == 2
