"""Signing in and out: keys, bounds, and where it leads."""

import pytest

from hcl.web.pages.visit.sign_in import own_path
from tests.app import OTHER_WRITE_KEY, READ_KEY, ROOT, WRITE_KEY, App
from tests.web.pages.browsing import post, project_path, sign_in

FOREIGN = [
    "//evil.example/",
    "/\\evil.example",
    "https://evil.example/",
    "http:evil",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    "evil",
    "",
    "/sign-in?next=/sign-in",
    "///evil.example",
]


async def test_page_asks_to_sign_in_and_leads_back(app: App) -> None:
    path = project_path(app) + "?q=a&tag=b"

    asked = await app.http.get(path)
    form = await app.http.get(asked.headers["location"])
    entered = await app.http.post("/sign-in", data={"key": WRITE_KEY, "next": path})

    assert asked.status_code == entered.status_code == 303
    assert 'value="' + path.replace("&", "&amp;") + '"' in form.text
    assert entered.headers["location"] == path
    assert (await app.http.get(path)).status_code == 200


async def test_wrong_key_is_told_and_no_more(app: App) -> None:
    response = await app.http.post("/sign-in", data={"key": "x" * 32})

    assert response.status_code == 403
    assert "Wrong key." in response.text
    assert "set-cookie" not in response.headers
    assert "x" * 32 not in response.text


@pytest.mark.parametrize("key", ["", "\0", "é" * 32, "<script>", "a" * 10_000])
async def test_key_that_is_none_opens_nothing(app: App, key: str) -> None:
    assert (await app.http.post("/sign-in", data={"key": key})).status_code == 403


async def test_cookie_holds_no_key_and_is_kept_from_scripts(app: App) -> None:
    response = await app.http.post("/sign-in", data={"key": WRITE_KEY})

    cookie = response.headers["set-cookie"]
    assert WRITE_KEY not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


@pytest.mark.parametrize("wanted", FOREIGN)
def test_no_way_leads_to_another_site(wanted: str) -> None:
    assert own_path(wanted) == "/"


@pytest.mark.parametrize("wanted", ["/", "/server", "/projects/x/?q=%2F%2Fa&tag=ü%20"])
def test_ways_within_the_site_are_kept(wanted: str) -> None:
    assert own_path(wanted) == (wanted if wanted.isascii() else "/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": ROOT},
    ],
)
async def test_other_sites_can_sign_nobody_in(
    app: App, headers: dict[str, str]
) -> None:
    response = await app.http.post("/sign-in", data={"key": WRITE_KEY}, headers=headers)

    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_own_origin_signs_in(app: App) -> None:
    response = await app.http.post(
        "/sign-in", data={"key": WRITE_KEY}, headers={"Origin": ROOT}
    )

    assert response.status_code == 303


async def test_signed_out_is_signed_out_by_every_copy_of_the_cookie(app: App) -> None:
    await sign_in(app)
    copy = app.http.cookies["hcl_session"]

    response = await post(app, "/sign-out")
    app.http.cookies.set("hcl_session", copy)
    again = await app.http.get(project_path(app))

    assert response.headers["location"] == "/sign-in"
    assert again.status_code == 303


async def test_signing_out_needs_the_token(app: App) -> None:
    await sign_in(app)

    assert (await post(app, "/sign-out", "no")).status_code == 403
    assert (await app.http.get(project_path(app))).status_code == 200


async def test_key_shows_its_own_project_only(app: App) -> None:
    await sign_in(app, OTHER_WRITE_KEY)

    assert (await app.http.get(project_path(app))).status_code == 404
    assert (await app.http.get(project_path(app, 1))).status_code == 200


async def test_read_only_key_may_look(app: App) -> None:
    await sign_in(app, READ_KEY)

    page = await app.http.get(project_path(app))

    assert "read-only" in page.text
    assert "New check" not in page.text
    assert (await app.http.get(project_path(app) + "new")).status_code == 403
    assert (await post(app, project_path(app) + "new")).status_code == 403
