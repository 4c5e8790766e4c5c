"""The bar on every page: that nobody is told, or not over every channel."""

import re

import pytest

from hcl.pings.arrival import Target
from tests.app import App
from tests.build import make_ping
from tests.store import change, put_check
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

    assert "pings are refused, and checks are shown as they were then" in page.text
    assert 'id="warning"' not in page.text
    assert 'id="unkept"' not in well.text


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
