"""The bar on every page: that nobody is told, or not over every channel."""

import pytest

from tests.app import App
from tests.store import change
from tests.web.pages.browsing import sign_in, text_of

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


async def test_nobody_who_is_not_signed_in_hears_of_it(app: App) -> None:
    await change(app.database, "UPDATE channels SET failing_since = 1e9")

    page = await app.http.get("/sign-in")

    assert "has not delivered" not in page.text
