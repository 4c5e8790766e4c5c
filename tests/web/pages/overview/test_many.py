"""Many checks at once: chosen in the list, asked about, and done."""

import re
from typing import Any

import pytest

from hcl import store
from hcl.checks.managing import Managed
from hcl.db import UnwritableError
from hcl.model import Check
from tests.app import App
from tests.store import put_check
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, project_path, text_of


async def put(app: App, *names: str, **fields: Any) -> list[str]:
    """Make checks; return their codes."""
    return [(await create(app, name=name, **fields))["uuid"] for name in names]


async def checks_of(app: App, codes: list[str]) -> list[Check | None]:
    conn = await app.database.current()
    return [await store.checks.by_code(conn, code) for code in codes]


async def do(
    visitor: Visitor, app: App, what: str, codes: list[str], **fields: Any
) -> Any:
    form = {"do": what, "check": codes, "next": project_path(app) + "?q=a&select=1"}
    return await visitor.post(project_path(app) + "many", **(form | fields))


async def test_list_has_boxes_while_checks_are_selected(app: App) -> None:
    [code] = await put(app, "One <b>")
    visitor = await Visitor.enter(app)

    page = await visitor.get(project_path(app) + "?select=1")
    plain = await visitor.get(project_path(app))
    app.http.cookies.clear()
    reader = await Visitor.look(app)
    read_only = await reader.get(project_path(app) + "?select=1")

    assert f'type="checkbox" name="check" value="{code}"' in page
    assert "Select One &lt;b&gt;</span>" in page
    assert 'value="delete">Delete…' in page
    assert "checkbox" not in plain
    assert "checkbox" not in read_only
    assert code not in read_only


async def test_many_are_paused_and_resumed(app: App) -> None:
    codes = await put(app, "a", "b", "c")
    visitor = await Visitor.enter(app)

    paused = await do(visitor, app, "pause", codes[:2])
    told = text_of(await visitor.get(project_path(app)))
    first = [check and check.status for check in await checks_of(app, codes)]
    await do(visitor, app, "resume", codes)
    then = text_of(await visitor.get(project_path(app)))

    assert paused.headers["location"] == project_path(app) + "?q=a"
    assert first == ["paused", "paused", "new"]
    assert "Paused 2 checks." in told
    assert "Resumed 2 checks. 1 was not paused." in then


async def test_many_are_muted_after_a_question(app: App) -> None:
    codes = await put(app, "a", "b")
    visitor = await Visitor.enter(app)

    asked = await do(visitor, app, "mute", codes, status=200)
    before = [check and check.muted_until for check in await checks_of(app, codes)]
    await do(visitor, app, "mute", codes, sure="1", seconds="14400")
    muted = [check and check.muted_until for check in await checks_of(app, codes)]
    await visitor.get(project_path(app))
    await do(visitor, app, "mute", codes, sure="1", seconds="0")

    assert "Mute these 2 checks?" in asked.text
    assert before == [None, None]
    assert all(muted)
    told = text_of(await visitor.get(project_path(app)))
    assert "Muted no longer: 2 checks." in told
    await do(visitor, app, "mute", codes, sure="1", seconds="7", status=422)


async def test_tags_of_many_are_changed(app: App) -> None:
    codes = await put(app, "a", tags="old x") + await put(app, "b", tags="x y")
    visitor = await Visitor.enter(app)

    asked = await do(visitor, app, "tag", codes, status=200)
    await do(visitor, app, "tag", codes, sure="1", add="new  x", drop="old y")

    assert "They have old x y" in text_of(asked.text)
    found = [check and check.tags for check in await checks_of(app, codes)]
    assert found == ["x new", "x new"]
    too_long = " ".join(f"tag{n}" for n in range(90))
    refused = await do(visitor, app, "tag", codes, sure="1", add=too_long, status=422)
    assert "more than 500 characters of tags" in refused.text


async def test_tags_of_none_are_changed_where_one_would_have_too_many(
    app: App,
) -> None:
    codes = await put(app, "a") + await put(app, "b", tags="x" * 495)
    visitor = await Visitor.enter(app)

    refused = await do(visitor, app, "tag", codes, sure="1", add="another", status=422)

    assert "Nothing was changed." in refused.text
    found = [check and check.tags for check in await checks_of(app, codes)]
    assert found == ["", "x" * 495]


async def test_many_are_deleted_after_one_question(app: App) -> None:
    checks = [await put_check(app.database, name=f"Job <{n}>") for n in range(25)]
    codes = [check.code for check in checks]
    visitor = await Visitor.enter(app)

    asked = await do(visitor, app, "delete", codes[:24], status=200)
    sent = re.findall(r'name="check" value="([^"]+)"', asked.text)
    await do(visitor, app, "delete", sent, sure="1")
    told = text_of(await visitor.get(project_path(app)))

    assert "Delete these 24 checks?" in asked.text
    assert "Job &lt;0&gt;" in asked.text
    assert "and 4 more" in asked.text
    assert sent == codes[:24]
    assert "Deleted 24 checks." in told
    left = [check.code for check in await checks_of(app, codes) if check]
    assert left == codes[24:]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            "mute",
            "Nobody is told of it for so long. hcl keeps watching it; if it is down",
        ),
        ("tag", "It has old"),
        (
            "delete",
            "It goes, with its log of 0 pings and its history. Its ping URL will",
        ),
    ],
)
async def test_one_is_asked_about_as_one(app: App, what: str, said: str) -> None:
    codes = await put(app, "a", tags="old")
    visitor = await Visitor.enter(app)

    asked = text_of((await do(visitor, app, what, codes, status=200)).text)

    assert said in asked
    assert not re.search(r"\b(?:[Tt]hey|them|their|of those)\b", asked)


async def test_what_was_done_before_the_disk_was_full_is_said(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = await put(app, "a", "b", "c")
    visitor = await Visitor.enter(app)
    delete, left = app.parts.managing.delete, [1, 0, 0]

    async def failing(*asked: Any) -> Managed:
        if not left.pop(0):
            raise UnwritableError("the disk is full")
        return await delete(*asked)

    monkeypatch.setattr(app.parts.managing, "delete", failing)

    told = await do(visitor, app, "delete", codes, sure="1", status=503)
    again = await do(visitor, app, "delete", codes, sure="1", status=503)

    assert "Deleted 1 check; then the database could not be used" in told.text
    assert "nothing was changed" in again.text
    assert [check is None for check in await checks_of(app, codes)] == [1, 0, 0]


async def test_checks_that_are_gone_or_foreign_are_left_out(app: App) -> None:
    [code] = await put(app, "a")
    foreign = await put_check(app.database, name="b", project_id=2)
    gone = "00000000-0000-4000-8000-000000000000"
    visitor = await Visitor.enter(app)

    await do(visitor, app, "delete", [code, foreign.code, gone, "x"], sure="1")

    assert await checks_of(app, [code]) == [None]
    assert await checks_of(app, [foreign.code]) != [None]


async def test_who_selects_none_is_told_so(app: App) -> None:
    visitor = await Visitor.enter(app)

    response = await do(visitor, app, "delete", [])

    assert response.headers["location"].endswith("?q=a&select=1")
    page = await visitor.get(project_path(app))
    assert "Select some checks first." in text_of(page)


@pytest.mark.parametrize("what", ["", "explode"])
async def test_other_deeds_are_refused(app: App, what: str) -> None:
    codes = await put(app, "a")
    visitor = await Visitor.enter(app)

    await do(visitor, app, what, codes, status=422)
    await do(visitor, app, "delete", codes, sure="1", csrf="forged", status=403)

    assert await checks_of(app, codes) != [None]
