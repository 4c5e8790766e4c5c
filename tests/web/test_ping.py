"""The Pinging API: URLs, methods, errors, and what of a request is kept."""

import asyncio
import signal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app import CONFIG, OTHER_PING_KEY, PING_KEY, App, running_app
from tests.store import rows


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


UNKNOWN = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"
RID = "123e4567-e89b-12d3-a456-426614174000"
METHODS = (
    *("HEAD", "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"),
    *("PROPFIND", "PURGE"),
)


async def new_check(app: App, **fields: Any) -> str:
    """Create a check and return its UUID."""
    response = await app.api("POST", "checks/", json=fields)
    assert response.status_code == 201, response.text
    return str(response.json()["uuid"])


async def get_check(app: App, code: str) -> dict[str, Any]:
    response = await app.api("GET", f"checks/{code}")
    assert response.status_code == 200
    return dict(response.json())


async def get_checks(app: App) -> list[dict[str, Any]]:
    return list((await app.api("GET", "checks/")).json()["checks"])


async def get_log(app: App, code: str) -> list[dict[str, Any]]:
    """Return the check's pings, the oldest first."""
    response = await app.api("GET", f"checks/{code}/pings/")
    assert response.status_code == 200
    return list(reversed(response.json()["pings"]))


async def get_body(app: App, code: str, n: int = 1) -> bytes:
    response = await app.api("GET", f"checks/{code}/pings/{n}/body")
    assert response.status_code == 200
    return response.content


# URLs


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("", "success"),
        ("/", "success"),
        ("/start", "start"),
        ("/fail", "fail"),
        ("/log", "log"),
        ("/0", "success"),
        ("/00", "success"),
        ("/000000", "success"),
        ("/1", "fail"),
        ("/001", "fail"),
        ("/255", "fail"),
        ("/0255", "fail"),
        ("?x=/fail", "success"),
        ("/%66ail", "fail"),
        ("/TERM", "fail"),
        ("/RTMIN%2B3", "fail"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_uuid_url_is_recorded_as_its_signal(
    app: App, slash: str, end: str, kind: str
) -> None:
    code = await new_check(app)

    response = await app.http.get(f"/ping/{slash}{code}{end}")

    assert (response.status_code, response.text) == (200, "OK")
    assert [ping["type"] for ping in await get_log(app, code)] == [kind]


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("", "success"),
        ("/start", "start"),
        ("/fail", "fail"),
        ("/log", "log"),
        ("/0", "success"),
        ("/00", "success"),
        ("/7", "fail"),
        ("/255", "fail"),
    ],
)
async def test_slug_url_is_recorded_as_its_signal(
    app: App, end: str, kind: str
) -> None:
    code = await new_check(app, slug="my-job_1")

    response = await app.http.get(f"/ping/{PING_KEY}/my-job_1{end}")

    assert (response.status_code, response.text) == (200, "OK")
    assert [ping["type"] for ping in await get_log(app, code)] == [kind]


@pytest.mark.parametrize("slug", ["start", "fail", "log", "0", "300", "-", "_"])
async def test_slug_may_look_like_a_signal(app: App, slug: str) -> None:
    code = await new_check(app, slug=slug)

    plain = await app.http.get(f"/ping/{PING_KEY}/{slug}")
    failed = await app.http.get(f"/ping/{PING_KEY}/{slug}/fail")

    assert (plain.status_code, failed.status_code) == (200, 200)
    assert [ping["type"] for ping in await get_log(app, code)] == ["success", "fail"]


