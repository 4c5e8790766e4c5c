"""What of a body is kept, and what keywords, methods and manual_resume make of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.app import CONFIG, App, running_app
from tests.web.pinging import METHODS, get_body, get_check, get_log, new_check


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


@pytest.mark.parametrize(
    "body",
    [
        b"hello\r\nworld\n",
        b"\0",
        b"a\0b\0",
        b"\xff\xfe\x00 not UTF-8",
        bytes(range(256)),
        "Grüße 😀".encode(),
        b" ",
        b"{}",
        b"x" * 10_000,
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_body_is_kept_byte_for_byte(app: App, body: bytes, method: str) -> None:
    code = await new_check(app)

    response = await app.http.request(method, f"/ping/{code}", content=body)

    assert response.status_code == 200
    assert await get_body(app, code) == body


@pytest.mark.parametrize("size", [10_001, 10_002, 1_000_000])
async def test_body_beyond_the_limit_is_cut_and_counts(app: App, size: int) -> None:
    code = await new_check(app)
    body = bytes(i % 251 for i in range(size))

    response = await app.http.post(f"/ping/{code}/fail", content=body)

    assert response.status_code == 200
    assert await get_body(app, code) == body[:10_000]
    assert (await get_check(app, code))["status"] == "down"


async def test_body_that_comes_in_pieces_is_kept_whole(app: App) -> None:
    code = await new_check(app)

    async def pieces() -> Any:
        for i in range(300):
            yield b"%099d\n" % i

    await app.http.post(f"/ping/{code}", content=pieces())

    expected = b"".join(b"%099d\n" % i for i in range(300))
    assert await get_body(app, code) == expected[:10_000]


@pytest.mark.parametrize(("limit", "kept"), [(0, b""), (5, b"01234")])
async def test_body_limit_comes_from_the_config(
    tmp_path: Path, limit: int, kept: bytes
) -> None:
    async with running_app(tmp_path, f"{CONFIG}\n[pings]\nbody_limit = {limit}") as app:
        code = await new_check(app)

        response = await app.http.post(f"/ping/{code}", content=b"0123456789")

        assert response.headers["Ping-Body-Limit"] == str(limit)
        (ping,) = await get_log(app, code)
        if kept:
            assert await get_body(app, code) == kept
        else:
            assert ping["body_url"] is None


# Keywords, methods and manual_resume


@pytest.mark.parametrize("end", ["", "/start", "/fail", "/log", "/0", "/1"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"all OK", "success"),
        (b"ERROR", "fail"),
        (b"OK but ERROR", "fail"),
        (b"BEGIN", "start"),
        (b"BEGIN OK", "success"),
        (b"BEGIN FATAL", "fail"),
        (b"two words here", "success"),
        (b"ok error begin", "ign"),
        (b"nothing", "ign"),
        (b"", "ign"),
        (b"\xffOK\xff", "success"),
    ],
)
async def test_keywords_in_the_body_replace_the_signal(
    app: App, end: str, body: bytes, kind: str
) -> None:
    code = await new_check(
        app,
        filter_http_body=True,
        failure_kw="ERROR, FATAL ,",
        success_kw="OK,two words",
        start_kw="BEGIN",
    )

    response = await app.http.post(f"/ping/{code}{end}", content=body)

    assert (response.status_code, response.text) == (200, "OK")
    assert [ping["type"] for ping in await get_log(app, code)] == [kind]


@pytest.mark.parametrize("end", ["", "/start", "/fail", "/log", "/0"])
async def test_body_without_a_keyword_fails_if_so_wished(app: App, end: str) -> None:
    code = await new_check(
        app, filter_http_body=True, filter_default_fail=True, success_kw="OK"
    )

    await app.http.post(f"/ping/{code}{end}", content=b"?")

    assert [ping["type"] for ping in await get_log(app, code)] == ["fail"]


@pytest.mark.parametrize("fields", [{"filter_subject": True}, {"filter_body": True}])
async def test_filters_for_mail_do_not_count_over_http(
    app: App, fields: dict[str, Any]
) -> None:
    code = await new_check(app, failure_kw="ERROR", filter_default_fail=True, **fields)

    await app.http.post(f"/ping/{code}", content=b"ERROR")

    assert [ping["type"] for ping in await get_log(app, code)] == ["success"]


@pytest.mark.parametrize(("before", "kind"), [(9_998, "success"), (9_999, "ign")])
async def test_only_the_kept_part_of_a_body_is_searched(
    app: App, before: int, kind: str
) -> None:
    code = await new_check(app, filter_http_body=True, success_kw="OK")

    await app.http.post(f"/ping/{code}", content=b"." * before + b"OK")

    assert [ping["type"] for ping in await get_log(app, code)] == [kind]


async def test_body_cut_inside_of_a_character_is_searched_all_the_same(
    app: App,
) -> None:
    code = await new_check(app, filter_http_body=True, success_kw="OK")
    body = b"OK" + b"." * 7_997 + "😀".encode() * 600

    response = await app.http.post(f"/ping/{code}", content=body)

    assert response.status_code == 200
    assert await get_body(app, code) == body[:10_000]
    assert [ping["type"] for ping in await get_log(app, code)] == ["success"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", ["", "/start", "/fail", "/log", "/1"])
async def test_check_for_post_only_ignores_other_methods(
    app: App, method: str, end: str
) -> None:
    code = await new_check(app, methods="POST")
    before = await get_check(app, code)

    response = await app.http.request(method, f"/ping/{code}{end}")

    assert response.status_code == 200
    (ping,) = await get_log(app, code)
    after = await get_check(app, code)
    assert after["n_pings"] == 1
    if method == "POST":
        assert ping["type"] != "ign"
    else:
        assert ping["type"] == "ign"
        assert after == before | {"n_pings": 1}


async def test_method_counts_before_keywords(app: App) -> None:
    code = await new_check(
        app, methods="POST", filter_http_body=True, filter_default_fail=True
    )

    await app.http.put(f"/ping/{code}", content=b"x")

    assert [ping["type"] for ping in await get_log(app, code)] == ["ign"]


@pytest.mark.parametrize("end", ["", "/start", "/fail", "/log", "/1", "/0"])
async def test_paused_check_with_manual_resume_ignores_pings(
    app: App, end: str
) -> None:
    code = await new_check(app, manual_resume=True)
    await app.http.get(f"/ping/{code}")
    await app.api("POST", f"checks/{code}/pause")
    before = await get_check(app, code)

    response = await app.http.post(f"/ping/{code}{end}", content=b"x")

    assert (response.status_code, response.text) == (200, "OK")
    assert await get_check(app, code) == before | {"n_pings": 2}
    assert [ping["type"] for ping in await get_log(app, code)] == ["success", "ign"]


async def test_manual_resume_counts_before_keywords(app: App) -> None:
    code = await new_check(
        app, manual_resume=True, filter_http_body=True, success_kw="OK"
    )
    await app.api("POST", f"checks/{code}/pause")

    await app.http.post(f"/ping/{code}", content=b"OK")

    assert (await get_check(app, code))["status"] == "paused"
