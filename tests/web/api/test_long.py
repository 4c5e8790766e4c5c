"""Checks of before there were limits: still read, and edited as they are."""

from typing import Any

import pytest

from hcl.model import Check
from tests.app import READ_KEY, App
from tests.store import put_check
from tests.web.api.calls import create, update
from tests.web.pages.browsing import Visitor

LONG = {
    "tags": " ".join(f"t{i}" for i in range(13_000)),
    "desc": "Line\r\n" * 30_000,
    "name": "n" * 101,
}
VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])


async def old_check(app: App) -> Check:
    return await put_check(app.database, **LONG)


@VERSIONS
async def test_old_check_is_read(app: App, version: int) -> None:
    check = await old_check(app)

    one = await app.api("GET", f"checks/{check.code}", version=version)
    listed = await app.api("GET", "checks/", key=READ_KEY, version=version)
    badges = await app.api("GET", "badges/", key=READ_KEY, version=version)

    assert {name: one.json()[name] for name in LONG} == LONG
    assert listed.json()["checks"][0]["tags"] == LONG["tags"]
    assert len(badges.json()["badges"]) == 13_001


@VERSIONS
async def test_old_check_is_edited_with_what_it_has(app: App, version: int) -> None:
    check = {"uuid": (await old_check(app)).code}

    edited = await update(app, check, version, **LONG, grace=120)
    shorter = await app.api(
        "POST", f"checks/{check['uuid']}", json={"tags": LONG["tags"][:-1]}
    )
    unnamed = await update(app, check, version, timeout=120)

    assert {name: edited[name] for name in LONG} == LONG
    assert (edited["grace"], unnamed["timeout"]) == (120, 120)
    assert shorter.json() == {"error": "json validation error: tags is too long"}


@VERSIONS
@pytest.mark.parametrize("unique", [["name"], ["tags"], ["name", "tags"]])
async def test_old_check_is_found_by_unique_and_edited(
    app: App, version: int, unique: list[str]
) -> None:
    check = await old_check(app)

    response = await app.api(
        "POST",
        "checks/",
        json={**LONG, "grace": 120, "unique": unique},
        version=version,
    )

    assert response.status_code == 200
    assert response.json()["uuid"] == check.code
    assert response.json()["grace"] == 120


@pytest.mark.parametrize(
    "unique", [["name"], ["name", "desc"], [], "name", None, [["name"]]]
)
async def test_new_check_has_no_such_texts(app: App, unique: object) -> None:
    await old_check(app)
    texts = {"tags": LONG["tags"], "name": "new"}

    response = await app.api("POST", "checks/", json={**texts, "unique": unique})

    assert response.json() == {"error": "json validation error: tags is too long"}


async def test_old_check_of_another_project_lends_nothing(app: App) -> None:
    await put_check(app.database, **LONG, project_id=app.synced.projects[1].id)

    response = await app.api("POST", "checks/", json={**LONG, "unique": ["name"]})

    assert response.json() == {"error": "json validation error: desc is too long"}


async def test_form_of_an_old_check_saves_what_it_has(app: App) -> None:
    check = await old_check(app)
    visitor = await Visitor.enter(app)
    path = f"/checks/{check.code}/edit"
    page = await visitor.get(path)
    seen = page.split('name="seen" value="')[1].split('"')[0]
    fields: dict[str, Any] = {
        **LONG,
        "kind": "simple",
        "timeout": "2",
        "timeout_unit": "days",
        "grace": "1",
        "grace_unit": "hours",
        "tz": "UTC",
        "slug": "",
        "seen": seen,
    }

    longer = await visitor.post(path, 422, **{**fields, "tags": LONG["tags"] + " x"})
    await visitor.post(path, **fields)
    after = (await app.api("GET", f"checks/{check.code}")).json()

    assert "500 characters at most" in longer.text
    assert (after["timeout"], after["tags"]) == (2 * 86_400, LONG["tags"])
    # Browsers end lines as mail does, whatever was there.
    assert after["desc"] == LONG["desc"].replace("\r\n", "\n")


async def test_copy_of_an_old_check_has_it_all(app: App) -> None:
    check = await old_check(app)
    visitor = await Visitor.enter(app)

    copied = await visitor.post(f"/checks/{check.code}/copy")
    code = copied.headers["Location"].rpartition("/")[2]

    assert (await app.api("GET", f"checks/{code}")).json()["desc"] == LONG["desc"]


async def test_one_channel_named_a_thousand_times_is_one(app: App) -> None:
    check = await create(app, channels=",".join(["Hook A"] * 10_000))

    assert "," not in check["channels"]
    assert check["channels"]
