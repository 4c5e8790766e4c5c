"""What API and pages refuse of a check that stands in hcl.toml, and what not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.app import CONFIG, OTHER_PING_KEY, PING_KEY, App, running_app
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, text_of
from tests.web.pages.check.test_forms import TYPED, seen

DECLARED = """\
[[projects.checks]]
slug = "nightly"
tags = "nas"
channels = ["Hook A"]
[[projects.checks]]
slug = "cron"
schedule = "5 3 * * *"
"""
# Below the first project, whose channels it names.
TEXT = CONFIG.replace(
    '[[projects]]\nname = "Other"', f'{DECLARED}[[projects]]\nname = "Other"'
)
REFUSED = {"error": "declared in hcl.toml"}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with running_app(tmp_path, TEXT) as app:
        yield app


async def by_slug(app: App, slug: str = "nightly") -> dict[str, Any]:
    [check] = (await app.api("GET", f"checks/?slug={slug}")).json()["checks"]
    return dict(check)


CHANGES: dict[str, Any] = {
    "a field": {"name": "x"},
    "one that the file does not name": {"desc": "x"},
    "the slug": {"slug": "other"},
    "the period": {"timeout": 60},
    "the kind": {"schedule": "* * * * *"},
    "a keyword by its old name": {"subject": "x"},
    "channels": {"channels": "*"},
    "no channels": {"channels": ""},
    "one among others": {"name": "nightly", "grace": 60},
}
SAME: dict[str, Any] = {
    "nothing": {},
    "fields as they are": {"name": "nightly", "tags": "nas", "grace": 3600},
    "channels as they are": {"channels": "Hook A"},
    "what nobody knows": {"colour": "red"},
}


@pytest.mark.parametrize("case", CHANGES)
async def test_changes_of_what_the_file_says_are_refused(app: App, case: str) -> None:
    before = await by_slug(app)
    for path, also in (
        (f"checks/{before['uuid']}", {}),
        ("checks/", {"unique": ["slug"], "slug": "nightly"}),
    ):
        answer = await app.api("POST", path, json=also | CHANGES[case])
        if case == "the slug" and also:
            continue

        assert (answer.status_code, answer.json()) == (409, REFUSED)
    assert await by_slug(app) == before


@pytest.mark.parametrize("case", SAME)
async def test_what_changes_nothing_passes(app: App, case: str) -> None:
    before = await by_slug(app)
    for path, also in (
        (f"checks/{before['uuid']}", {}),
        ("checks/", {"unique": ["slug"], "slug": "nightly"}),
    ):
        answer = await app.api("POST", path, json=also | SAME[case])

        assert (answer.status_code, answer.json()) == (200, before)


async def test_a_read_check_that_is_sent_back_whole_passes(app: App) -> None:
    for slug in ("nightly", "cron"):
        for version in (1, 2, 3):
            before = await by_slug(app, slug)

            answer = await app.api(
                "POST", f"checks/{before['uuid']}", json=before, version=version
            )

            assert answer.status_code == 200
            assert await by_slug(app, slug) == before


async def test_nobody_deletes_it_or_takes_its_slug(app: App) -> None:
    check = await by_slug(app)
    other = await create(app, name="Other")
    path = f"checks/{check['uuid']}"
    for method, to, fields in (
        ("DELETE", path, None),
        ("POST", "checks/", {"slug": "nightly"}),
        ("POST", f"checks/{other['uuid']}", {"slug": "nightly"}),
    ):
        answer = await app.api(method, to, json=fields)

        assert (answer.status_code, answer.json()) == (409, REFUSED)
    # Another project's slugs are its own.
    found = await app.http.get(f"/ping/{OTHER_PING_KEY}/nightly?create=1")
    assert found.status_code == 201


async def test_how_it_fares_is_everybodys(app: App) -> None:
    check = await by_slug(app)
    path = f"checks/{check['uuid']}"

    assert (await app.http.get(f"/ping/{PING_KEY}/nightly?create=1")).text == "OK"
    for action in ("pause", "resume", "mute"):
        answer = await app.api("POST", f"{path}/{action}", json={"seconds": 60})
        assert answer.status_code == 200, action
        assert answer.json()["origin"] == "file"
    visitor = await Visitor.enter(app)
    # The file says nothing of the log.
    asked = await visitor.get(f"/checks/{check['uuid']}/clear")
    assert "Clear the log?" in asked
    for action in ("ping", "clear", "copy"):
        await visitor.post(f"/checks/{check['uuid']}/{action}")
    copies = (await app.api("GET", "checks/")).json()["checks"]
    [copy] = [c for c in copies if c["name"] == "nightly (copy)"]
    assert (copy["slug"], "origin" in copy) == ("", False)


async def test_pages_say_where_it_stands(app: App) -> None:
    code = (await by_slug(app))["uuid"]
    visitor = await Visitor.enter(app)
    page = await visitor.get(f"/checks/{code}")
    assert "Declared in hcl.toml" in text_of(page)
    assert f'action="/checks/{code}/integrations"' not in page

    for action, words in (
        ("edit", "Edit it in the file"),
        ("delete", "Delete it in the file"),
    ):
        for shown in (
            await visitor.get(f"/checks/{code}/{action}"),
            (await visitor.post(f"/checks/{code}/{action}", 409, name="x")).text,
        ):
            text = text_of(shown)
            assert words in text
            assert str(app.config.path) in text
            assert '[[projects.checks]] slug = "nightly"' in text
    refused = await visitor.post(f"/checks/{code}/integrations", 409, seen="x")
    assert refused.status_code == 409
    assert (await by_slug(app))["name"] == "nightly"


@pytest.mark.parametrize(
    ("what", "done"), [("delete", "Deleted"), ("tag", "Changed the tags of")]
)
async def test_of_many_the_declared_stay_and_are_counted(
    app: App, what: str, done: str
) -> None:
    declared = await by_slug(app), await by_slug(app, "cron")
    others = [(await create(app, name=name))["uuid"] for name in "ab"]
    codes = [declared[0]["uuid"], others[0], declared[1]["uuid"], others[1]]
    visitor = await Visitor.enter(app)
    form: dict[str, Any] = {"do": what, "check": codes, "add": "new"}
    path = f"/projects/{visitor.project}/many"

    asked = await visitor.post(path, 200, **form)
    await visitor.post(path, **form, sure="1")

    assert "2 of them are declared in hcl.toml" in text_of(asked.text)
    told = text_of(await visitor.get(f"/projects/{visitor.project}/"))
    assert f"{done} 2 checks. 2 are declared in hcl.toml: change them there." in told
    left = {c["uuid"]: c for c in (await app.api("GET", "checks/")).json()["checks"]}
    assert [left[check["uuid"]] for check in declared] == list(declared)
    changed = [left[code]["tags"] for code in others if code in left]
    assert changed == ([] if what == "delete" else ["new", "new"])


async def test_forms_do_not_take_its_slug(app: App) -> None:
    other = (await create(app, name="Other"))["uuid"]
    visitor = await Visitor.enter(app)
    for path in (f"/projects/{visitor.project}/new", f"/checks/{other}/edit"):
        its = {"slug": "nightly", "seen": seen(await visitor.get(path))}

        answer = await visitor.post(path, 422, **(TYPED | its))

        assert "A check that is declared in hcl.toml has this slug." in answer.text
