"""The form of a check: what it takes, what it refuses, and how it tells."""

import re
import time
from html import unescape
from typing import Any

import pytest

from tests.app import OTHER_WRITE_KEY, App
from tests.store import pragma
from tests.web.api.calls import create, names, update
from tests.web.pages.browsing import Visitor, text_of


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


# What the form sends for a check of the defaults.
TYPED: dict[str, Any] = {
    "name": "Backup",
    "slug": "backup",
    "tags": "db prod",
    "desc": "two\r\nlines",
    "kind": "simple",
    "timeout": "2",
    "timeout_unit": "hours",
    "grace": "10",
    "grace_unit": "minutes",
    "cron": "",
    "oncalendar": "",
    "tz": "UTC",
    "methods": "",
    "start_kw": "",
    "success_kw": "",
    "failure_kw": "",
    "seen": "",
}


async def made(app: App) -> dict[str, Any]:
    """Return the only check."""
    [check] = (await app.api("GET", "checks/")).json()["checks"]
    return dict(check)


async def send(app: App, status: int = 303, **typed: Any) -> tuple[dict[str, Any], str]:
    """Make a check by the form; return it, and the page if it was refused."""
    visitor = await Visitor.enter(app)
    path = f"/projects/{visitor.project}/new"
    response = await visitor.post(path, status, **(TYPED | typed))
    return (await made(app) if status == 303 else {}), response.text


def seen(page: str) -> str:
    """Return what a form remembers of the check that it was filled with."""
    match = re.search(r'name="seen" value="([^"]*)"', page)
    assert match is not None
    return match[1]


async def test_simple_check_is_made(app: App) -> None:
    check, _ = await send(app, manual_resume="1", methods="POST")

    assert check["name"] == "Backup"
    assert check["slug"] == "backup"
    assert check["tags"] == "db prod"
    assert check["desc"] == "two\nlines"
    assert (check["timeout"], check["grace"]) == (7200, 600)
    assert (check["methods"], check["manual_resume"]) == ("POST", True)
    assert check["channels"] == ""


async def test_finer_rules_are_kept(app: App) -> None:
    check, _ = await send(
        app,
        max_run="2",
        max_run_unit="hours",
        min_run="5",
        min_run_unit="seconds",
        down_after=" 3 ",
        early="",
    )

    assert (check["max_run"], check["min_run"], check["down_after"]) == (7200, 5, 3)
    assert "early" not in check
    # To empty a field is to take its rule back.
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(path))
    await visitor.post(path, **(fields | {"max_run": "", "down_after": ""}))
    changed = await made(app)
    assert changed == {
        name: value
        for name, value in check.items()
        if name not in ("max_run", "down_after")
    }


async def test_cron_check_is_made(app: App) -> None:
    check, _ = await send(app, kind="cron", cron=" 0 3 * * * ", tz="Europe/Kiev")

    assert (check["schedule"], check["tz"]) == ("0 3 * * *", "Europe/Kyiv")


async def test_oncalendar_check_is_made(app: App) -> None:
    check, _ = await send(
        app, kind="oncalendar", oncalendar="Mon 08:00\r\nFri 09:00", timeout="wrong"
    )

    assert check["schedule"] == "Mon 08:00\nFri 09:00"


async def test_channels_and_filters_are_kept(app: App) -> None:
    [channel, _] = (await app.api("GET", "channels/")).json()["channels"]

    check, _ = await send(
        app, channel=[channel["id"]], filter_http_body="1", failure_kw="ERROR,FATAL"
    )

    assert check["channels"] == channel["id"]
    assert (check["filter_http_body"], check["failure_kw"]) == (True, "ERROR,FATAL")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"name": "n" * 101}, "100 characters at most"),
        ({"slug": "Capital"}, "Only small letters"),
        ({"timeout": "1.5"}, "a whole number"),
        ({"timeout": "9" * 50}, "a whole number"),
        ({"timeout": "366", "timeout_unit": "days"}, "365 days at most"),
        ({"timeout": "59", "timeout_unit": "seconds"}, "At least one minute"),
        ({"grace": ""}, "a whole number"),
        ({"kind": "cron", "cron": ""}, "Write an expression"),
        ({"kind": "cron", "cron": "0 3 * *"}, "has five fields; this has 4"),
        ({"kind": "cron", "cron": "0 33 * * *"}, "The hour cannot be understood: 33$"),
        ({"kind": "cron", "cron": "0 0 31 2 *"}, "cannot|never"),
        ({"kind": "oncalendar", "oncalendar": "0 3 * * *"}, "choose Cron"),
        ({"kind": "oncalendar", "oncalendar": "someday"}, "cannot be understood"),
        ({"kind": "oncalendar", "oncalendar": "1999-01-01"}, "never happens"),
        ({"kind": "cron", "cron": "0 3 * * *", "tz": "Riga"}, "no such time zone"),
        ({"tz": "America"}, "no such time zone"),
        ({"methods": "PUT"}, "Choose one"),
        ({"success_kw": "k" * 201}, "200 characters at most"),
        ({"channel": ["nonsense"]}, "no longer in hcl.toml"),
        ({"max_run": "0"}, "At least one second"),
        ({"max_run": "1", "min_run": "2"}, "Less than the shortest run"),
        ({"grace": "1", "min_run": "61"}, "More than grace: no run could be right"),
        ({"min_run": "366", "min_run_unit": "days"}, "365 days at most"),
        ({"early": "25", "early_unit": "hours"}, "1 day at most"),
        ({"early": "soon"}, "a whole number"),
        ({"down_after": "0"}, "a whole number from 1 to 100"),
        ({"down_after": "101"}, "a whole number from 1 to 100"),
    ],
)
async def test_wrong_fields_are_told_beside_them(
    app: App, typed: dict[str, Any], words: str
) -> None:
    _, page = await send(app, 422, **typed)

    problems = " ".join(re.findall(r'id="[\w-]+-problem">([^<]*)', page))
    assert re.search(words, problems)
    assert "Nothing is saved yet" in page
    # What was typed is still there.
    assert 'value="db prod"' in page
    assert await names(app) == []


