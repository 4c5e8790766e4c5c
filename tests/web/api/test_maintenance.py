"""Maintenance windows over the API: what is answered, and to whom."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.app import OTHER_WRITE_KEY, READ_KEY, WRITE_KEY, App
from tests.web.api.calls import create


async def start(app: App, **document: Any) -> Any:
    return await app.api("POST", "maintenance/", json=document)


async def listed(app: App, **keys: Any) -> list[dict[str, Any]]:
    windows: list[dict[str, Any]] = (
        await app.api("GET", "maintenance/", **keys)
    ).json()["windows"]
    return windows


async def test_a_window_is_opened_listed_and_ended(app: App) -> None:
    made = await start(app, seconds=7200, tags="nas  db", reason="new\n disk")

    assert made.status_code == 201
    window = made.json()
    assert (window["tags"], window["reason"], window["open"]) == (
        "db nas",
        "new disk",
        True,
    )
    begin, end = (datetime.fromisoformat(window[key]) for key in ("start", "end"))
    assert end - begin == timedelta(hours=2)
    assert await listed(app, key=READ_KEY) == [window]
    assert await listed(app, key=OTHER_WRITE_KEY) == []
    path = f"maintenance/{window['id']}"
    assert (await app.api("DELETE", path, key=OTHER_WRITE_KEY)).status_code == 404
    ended = await app.api("DELETE", path)
    assert (ended.status_code, ended.json()["open"]) == (200, False)
    assert await listed(app) == []
    assert (await app.api("DELETE", path)).status_code == 404


async def test_a_check_says_until_when_it_is_in_maintenance(app: App) -> None:
    nas, other = await create(app, tags="nas"), await create(app)
    paths = [f"checks/{check['uuid']}" for check in (nas, other)]
    before = [(await app.api("GET", path)).content for path in paths]
    window = (await start(app, seconds=3600, tags="nas")).json()

    found = (await app.api("GET", paths[0])).json()

    assert found == nas | {"maintenance_until": window["end"]}
    [first, second] = (await app.api("GET", "checks/")).json()["checks"]
    assert first["maintenance_until"] == window["end"]
    # Where nothing is set not one byte is different, nor in the versions of peers.
    assert second == other
    assert (await app.api("GET", paths[1])).content == before[1]
    for version in (1, 2):
        answer = await app.api("GET", paths[0], version=version)
        assert "maintenance" not in answer.text
    await app.api("DELETE", f"maintenance/{window['id']}")
    assert (await app.api("GET", paths[0])).content == before[0]


@pytest.mark.parametrize("blank", ["\t", "\u00a0", "\n"])
async def test_tags_are_separated_by_spaces_alone(app: App, blank: str) -> None:
    tag = f"disk{blank}2"
    named, other = await create(app, tags=tag), await create(app, tags="disk")

    window = (await start(app, seconds=3600, tags=tag)).json()

    assert await listed(app) == [window]
    found, kept = (await app.api("GET", "checks/")).json()["checks"]
    assert found == named | {"maintenance_until": window["end"]}
    assert kept == other


async def test_it_is_explained(app: App) -> None:
    check = await create(app)
    await app.http.get(f"/ping/{check['uuid']}")
    await start(app, seconds=3600, reason="new disk")

    lines = (await app.api("GET", f"checks/{check['uuid']}/explain/")).json()["lines"]

    assert any("The maintenance window closes: new disk." in line for line in lines)
    assert "It is in maintenance: it is watched, and nobody is called down." in lines


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, "seconds is not a number"),
        ({"seconds": "60"}, "seconds is not a number"),
        ({"seconds": True}, "seconds is not a number"),
        ({"seconds": 59}, "seconds is too small"),
        ({"seconds": 30 * 86_400 + 1}, "seconds is too large"),
        ({"seconds": 60, "tags": ["nas"]}, "tags is not a string"),
        ({"seconds": 60, "tags": "t" * 501}, "tags is too long"),
        ({"seconds": 60, "reason": None}, "reason is not a string"),
        ({"seconds": 60, "reason": "r" * 201}, "reason is too long"),
    ],
)
async def test_what_is_wrong_opens_nothing(
    app: App, document: dict[str, Any], error: str
) -> None:
    answer = await start(app, **document)

    assert answer.status_code == 400
    assert answer.json() == {"error": f"json validation error: {error}"}
    assert await listed(app) == []


@pytest.mark.parametrize("field", ["tags", "reason"])
async def test_half_of_a_surrogate_pair_is_no_text(app: App, field: str) -> None:
    document = b'{"seconds": 60, "%s": "\\ud800"}' % field.encode()

    answer = await app.http.post(
        "/api/v3/maintenance/", content=document, headers={"X-Api-Key": WRITE_KEY}
    )

    assert answer.status_code == 400
    assert answer.json() == {"error": f"json validation error: {field} is not a string"}


@pytest.mark.parametrize("version", [1, 2])
async def test_versions_that_peers_have_know_none(app: App, version: int) -> None:
    answer = await app.api("GET", "maintenance/", version=version)

    assert answer.status_code == 404