@pytest.mark.parametrize(
    "path",
    [
        "{upper}",
        "{upper}/fail",
        "{{{code}}}",
        "%7B{code}%7D",
        "{short}",
        "{short}/start",
        "urn:uuid:{code}",
        "{code}0",
        "{code}%0A",
        "{code}%00",
        " {code}",
        "{code}/foo",
        "{code}/Fail",
        "{code}/FAIL",
        "{code}/success",
        "{code}/-1",
        "{code}/+1",
        "{code}/1.0",
        "{code}/0x1",
        "{code}/1%0A",
        "{code}/%D9%A1",
        "{code}//",
        "{code}//fail",
        "{code}/fail/",
        "{code}/1/",
        "{code}/fail/fail",
        "{code}/fail/start",
        *("//{code}", "/{upper}", "/{key}/job", "/{short}", "//"),
        *(
            "{code}/SIGTERM",
            "{code}/term",
            "{code}/Term",
            "{code}/TERM/",
            "{code}/RTMIN",
        ),
        *("{code}/RTMIN+31", "{code}/RTMIN-1", "{code}/RTMAX", "{code}/TERM+1"),
        *("{key}/job/SIGTERM", "{key}/job/term", "{code}//TERM"),
        "",
        "{key}",
        "{key}/",
        "{key}//fail",
        "{key}/job/",
        "{key}/job/fail/",
        "{key}/job/foo",
        "{key}/job/-1",
        "{key}/job%0A",
        "{key}/j%C3%B6b",
        "{key}/job.x",
        "{key}x/job",
        "{other}/job",
        "{code}/job",
    ],
)
async def test_other_urls_are_not_found(app: App, path: str) -> None:
    code = await new_check(app, slug="job")
    url = "/ping/" + path.format(
        code=code,
        upper=code.upper(),
        short=code.replace("-", ""),
        key=PING_KEY,
        other=OTHER_PING_KEY,
    )

    response = await app.http.get(url)

    assert (response.status_code, response.text) == (404, "not found")
    assert await get_log(app, code) == []


@pytest.mark.parametrize("url", ["{code}", f"{PING_KEY}/job"])
@pytest.mark.parametrize(
    ("end", "number"),
    [("/0", 0), ("/007", 7), ("/255", 255), ("", None), ("/fail", None)],
)
async def test_exit_status_is_kept(
    own_app: App, url: str, end: str, number: int | None
) -> None:
    code = await new_check(own_app, slug="job")

    await own_app.http.get(f"/ping/{url.format(code=code)}{end}")

    assert await rows(own_app.database, "SELECT exitstatus FROM log") == [number]


# Signals


@pytest.mark.parametrize("url", ["{code}", f"{PING_KEY}/job"])
async def test_names_of_signals_are_those_of_linux(own_app: App, url: str) -> None:
    code = await new_check(own_app, slug="job")
    # On Linux Python knows them too, and two more names of some.
    numbers = {
        each.name.removeprefix("SIG"): each.value
        for each in signal.Signals
        if each.name not in ("SIGRTMIN", "SIGRTMAX")
    }
    numbers |= {f"RTMIN+{n}": signal.SIGRTMIN + n for n in range(31)}

    for name in numbers:
        response = await own_app.http.get(f"/ping/{url.format(code=code)}/{name}")
        assert (response.status_code, response.text) == (200, "OK")

    kept = await rows(own_app.database, "SELECT action, exitstatus FROM log ORDER BY n")
    assert kept == [("fail", 128 + number) for number in numbers.values()]


async def test_check_of_another_project_with_the_same_slug_stays_untouched(
    app: App,
) -> None:
    code = await new_check(app, slug="job")

    response = await app.http.get(f"/ping/{OTHER_PING_KEY}/job?create=1")

    assert response.status_code == 201
    assert await get_log(app, code) == []


# Methods and answers


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", ["{code}", f"{PING_KEY}/job"])
async def test_any_method_is_a_ping(app: App, method: str, url: str) -> None:
    code = await new_check(app, slug="job")

    response = await app.http.request(method, f"/ping/{url.format(code=code)}")

    assert response.status_code == 200
    (ping,) = await get_log(app, code)
    assert (ping["type"], ping["method"]) == ("success", method)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("{code}", 200),
        ("{key}/new?create=1", 201),
        ("{code}/256", 400),
        (UNKNOWN, 404),
        ("no/such/thing/at/all", 404),
        ("{key}/twin", 409),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_answer_has_the_headers(
    app: App, path: str, status: int, method: str
) -> None:
    code = await new_check(app)
    await new_check(app, slug="twin")
    await new_check(app, slug="twin")

    response = await app.http.request(
        method, "/ping/" + path.format(code=code, key=PING_KEY)
    )

    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Ping-Body-Limit"] == "10000"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert "no-store" in response.headers["Cache-Control"]
    assert "no-cache" in response.headers["Cache-Control"]