async def test_all_wrong_fields_are_told_at_once(app: App) -> None:
    _, page = await send(app, 422, name="n" * 101, slug="Ü", grace="x")

    assert page.count('aria-invalid="true"') == 3


async def test_limit_of_checks_is_told(app: App) -> None:
    for _ in range(10):
        await create(app)

    _, page = await send(app, 403)

    assert "limit of 10 checks" in page
    assert 'value="Backup"' in page


async def test_form_is_filled_with_the_check(app: App) -> None:
    check = await create(app, name="A & B", timeout=5400, grace=86400, tags="x")
    visitor = await Visitor.enter(app)

    page = await visitor.get(f"/checks/{check['uuid']}/edit")

    assert 'value="A &amp; B"' in page
    assert 'value="90"' in page
    assert "<option selected>minutes" in page
    assert "<option selected>days" in page


async def test_form_that_is_sent_back_as_it_was_changes_nothing(app: App) -> None:
    [channel, _] = (await app.api("GET", "channels/")).json()["channels"]
    check = await create(
        app,
        name="Job",
        schedule="0 3 * * *",
        tz="Europe/Riga",
        grace=90,
        desc="a\nb",
        channels=channel["id"],
        failure_kw="ERR",
        filter_http_body=True,
        max_run=7200,
        min_run=2,
        down_after=3,
        early=300,
    )
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    page = await visitor.get(path)

    await visitor.post(path, **fields_of(page))

    assert await made(app) == check


async def test_edit_changes_what_was_typed(app: App) -> None:
    check = await create(app, name="Old", slug="old", schedule="0 3 * * *")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(path))

    await visitor.post(path, **(fields | {"name": "New", "kind": "simple"}))

    found = await made(app)
    assert (found["name"], found["slug"]) == ("New", "old")
    assert found["timeout"] == 86400


async def test_second_of_two_editors_is_told(app: App) -> None:
    check = await create(app, name="Job", timeout=3600)
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(path))
    await update(app, check, timeout=7200, tags="<b>other</b>")

    response = await visitor.post(path, 409, **(fields | {"name": "Mine"}))

    page = response.text
    assert "Somebody else has changed this check" in page
    assert '<dt>Period</dt><dd class="value">2 hours</dd>' in page
    assert "&lt;b&gt;other&lt;/b&gt;" in page
    assert 'value="Mine"' in page
    assert (await made(app))["name"] == "Job"

    await visitor.post(path, **(fields | {"name": "Mine", "seen": seen(page)}))
    found = await made(app)
    assert (found["name"], found["timeout"], found["tags"]) == ("Mine", 3600, "")


async def test_what_was_typed_stays_while_nothing_can_be_written(app: App) -> None:
    check = await create(app, name="Job", timeout=3600)
    visitor = await Visitor.enter(app)
    new, edit = f"/projects/{visitor.project}/new", f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(edit)) | {"desc": "typed"}

    await pragma(app.database, "query_only = ON")
    pages = [
        (await visitor.post(path, 503, **some)).text
        for path, some in ((new, TYPED | {"desc": "typed"}), (edit, fields))
    ]
    await pragma(app.database, "query_only = OFF")

    for page in pages:
        assert "Nothing is saved: the database cannot be used now." in text_of(page)
        assert fields_of(page)["desc"] == ["typed"]
    await visitor.post(edit, **fields_of(pages[1]))
    assert (await made(app))["desc"] == "typed"


