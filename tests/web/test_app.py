"""What holds for every URL: headers of all answers, and where the site lies."""

from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.types import Message

from tests.app import CONFIG, PING_KEY, READ_KEY, ROOT, WRITE_KEY, App, running_app
from tests.web.api.calls import create

NOBODY = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"
UNDER_A_PATH = CONFIG.replace(ROOT, f"{ROOT}/hcl")


def placed(site: str, endpoint: str) -> str:
    """Return a config with the site below a path, and pings elsewhere."""
    return CONFIG.replace(
        f'site_root = "{ROOT}"',
        f'site_root = "{ROOT}{site}"\nping_endpoint = "{endpoint}"',
    )


LISTS = [
    *(f"api/v{v}/{name}" for v in (1, 2, 3) for name in ("checks", "badges", "status")),
    f"api/v1/checks/{NOBODY}/pings",
    f"api/v3/checks/{NOBODY}/flips",
    f"projects/{NOBODY}/metrics",
    "docs",
]

# Some of each kind: good, refused and unknown.
PATHS = [
    *("/", "/sign-in", "/nothing", "/api/", "/api/v3/nothing", "/api/v4/checks/"),
    *("/api/v3/checks/", "/api/v1/checks", "/api/v2/status/", "/api/v3/metrics/"),
    *("/api/v3/openapi.json", "/docs", "/docs/", "/docs/style.css", "/static/none.css"),
    *("/badge/x/12345678.svg", f"/b/2/{NOBODY}.json", "/metrics", "/favicon.ico"),
    *(f"/projects/{NOBODY}/metrics/", f"/projects/{NOBODY}/metrics/{READ_KEY}"),
    *(f"/projects/{NOBODY}/", f"/checks/{NOBODY}", "/checks/x%0A", "//", "/a%00b"),
    *("/ping/", f"/ping/{NOBODY}", f"/ping/{NOBODY}/256", f"/ping/{NOBODY}/x"),
]


async def test_every_answer_is_nosniff_and_kept_by_nobody(app: App) -> None:
    for path, method in product(PATHS, ("GET", "HEAD", "POST", "PUT", "OPTIONS")):
        response = await app.http.request(method, f"{ROOT}{path}")

        assert response.headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert "no-store" in response.headers["Cache-Control"]


async def test_bodies_of_pings_are_nosniff_and_kept_by_nobody(app: App) -> None:
    code = (await create(app))["uuid"]
    await app.http.post(f"/ping/{code}", content=b"<script>alert(1)</script>")

    response = await app.api("GET", f"checks/{code}/pings/1/body")

    assert response.content == b"<script>alert(1)</script>"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"


async def test_any_site_may_read_how_much_of_a_body_is_kept(app: App) -> None:
    code = (await create(app))["uuid"]

    for path in (f"/ping/{code}", f"/ping/{NOBODY}", f"/ping/{code}/256"):
        response = await app.http.post(path, content=b"x")

        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Expose-Headers"] == "Ping-Body-Limit"
        assert response.headers["Ping-Body-Limit"] == "10000"


async def test_redirect_to_the_slash_stays_in_the_path_of_the_site(
    tmp_path: Path,
) -> None:
    async with running_app(tmp_path, UNDER_A_PATH) as app:
        for path, prefix in product(LISTS, ("", "/hcl")):
            response = await app.http.get(f"{prefix}/{path}?tag=%2F%2Fa&x")

            assert response.status_code == 301
            assert response.headers["Location"] == f"/hcl/{path}/?tag=%2F%2Fa&x"


@pytest.mark.parametrize("prefix", ["", "/hcl"])
async def test_site_under_a_path_is_served_with_and_without_it(
    tmp_path: Path, prefix: str
) -> None:
    async with running_app(tmp_path, UNDER_A_PATH) as app:
        check = await create(app)
        code = check["uuid"]
        key = {"X-Api-Key": WRITE_KEY}

        pinged = await app.http.post(f"{prefix}/ping/{code}", content=b"a")
        pinged_bare = await app.http.get(f"{prefix}/ping/{code}/start")
        listed = await app.http.get(f"{prefix}/api/v3/checks/", headers=key)
        entered = await app.http.post(f"{prefix}/sign-in", data={"key": WRITE_KEY})
        # A browser knows the site's path only, whatever comes of it.
        cookie = {"Cookie": entered.headers["Set-Cookie"].partition(";")[0]}
        first = await app.http.get(prefix or "/", headers=cookie)
        page = await app.http.get(f"{prefix}/checks/{code}", headers=cookie)
        style = await app.http.get(f"{prefix}/static/app.css")
        badge_path = check["badge_url"].removeprefix(f"{ROOT}/hcl")
        badge = await app.http.get(prefix + badge_path)
        nothing = await app.http.get(f"{prefix}/nothing/ping/{code}")

    assert (pinged.text, pinged_bare.text) == ("OK", "OK")
    assert listed.json()["checks"][0]["n_pings"] == 2
    assert check["ping_url"] == f"{ROOT}/hcl/ping/{code}"
    assert first.headers["Location"].startswith("/hcl/projects/")
    assert page.status_code == style.status_code == badge.status_code == 200
    assert nothing.status_code == 404


async def test_only_the_path_of_the_site_is_taken_off(tmp_path: Path) -> None:
    async with running_app(tmp_path, UNDER_A_PATH) as app:
        for path in ("/hclx/docs/", "/hcl/hcl/docs/", "/HCL/docs/", "/hcl//"):
            assert (await app.http.get(f"{ROOT}{path}")).status_code == 404


