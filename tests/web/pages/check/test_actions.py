"""What the buttons of a check's page do, and for whom."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from hcl import store
from hcl.clock import Clock
from hcl.db import UnreadableError
from tests.app import OTHER_WRITE_KEY, READ_KEY, App, running_app
from tests.build import NOW
from tests.clocks import Times
from tests.store import rows
from tests.web.api.calls import create, names
from tests.web.pages import browsing
from tests.web.pages.browsing import Visitor
from tests.web.pages.check.test_check import find
from tests.web.pages.check.test_forms import seen

ACTIONS = ("pause", "resume", "ping", "copy", "clear", "integrations", "delete", "edit")


async def status(app: App, code: str) -> str:
    """Return what the API says of a check's status."""
    return str((await app.api("GET", f"checks/{code}")).json()["status"])


async def assigned(app: App, code: str) -> str:
    """Return the channels of a check, as the API tells them."""
    return str((await app.api("GET", f"checks/{code}")).json()["channels"])


async def set_up(app: App, **fields: Any) -> tuple[str, Visitor]:
    """Make a check; return its code, and a viewer who may change it."""
    check = await create(app, **fields)
    return check["uuid"], await Visitor.enter(app)


async def test_pause_and_resume(app: App) -> None:
    code, visitor = await set_up(app)

    response = await visitor.post(f"/checks/{code}/pause")
    assert response.headers["Location"] == f"/checks/{code}"
    assert await status(app, code) == "paused"

    await visitor.post(f"/checks/{code}/resume")
    assert await status(app, code) == "new"


async def test_what_comes_in_slowly_is_done_as_of_its_end(tmp_path: Path) -> None:
    times = Times()
    async with running_app(tmp_path, clock=Clock(times)) as app:
        code, _ = await set_up(app)
        token = await browsing.csrf(app)

        async def slowly() -> AsyncIterator[bytes]:
            yield b"csrf="
            times.run(300)
            yield token.encode()

        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        await app.http.post(f"/checks/{code}/pause", content=slowly(), headers=kind)

        [flip] = (await app.api("GET", f"checks/{code}/flips/")).json()["flips"]
        assert flip["timestamp"] == (NOW + timedelta(minutes=5)).isoformat()


async def test_resume_of_a_check_that_is_not_paused_is_a_conflict(app: App) -> None:
    code, visitor = await set_up(app)

    response = await visitor.post(f"/checks/{code}/resume", 409)

    assert "not paused" in response.text


