"""What all pages have in common: headers, errors, notices, static files, methods."""

import re

import pytest

from hcl.web.pages import static_files, wording
from hcl.web.pages.routes import PAGES
from tests.app import WRITE_KEY, App
from tests.build import NOW, make_check
from tests.store import change, put_check
from tests.web.pages.browsing import csrf, project_path, sign_in

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/projects/" + UNKNOWN + "/"])
async def test_every_answer_bears_the_headers(app: App, path: str) -> None:
    outside = await app.http.get(path)
    await sign_in(app)
    inside = await app.http.get(path)

    for response in (outside, inside):
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    ["", "wall", "new", "integrations", "badges", "../../server", "../../sign-in"],
)
async def test_pages_have_nothing_inline_and_nothing_foreign(
    app: App, path: str
) -> None:
    await put_check(app.database, name="a", tags="b")
    if "sign-in" not in path:
        await sign_in(app)
    response = await app.http.get(project_path(app) + path)

    text = response.text
    assert response.status_code == 200
    assert "<style" not in text
    assert not re.search(r"<[^>]+\sstyle=", text)
    assert not re.search(r"<[^>]+\son[a-z]+=", text)
    assert not re.search(r"<script(?![^>]* src=)", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!hcl\.example)', text)


async def test_people_get_a_page_where_there_is_none_and_scripts_a_line(
    app: App,
) -> None:
    as_browsers = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    page = await app.http.get("/nothing/here", headers=as_browsers)
    line = await app.http.get("/nothing/here")
    posted = await app.http.post("/nothing/here", headers=as_browsers)
    badge = await app.http.get("/badge/x/y.svg", headers={"Accept": "image/*"})

    assert (page.status_code, "<h1>No such page</h1>" in page.text) == (404, True)
    for other in (line, posted, badge):
        assert (other.status_code, other.text) == (404, "not found")


async def test_unknown_and_foreign_checks_look_alike(app: App) -> None:
    foreign = await put_check(app.database, project_id=2)
    await sign_in(app)

    pages = [
        await app.http.get(f"/checks/{key}")
        for key in (UNKNOWN, foreign.code, foreign.unique_key, "0" * 40)
    ]

    assert [page.status_code for page in pages] == [404] * 4
    assert {"No such check" in page.text for page in pages} == {True}


async def test_methods_that_are_not_there_are_refused(app: App) -> None:
    await sign_in(app)

    page = await app.http.delete(project_path(app))
    head = await app.http.head(project_path(app))

    assert page.status_code == 405
    assert page.headers["allow"] == "GET, HEAD"
    assert head.status_code == 200


async def test_address_of_a_form_is_no_empty_page(app: App) -> None:
    check = await put_check(app.database)
    await sign_in(app)

    page = await app.http.get(f"/checks/{check.code}/mute")

    assert (page.status_code, page.headers["allow"]) == (405, "POST")
    assert "Nothing to see here" in page.text


