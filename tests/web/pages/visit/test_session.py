"""Sessions: what a cookie, a token and a proxy's header are good for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from hcl.web.auth import digest_of
from hcl.web.pages.dashboard.ended_sessions import LIFETIME
from hcl.web.pages.visit import signing
from tests.app import CONFIG, READ_KEY, WRITE_KEY, App, running_app
from tests.web.pages.browsing import csrf, post, project_path, sign_in

PROXIED = CONFIG.replace(
    "[api]", '[web]\nuser_header = "Remote-User"\n\n[api]'
).replace(
    'listen = "127.0.0.1:0"', 'listen = "127.0.0.1:0"\ntrusted_proxies = ["192.0.2.1"]'
)
PRIVATE = [
    "",
    "live",
    "wall",
    "favicon.svg",
    "new",
    "integrations",
    "badges",
]


def forge(app: App, age: timedelta, digest: str, secret: str = "") -> str:
    """Make a session's cookie of an age."""
    written = int((datetime.now(UTC) - age).timestamp())
    text = f"{digest} {'i' * 22} {written}"
    return signing.sign(secret or app.parts.secret, "session 1", text)


def digest_of_write_key(app: App) -> str:
    return app.config.projects[0].keys[0].sha256


async def status(app: App) -> int:
    return (await app.http.get(project_path(app))).status_code


@pytest.mark.parametrize("page", PRIVATE)
async def test_nobody_sees_anything_without_a_session(app: App, page: str) -> None:
    response = await app.http.get(project_path(app) + page)

    assert response.status_code in (303, 401)
    assert "Home" not in response.text


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "é", "=.=", "x" * 5000, "a.b.c"])
async def test_cookie_that_is_none_opens_nothing(app: App, cookie: str) -> None:
    header = {b"Cookie": f"hcl_session={cookie}".encode()}

    response = await app.http.get(project_path(app), headers=header)

    assert response.status_code == 303


async def test_cookie_signed_with_another_secret_opens_nothing(app: App) -> None:
    digest = digest_of_write_key(app)
    app.http.cookies.set("hcl_session", forge(app, timedelta(0), digest, "guess"))

    assert await status(app) == 303


async def test_cookie_counts_for_thirty_days(app: App) -> None:
    digest = digest_of_write_key(app)

    app.http.cookies.set("hcl_session", forge(app, timedelta(days=31), digest))
    old = await status(app)
    app.http.cookies.clear()
    app.http.cookies.set("hcl_session", forge(app, timedelta(days=29), digest))
    young = await app.http.get(project_path(app))

    assert old == 303
    assert young.status_code == 200
    assert "hcl_session=" in young.headers["set-cookie"]


async def test_token_stays_when_a_cookie_is_renewed(app: App) -> None:
    digest = digest_of_write_key(app)
    old = forge(app, timedelta(days=20), digest)
    app.http.cookies.set("hcl_session", old)

    before = await csrf(app)
    app.http.cookies.set("hcl_session", forge(app, timedelta(0), digest))

    assert await csrf(app) == before


async def test_young_cookie_is_not_written_again(app: App) -> None:
    await sign_in(app)

    response = await app.http.get(project_path(app))

    assert "set-cookie" not in response.headers


async def test_removed_key_signs_out_and_says_so(app: App) -> None:
    await sign_in(app)
    home = replace(app.config.projects[0], keys=app.config.projects[0].keys[1:])
    config = replace(app.config, projects=(home, app.config.projects[1]))
    await app.use(config)

    asked = await app.http.get(project_path(app))
    form = await app.http.get(asked.headers["location"])
    again = await app.http.get("/sign-in")

    assert asked.status_code == 303
    assert "Your key is no longer valid" in form.text
    assert "Your key is no longer valid" not in again.text


async def test_form_without_the_right_token_changes_nothing(app: App) -> None:
    await sign_in(app)
    created = (await app.api("POST", "checks/", json={"name": "a"})).json()
    path = f"/checks/{created['uuid']}/pause"
    stranger = signing.mac(app.parts.secret, "form", "other")

    codes = [(await post(app, path, t)).status_code for t in ("", "x", "é", stranger)]

    assert codes == [403] * 4
    check = (await app.api("GET", f"checks/{created['uuid']}")).json()
    assert check["status"] == "new"