@pytest.mark.parametrize("site", ["docs", "checks", "api", "b", "a%20b", "a/b"])
async def test_site_may_lie_under_any_path(tmp_path: Path, site: str) -> None:
    text = CONFIG.replace(ROOT, f"{ROOT}/{site}")
    async with running_app(tmp_path, text) as app:
        code = (await create(app))["uuid"]

        pinged = await app.http.get(f"/ping/{code}")
        moved = await app.http.get("/api/v3/checks?tag=a")
        with_it = await app.http.get(f"/{site}/api/v3/checks?tag=a")

    assert pinged.text == "OK"
    assert moved.headers["Location"] == f"/{site}/api/v3/checks/?tag=a"
    assert with_it.headers["Location"] == moved.headers["Location"]


@pytest.mark.parametrize("site", ["größe", "žalias"])
async def test_site_may_lie_under_letters_that_no_header_takes(
    tmp_path: Path, site: str
) -> None:
    text = CONFIG.replace(ROOT, f"{ROOT}/{site}")
    async with running_app(tmp_path, text) as app:
        check = await create(app)

        pinged = await app.http.get(f"/{site}/ping/{check['uuid']}")
        entered = await app.http.post(f"/{site}/sign-in", data={"key": WRITE_KEY})
        moved = await app.http.get(f"/{site}/api/v3/checks?tag=a")

    assert pinged.text == "OK"
    assert check["ping_url"] == f"{ROOT}/{quote(site)}/ping/{check['uuid']}"
    assert entered.headers["Location"] == f"/{quote(site)}/"
    assert moved.headers["Location"] == f"/{quote(site)}/api/v3/checks/?tag=a"


async def test_pings_are_taken_under_the_path_of_their_endpoint(tmp_path: Path) -> None:
    text = placed("", "https://p.example/hc-ping/")
    async with running_app(tmp_path, text) as app:
        check = await create(app)
        code = check["uuid"]

        inside = await app.http.get(f"/ping/{code}/start")
        outside = await app.http.get(f"/hc-ping/{code}/start")

    assert check["ping_url"] == f"https://p.example/hc-ping/{code}"
    assert (inside.text, outside.text) == ("OK", "OK")


@pytest.mark.parametrize("site", ["", "/hcl"])
@pytest.mark.parametrize("endpoint", ["https://p.example", ROOT])
async def test_pings_are_taken_at_the_root_of_their_endpoint(
    tmp_path: Path, site: str, endpoint: str
) -> None:
    """As `https://hc-ping.com/<uuid>`, and nothing else is taken for a ping."""
    text = placed(site, endpoint)
    async with running_app(tmp_path, text) as app:
        check = await create(app, slug="job")
        code = check["uuid"]
        signals = [f"/{code}/start", f"/{code}", f"/{PING_KEY}/job/3", f"/ping/{code}"]

        pinged = [(await app.http.get(path)).text for path in signals]
        statuses = [
            (await app.http.get(f"{base}{path}")).status_code
            for base in {"", site}
            for path in ("/", "/docs/", "/sign-in", "/nothing", f"/checks/{code}")
        ]
        after = (await app.api("GET", f"checks/{code}")).json()

    assert check["ping_url"] == f"{endpoint}/{code}"
    assert pinged == ["OK"] * 4
    assert statuses == [303, 200, 200, 404, 303] * len({"", site})
    assert after["n_pings"] == 4


@pytest.mark.parametrize("site", ["/hcl", "/docs", "/p"])
@pytest.mark.parametrize("end", ["", "/hc-ping", "/p", "/ping"])
async def test_pings_may_lie_anywhere_below_the_path_of_the_site(
    tmp_path: Path, site: str, end: str
) -> None:
    """Whether a proxy takes the site's path off or not; and so do pages."""
    endpoint = f"{ROOT}{site}{end}"
    text = placed(site, endpoint)
    async with running_app(tmp_path, text) as app:
        check = await create(app, slug="job")
        code = check["uuid"]

        pinged = [
            (await app.http.get(f"{ROOT}{base}{end}/{target}")).text
            for base in (site, "")
            for target in (code, f"{PING_KEY}/job", f"/{code}/log")
        ]
        listed = await app.api("GET", f"checks/{code}")
        statuses = [
            (await app.http.get(f"{site}{path}")).status_code
            for path in ("/", "/docs/", "/sign-in", "/api/v3/status/")
        ]

    assert check["ping_url"] == f"{endpoint}/{code}"
    assert pinged == ["OK"] * 6
    assert listed.json()["n_pings"] == 6
    assert statuses == [303, 200, 200, 200]


@pytest.mark.parametrize("site", ["", "/hcl"])
async def test_pages_for_others_are_found_beside_pings_below_p(
    tmp_path: Path, site: str
) -> None:
    page = '[[projects.pages]]\nslug = "home"\ntitle = "At home"\n'
    text = placed(site, f"{ROOT}{site}/p/")
    text = text.replace("[[projects.keys]]", f"{page}[[projects.keys]]", 1)
    async with running_app(tmp_path, text) as app:
        code = (await create(app))["uuid"]

        shown = [
            (await app.http.get(f"{site}/p/home{end}")).status_code
            for end in ("", ".atom")
        ]
        pinged = await app.http.get(f"{site}/p/{code}")

    assert shown == [200, 200]
    assert pinged.text == "OK"


@pytest.mark.parametrize(("method", "path"), [("OPTIONS", "*"), ("CONNECT", "")])
async def test_what_asks_for_no_path_finds_nothing(
    tmp_path: Path, method: str, path: str
) -> None:
    text = CONFIG.replace("[server]", '[server]\nping_endpoint = "http://p.example"', 1)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b""}
    async with running_app(tmp_path, text) as app:
        await app.assembly.app({**scope, "headers": []}, receive, send)

    assert sent[0]["status"] == 404