async def test_error_that_nobody_expects_is_a_page(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    await put_check(app.database, name="a")
    await sign_in(app)
    await change(app.database, "UPDATE check_states SET last_ping = 1e300")

    response = await app.http.get(project_path(app))

    assert response.status_code == 500
    assert "Something went wrong" in response.text
    assert "Traceback" not in response.text
    assert "a page failed" in caplog.text


async def test_database_that_cannot_be_read_is_told(app: App) -> None:
    await sign_in(app)
    await change(app.database, "ALTER TABLE flips RENAME TO gone")
    await put_check(app.database, name="a")

    response = await app.http.get(project_path(app))

    assert response.status_code == 503
    assert response.headers["retry-after"] == "10"


async def test_notice_is_shown_once(app: App) -> None:
    await sign_in(app)
    token = await csrf(app)
    await app.http.post("/sign-out", data={"csrf": token})

    first, second = [await app.http.get("/sign-in") for _ in range(2)]

    assert "You are signed out." in first.text
    assert "You are signed out." not in second.text


async def test_forged_notice_is_not_shown(app: App) -> None:
    header = {"Cookie": "hcl_notice=OTk5OTk5OTk5OSBZb3U.AAAA"}

    assert 'role="status"' not in (await app.http.get("/sign-in", headers=header)).text


async def test_static_files_are_kept_by_their_version(app: App) -> None:
    kept = await app.http.get(f"/static/app.css?v={static_files.version()}")
    asked = await app.http.get("/static/app.css?v=old")

    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert kept.headers["content-type"].startswith("text/css")
    assert asked.headers["cache-control"] == "no-cache"
    assert "set-cookie" not in kept.headers


@pytest.mark.parametrize(
    ("accepted", "coding", "length"),
    [("gzip, br", "gzip", 4500), ("", None, 11_000), ("br, gzip; q=0", None, 11_000)],
)
async def test_static_files_are_compressed_for_who_can_read_that(
    app: App, accepted: str, coding: str | None, length: int
) -> None:
    response = await app.http.get(
        "/static/app.js", headers={"Accept-Encoding": accepted}
    )

    assert response.headers.get("content-encoding") == coding
    assert response.headers["vary"] == "Accept-Encoding"
    assert 3000 < int(response.headers["content-length"]) < length
    assert response.content == static_files.content("app.js")


async def test_first_visit_of_a_list_weighs_less_than_33_kb(app: App) -> None:
    await sign_in(app)
    for n in range(11):
        await put_check(app.database, name=f"Job {n}", tags="a b", status="up")

    page = await app.http.get(project_path(app))
    sources = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    files = [await app.http.get(source) for source in sources]

    sent = sum(int(file.headers["content-length"]) for file in files)
    assert sent + len(page.content) < 33_000


async def test_static_files_are_brief(app: App) -> None:
    style = (await app.http.get("/static/tokens.css")).text
    script = (await app.http.get("/static/app.js")).text

    assert "/*" not in style
    assert "\n" not in style
    assert "--page:light-dark(#f8f8f7,#101214);" in style
    assert "--i-up:url(\"data:image/svg+xml,<svg xmlns='http" in style
    assert not re.search(r"^\s|^//", script, re.MULTILINE)
    assert script.startswith('"use strict";\n(() => {\nconst $$ =')


@pytest.mark.parametrize(
    "name", ["nothing.css", "..%2fframe.py", "%2e%2e/frame.py", "app.css%00", ""]
)
async def test_no_other_files_are_served(app: App, name: str) -> None:
    assert (await app.http.get(f"/static/{name}")).status_code == 404


# What mutes by its signature alone is in check/test_muting.py.
POSTS = [path for path, page in PAGES.items() if page.post and "signature" not in path]


@pytest.mark.parametrize("path", POSTS)
async def test_no_change_is_made_without_a_session(app: App, path: str) -> None:
    check = await put_check(app.database)
    values = {
        "{project:code}": app.synced.projects[0].code,
        "{code:code}": check.code,
        "{channel:code}": app.config.projects[0].channels[0].id,
        "{n:number}": "1",
    }
    for name, value in values.items():
        path = path.replace(name, value)

    response = await app.http.post(path, data={"csrf": "x"})

    assert response.status_code in (303, 401, 403)
    location = response.headers.get("location", "/sign-in")
    # Where there is a form at the same place, it leads back to it.
    assert location in ("/sign-in", f"/sign-in?next={path}")


async def test_answer_to_head_has_no_secret_of_the_key(app: App) -> None:
    await sign_in(app)

    assert WRITE_KEY not in (await app.http.get(project_path(app))).text


def test_time_tag_escapes_what_it_is_given() -> None:
    with wording.as_of(NOW):
        tag = wording.time(NOW, "absolute", "<b>")

    assert "<b>" not in tag
    assert wording.time(None) == '<span class="none">–</span>'


def test_schedules_are_worded_and_escaped() -> None:
    cron = make_check(kind="cron", schedule="5 3 * * *", tz="Europe/Riga")
    odd = make_check(kind="oncalendar", schedule="<b>\n*-*-*")

    assert wording.schedule(cron) == (
        '<span title="every day at 03:05 (5 3 * * *, Europe/Riga)">'
        "every day at 03:05 Europe/Riga</span>"
    )
    assert "&lt;b&gt;; *-*-*" in wording.schedule(odd)