async def test_form_of_no_session_changes_nothing_and_says_so(app: App) -> None:
    response = await app.http.post(f"{project_path(app)}many", data={"do": "pause"})

    form = await app.http.get(response.headers["location"])
    assert response.status_code == 303
    assert "nothing was changed" in form.text


@pytest.mark.parametrize(
    ("referer", "wanted"),
    [
        ("{root}/checks/a?b=c", "/checks/a?b=c"),
        ("{root}", "/"),
        ("", "/"),
        ("http://[", "/"),
        ("https://evil.example//evil.example/", "/"),
    ],
)
@pytest.mark.parametrize("site", ["", "/watch"])
async def test_button_of_no_session_leads_back_to_where_it_was_pressed(
    tmp_path: Path, site: str, referer: str, wanted: str
) -> None:
    root = f"http://hcl.example{site}"
    text = CONFIG.replace("http://hcl.example", root)
    async with running_app(tmp_path, text) as app:
        headers = {"Referer": referer.format(root=root)}
        pressed = f"/checks/{app.synced.projects[0].code}/mute"

        response = await app.http.post(pressed, headers=headers)
        asked = httpx2.URL(response.headers["location"]).params.get("next", "")
        entered = await app.http.post(
            "/sign-in", data={"key": WRITE_KEY, "next": asked}
        )

    assert entered.headers["location"] == f"{site}{wanted}"


async def test_body_that_is_no_form_is_refused(app: App) -> None:
    await sign_in(app)
    path = f"{project_path(app)}new"
    kinds = {"text/plain": 415, "application/json": 415, "multipart/form-data": 415}

    for kind, wanted in kinds.items():
        response = await app.http.post(
            path, content=b"a=b", headers={"Content-Type": kind}
        )
        assert response.status_code == wanted


async def test_form_that_is_too_large_is_refused(app: App) -> None:
    await sign_in(app)

    large = await post(app, f"{project_path(app)}new", desc="x" * 3_200_000)
    many = await app.http.post(
        f"{project_path(app)}new", data={f"f{i}": "x" for i in range(2000)}
    )

    assert large.status_code == 413
    assert many.status_code == 400


async def test_cookie_is_secure_where_the_site_is(tmp_path: Path) -> None:
    text = CONFIG.replace("http://hcl.example", "https://hcl.example")
    async with running_app(tmp_path, text) as app:
        response = await app.http.post(
            "https://hcl.example/sign-in", data={"key": WRITE_KEY}
        )

    assert "Secure" in response.headers["set-cookie"]


async def test_path_of_the_site_comes_before_all_links(tmp_path: Path) -> None:
    text = CONFIG.replace("http://hcl.example", "http://hcl.example/watch")
    async with running_app(tmp_path, text) as app:
        entered = await app.http.post("/sign-in", data={"key": WRITE_KEY})
        token = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
        page = await app.http.get(project_path(app), headers=token)

    assert entered.headers["location"] == "/watch/"
    assert "Path=/watch" in entered.headers["set-cookie"]
    assert 'href="/watch/static/app.css' in page.text
    assert ' href="/projects' not in page.text


async def test_trusted_proxy_names_the_user(tmp_path: Path) -> None:
    async with running_app(tmp_path, PROXIED) as app:
        app.http.headers["Remote-User"] = "one <b>"
        page = await app.http.get(project_path(app))
        other = await app.http.get(project_path(app, 1))
        new = f"{project_path(app)}new"
        token = await csrf(app, new)
        made = await app.http.post(
            new, data={"csrf": token, "name": "a", "kind": "simple"}
        )

    assert page.status_code == other.status_code == 200
    assert "one &lt;b&gt;" in page.text
    assert "Other" in page.text
    assert made.status_code not in (403, 500)
    # The proxy signs them in, and out.
    assert "Sign out" not in page.text


@pytest.mark.parametrize("values", [["one", "two"], [""], []])
async def test_users_that_are_not_clear_are_none(
    tmp_path: Path, values: list[str]
) -> None:
    async with running_app(tmp_path, PROXIED) as app:
        headers = [("Remote-User", value) for value in values]
        response = await app.http.get(project_path(app), headers=headers)

    assert response.status_code == 303


