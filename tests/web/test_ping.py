"""The Pinging API: its URLs, methods and errors, and what they do."""

import asyncio
import signal
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app import OTHER_PING_KEY, PING_KEY, App
from tests.store import rows
from tests.web.pinging import (
    METHODS,
    RID,
    UNKNOWN,
    get_check,
    get_checks,
    get_log,
    new_check,
)


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


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
