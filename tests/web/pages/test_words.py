"""What pages say: as people write English, and so that they know what to do."""

from typing import Any

import pytest

from hcl.web.pages.dashboard.trials import TooManyError, Trials
from tests.app import WRITE_KEY, App
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, project_path, text_of

FORM: dict[str, Any] = {
    "kind": "simple",
    "timeout": "1",
    "timeout_unit": "days",
    "grace": "1",
    "grace_unit": "hours",
    "tz": "UTC",
}


async def test_list_and_badges_say_that_nothing_matches(app: App) -> None:
    await create(app, name="Backup")
    visitor = await Visitor.enter(app)

    checks = text_of(await visitor.get(f"{project_path(app)}?q=nothing"))
    badges = text_of(await visitor.get(f"{project_path(app)}badges?q=nothing"))

    assert "No checks match There is 1 check in all." in checks
    assert "No checks match." in badges


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"slug": "A B"}, "fix 1 field to save."),
        ({"slug": "A B", "grace": "x"}, "fix 2 fields to save."),
    ],
)
async def test_form_says_how_many_fields_to_fix(
    app: App, fields: dict[str, str], words: str
) -> None:
    visitor = await Visitor.enter(app)

    page = await visitor.post(f"{project_path(app)}new", 422, **{**FORM, **fields})

    assert f"Nothing is saved yet: {words}" in text_of(page.text)


async def test_notices_say_what_was_done(app: App) -> None:
    visitor = await Visitor.enter(app)

    made = await visitor.post(f"{project_path(app)}new", name="Backup", **FORM)
    page = text_of(await visitor.get(made.headers["Location"]))
    await visitor.post(f"{made.headers['Location']}/delete")
    listed = text_of(await visitor.get(project_path(app)))

    assert "Created Backup." in page
    assert "Deleted Backup." in listed


async def test_wrong_key_is_called_so(app: App) -> None:
    page = await app.http.post("/sign-in", data={"key": WRITE_KEY[:-1]})

    assert "Wrong key." in text_of(page.text)


async def test_too_many_tests_are_refused_with_what_to_do(app: App) -> None:
    [channel, *_] = app.config.projects[0].channels
    trials = Trials()
    for _ in range(3):
        trials._begin(channel)
        trials.running.clear()

    with pytest.raises(TooManyError) as error:
        trials._begin(channel)

    assert str(error.value) == "Too many tests: wait a minute before the next one."