# Errors


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        (f"{UNKNOWN}", 404, "not found"),
        (f"{UNKNOWN}/300", 404, "not found"),
        (f"{UNKNOWN}?rid=x", 404, "not found"),
        (f"{UNKNOWN}/300?rid=x", 404, "not found"),
        (f"{PING_KEY}/nobody", 404, "not found"),
        (f"{PING_KEY}/nobody/300", 404, "not found"),
        (f"{PING_KEY}/nobody?rid=x", 404, "not found"),
        ("unknownkey/job", 404, "not found"),
        ("unknownkey/Job", 404, "not found"),
        ("unknownkey/job/300", 404, "not found"),
        ("unknownkey/job?create=1", 404, "not found"),
        ("unknownkey/job/300?create=1", 404, "not found"),
        ("unknownkey/job?create=1&rid=x", 404, "not found"),
        ("{code}/256", 400, "invalid url format"),
        ("{code}/00256", 400, "invalid url format"),
        ("{code}/1000", 400, "invalid url format"),
        ("{code}/2550", 400, "invalid url format"),
        ("{code}/10000", 400, "invalid url format"),
        ("{code}/99999999999999999999", 400, "invalid url format"),
        ("{code}/" + "9" * 5000, 400, "invalid url format"),
        ("{code}/256?rid=x", 400, "invalid url format"),
        (f"{PING_KEY}/job/256", 400, "invalid url format"),
        (f"{PING_KEY}/job/256?create=1", 400, "invalid url format"),
        (f"{PING_KEY}/new/256?create=1", 400, "invalid url format"),
        (f"{PING_KEY}/Job", 400, "invalid url format"),
        (f"{PING_KEY}/joB/fail", 400, "invalid url format"),
        (f"{PING_KEY}/Job?rid=x", 400, "invalid url format"),
        (f"{PING_KEY}/New?create=1", 400, "invalid url format"),
        ("{code}?rid=", 400, "invalid uuid format"),
        ("{code}?rid", 400, "invalid uuid format"),
        ("{code}?rid=x", 400, "invalid uuid format"),
        ("{code}/start?rid=x", 400, "invalid uuid format"),
        ("{code}/255?rid=x", 400, "invalid uuid format"),
        (f"{PING_KEY}/job?rid=x", 400, "invalid uuid format"),
        (f"{PING_KEY}/new?create=1&rid=x", 400, "invalid uuid format"),
        (f"{PING_KEY}/twin?rid=x", 400, "invalid uuid format"),
        (f"{PING_KEY}/twin/256", 400, "invalid url format"),
        (f"{PING_KEY}/twin", 409, "ambiguous slug"),
        (f"{PING_KEY}/twin/fail?rid={RID}", 409, "ambiguous slug"),
        (f"{PING_KEY}/twin?create=1", 409, "ambiguous slug"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_error_is_told_and_nothing_is_recorded(
    app: App, path: str, status: int, text: str, method: str
) -> None:
    code = await new_check(app, slug="job")
    await new_check(app, slug="twin")
    await new_check(app, slug="twin")
    before = await get_checks(app)

    response = await app.http.request(method, "/ping/" + path.replace("{code}", code))

    assert (response.status_code, response.text) == (status, text)
    assert await get_checks(app) == before


# rid


@pytest.mark.parametrize(
    ("query", "rid"),
    [
        ("", None),
        (f"rid={RID}", RID),
        (f"rid={RID.upper()}", RID),
        (f"&rid={RID}", RID),
        (f"x=1&rid={RID}&y", RID),
        (f"rid=x&rid={RID}", RID),
        (
            "rid=00000000-0000-0000-0000-000000000000",
            "0" * 8 + "-0000" * 3 + "-" + 12 * "0",
        ),
        ("RID=x", None),
    ],
)
async def test_rid_is_kept_in_lower_case(app: App, query: str, rid: str | None) -> None:
    code = await new_check(app)

    response = await app.http.get(f"/ping/{code}?{query}")

    assert response.status_code == 200
    (ping,) = await get_log(app, code)
    assert ping["rid"] == rid


@pytest.mark.parametrize(
    "rid",
    [
        *("", "%20", "x", "null", RID.replace("-", ""), RID[:-1], RID + "0"),
        *("{" + RID + "}", f"urn:uuid:{RID}", f"{RID}%0A", f"%20{RID}"),
        *(RID.replace("1", "g"), RID.replace("-", "_"), RID.replace("1", "%D9%A1")),
        *(f"{RID}&rid=x", "%FF", "%00"),
    ],
)
async def test_rid_of_another_form_is_refused(app: App, rid: str) -> None:
    code = await new_check(app)

    response = await app.http.get(f"/ping/{code}/start?rid={rid}")

    assert (response.status_code, response.text) == (400, "invalid uuid format")
    assert (await get_check(app, code))["n_pings"] == 0


# Checks made by their first ping


@pytest.mark.parametrize(
    ("end", "status"),
    [("", "up"), ("/fail", "down"), ("/start", "new"), ("/3", "down")],
)
async def test_create_makes_the_check_with_all_channels(
    app: App, end: str, status: str
) -> None:
    first = await app.http.post(f"/ping/{PING_KEY}/my_new-job{end}?create=1")
    second = await app.http.post(f"/ping/{PING_KEY}/my_new-job{end}?create=1")

    assert (first.status_code, first.text) == (201, "Created")
    assert (second.status_code, second.text) == (200, "OK")
    (check,) = await get_checks(app)
    assert (check["name"], check["slug"]) == ("my_new-job", "my_new-job")
    assert (check["status"], check["n_pings"]) == (status, 2)
    assert (check["timeout"], check["grace"], check["tags"]) == (86400, 3600, "")
    channels = (await app.api("GET", "channels/")).json()["channels"]
    assert len(channels) == 2
    assert check["channels"] == ",".join(sorted(channel["id"] for channel in channels))


@pytest.mark.parametrize(
    "query",
    ["", "create=0", "create=", "create=true", "create=01", "create=1&create=0"],
)
async def test_without_create_1_nothing_is_made(app: App, query: str) -> None:
    response = await app.http.get(f"/ping/{PING_KEY}/job?{query}")

    assert (response.status_code, response.text) == (404, "not found")
    assert await get_checks(app) == []


async def test_create_means_nothing_in_a_uuid_url(app: App) -> None:
    response = await app.http.get(f"/ping/{UNKNOWN}?create=1")

    assert response.status_code == 404
    assert await get_checks(app) == []


async def test_create_may_go_to_twice_the_check_limit(app: App) -> None:
    made = [await app.http.get(f"/ping/{PING_KEY}/job-{i}?create=1") for i in range(20)]

    beyond = await app.http.get(f"/ping/{PING_KEY}/job-20?create=1")
    known = await app.http.get(f"/ping/{PING_KEY}/job-19?create=1")

    assert {response.status_code for response in made} == {201}
    assert (beyond.status_code, beyond.text) == (404, "not found")
    assert known.status_code == 200
    assert len(await get_checks(app)) == 20


async def test_check_that_create_made_can_be_deleted_and_made_again(app: App) -> None:
    await app.http.get(f"/ping/{PING_KEY}/job?create=1")
    (check,) = await get_checks(app)

    await app.api("DELETE", f"checks/{check['uuid']}")
    gone = await app.http.get(f"/ping/{PING_KEY}/job")
    again = await app.http.get(f"/ping/{PING_KEY}/job?create=1")

    assert (gone.status_code, again.status_code) == (404, 201)


async def test_slug_of_a_hundred_characters_can_be_created(app: App) -> None:
    slug = "x" * 100

    response = await app.http.get(f"/ping/{PING_KEY}/{slug}?create=1")

    assert response.status_code == 201
    assert [check["slug"] for check in await get_checks(app)] == [slug]


# Bodies


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


# Who pinged


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"curl/8.0", "curl/8.0"),
        (b"", ""),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200),
        (b"x" * 5000, "x" * 200),
        ("é".encode() * 300, "é" * 200),
        (b"\xff\xfe", "\xff\xfe"),
        (b"caf\xe9/1.0", "café/1.0"),
        ("café/1.0".encode(), "café/1.0"),
        (b"caf\xe9 caf\xc3\xa9", "café cafÃ©"),
        (b"\xe9" * 201, "é" * 200),
    ],
    ids=lambda value: repr(value[:10]),
)
async def test_user_agent_is_cut_to_200_characters(
    app: App, sent: bytes, kept: str
) -> None:
    code = await new_check(app)

    response = await app.http.get(f"/ping/{code}", headers=[(b"User-Agent", sent)])

    assert response.status_code == 200
    assert [ping["ua"] for ping in await get_log(app, code)] == [kept]