async def test_pings_and_pauses_are_no_edits(app: App) -> None:
    check = await create(app, name="Job")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(path))
    await app.http.get(f"/ping/{check['uuid']}")
    await app.api("POST", f"checks/{check['uuid']}/pause")

    await visitor.post(path, **(fields | {"name": "Mine"}))

    assert (await made(app))["name"] == "Mine"


async def test_made_up_fingerprints_save_nothing(app: App) -> None:
    check = await create(app, name="Job")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"

    for wrong in ("", "x", "." * 18, "ü\0"):
        await visitor.post(path, 409, **(TYPED | {"seen": wrong}))

    assert (await made(app))["name"] == "Job"


async def test_preview_button_shows_times_and_saves_nothing(app: App) -> None:
    visitor = await Visitor.enter(app)
    path = f"/projects/{visitor.project}/new"
    typed = TYPED | {"kind": "cron", "cron": "30 4 * * *", "tz": "Europe/Riga"}

    response = await visitor.post(path, 200, preview="1", **typed)

    assert "Every day at 04:30." in response.text
    assert len(re.findall(r"\d{4}-\d\d-\d\d 04:30:00 EES?T", response.text)) == 5
    assert await names(app) == []


async def test_schedule_of_hundreds_of_lines_holds_nothing_up(app: App) -> None:
    # Each takes 15 ms to find out that there is no such day.
    lines = "\n".join(f"2-30 {n // 60}:{n % 60}" for n in range(1000))
    began = time.process_time()

    _, page = await send(app, 422, kind="oncalendar", oncalendar=lines)

    assert "This is too long: 100 characters at most." in page
    assert time.process_time() - began < 5


async def test_live_preview_is_a_document(app: App) -> None:
    visitor = await Visitor.enter(app)
    path = f"/projects/{visitor.project}/schedule"

    good = await visitor.post(path, 200, kind="oncalendar", oncalendar="Mon 08:00")
    bad = await visitor.post(path, 200, kind="cron", cron="0 33 * * *", tz="UTC")
    simple = await visitor.post(path, 200, **TYPED)
    riga = {"kind": "cron", "cron": "30 4 * * *", "tz": "Europe/Riga"}
    [first, *_] = (await visitor.post(path, 200, **riga)).json()["times"]

    assert first["wall"][10:] == "T04:30:00"
    assert first["zone"] in ("EET", "EEST")
    assert first["local"].endswith(f" 04:30:00 {first['zone']}")
    assert good.json()["problem"] == "There is no such time zone."
    assert bad.json() == {
        "problem": "The hour cannot be understood: 33",
        "words": "",
        "times": [],
    }
    assert simple.json()["words"] == (
        "every 2 hours; alerts when no ping came for 2 hours 10 minutes"
    )


async def test_live_preview_of_another_project_is_not_found(app: App) -> None:
    visitor = await Visitor.enter(app, OTHER_WRITE_KEY)
    home = app.synced.projects[0].code
    visitor.project = app.synced.projects[1].code

    await visitor.post(f"/projects/{home}/schedule", 404, **TYPED)
    await visitor.post(f"/projects/{home}/new", 404, **TYPED)
    await visitor.get(f"/projects/{home}/new", 404)


async def test_bytes_that_are_no_text_break_nothing(app: App) -> None:
    visitor = await Visitor.enter(app)
    typed = TYPED | {"name": b"\xff\xfe", "desc": "\0\ud83d".encode("utf-8", "replace")}

    await visitor.post(f"/projects/{visitor.project}/new", **typed)

    await visitor.get(f"/checks/{(await made(app))['uuid']}")


def fields_of(page: str) -> dict[str, Any]:
    """Return what a browser would send of a check's form."""
    form = page.partition('class="check-form"')[2].partition("</form>")[0]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input ([^>]*)>", form):
        have = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        is_choice = have.get("type") in ("checkbox", "radio")
        if not is_choice or tag.endswith(" checked"):
            found.setdefault(have["name"], []).append(unescape(have["value"]))
    for name, unit in re.findall(
        r'<select name="(\w+)".*?selected>(\w+)', form, re.DOTALL
    ):
        found[name] = [unit]
    # Browsers leave out the first line feed, and send two characters for others.
    for name, text in re.findall(r'name="(\w+)"[^>]*>\n([^<]*)</textarea>', form):
        found[name] = [unescape(text).replace("\n", "\r\n")]
    return dict(found)


