"""What is wrong with a check, in its row of the list."""

import re
from datetime import datetime
from typing import Any

import pytest

from hcl import store
from hcl.model import Run
from hcl.store.flips import Trouble
from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.overview.why import sentence, since
from tests.app import App
from tests.build import DAY, HOUR, NOW, make_check
from tests.store import traced
from tests.web.api.calls import create
from tests.web.pages.browsing import Visitor, project_path, text_of


def said(trouble: Trouble | None, *, readonly: bool = False, **check: Any) -> str:
    """Return the words of a check's sentence, "" if there is none."""
    status: Any = check.pop("shown", "down")
    item = Shown(make_check(**({"status": "down"} | check)), status)
    found = sentence(item, trouble, NOW, readonly=readonly)
    return text_of(found or "")


def failed(printed: bytes = b"", exitstatus: int | None = None) -> Trouble:
    return Trouble("fail", NOW, exitstatus, printed)


MISSED = Trouble("timeout", NOW, None, b"")


@pytest.mark.parametrize(
    ("trouble", "check", "words"),
    [
        (failed(), {}, "Failed"),
        (failed(exitstatus=11), {}, "Exit 11"),
        (failed(exitstatus=0), {}, "Failed"),
        (failed(b"one\ntwo <b>\n\n  \n", 3), {}, "Exit 3 two <b>"),
        (failed(b"1 %\r9 %\r\x1b[31mdisk full\x1b[0m\r\n"), {}, "Failed disk full"),
        (failed(b"\0\1\2"), {}, "Failed"),
        (failed(b"\xa4\xb8cut\n"), {}, "Failed cut"),
        (MISSED, {}, "No ping in time one was due today 11:00"),
        (
            MISSED,
            {"last_start": NOW - HOUR},
            "Ran too long the run from today 11:00 did not end within 1 h",
        ),
        # A start that was not overdue then is a later run's.
        (
            MISSED,
            {"last_start": NOW},
            "No ping in time one was due today 11:00",
        ),
        (
            None,
            {"shown": "grace", "status": "up", "alert_after": NOW + HOUR / 2},
            "Goes down in 30 min no ping since today 11:30",
        ),
        (None, {}, ""),
        (failed(), {"shown": "up", "status": "up"}, ""),
    ],
)
def test_sentence_says_what_is_wrong(
    trouble: Trouble | None, check: dict[str, Any], words: str
) -> None:
    assert said(trouble, **check) == words


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, NOW - HOUR / 2),
        # It counts from a failure, and the next ping is far from due.
        ({"last_ping": NOW - HOUR, "bad_outcomes": 1}, NOW - HOUR),
        ({"missed": NOW - 2 * HOUR, "bad_outcomes": 1}, NOW - 2 * HOUR),
        # For maintenance alone a run may last that had to end an hour ago.
        (
            {
                "last_ping": NOW - HOUR,
                "min_run": HOUR / 60,
                "open_runs": (Run(NOW - 2 * HOUR, None),),
                "spared": 25 * HOUR,
            },
            NOW - HOUR,
        ),
    ],
)
def test_late_since_its_ping_was_due_or_its_last_bad_outcome(
    state: dict[str, Any], expected: datetime
) -> None:
    ahead = DAY if state else HOUR / 2
    check = make_check(status="up", alert_after=NOW + ahead, **state)

    assert since(Shown(check, "grace"), None, NOW) == expected


def test_long_lines_are_cut() -> None:
    assert len(said(failed(b"x" * 400))) < 180


def test_readers_see_no_output_and_no_exit_status() -> None:
    assert said(failed(b"secret", 3), readonly=True) == "Failed"


@pytest.mark.parametrize("filed", [False, True])
async def test_row_shows_the_last_line_of_a_failure(app: App, filed: bool) -> None:
    code = (await create(app, name="Off-site copy"))["uuid"]
    fine = (await create(app, name="Fine"))["uuid"]
    await app.http.post(f"/ping/{fine}", content=b"all is well")
    await app.http.post(f"/ping/{code}/11", content=b"rsync\nNo space left\n")
    if filed:
        await app.filer.file_once()
    visitor = await Visitor.enter(app)

    page = text_of(await visitor.get(project_path(app)))

    assert re.search(r"Exit 11 No space left", page)
    assert "all is well" not in page


async def test_why_of_all_rows_is_one_query(app: App) -> None:
    for number in range(5):
        code = (await create(app, name=f"Job {number}"))["uuid"]
        await app.http.post(f"/ping/{code}/fail")
    visitor = await Visitor.enter(app)
    await app.database.current()

    async with traced(app.database.committed) as statements:
        await visitor.get(project_path(app))

    assert sum("MATERIALIZED" in statement for statement in statements) == 1


async def test_troubles_are_those_of_the_newest_flip(app: App) -> None:
    code = (await create(app))["uuid"]
    for signal, body in (("/1", b"old"), ("", b""), ("/2", b"new"), ("/3", b"later")):
        await app.http.post(f"/ping/{code}{signal}", content=body)
    check = await store.checks.by_code(await app.database.current(), code)
    assert check is not None

    found = await store.flips.troubles(app.database.committed, [check.id], 100)

    assert (found[check.id].exitstatus, found[check.id].printed) == (2, b"new")
