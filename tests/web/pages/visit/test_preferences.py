"""How somebody likes pages to look: remembered by their browser alone."""

from typing import Any

import pytest

from tests.app import READ_KEY, App
from tests.web.pages.browsing import Visitor, project_path, sign_in


async def choose(visitor: Visitor, app: App, **fields: str) -> str:
    """Choose something; return where that leads."""
    form: dict[str, Any] = {"next": project_path(app), **fields}
    return str((await visitor.post("/preferences", **form)).headers["location"])


async def test_theme_is_remembered_on_every_page_and_by_who_may_only_look(
    app: App,
) -> None:
    visitor = await Visitor.enter(app, READ_KEY)
    assert "data-theme" not in await visitor.get("/server")

    led = await choose(visitor, app, theme="dark", next="/server?x=1")

    assert led == "/server?x=1"
    page = await visitor.get("/server")
    assert '<html lang="en" data-now=' in page
    assert ' data-theme="dark">' in page
    assert '<meta name="color-scheme" content="dark">' in page
    docs = await visitor.get("/docs/")
    assert '<html lang="en" data-theme="dark">' in docs
    assert '<meta name="color-scheme" content="dark">' in docs
    cookie = next(c for c in app.http.cookies.jar if c.name == "hcl_look")
    assert "httponly" in str(cookie._rest).lower()  # type: ignore[attr-defined]
    await choose(visitor, app, theme="system")
    assert "data-theme" not in await visitor.get("/server")
    assert "data-theme" not in await visitor.get("/docs/")
    assert "hcl_look" not in app.http.cookies


async def test_order_and_groups_are_remembered_and_stand_in_the_url(app: App) -> None:
    visitor = await Visitor.enter(app)
    path = project_path(app)

    by_name = await choose(visitor, app, sort="name", next=f"{path}?q=x&page=2")
    grouped = await choose(visitor, app, group="tag", next=by_name)
    await choose(visitor, app, rows="roomy")

    assert by_name == f"{path}?q=x&sort=name"
    assert grouped == f"{path}?q=x&sort=name&group=tag"
    page = await visitor.get(path)
    assert 'data-sort="name"' in page
    assert ' data-rows="roomy">' in page
    other = await visitor.get(f"{path}?sort=last")
    assert 'data-sort="last"' in other


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example", "/\\evil.example", "x", ""]
)
async def test_no_other_site_is_led_to(app: App, wanted: str) -> None:
    visitor = await Visitor.enter(app)

    assert await choose(visitor, app, theme="dark", next=wanted) == "/"


async def test_what_is_no_choice_is_passed_over(app: App) -> None:
    visitor = await Visitor.enter(app)

    await choose(visitor, app, theme="<b>", sort="x", colour="red")
    assert "hcl_look" not in app.http.cookies
    app.http.cookies.set("hcl_look", "theme:<.rows:roomy.sort:%00.:..x")

    page = await visitor.get(project_path(app))
    assert ' data-rows="roomy">' in page
    assert "data-theme" not in page


async def test_forged_choice_is_refused(app: App) -> None:
    visitor = await Visitor.enter(app)

    await visitor.post("/preferences", 403, theme="dark", csrf="forged")

    assert "hcl_look" not in app.http.cookies


async def test_theme_counts_before_anybody_signs_in(app: App) -> None:
    await sign_in(app)
    app.http.cookies.clear()
    app.http.cookies.set("hcl_look", "theme:light")

    page = await app.http.get("/sign-in")

    assert ' data-theme="light">' in page.text