@pytest.mark.parametrize(
    ("kind", "typed", "stored", "said"),
    [
        ("cron", "@daily", "0 0 * * *", "Stored as 0 0 * * *."),
        ("cron", "@Midnight", "0 0 * * *", "Stored as 0 0 * * *."),
        ("cron", "0 8 * * sat-sun", "0 8 * * 6,0", "Stored as 0 8 * * 6,0."),
        ("cron", "0 8 * * fri-sun", "0 8 * * 5,6,0", "Stored as 0 8 * * 5,6,0."),
        (
            "cron",
            "0~30 3 * * *",
            "0 3 * * *",
            "Stored as 0 3 * * *, the first moment that cron may pick: let grace cover"
            " the 30 minutes after it.",
        ),
        ("cron", "0 8 * June sat-sunday", "0 8 * 6 6,0", "Stored as 0 8 * 6 6,0."),
        ("oncalendar", "biannually", "semiannually", "Stored as semiannually."),
        # What is understood stays as it was typed.
        ("cron", "0 8 * * MON-FRI", "0 8 * * MON-FRI", ""),
        ("cron", "0 8 * * 5L", "0 8 * * 5L", ""),
    ],
)
async def test_what_people_paste_is_turned_into_what_is_stored(
    app: App, kind: str, typed: str, stored: str, said: str
) -> None:
    visitor = await Visitor.enter(app)
    values = TYPED | {"kind": kind, kind: typed}

    previewed = await visitor.post(
        f"/projects/{visitor.project}/schedule", 200, **values
    )
    response = await visitor.post(f"/projects/{visitor.project}/new", 303, **values)
    page = await visitor.get(response.headers["Location"])

    assert (await made(app))["schedule"] == stored
    assert previewed.json()["words"].endswith(said)
    assert ("Stored as" in page) == bool(said)
    assert said in unescape(page)


async def test_field_that_is_wrong_is_named_with_its_text(app: App) -> None:
    _, page = await send(app, 422, kind="cron", cron="0 3 * * sat-monday-x")

    assert "The day of week cannot be understood: sat-monday-x" in page


@pytest.mark.parametrize("days", ["MON#6", "fri#l", "monkey", "mon#1,sat-sun"])
async def test_days_that_nobody_understands_are_not_taken_for_each_week(
    app: App, days: str
) -> None:
    _, page = await send(app, 422, kind="cron", cron=f"0 3 * * {days}")

    assert f"The day of week cannot be understood: {days}" in page


async def test_api_stays_as_strict_as_its_clients_know_it(app: App) -> None:
    answer = await app.api("POST", "checks/", json={"schedule": "@daily"})

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("preset", "shown"),
    [
        ("hourly", "Every hour; alerts when no ping came for 1 hour 15 minutes."),
        ("nightly", "Every day at 03:00."),
        ("weekly", "On Mondays at 04:00."),
    ],
)
async def test_preset_fills_the_schedule_and_keeps_the_rest(
    app: App, preset: str, shown: str
) -> None:
    visitor = await Visitor.enter(app)
    path = f"/projects/{visitor.project}/new"
    typed = TYPED | {"name": "Größe & <b>", "slug": ""}

    page = (await visitor.post(path, 200, **typed, preset=preset)).text

    assert shown in text_of(page)
    assert 'value="db prod"' in page
    # A name has a slug to go by, without scripts too.
    assert 'name="slug" value="groe-b"' in page
    assert await names(app) == []


async def test_slug_that_was_typed_is_left_alone(app: App) -> None:
    visitor = await Visitor.enter(app)
    path = f"/projects/{visitor.project}/new"

    page = (await visitor.post(path, 200, **TYPED | {"slug": "own"}, preview="1")).text

    assert 'name="slug" value="own"' in page


async def test_slug_of_another_check_is_refused(app: App) -> None:
    check = await create(app, name="Backup", slug="backup")
    ping = check["ping_url"].removesuffix(check["uuid"])
    visitor = await Visitor.enter(app)

    page = (await visitor.post(f"/projects/{visitor.project}/new", 422, **TYPED)).text

    # By a slug that two share neither can be pinged: the first went down for it.
    assert "Another check has this slug" in page
    assert await names(app) == ["Backup"]
    slug_url = f"{ping}homehomehomehomehome22/backup"
    assert (await app.http.get(slug_url)).status_code == 200


async def test_slug_of_another_check_is_refused_in_an_edit(app: App) -> None:
    await create(app, name="Backup", slug="backup")
    check = await create(app, name="Other", slug="other")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(path))

    page = (await visitor.post(path, 422, **fields | {"slug": "backup"})).text

    assert "Another check has this slug" in page
    await visitor.post(path, **fields | {"slug": "another"})


async def test_slug_that_the_api_let_two_share_stays_editable(app: App) -> None:
    await create(app, name="One", slug="twin")
    check = await create(app, name="Two", slug="twin")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    fields = fields_of(await visitor.get(path))

    await visitor.post(path, **fields | {"name": "Renamed"})

    assert await names(app) == ["One", "Renamed"]


async def test_edited_check_is_proposed_no_slug(app: App) -> None:
    check = await create(app, name="Backup", slug="")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"

    page = (await visitor.post(path, 200, **TYPED | {"slug": ""}, preview="1")).text

    assert 'name="slug" value=""' in page
