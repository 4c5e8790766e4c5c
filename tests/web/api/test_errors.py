"""Requests that the Management API refuses: every text, and nothing is changed."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from hcl.web.api.endpoint import UNKNOWN_LIMIT, Endpoint
from tests.app import CONFIG, READ_KEY, WRITE_KEY, App, running_app


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])

STRINGS = {
    "name": 100,
    "slug": 100,
    "tags": 500,
    "desc": 10_000,
    "schedule": 100,
    "channels": None,
    "start_kw": 200,
    "success_kw": 200,
    "failure_kw": 200,
    "subject": 200,
    "subject_fail": 200,
}
BOOLEANS = (
    *("manual_resume", "filter_subject", "filter_body"),
    *("filter_http_body", "filter_default_fail"),
)
ITEM = "an item in 'unique'"
NO_SCHEDULE = "is not a valid cron or OnCalendar expression"
NO_ZONE = "is not a valid timezone"

NOT_STRINGS: list[Any] = [None, 1, []]
NOT_BOOLEANS: list[Any] = [None, 0, 1, "true", "", []]
NOT_METHODS: list[Any] = ["GET", "post", "POST ", "HEAD,POST", None, 1, True, []]
NOT_NUMBERS: list[Any] = [None, "60", 60.0, 60.5, 1e300, [], {}]
NOT_ARRAYS: list[Any] = [None, "name", 1, True, {}, {"name": 1}]
NOT_UNIQUE: list[Any] = [["desc"], ["name", "x"], [None], [1], [[]], [{}], ["NAME"]]
REFUSED: list[tuple[str, Any, str]] = [
    *((name, value, "is not a string") for name in STRINGS for value in NOT_STRINGS),
    *(
        (name, "x" * (limit + 1), "is too long")
        for name, limit in STRINGS.items()
        if limit
    ),
    *((name, value, "is not a boolean") for name in BOOLEANS for value in NOT_BOOLEANS),
    *(
        (name, value, "is not a number")
        for name in ("timeout", "grace")
        for value in NOT_NUMBERS
    ),
    *(
        (name, value, problem)
        for name in ("timeout", "grace")
        for value, problem in (
            (True, "is too small"),
            (False, "is too small"),
            (0, "is too small"),
            (59, "is too small"),
            (-(10**30), "is too small"),
            (31_536_001, "is too large"),
            (10**400, "is too large"),
        )
    ),
    *(
        ("slug", value, "does not match pattern")
        for value in ("A", "a b", "a.b", "ä", "a/b", "a\n", " ", "\0")
    ),
    *(("methods", value, "has unexpected value") for value in NOT_METHODS),
    *(
        ("schedule", value, NO_SCHEDULE)
        for value in ("", " ", "x", "* * * *", "60 * * * *", "* * * * * *")
    ),
    ("schedule", "1999-01-01 00:00", NO_SCHEDULE),
    ("schedule", "0 0 31 2 *", NO_SCHEDULE),
    ("tz", None, "is not a string"),
    ("tz", 1, "is not a string"),
    *(
        ("tz", value, NO_ZONE)
        for value in ("", "utc", "Europe", "Mars/Base", "Factory", "localtime")
    ),
    *(
        ("tz", value, NO_ZONE)
        for value in ("posix/UTC", "europe/riga", "../UTC", "/etc/passwd", "UTC\0")
    ),
    *(("unique", value, "is not an array") for value in NOT_ARRAYS),
    *(("unique", value, "has unexpected value") for value in NOT_UNIQUE),
]


async def snapshot(app: App) -> Any:
    return (await app.api("GET", "checks/")).json()


async def send(
    app: App, body: bytes, version: int = 3, path: str = "checks/"
) -> httpx2.Response:
    return await app.http.post(
        f"/api/v{version}/{path}", content=body, headers={"X-Api-Key": WRITE_KEY}
    )


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    REFUSED,
    ids=lambda value: ascii(value)[:30],
)
async def test_wrong_field_is_refused_and_nothing_changes(
    app: App, field: str, value: Any, problem: str
) -> None:
    response = await app.api("POST", "checks/", json={"name": "before"})
    code = response.json()["uuid"]
    before = await snapshot(app)
    fields = {"name": "after", "tags": "new", "channels": "*", field: value}
    upsert = {"name": "before", "unique": ["name"], "tags": "new", field: value}
    named = ITEM if field == "unique" and isinstance(value, list) else field
    text = f"json validation error: {named} {problem}"

    for version in (1, 2, 3):
        for path, wanted in (
            ("checks/", fields),
            ("checks/", upsert),
            (f"checks/{code}", fields),
        ):
            answer = await app.api("POST", path, json=wanted, version=version)

            assert (answer.status_code, answer.json()) == (400, {"error": text})
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert await snapshot(app) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (name, "x" * limit)
            for name, limit in STRINGS.items()
            if limit and name != "schedule"
        ),
        ("name", "😀" * 100),
        ("schedule", "0 0 * * *" + " " * 91),
        ("tags", "😀" * 500),
        ("desc", "😀" * 10_000),
        *((name, value) for name in ("timeout", "grace") for value in (60, 31_536_000)),
        ("slug", "a-z_0"),
        ("slug", "---"),
        ("methods", ""),
        ("methods", "POST"),
    ],
    ids=lambda value: ascii(value)[:30],
)
async def test_value_at_its_bound_is_taken(app: App, field: str, value: Any) -> None:
    response = await app.api("POST", "checks/", json={field: value})

    assert response.status_code == 201
    if field == "subject":
        assert response.json()["success_kw"] == value
    else:
        assert response.json()[field] == value


async def test_bad_zone_of_a_simple_check_is_refused_too(app: App) -> None:
    response = await app.api("POST", "checks/", json={"timeout": 60, "tz": "x"})

    assert response.status_code == 400


async def test_bad_timeout_beside_a_schedule_is_refused_too(app: App) -> None:
    fields = {"timeout": 1, "schedule": "0 0 * * *"}

    response = await app.api("POST", "checks/", json=fields)

    assert response.json() == {"error": "json validation error: timeout is too small"}


# Bodies


@VERSIONS
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "could not parse request body"),
        (b"name=x", "could not parse request body"),
        (b" ", "could not parse request body"),
        (b"{}{}", "could not parse request body"),
        (b"{'name': 'x'}", "could not parse request body"),
        (b'{"name": "x",}', "could not parse request body"),
        (b'{"name": "a\nb"}', "could not parse request body"),
        (b'{"name": "\xff"}', "could not parse request body"),
        (b'{"name": "\xc3\x28"}', "could not parse request body"),
        ('{"name": "x"}'.encode("utf-16"), "could not parse request body"),
        (b"\0", "could not parse request body"),
        (b'{"name": ' + b"[" * 100_000, "could not parse request body"),
        (b"[" * 100_000 + b"]" * 100_000, "could not parse request body"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "could not parse request body"),
        (b"[]", "json validation error: value is not an object"),
        (b'[{"name": "x"}]', "json validation error: value is not an object"),
        (b"null", "json validation error: value is not an object"),
        (b"true", "json validation error: value is not an object"),
        (b"0", "json validation error: value is not an object"),
        (b'"name"', "json validation error: value is not an object"),
        (b"NaN", "json validation error: value is not an object"),
        (b'{"timeout": NaN}', "json validation error: timeout is not a number"),
        (b'{"timeout": Infinity}', "json validation error: timeout is not a number"),
        (b'{"timeout": 1e999}', "json validation error: timeout is not a number"),
        (b'{"timeout": 6e1}', "json validation error: timeout is not a number"),
        (b'{"grace": 60, "grace": 1}', "json validation error: grace is too small"),
        (b'{"name": "\\ud800"}', "json validation error: name is not a string"),
        (b'{"tags": "x\\udfff"}', "json validation error: tags is not a string"),
        (b'{"tz": "\\ud800"}', "json validation error: tz is not a string"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_body_that_cannot_be_used_is_refused(
    app: App, body: bytes, text: str, version: int
) -> None:
    response = await send(app, body, version)

    assert (response.status_code, response.json()) == (400, {"error": text})
    assert await snapshot(app) == {"checks": []}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b"", ""),
        (b"{}", ""),
        (b' \r\n\t{"name": "x"} \n', "x"),
        (b'{"name": "x", "name": "y"}', "y"),
        (b'{"name": 1, "name": "y"}', "y"),
        (b'{"name": "\\u0000"}', "\0"),
        (b'{"name": "\\ud83d\\ude00"}', "😀"),
        ('{"name": "😀"}'.encode(), "😀"),
        (b'{"x": NaN, "name": "x"}', "x"),
        (b'{"\\ud800": "\\ud800", "name": "x"}', "x"),
        (b'{"x": ' + b"[" * 500 + b"]" * 500 + b', "name": "x"}', "x"),
        (b'{"timeout": 60, "grace": 60, "name": "x"}', "x"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_odd_body_is_read(app: App, body: bytes, name: str) -> None:
    response = await send(app, body)

    assert (response.status_code, response.json()["name"]) == (201, name)


async def test_byte_order_mark_does_not_make_the_server_fail(app: App) -> None:
    response = await send(app, b"\xef\xbb\xbf{}")

    assert response.status_code in (201, 400)


@pytest.mark.parametrize("field", ["api_key", "name", "unique", "tz", "x"])
async def test_no_depth_of_nesting_makes_the_server_fail(app: App, field: str) -> None:
    for depth in (10, 100, *range(700, 1000, 7), *range(960, 1000)):
        body = b'{"%s": ' % field.encode() + b"[" * depth + b"]" * depth + b"}"

        response = await app.http.post("/api/v3/checks/", content=body)

        assert response.status_code in (400, 401)


@pytest.mark.parametrize("field", ["timeout", "name", "api_key", "x"])
async def test_no_number_makes_the_server_fail(app: App, field: str) -> None:
    for number in ("9" * 4300, "9" * 4301, "-" + "9" * 5000, "1e" + "9" * 5000, "-0"):
        response = await send(app, f'{{"{field}": {number}}}'.encode())

        assert response.status_code < 500


@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "x" * 32}, {"X-Api-Key": ""}])
async def test_body_of_who_is_not_known_is_read_up_to_a_bound(
    app: App, headers: dict[str, str]
) -> None:
    longest = {"desc": "😀" * 10_000, "tags": "😀" * 500, "name": "😀" * 100}
    fits = json.dumps({"api_key": WRITE_KEY, **longest}).encode()
    larger = fits.ljust(UNKNOWN_LIMIT + 1)

    told = await app.http.post("/api/v3/checks/", content=fits, headers=headers)
    refused = await app.http.post("/api/v3/checks/", content=larger, headers=headers)
    known = await app.http.post(
        "/api/v3/checks/", content=larger, headers={"X-Api-Key": WRITE_KEY}
    )

    assert told.status_code == (401 if headers else 201)
    assert (refused.status_code, known.status_code) == (413, 201)


@VERSIONS
@pytest.mark.parametrize("key", [WRITE_KEY, None])
async def test_body_over_the_limit_is_refused(
    tmp_path: Path, version: int, key: str | None
) -> None:
    text = CONFIG.replace("[api]", "[api]\nbody_limit = 100")
    headers = {} if key is None else {"X-Api-Key": key}
    exact = b'{"api_key": "' + WRITE_KEY.encode() + b'", "name": "x"}'
    exact += b" " * (100 - len(exact))
    async with running_app(tmp_path, text) as app:
        url = f"/api/v{version}/checks/"

        fits = await app.http.post(url, content=exact, headers=headers)
        over = await app.http.post(url, content=exact + b" ", headers=headers)
        code = fits.json()["uuid"]
        pause = await app.http.post(
            f"{url}{code}/pause", content=exact + b" ", headers=headers
        )

        assert fits.status_code == 201
        assert over.status_code == 413
        assert isinstance(over.json()["error"], str)
        assert over.headers["Access-Control-Allow-Origin"] == "*"
        assert len((await snapshot(app))["checks"]) == 1
        # It does not look at its body: there is no key in one that is too large.
        assert pause.status_code == (200 if key else 401)


async def test_body_that_comes_in_pieces_is_read_and_bounded(tmp_path: Path) -> None:
    async def pieces(count: int) -> Any:
        yield b'{"name": "x"}'
        for _ in range(count):
            yield b" " * 10

    text = CONFIG.replace("[api]", "[api]\nbody_limit = 100")
    async with running_app(tmp_path, text) as app:
        headers = {"X-Api-Key": WRITE_KEY}

        fits = await app.http.post(
            "/api/v3/checks/", content=pieces(8), headers=headers
        )
        over = await app.http.post(
            "/api/v3/checks/", content=pieces(9), headers=headers
        )

        assert (fits.status_code, over.status_code) == (201, 413)


# Anything at all

FUZZ = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=20)
    | st.sampled_from(["*", "POST", "UTC", "* * * * *", "daily", "name", "Hook A"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=6,
)
FIELDS = [*STRINGS, *BOOLEANS, "timeout", "grace", "methods", "tz", "unique", "api_key"]
SCHEDULES = st.text("0123456789*/-,. :~LMonFri\n", max_size=20)


@FUZZ
@given(document=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
async def test_no_document_makes_the_server_fail(
    app: App, document: dict[str, Any]
) -> None:
    body = json.dumps(document).encode()

    response = await send(app, body)
    await forget(app, response)

    assert response.status_code in (201, 400)
    assert response.status_code == 201 or isinstance(response.json()["error"], str)


@FUZZ
@given(expression=SCHEDULES | SCHEDULES.map(lambda text: f"{text} * * * *"))
async def test_no_schedule_makes_the_server_fail(app: App, expression: str) -> None:
    response = await app.api("POST", "checks/", json={"schedule": expression})
    if response.status_code == 201:
        ping = await app.http.get(f"/ping/{response.json()['uuid']}")
        assert ping.status_code == 200
    await forget(app, response)

    assert response.status_code in (201, 400)


@FUZZ
@given(body=st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode()))
async def test_no_body_makes_the_server_fail(app: App, body: bytes) -> None:
    response = await send(app, body)
    await forget(app, response)

    assert response.status_code in (201, 400)


async def forget(app: App, response: httpx2.Response) -> None:
    """Delete what a request made, so that the next is not over the limit."""
    if response.status_code == 201:
        await app.api("DELETE", f"checks/{response.json()['uuid']}")


@FUZZ
@given(
    query=st.lists(
        st.tuples(
            st.sampled_from(["tag", "slug", "seconds", "start", "end", "x", ""]),
            st.text(max_size=12) | st.integers().map(str),
        ),
        max_size=4,
    ),
    raw=st.text("abt=&%+;?/0129fF\\'\"", max_size=20),
)
async def test_no_query_makes_the_server_fail(
    app: App, query: list[tuple[str, str | int | float | bool | None]], raw: str
) -> None:
    code = (await app.api("POST", "checks/", json={})).json()["uuid"]
    url = f"/api/v3/checks/{code}/flips/"
    headers = {"X-Api-Key": READ_KEY}

    listed = await app.http.get("/api/v3/checks/", params=query, headers=headers)
    flips = await app.http.get(url, params=query, headers=headers)
    odd = await app.http.get(f"/api/v3/checks?{raw}", follow_redirects=True)
    await app.api("DELETE", f"checks/{code}")

    assert listed.status_code == 200
    assert flips.status_code in (200, 400)
    assert odd.status_code == 401


async def test_an_unexpected_error_is_json_that_any_site_may_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def break_down(_: Request) -> Response:
        raise ZeroDivisionError

    app = httpx2.ASGITransport(Endpoint(GET=break_down))
    async with httpx2.AsyncClient(transport=app, base_url="http://hcl.test") as http:
        answer = await http.get("/")

    assert (answer.status_code, answer.json()) == (
        500,
        {"error": "internal server error"},
    )
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "ZeroDivisionError" in caplog.text
