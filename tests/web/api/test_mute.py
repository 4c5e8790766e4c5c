"""Muting over the API: what it answers, and to whom."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.app import READ_KEY, App
from tests.store import rows
from tests.web.api.calls import create, update


async def mute(app: App, check: dict[str, Any], **document: Any) -> Any:
    path = f"checks/{check['uuid']}/mute"
    return await app.api("POST", path, json=document)


async def test_muted_check_says_until_when(app: App) -> None:
    check = await create(app)
    before = app.clock.now().replace(microsecond=0)

    answer = await mute(app, check, seconds=3600)

    assert answer.status_code == 200
    until = datetime.fromisoformat(answer.json()["muted_until"])
    assert before <= until - timedelta(hours=1) <= app.clock.now()
    [listed] = (await app.api("GET", "checks/", key=READ_KEY)).json()["checks"]
    assert listed["muted_until"] == answer.json()["muted_until"]
    # It is watched on as before.
    assert {k: v for k, v in answer.json().items() if k != "muted_until"} == check


@pytest.mark.parametrize("version", [1, 2])
async def test_versions_that_peers_have_say_nothing_of_it(
    app: App, version: int
) -> None:
    check = await create(app, version)
    path = f"checks/{check['uuid']}/mute"

    refused = await app.api("POST", path, json={"seconds": 60}, version=version)
    await mute(app, check, seconds=60)
    after = await app.api("GET", f"checks/{check['uuid']}", version=version)

    assert refused.status_code == 404
    assert after.json() == check


async def test_check_that_is_not_muted_reads_as_it_did(app: App) -> None:
    check = await create(app)
    path = f"checks/{check['uuid']}"
    before = (await app.api("GET", path)).content

    await mute(app, check, seconds=60)
    ended = await mute(app, check, seconds=0)

    assert ended.content == before == (await app.api("GET", path)).content


async def test_mute_survives_edits_and_pings_and_is_not_copied(app: App) -> None:
    check = await create(app)
    muted = (await mute(app, check, seconds=60)).json()["muted_until"]
    await update(app, check, name="other")
    for signal in ("/start", "", "/fail"):
        await app.http.post(f"/ping/{check['uuid']}{signal}")

    await app.parts.database.current()
    after = await app.api("GET", f"checks/{check['uuid']}")
    project = app.synced.projects[0]
    copy = await app.parts.managing.copy(project, check["uuid"])

    assert after.json()["muted_until"] == muted
    assert copy.check.muted_until is None


async def test_mute_that_is_over_is_not_shown(app: App) -> None:
    check = await create(app)
    project = app.synced.projects[0]
    before = app.clock.now() - timedelta(hours=1)
    managing = app.parts.managing
    await managing.mute(project, check["uuid"], timedelta(hours=1), before)

    answer = await app.api("GET", f"checks/{check['uuid']}")

    assert answer.json() == check


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "is not a number"),
        ({"seconds": None}, "is not a number"),
        ({"seconds": "60"}, "is not a number"),
        ({"seconds": 1.5}, "is not a number"),
        ({"seconds": True}, "is not a number"),
        ({"seconds": -1}, "is too small"),
        ({"seconds": 31_536_001}, "is too large"),
    ],
)
async def test_wrong_lengths_change_nothing(
    app: App, document: dict[str, Any], problem: str
) -> None:
    check = await create(app)

    answer = await mute(app, check, **document)

    assert answer.status_code == 400
    assert answer.json() == {"error": f"json validation error: seconds {problem}"}
    assert await rows(app.database, "SELECT muted_until FROM check_states") == [None]


async def test_body_that_is_no_object_is_refused(app: App) -> None:
    check = await create(app)

    answer = await app.api("POST", f"checks/{check['uuid']}/mute", json=[1])

    assert answer.status_code == 400
    assert "not an object" in json.dumps(answer.json())
