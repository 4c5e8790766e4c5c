"""What somebody typed into a form that came when their session was over."""

import re
from html import unescape
from typing import Any

import pytest

from tests.app import READ_KEY, WRITE_KEY, App
from tests.web.api.calls import create, update
from tests.web.pages.browsing import Visitor, csrf_of, post, project_path, text_of
from tests.web.pages.check.test_forms import TYPED, fields_of, made, seen

DESC = 'two\r\nlines "<b>" é'


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


def hidden(page: str) -> dict[str, str]:
    """Return what the form to sign in sends besides the key."""
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


async def signed_out(app: App) -> tuple[str, dict[str, Any]]:
    """Begin to edit a check, and sign out elsewhere; return what is sent then."""
    check = await create(app, name="Job", tags="db")
    visitor = await Visitor.enter(app)
    path = f"/checks/{check['uuid']}/edit"
    page = await visitor.get(path)
    fields = fields_of(page) | {"csrf": [csrf_of(page)]}
    await post(app, "/sign-out")
    app.http.cookies.clear()
    return path, fields | {"name": ["Mine"], "desc": [DESC], "manual_resume": ["1"]}


async def test_form_of_who_was_signed_out_is_shown_again_and_saved(app: App) -> None:
    path, fields = await signed_out(app)

    late = await app.http.post(path, data=fields)
    wrong = await app.http.post("/sign-in", data={**hidden(late.text), "key": "x" * 32})
    sent = {**hidden(wrong.text), "key": WRITE_KEY}
    entered = await app.http.post("/sign-in", data=sent)
    # As browsers do: the same once more.
    shown = await app.http.post(entered.headers["location"], data=sent)

    assert (late.status_code, wrong.status_code) == (403, 403)
    assert "nothing is saved yet: sign in" in text_of(late.text)
    assert (entered.status_code, entered.headers["location"]) == (307, path)
    assert shown.status_code == 403
    assert "What you typed is not saved yet" in text_of(shown.text)
    assert (await made(app))["name"] == "Job"
    assert WRITE_KEY not in late.text + wrong.text + shown.text
    again = fields_of(shown.text) | {"csrf": [csrf_of(shown.text)]}
    saved = await app.http.post(path, data=again)
    check = await made(app)
    assert saved.status_code == 303
    assert (check["name"], check["desc"]) == ("Mine", DESC.replace("\r\n", "\n"))
    assert (check["tags"], check["manual_resume"]) == ("db", True)


async def test_others_changes_meanwhile_are_told_all_the_same(app: App) -> None:
    path, fields = await signed_out(app)
    late = await app.http.post(path, data=fields)
    await update(app, await made(app), tags="theirs")

    sent = {**hidden(late.text), "key": WRITE_KEY}
    await app.http.post("/sign-in", data=sent)
    shown = await app.http.post(path, data=sent)
    token = csrf_of(shown.text)
    saved = await app.http.post(path, data=fields_of(shown.text) | {"csrf": [token]})

    assert seen(shown.text) == fields["seen"][0]
    assert saved.status_code == 409
    assert "Somebody else has changed this check" in saved.text


async def test_form_of_an_earlier_session_is_shown_again(app: App) -> None:
    visitor = await Visitor.enter(app)
    path = f"/projects/{visitor.project}/new"
    token = await visitor.csrf()
    await Visitor.enter(app)

    shown = await app.http.post(path, data=TYPED | {"csrf": token})

    assert shown.status_code == 403
    assert "What you typed is not saved yet" in text_of(shown.text)
    assert 'value="Backup"' in shown.text
    assert (await app.api("GET", "checks/")).json() == {"checks": []}
    await app.http.post(path, data=fields_of(shown.text))
    assert (await made(app))["name"] == "Backup"


async def test_who_may_only_look_is_told_so(app: App) -> None:
    path, fields = await signed_out(app)
    late = await app.http.post(path, data=fields)

    sent = {**hidden(late.text), "key": READ_KEY}
    await app.http.post("/sign-in", data=sent)
    shown = await app.http.post(path, data=sent)

    assert "Your key may look, but not change anything." in text_of(shown.text)


async def test_late_form_leads_to_no_other_site(app: App) -> None:
    sent = {"key": WRITE_KEY, "late": "1", "next": "//evil.example/"}

    entered = await app.http.post("/sign-in", data=sent)

    assert entered.headers["location"] == "/"


async def test_late_form_that_is_too_long_says_that_nothing_was_changed(
    app: App,
) -> None:
    path = f"{project_path(app)}new"

    late = await app.http.post(path, data=TYPED | {"desc": "é" * 30_000})
    form = await app.http.get(late.headers["location"])

    assert late.status_code == 303
    assert "nothing was changed" in form.text
