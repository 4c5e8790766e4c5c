"""Keys, methods, CORS and redirects of the Management API: all that comes first."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.app import (
    CONFIG,
    OTHER_READ_KEY,
    OTHER_WRITE_KEY,
    READ_KEY,
    ROOT,
    WRITE_KEY,
    App,
    running_app,
)


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])
UNKNOWN = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"


@dataclass(frozen=True)
class Row:
    """A row of the table of requests. `key` is the least that is needed."""

    method: str
    path: str
    key: str
    allowed: str
    status: int = 200

    @property
    def names_a_check(self) -> bool:
        return "{" in self.path


LISTS = "GET, POST, OPTIONS"
SINGLE = "GET, POST, DELETE, OPTIONS"
ROWS = [
    Row("GET", "checks/", "ro", LISTS),
    Row("POST", "checks/", "rw", LISTS, 201),
    Row("GET", "checks/{code}", "ro", SINGLE),
    Row("POST", "checks/{code}", "rw", SINGLE),
    Row("DELETE", "checks/{code}", "rw", SINGLE),
    Row("GET", "checks/{unique_key}", "ro", "GET, OPTIONS"),
    Row("POST", "checks/{code}/pause", "rw", "POST, OPTIONS"),
    Row("POST", "checks/{code}/resume", "rw", "POST, OPTIONS", 409),
    Row("GET", "checks/{code}/pings/", "rw", "GET, OPTIONS"),
    Row("GET", "checks/{code}/pings/1/body", "rw", "GET, OPTIONS"),
    Row("GET", "checks/{code}/flips/", "ro", "GET, OPTIONS"),
    Row("GET", "checks/{unique_key}/flips/", "ro", "GET, OPTIONS"),
    Row("GET", "channels/", "rw", "GET, OPTIONS"),
    Row("GET", "badges/", "ro", "GET, OPTIONS"),
]
OPEN_ROWS = [
    Row("GET", "status/", "none", "GET, HEAD, OPTIONS"),
    Row("GET", "metrics/", "none", "GET, OPTIONS", 403),
]
LIST_PATHS = (
    *("checks", "channels", "badges", "status", "metrics"),
    *("checks/{code}/pings", "checks/{code}/flips", "checks/{unique_key}/flips"),
)

ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path}")
ANY_ROW = pytest.mark.parametrize(
    "row", ROWS + OPEN_ROWS, ids=lambda row: f"{row.method} {row.path}"
)


async def make_check(app: App, key: str = WRITE_KEY) -> dict[str, str]:
    """Create a check with one ping that has a body; return its two names."""
    response = await app.api("POST", "checks/", json={"name": "x"}, key=key)
    code = str(response.json()["uuid"])
    await app.http.post(f"/ping/{code}", content=b"body")
    return names(code)


def names(code: str) -> dict[str, str]:
    digits = code.replace("-", "")[:16]
    return {"code": code, "unique_key": hashlib.sha1(digits.encode()).hexdigest()}


async def call(
    app: App,
    row: Row,
    check: dict[str, str],
    version: int,
    headers: dict[str, str],
    **kwargs: Any,
) -> httpx2.Response:
    url = f"/api/v{version}/{row.path.format(**check)}"
    return await app.http.request(row.method, url, headers=headers, **kwargs)


def assert_cors(response: httpx2.Response, allowed: str) -> None:
    headers = response.headers
    assert headers.get_list("Access-Control-Allow-Origin") == ["*"]
    assert headers["Access-Control-Allow-Headers"] == "X-Api-Key"
    assert headers["Access-Control-Max-Age"] == "600"
    methods = set(headers["Access-Control-Allow-Methods"].split(", "))
    assert methods == set(allowed.split(", "))


# Keys


@ROW
@VERSIONS
@pytest.mark.parametrize(
    ("key", "text"),
    [
        (None, "missing api key"),
        ("", "missing api key"),
        (WRITE_KEY + "x", "missing api key"),
        ("x" * 32, "wrong api key"),
        (WRITE_KEY.upper(), "wrong api key"),
    ],
)
async def test_request_without_a_good_key_is_refused(
    app: App, row: Row, version: int, key: str | None, text: str
) -> None:
    check = await make_check(app)
    headers = {} if key is None else {"X-Api-Key": key}

    response = await call(app, row, check, version, headers)

    assert (response.status_code, response.json()) == (401, {"error": text})
    assert_cors(response, row.allowed)


@ROW
@VERSIONS
@pytest.mark.parametrize("kind", ["ro", "rw"])
async def test_key_of_the_project_opens_what_it_may(
    app: App, row: Row, version: int, kind: str
) -> None:
    check = await make_check(app)
    key = READ_KEY if kind == "ro" else WRITE_KEY

    response = await call(app, row, check, version, {"X-Api-Key": key})

    assert_cors(response, row.allowed)
    if kind == "ro" and row.key == "rw":
        assert response.status_code == 401
        assert response.json() == {"error": "wrong api key"}
    else:
        assert response.status_code == row.status


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.names_a_check],
    ids=lambda row: f"{row.method} {row.path}",
)
@VERSIONS
@pytest.mark.parametrize("kind", ["ro", "rw"])
async def test_key_of_another_project_opens_no_check(
    app: App, row: Row, version: int, kind: str
) -> None:
    check = await make_check(app)
    key = OTHER_READ_KEY if kind == "ro" else OTHER_WRITE_KEY
    before = (await app.api("GET", "checks/")).json()

    response = await call(app, row, check, version, {"X-Api-Key": key})

    if kind == "ro" and row.key == "rw":
        assert response.status_code == 401
    else:
        assert response.status_code == (404 if "unique_key" in row.path else 403)
    assert isinstance(response.json()["error"], str)
    assert_cors(response, row.allowed)
    assert (await app.api("GET", "checks/")).json() == before


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.names_a_check],
    ids=lambda row: f"{row.method} {row.path}",
)
@VERSIONS
async def test_unknown_check_is_not_found(app: App, row: Row, version: int) -> None:
    check = names(UNKNOWN)

    response = await call(app, row, check, version, {"X-Api-Key": WRITE_KEY})

    assert response.status_code == 404
    assert isinstance(response.json()["error"], str)
    assert_cors(response, row.allowed)


async def test_lists_hold_nothing_of_another_project(app: App) -> None:
    await make_check(app)

    for path in ("checks/", "channels/"):
        response = await app.api("GET", path, key=OTHER_WRITE_KEY)

        assert list(response.json().values()) == [[]]
    badges = (await app.api("GET", "badges/", key=OTHER_WRITE_KEY)).json()["badges"]
    assert list(badges) == ["*"]


POSTS = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.method == "POST"], ids=lambda row: row.path
)


@POSTS
@VERSIONS
async def test_key_may_stand_in_the_body_of_a_post(
    app: App, row: Row, version: int
) -> None:
    check = await make_check(app)

    response = await call(app, row, check, version, {}, json={"api_key": WRITE_KEY})

    assert response.status_code == row.status


@POSTS
@pytest.mark.parametrize(
    ("key", "text"),
    [
        (READ_KEY, "wrong api key"),
        ("x" * 32, "wrong api key"),
        ("x" * 31, "missing api key"),
        ("", "missing api key"),
        (None, "missing api key"),
        (1, "missing api key"),
        ([], "missing api key"),
        ({"a": 1}, "missing api key"),
        ("\ud800" * 32, "wrong api key"),
    ],
    ids=repr,
)
async def test_bad_key_in_the_body_is_refused(
    app: App, row: Row, key: Any, text: str
) -> None:
    check = await make_check(app)
    body = json.dumps({"api_key": key}).encode()

    response = await call(app, row, check, 3, {}, content=body)

    assert (response.status_code, response.json()) == (401, {"error": text})


@POSTS
@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("", "missing api key"),
        ("x", "missing api key"),
        ("x" * 32, "wrong api key"),
        (READ_KEY, "wrong api key"),
    ],
)
async def test_header_beats_the_key_in_the_body(
    app: App, row: Row, header: str, text: str
) -> None:
    check = await make_check(app)

    response = await call(
        app, row, check, 3, {"X-Api-Key": header}, json={"api_key": WRITE_KEY}
    )

    assert (response.status_code, response.json()) == (401, {"error": text})


async def test_blanks_behind_a_key_are_no_part_of_it(app: App) -> None:
    kept = await app.http.get(
        "/api/v3/checks/", headers={"X-Api-Key": f"{READ_KEY} \t"}
    )

    assert kept.status_code == 200


@POSTS
async def test_good_header_beats_a_bad_key_in_the_body(app: App, row: Row) -> None:
    check = await make_check(app)

    response = await call(
        app, row, check, 3, {"X-Api-Key": WRITE_KEY}, json={"api_key": None}
    )

    assert response.status_code == row.status


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.method != "POST"], ids=lambda r: r.path
)
async def test_only_a_post_may_have_its_key_in_the_body(app: App, row: Row) -> None:
    check = await make_check(app)

    response = await call(app, row, check, 3, {}, json={"api_key": WRITE_KEY})

    assert response.status_code == 401
    assert response.json() == {"error": "missing api key"}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.method != "POST"], ids=lambda r: r.path
)
@pytest.mark.parametrize("body", [b"{", b"\xff\0", b"[]", b"x" * 2_000_000])
async def test_body_of_a_get_is_not_read(app: App, row: Row, body: bytes) -> None:
    check = await make_check(app)

    response = await call(app, row, check, 3, {"X-Api-Key": WRITE_KEY}, content=body)

    assert response.status_code == row.status


READ_POSTS = pytest.mark.parametrize(
    "row",
    [
        row
        for row in ROWS
        if row.method == "POST" and not row.path.endswith(("pause", "resume"))
    ],
    ids=lambda row: row.path,
)


@READ_POSTS
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "could not parse request body"),
        (b"\xff", "could not parse request body"),
        (b"[]", "json validation error: value is not an object"),
        (b"null", "json validation error: value is not an object"),
        (b"1", "json validation error: value is not an object"),
    ],
)
@pytest.mark.parametrize("key", [None, "x", WRITE_KEY])
async def test_body_is_told_before_the_key(
    app: App, row: Row, body: bytes, text: str, key: str | None
) -> None:
    check = await make_check(app)
    headers = {} if key is None else {"X-Api-Key": key}

    response = await call(app, row, check, 3, headers, content=body)

    assert (response.status_code, response.json()) == (400, {"error": text})
    assert_cors(response, row.allowed)


@pytest.mark.parametrize("body", [b"null", b"{", b"[]", b"\xff\0", b"x" * 2_000_000])
@pytest.mark.parametrize(
    ("method", "end", "status"),
    [("POST", "/pause", 200), ("POST", "/resume", 409), ("DELETE", "", 200)],
)
@VERSIONS
async def test_pause_resume_and_delete_do_not_look_at_their_body(
    app: App, version: int, method: str, end: str, status: int, body: bytes
) -> None:
    url = f"/api/v{version}/checks/{(await make_check(app))['code']}{end}"

    nobody = await app.http.request(method, url, content=body)
    good = await app.http.request(
        method, url, content=body, headers={"X-Api-Key": WRITE_KEY}
    )

    assert nobody.json() == {"error": "missing api key"}
    assert good.status_code == status


@POSTS
async def test_empty_body_counts_as_an_object(app: App, row: Row) -> None:
    check = await make_check(app)

    good = await call(app, row, check, 3, {"X-Api-Key": WRITE_KEY}, content=b"")
    bad = await call(app, row, check, 3, {}, content=b"")

    assert good.status_code == row.status
    assert (bad.status_code, bad.json()) == (401, {"error": "missing api key"})


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"],
)
async def test_content_type_does_not_matter(app: App, content_type: str) -> None:
    response = await app.http.post(
        "/api/v3/checks/",
        content=json.dumps({"api_key": WRITE_KEY, "name": "x"}).encode(),
        headers={"Content-Type": content_type},
    )

    assert (response.status_code, response.json()["name"]) == (201, "x")


@pytest.mark.parametrize(
    "key", ["ü" * 32, "  x" + "." * 28 + "x", '"\\' * 16, "1" * 32]
)
async def test_any_32_characters_can_be_a_key(tmp_path: Path, key: str) -> None:
    text = CONFIG.replace(f'"{WRITE_KEY}"', json.dumps(key, ensure_ascii=False))
    async with running_app(tmp_path, text) as app:
        in_header = await app.http.get(
            "/api/v3/checks/", headers=[(b"X-Api-Key", key.encode())]
        )
        in_body = await app.http.post("/api/v3/checks/", json={"api_key": key})

        assert in_header.status_code == 200
        assert in_body.status_code == 201


# Methods and CORS


@ANY_ROW
@VERSIONS
async def test_options_answers_204_without_a_key(
    app: App, row: Row, version: int
) -> None:
    path = row.path.format(**names(UNKNOWN))

    response = await app.http.options(f"/api/v{version}/{path}")

    assert (response.status_code, response.content) == (204, b"")
    assert_cors(response, row.allowed)


@pytest.mark.parametrize(
    ("row", "method"),
    [
        pytest.param(row, method, id=f"{method} {row.path}")
        for row in {row.path: row for row in ROWS + OPEN_ROWS}.values()
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
        if method not in row.allowed.split(", ")
    ],
)
async def test_method_that_is_not_there_is_refused(
    app: App, row: Row, method: str
) -> None:
    path = row.path.format(**await make_check(app))

    with_key = await app.api(method, path)
    without = await app.http.request(method, f"/api/v3/{path}")

    assert (with_key.status_code, without.status_code) == (405, 405)
    assert_cors(with_key, row.allowed)
    assert_cors(without, row.allowed)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nothing",
        "checks//",
        "Checks/",
        "checks/x",
        "checks/{upper}",
        "checks/{short}",
        "checks/{{{code}}}",
        "checks/{code}/",
        "checks/{code}/nothing",
        "checks/{code}/pause/",
        "checks/{code}/resume/",
        "checks/{unique_key}/",
        "checks/{unique_key}/pings/",
        "checks/{unique_key}/pause",
        "checks/{upper_key}",
        "checks/{code}/pings/x/body",
        "checks/{code}/pings/-1/body",
        "checks/{code}/pings/1.0/body",
        "checks/{code}/pings/1",
        "checks/{code}/pings/1/",
        "checks/{code}/pings/1/body/",
        "checks/{code}/pings/" + "9" * 400 + "/body",
        "checks/{code}/pings/%D9%A1/body",
        "badges/x",
        "status/x",
        "channels/x",
    ],
)
@VERSIONS
async def test_unknown_url_is_not_found_with_cors(
    app: App, path: str, version: int
) -> None:
    check = await make_check(app)
    url = path.format(
        code=check["code"],
        upper=check["code"].upper(),
        short=check["code"].replace("-", ""),
        unique_key=check["unique_key"],
        upper_key=check["unique_key"].upper(),
    )

    for method in ("GET", "POST", "DELETE"):
        response = await app.api(method, url, version=version)

        assert response.status_code == 404
        assert isinstance(response.json()["error"], str)
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Headers"] == "X-Api-Key"
        assert "OPTIONS" in response.headers["Access-Control-Allow-Methods"]
        assert response.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize(
    "path", ["checks/", "checks/{code}", "checks/{unique_key}", "checks/{code}/flips/"]
)
async def test_url_with_a_newline_behind_it_is_not_found(app: App, path: str) -> None:
    check = await make_check(app)

    response = await app.api("GET", path.format(**check) + "%0A")

    assert response.status_code == 404


# Redirects


@pytest.mark.parametrize("path", LIST_PATHS)
@VERSIONS
async def test_list_url_without_its_slash_redirects(
    app: App, path: str, version: int
) -> None:
    url = f"/api/v{version}/{path.format(**names(UNKNOWN))}"

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"):
        response = await app.http.request(method, url)

        assert response.status_code == 301
        assert location(response) == f"{ROOT}{url}/"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Max-Age"] == "600"


@pytest.mark.parametrize("path", LIST_PATHS)
@VERSIONS
async def test_preflight_of_a_list_url_without_its_slash_is_not_redirected(
    app: App, path: str, version: int
) -> None:
    url = f"/api/v{version}/{path.format(**names(UNKNOWN))}"

    bare, whole = await app.http.options(url), await app.http.options(f"{url}/")

    assert (bare.status_code, bare.content) == (204, b"")
    assert bare.headers == whole.headers


def location(response: httpx2.Response) -> str:
    """Return where a redirect leads, as a client reads it."""
    return str(response.url.join(response.headers["Location"]))


@pytest.mark.parametrize(
    "query",
    [
        "?tag=a",
        "?&tag=a",
        "?tag=a&tag=b",
        "?tag=a%20b&tag=%C3%A4",
        "?slug=a%26b",
        "?tag=a+b",
        "?tag=%2F%3F%23",
        "?tag=//evil.example/",
        "?x",
    ],
)
async def test_redirect_keeps_the_query(app: App, query: str) -> None:
    response = await app.http.get(f"/api/v3/checks{query}")

    assert response.status_code == 301
    assert location(response) == f"{ROOT}/api/v3/checks/{query}"


async def test_redirect_can_be_followed(app: App) -> None:
    await app.api("POST", "checks/", json={"name": "a", "tags": "x y"})
    await app.api("POST", "checks/", json={"name": "b", "tags": "x"})

    response = await app.http.get(
        "/api/v3/checks?tag=x&tag=y",
        headers={"X-Api-Key": READ_KEY},
        follow_redirects=True,
    )

    assert [check["name"] for check in response.json()["checks"]] == ["a"]


@pytest.mark.parametrize(
    "path", ["checks/{code}", "checks/{unique_key}", "checks/{code}/pings/1/body"]
)
async def test_other_urls_do_not_redirect(app: App, path: str) -> None:
    check = await make_check(app)

    plain = await app.api("GET", path.format(**check))
    slashed = await app.api("GET", path.format(**check) + "/")

    assert (plain.status_code, slashed.status_code) == (200, 404)