async def test_user_header_from_elsewhere_is_ignored(tmp_path: Path) -> None:
    async with running_app(tmp_path, PROXIED, peer="198.51.100.9") as app:
        response = await app.http.get(
            project_path(app),
            headers={"Remote-User": "eve", "X-Forwarded-For": "192.0.2.1"},
        )

    assert response.status_code == 303


async def test_proxied_user_needs_a_token_of_the_same_browser(tmp_path: Path) -> None:
    async with running_app(tmp_path, PROXIED) as app:
        app.http.headers["Remote-User"] = "one"
        new = f"{project_path(app)}new"
        token = await csrf(app, new)
        app.http.cookies.clear()
        foreign = await app.http.post(new, data={"csrf": token, "name": "a"})

    assert foreign.status_code == 403


async def test_nothing_is_there_when_the_pages_are_off(tmp_path: Path) -> None:
    text = CONFIG.replace("[api]", "[web]\nenabled = false\n\n[api]")
    async with running_app(tmp_path, text) as app:
        paths = ["/", "/sign-in", "/static/app.css", "/server", project_path(app)]
        answers = [await app.http.get(path) for path in paths]

    assert [(r.status_code, r.text) for r in answers] == [(404, "not found")] * 5


async def test_read_only_session_has_a_token_too(app: App) -> None:
    await sign_in(app, READ_KEY)

    assert (await post(app, "/sign-out")).status_code == 303


def test_signature_of_one_purpose_is_none_of_another() -> None:
    signed = signing.sign("secret", "session 1", "text €")

    assert signing.unsign("secret", "session 1", signed) == "text €"
    assert signing.unsign("secret", "notice", signed) is None
    assert signing.unsign("other", "session 1", signed) is None
    assert timedelta(days=30) == LIFETIME


def old_cookie(app: App, key: str = WRITE_KEY, days: int = 2) -> str:
    """Make the cookie of a session that is due to be renewed."""
    written = int((datetime.now(UTC) - timedelta(days=days)).timestamp())
    text = f"{digest_of(key)} {'s' * 22} {written}"
    return signing.sign(app.parts.secret, "session 1", text)


def cookies_set(response: httpx2.Response) -> list[str]:
    found = response.headers.get_list("set-cookie")
    return [line for line in found if line.startswith("hcl_session=")]


async def test_old_session_is_renewed_by_a_look(app: App) -> None:
    app.http.cookies.set("hcl_session", old_cookie(app))

    response = await app.http.get(project_path(app))

    assert len(cookies_set(response)) == 1


async def test_signing_out_of_an_old_session_takes_the_cookie_away(app: App) -> None:
    app.http.cookies.set("hcl_session", old_cookie(app))
    token = await csrf(app)
    app.http.cookies.clear()
    app.http.cookies.set("hcl_session", old_cookie(app))

    response = await app.http.post("/sign-out", data={"csrf": token})

    [only] = cookies_set(response)
    assert "Max-Age=0" in only


async def test_signing_in_by_another_key_is_not_undone(app: App) -> None:
    app.http.cookies.set("hcl_session", old_cookie(app, READ_KEY))

    response = await app.http.post("/sign-in", data={"key": WRITE_KEY})

    [only] = cookies_set(response)
    value = only.split("=", 1)[1].split(";")[0]
    assert digest_of(WRITE_KEY) in str(
        signing.unsign(app.parts.secret, "session 1", value)
    )


async def test_session_that_was_signed_out_stays_so_after_a_restart(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path) as app:
        await sign_in(app)
        copy = app.http.cookies["hcl_session"]
        await post(app, "/sign-out")
    async with running_app(tmp_path) as again:
        again.http.cookies.set("hcl_session", copy)
        response = await again.http.get(project_path(again))

    assert response.status_code == 303


@pytest.mark.parametrize("origin", ["http://[", "http://evil.example", "null"])
async def test_odd_and_foreign_origins_are_refused(app: App, origin: str) -> None:
    response = await app.http.post(
        "/sign-in", data={"key": WRITE_KEY}, headers={"Origin": origin}
    )

    assert response.status_code == 403


async def test_odd_place_to_go_to_is_none(app: App) -> None:
    await sign_in(app)

    response = await app.http.get("/sign-in", params={"next": "//["})

    assert response.headers["location"] == "/"