async def test_ping_now_is_told_though_the_log_cannot_be_read_then(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, visitor = await set_up(app)

    with monkeypatch.context() as broken:
        fail = AsyncMock(side_effect=UnreadableError("disk I/O error"))
        broken.setattr(store.pings, "newest", fail)
        await visitor.post(f"/checks/{code}/ping")

    assert await status(app, code) == "up"


async def test_ping_now_is_a_success(app: App) -> None:
    code, visitor = await set_up(app, methods="POST")

    await visitor.post(f"/checks/{code}/ping")

    assert await status(app, code) == "up"
    [sent] = (await app.api("GET", f"checks/{code}/pings/")).json()["pings"]
    assert (sent["method"], sent["ua"]) == ("POST", "hcl dashboard")


async def test_ping_now_tells_what_it_counted_as(app: App) -> None:
    code, visitor = await set_up(app, filter_http_body=True, filter_default_fail=True)

    await visitor.post(f"/checks/{code}/ping")

    assert "counts as a failure" in await visitor.get(f"/checks/{code}")
    assert await status(app, code) == "down"


async def test_copy_has_settings_and_channels_but_no_slug_and_no_past(app: App) -> None:
    code, visitor = await set_up(
        app, name="n" * 100, slug="one", tags="a b", schedule="0 3 * * *", channels="*"
    )
    await app.http.get(f"/ping/{code}")

    response = await visitor.post(f"/checks/{code}/copy")

    copied = response.headers["Location"].removeprefix("/checks/")
    one = (await app.api("GET", f"checks/{code}")).json()
    two = (await app.api("GET", f"checks/{copied}")).json()
    assert two["name"] == "n" * 93 + " (copy)"
    assert (two["slug"], two["status"], two["n_pings"]) == ("", "new", 0)
    for field in ("tags", "schedule", "tz", "grace", "channels"):
        assert two[field] == one[field]


async def test_copy_beyond_the_limit_is_refused(app: App) -> None:
    code, visitor = await set_up(app)
    for _ in range(9):
        await create(app)

    response = await visitor.post(f"/checks/{code}/copy", 403)

    assert "check_limit" in response.text
    assert len(await names(app)) == 10


async def test_delete_asks_first(app: App) -> None:
    code, visitor = await set_up(app, name="Gone")

    page = await visitor.get(f"/checks/{code}/delete")
    assert "Delete this check?" in page
    assert await names(app) == ["Gone"]

    response = await visitor.post(f"/checks/{code}/delete")
    assert response.headers["Location"] == f"/projects/{visitor.project}/"
    assert await names(app) == []
    await visitor.get(f"/checks/{code}", 404)


async def test_channels_are_assigned(app: App) -> None:
    code, visitor = await set_up(app)
    [first, _] = (await app.api("GET", "channels/")).json()["channels"]

    path = f"/checks/{code}/integrations"

    none = seen(await visitor.get(f"/checks/{code}"))
    # A button that is pressed twice is no quarrel.
    for _ in range(2):
        await visitor.post(path, channel=[first["id"]], seen=none)
    assert await assigned(app, code) == first["id"]

    await visitor.post(path, seen=seen(await visitor.get(f"/checks/{code}")))
    assert await assigned(app, code) == ""

    for wrong in ("nonsense", "a,b", ""):
        await visitor.post(path, 422, channel=[first["id"], wrong], seen=none)


async def test_second_of_two_who_assign_channels_is_told(app: App) -> None:
    code, visitor = await set_up(app)
    [first, second] = (await app.api("GET", "channels/")).json()["channels"]
    path = f"/checks/{code}/integrations"
    before = seen(await visitor.get(f"/checks/{code}"))
    await app.api("POST", f"checks/{code}", json={"channels": first["id"]})

    for old in (before, "", "ü"):
        response = await visitor.post(path, 409, channel=second["id"], seen=old)
        assert await assigned(app, code) == first["id"]

    theirs, mine = response.text.split("You ticked")
    assert f"<li>{first['name']} " in theirs
    assert f"<li>{second['name']} " not in theirs
    assert f'value="{second["id"]}" checked' in mine
    assert f'value="{first["id"]}">' in mine
    again = seen(response.text)
    await visitor.post(path, channel=second["id"], seen=again)
    assert await assigned(app, code) == second["id"]


async def test_names_of_checks_without_one(app: App) -> None:
    code, visitor = await set_up(app, name="\u200b ")
    await visitor.get(f"/checks/{code}/delete")

    response = await visitor.post(f"/checks/{code}/copy")

    copied = response.headers["Location"].removeprefix("/checks/")
    assert code not in (await app.api("GET", "checks/", key=READ_KEY)).text
    assert code not in await visitor.get(f"/checks/{copied}")


@pytest.mark.parametrize("filed", [True, False])
async def test_clear_empties_the_log_and_keeps_the_state(app: App, filed: bool) -> None:
    code, visitor = await set_up(app)
    other = await create(app)
    for signal in ("", "/fail", "/start", ""):
        await app.http.post(f"/ping/{code}{signal}", content=b"secret")
        await app.http.post(f"/ping/{other['uuid']}{signal}", content=b"stays")
    if filed:
        await app.filer.file_once()
    before = await find(app, code)

    await visitor.post(f"/checks/{code}/clear")

    after = (await app.api("GET", f"checks/{code}")).json()
    assert (after["status"], after["n_pings"]) == ("up", 4)
    assert (await app.api("GET", f"checks/{code}/pings/")).json()["pings"] == []
    kept = (await app.api("GET", f"checks/{other['uuid']}/pings/")).json()["pings"]
    assert len(kept) == 4
    assert len((await app.api("GET", f"checks/{code}/flips/")).json()["flips"]) == 3
    for table in ("pings", "inbox"):
        sql = f"SELECT count(*) FROM {table} WHERE instr(body, 'secret')"
        assert await rows(app.database, sql) == [0]
    # What came after goes on where it was.
    await app.http.get(f"/ping/{code}")
    await app.filer.file_once()
    [newest] = (await app.api("GET", f"checks/{code}/pings/")).json()["pings"]
    assert newest["n"] == before.n_pings + 1 == 5


async def test_clear_between_filing_and_dropping_loses_no_new_ping(app: App) -> None:
    code, visitor = await set_up(app)
    for _ in range(3):
        await app.http.get(f"/ping/{code}")
    last = await rows(app.database, "SELECT max(id) FROM inbox")

    await visitor.post(f"/checks/{code}/clear")
    await app.http.get(f"/ping/{code}")

    # The filer deletes by id, up to one that it has seen: none may come twice.
    assert await rows(app.database, "SELECT max(id) FROM inbox") == [last[0] + 1]


async def test_recovery_after_a_clear_counts_nothing_twice(app: App) -> None:
    code, visitor = await set_up(app)
    for _ in range(3):
        await app.http.get(f"/ping/{code}")
    await visitor.post(f"/checks/{code}/clear")
    await app.http.get(f"/ping/{code}")

    await app.parts.pinging.recover()

    found = await find(app, code)
    assert (found.n_pings, found.status) == (4, "up")


async def test_read_only_viewers_change_nothing(app: App) -> None:
    check = await create(app, name="Mine")
    found = await find(app, check["uuid"])
    visitor = await Visitor.look(app)
    csrf = await visitor.csrf()

    for key in (check["uuid"], found.unique_key):
        for action in ACTIONS:
            path = f"/checks/{key}/{action}"
            wanted = 404 if key == found.unique_key else 403
            await visitor.post(path, wanted, csrf=csrf)
    await visitor.get(f"/checks/{check['uuid']}/edit", 403)
    await visitor.get(f"/checks/{check['uuid']}/delete", 403)
    await visitor.post(f"/projects/{visitor.project}/new", 403, name="More", csrf=csrf)

    assert await names(app) == ["Mine"]
    assert await status(app, check["uuid"]) == "new"


async def test_foreign_checks_are_not_found(app: App) -> None:
    check = await create(app, name="Mine")
    visitor = await Visitor.enter(app, OTHER_WRITE_KEY)
    visitor.project = app.synced.projects[1].code

    for action in ACTIONS:
        await visitor.post(f"/checks/{check['uuid']}/{action}", 404)

    assert await names(app) == ["Mine"]


async def test_forged_forms_are_refused(app: App) -> None:
    code, visitor = await set_up(app, name="Mine")

    for action in ACTIONS:
        for csrf in ("", "wrong", "ü"):
            await visitor.post(f"/checks/{code}/{action}", 403, csrf=csrf)

    assert await names(app) == ["Mine"]
    assert await status(app, code) == "new"