@pytest.mark.parametrize(
    ("forwarded", "kept"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 198.51.100.1", "203.0.113.7"),
        ("203.0.113.7,198.51.100.1,10.0.0.1", "203.0.113.7"),
        ("  203.0.113.7  ", "203.0.113.7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8::1]:51234", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("", "127.0.0.1"),
        ("unknown", "127.0.0.1"),
        ("<script>", "127.0.0.1"),
        ("203.0.113.777", "127.0.0.1"),
        ("203.0.113", "127.0.0.1"),
        ("[", "127.0.0.1"),
        (":", "127.0.0.1"),
        ("x" * 10_000, "127.0.0.1"),
    ],
    ids=lambda text: text[:30],
)
async def test_trusted_proxy_tells_the_remote_address(
    tmp_path: Path, forwarded: str, kept: str
) -> None:
    async with running_app(tmp_path, peer="127.0.0.1") as app:
        code = await new_check(app)

        response = await app.http.get(
            f"/ping/{code}", headers={"X-Forwarded-For": forwarded}
        )

        assert response.status_code == 200
        assert [ping["remote_addr"] for ping in await get_log(app, code)] == [kept]


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        ("127.0.0.2", False),
        ("192.0.2.1", False),
        ("2001:db8::2", False),
    ],
)
async def test_only_trusted_proxies_are_believed(
    tmp_path: Path, peer: str, trusted: bool
) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    async with running_app(tmp_path, peer=peer) as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}", headers=headers)

        (ping,) = await get_log(app, code)
        if trusted:
            assert (ping["remote_addr"], ping["scheme"]) == ("203.0.113.7", "https")
        else:
            assert (ping["remote_addr"], ping["scheme"]) == (peer, "http")


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [
        (None, "http"),
        ("https", "https"),
        ("HTTPS", "https"),
        ("http", "http"),
        ("https, http", "https"),
        ("http, https", "http"),
        ("ftp", "http"),
        ("email", "http"),
        ("", "http"),
    ],
)
async def test_trusted_proxy_tells_the_scheme(
    tmp_path: Path, proto: str | None, scheme: str
) -> None:
    headers = {} if proto is None else {"X-Forwarded-Proto": proto}
    async with running_app(tmp_path, peer="127.0.0.1") as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}", headers=headers)

        assert [ping["scheme"] for ping in await get_log(app, code)] == [scheme]


