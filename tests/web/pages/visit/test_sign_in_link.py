"""The link that `hcl serve` prints lets its reader in, once."""

from hcl.web.auth import digest_of
from tests.app import CONFIG, WRITE_KEY, App
from tests.web.pages.browsing import project_path, text_of


def link(app: App, key: str = WRITE_KEY) -> str:
    return f"/sign-in/{app.parts.links.make(digest_of(key), app.clock.now())}"


async def test_link_signs_in_once(app: App) -> None:
    path = link(app)

    entered = await app.http.get(path)
    page = await app.http.get(project_path(app))
    app.http.cookies.clear()
    again = await app.http.get(path, follow_redirects=True)

    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert entered.headers["cache-control"] == "no-store"
    assert page.status_code == 200
    assert "This link was used, or is too old: sign in with a key." in text_of(
        again.text
    )
    assert "hcl_session" not in app.http.cookies


async def test_who_only_looks_what_a_link_is_does_not_use_it_up(app: App) -> None:
    path = link(app)

    await app.http.head(path)

    assert (await app.http.get(path)).headers["location"] == "/"


async def test_link_ends_with_its_key(app: App) -> None:
    path = link(app)
    await app.reload(CONFIG.replace(WRITE_KEY, "hcw_" + "n" * 28))

    answer = await app.http.get(path)

    assert answer.headers["location"] == "/sign-in"
    assert "hcl_session" not in app.http.cookies


async def test_link_that_nobody_made_leads_to_the_form(app: App) -> None:
    answer = await app.http.get("/sign-in/" + "a" * 22)

    assert answer.headers["location"] == "/sign-in"
