"""The bar on every page: that nobody is told, or not over every channel."""

import re
from pathlib import Path

import pytest

from hcl.pings.arrival import Target
from tests import toml
from tests.app import CONFIG, OTHER_PING_KEY, App, running_app
from tests.build import make_ping
from tests.store import change, put_check
from tests.web.api.calls import create
from tests.web.pages.browsing import project_path, sign_in, text_of
from tests.web.pages.overview.test_announced import first_words
from tests.web.pages.overview.test_live import streaming

PAGES = ["/projects/{}/", "/projects/{}/integrations", "/projects/{}/badges", "/server"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_who_does_not_deliver(app: App, path: str) -> None:
    await sign_in(app)
    [project, *_] = app.config.projects
    names = [channel.name for channel in project.channels]
    well = await app.http.get(path.format(project.id))
    await change(
        app.database, "UPDATE channels SET failing_since = 1e9 WHERE name = ?", names[0]
    )

    page = await app.http.get(path.format(project.id))

    assert 'id="warning"' not in well.text
    assert f"{names[0]} has not delivered since" in text_of(page.text)
    assert "Nobody is told" not in page.text


async def test_if_all_fail_nobody_is_told(app: App) -> None:
    await sign_in(app)
    [project, *_] = app.config.projects
    await change(app.database, "UPDATE channels SET failing_since = 1e9")

    page = await app.http.get(f"/projects/{project.id}/")

    assert "Nobody is told: " in page.text
    assert 'class="notice is-bad" id="warning"' in page.text


async def test_without_integrations_nobody_is_told(app: App) -> None:
    await sign_in(app)
    [project, *_] = app.config.projects
    await change(app.database, "UPDATE channels SET enabled = 0")

    page = await app.http.get(f"/projects/{project.id}/")

    assert "Nobody is told when a check goes down" in page.text


async def test_that_nothing_can_be_kept_is_said(app: App) -> None:
    await sign_in(app)
    [project, *_] = app.config.projects
    app.clock.deaf_as_of = app.clock.now()
    try:
        page = await app.http.get(f"/projects/{project.id}/")
    finally:
        app.clock.deaf_as_of = None
    well = await app.http.get(f"/projects/{project.id}/")

    assert (
        "pings have been refused, and checks are shown as they were then" in page.text
    )
    assert 'id="warning"' not in page.text
    assert 'id="unkept"' not in well.text


def switched_off(*names: str) -> str:
    """Return the config with these channels switched off, as an import leaves them."""
    text = CONFIG
    for name in names:
        text = text.replace(f'name = "{name}"', f'name = "{name}"\nenabled = false')
    return text


async def test_channels_that_are_switched_off_tell_nobody(tmp_path: Path) -> None:
    async with running_app(tmp_path, switched_off("Hook A", "Hook B")) as app:
        check = await create(app, channels="*")
        await sign_in(app)

        page = text_of((await app.http.get(project_path(app))).text)
        own = text_of((await app.http.get(f"/checks/{check['uuid']}")).text)

    told = "Nobody is told when a check goes down: no integration of Home tells of it."
    assert told in page
    assert "no channel" not in page
    assert told in own
    assert "Hook A webhook, switched off" in own


async def test_check_of_a_channel_that_is_switched_off_is_marked(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, switched_off("Hook B")) as app:
        await create(app, name="Told", channels="Hook A,Hook B")
        await create(app, name="Untold", channels="Hook B")
        await sign_in(app)

        page = (await app.http.get(project_path(app))).text

    assert "Nobody is told" not in page
    rows = {
        name: "no channel" in row
        for row in page.split("<li id=")[1:]
        for name in re.findall(r'class="name"[^>]*>(\w+)<', row)
    }
    assert rows == {"Told": False, "Untold": True}


async def test_check_of_a_group_of_which_none_tells_is_marked(tmp_path: Path) -> None:
    text = switched_off("Hook B").replace(
        toml.project("Other", OTHER_PING_KEY),
        toml.channel("All", "group", channels=["Hook B"])
        + toml.project("Other", OTHER_PING_KEY),
    )
    async with running_app(tmp_path, text) as app:
        await create(app, name="Untold", channels="All")
        await sign_in(app)

        page = (await app.http.get(project_path(app))).text

    assert "no channel" in page


async def test_if_all_that_tell_of_outages_fail_nobody_is_told(tmp_path: Path) -> None:
    async with running_app(tmp_path, switched_off("Hook B")) as app:
        await sign_in(app)
        failing = "UPDATE channels SET failing_since = 1e9 WHERE name = 'Hook A'"
        await change(app.database, failing)

        page = text_of((await app.http.get(project_path(app))).text)

    assert "Nobody is told: Hook A has not delivered since" in page


async def test_nobody_who_is_not_signed_in_hears_of_it(app: App) -> None:
    await change(app.database, "UPDATE channels SET failing_since = 1e9")

    page = await app.http.get("/sign-in")

    assert "has not delivered" not in page.text


@pytest.mark.parametrize("query", ["rows", "", "check=a&v=a"])
async def test_open_page_is_loaded_anew_when_a_channel_fails_or_delivers(
    app: App, query: str
) -> None:
    await sign_in(app)

    async with streaming(app, query) as stream:
        for value in ("1e9", "NULL"):
            await change(app.database, f"UPDATE channels SET failing_since = {value}")
            app.parts.changes.tell()

            assert await stream.message() == {"anew": True}


@pytest.mark.parametrize("page", ["", "wall"])
async def test_page_has_room_for_a_warning_and_tells_what_it_says(
    app: App, page: str
) -> None:
    await sign_in(app)
    for value in ("NULL", "1e9"):
        await change(app.database, f"UPDATE channels SET failing_since = {value}")

        shown = (await app.http.get(project_path(app) + page)).text

        assert '<div id="warned" data-part' in shown
        mark = re.search(r"live\?(?:rows=&amp;)?v=(\w+)", shown)
        assert mark
        assert "anew" not in await first_words(app, mark[1])


async def test_page_of_a_check_is_loaded_anew_when_people_are_told(app: App) -> None:
    check = await put_check(app.database, 1, status="up")
    now = app.clock.now()
    await app.parts.pinging.receive(
        Target(code=check.code), make_ping(action="fail", created=now)
    )
    await sign_in(app)

    async with streaming(app, f"check={check.code}") as stream:
        await app.sender.send_once(now)

        assert await stream.message() == {"anew": True}