async def test_mapped_address_of_a_peer_is_kept_in_canonical_form(
    tmp_path: Path,
) -> None:
    # So a socket for both families names its IPv4 clients.
    async with running_app(tmp_path, peer="::ffff:192.0.2.7") as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}")

        assert [p["remote_addr"] for p in await get_log(app, code)] == ["192.0.2.7"]


async def test_configured_network_is_trusted(tmp_path: Path) -> None:
    text = CONFIG.replace("[server]", '[server]\ntrusted_proxies = ["10.0.0.0/8"]')
    async with running_app(tmp_path, text, peer="10.1.2.3") as app:
        code = await new_check(app)

        await app.http.get(f"/ping/{code}", headers={"X-Forwarded-For": "192.0.2.9"})

        assert [p["remote_addr"] for p in await get_log(app, code)] == ["192.0.2.9"]


# Many at once


async def test_concurrent_pings_are_numbered_without_gaps(app: App) -> None:
    code = await new_check(app, slug="job")
    urls = [f"/ping/{code}", f"/ping/{PING_KEY}/job/start", f"/ping/{code}/fail"]

    answers = await asyncio.gather(*(app.http.get(url) for url in urls * 50))

    assert {answer.status_code for answer in answers} == {200}
    assert [ping["n"] for ping in await get_log(app, code)] == list(range(1, 151))
    assert (await get_check(app, code))["n_pings"] == 150


async def test_concurrent_creates_make_one_check(app: App) -> None:
    url = f"/ping/{PING_KEY}/job?create=1"

    answers = await asyncio.gather(*(app.http.get(url) for _ in range(50)))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 49 + [201]
    (check,) = await get_checks(app)
    assert check["n_pings"] == 50


async def test_concurrent_creates_stop_at_the_limit(app: App) -> None:
    urls = [f"/ping/{PING_KEY}/job-{i}?create=1" for i in range(30)]

    answers = await asyncio.gather(*(app.http.get(url) for url in urls))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 20 + [404] * 10
    assert len(await get_checks(app)) == 20


async def test_bad_pings_among_good_ones_do_not_harm_them(app: App) -> None:
    code = await new_check(app)
    urls = [f"/ping/{code}", f"/ping/{uuid4()}", f"/ping/{code}/999", "/ping/x/y"]

    answers = await asyncio.gather(*(app.http.get(url) for url in urls * 20))

    assert [a.status_code for a in answers] == [200, 404, 400, 404] * 20
    assert [ping["n"] for ping in await get_log(app, code)] == list(range(1, 21))


# Anything at all


@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.text(max_size=40),
    query=st.text(max_size=40),
    body=st.binary(max_size=40),
)
async def test_no_url_makes_the_server_fail(
    app: App, path: str, query: str, body: bytes
) -> None:
    url = f"/ping/{PING_KEY}/{quote(path)}?{quote(query, safe='&=+')}"

    response = await app.http.post(url, content=body)

    assert response.status_code < 500
