"""Finer rules on their way: to another hcl whole, to a Healthchecks with a word."""

import json
from datetime import timedelta
from typing import Any

import pytest

from hcl.model import DECLARED, LEFT, Check, Run, Status
from hcl.moving import curl, documents, fetching, marking
from hcl.moving.moved import MovedCheck
from tests.build import HOUR, NOW, make_check

FINER: dict[str, Any] = {
    "max_run": 2 * HOUR,
    "min_run": timedelta(seconds=2),
    "down_after": 3,
    "early": timedelta(seconds=300),
}
CHECKS = {
    "finer": make_check(**FINER),
    "with open runs": make_check(
        **FINER,
        status="up",
        last_ping=NOW,
        bad_outcomes=2,
        missed=NOW + HOUR,
        open_runs=(
            Run(NOW, None),
            Run(NOW + HOUR, "1a2b3c4d-0000-4000-8000-000000000000", True),
        ),
    ),
    "muted": make_check(muted_until=NOW),
    "out of the file": make_check(origin=LEFT),
    "plain": make_check(),
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_document_holds_all_of_it(check: Check) -> None:
    line = documents.check(MovedCheck(check, ()), "p")

    read = documents.read_check(json.loads(line), 1)

    assert read.check == check._replace(id=0)


def test_document_of_a_plain_check_says_nothing_of_it() -> None:
    line = documents.check(MovedCheck(make_check(), ()), "p")

    assert not {"open_runs", "missed", "bad_outcomes", *FINER} & set(json.loads(line))


@pytest.mark.parametrize(
    "runs",
    [["x"], [["2026-06-15T12:00:00+00:00", None]], [["never", None, False]], [1]],
)
def test_open_runs_that_are_none_are_refused(runs: Any) -> None:
    document = json.loads(documents.check(MovedCheck(CHECKS["finer"], ()), "p"))

    with pytest.raises((ValueError, TypeError, KeyError)):
        documents.read_check({**document, "open_runs": runs}, 1)


def test_script_for_a_healthchecks_leaves_them_out_and_says_so() -> None:
    call = curl._call(make_check(**FINER), {}, is_alone=False)

    for name in FINER:
        assert f"# its {name} is left out: no Healthchecks knows that\n" in call
        assert f'"{name}"' not in call
    assert "is left out" not in curl._call(make_check(), {}, is_alone=False)


def test_another_hcl_tells_them_over_its_api() -> None:
    described = {
        "grace": 60,
        "timeout": 60,
        "max_run": 7200,
        "min_run": 2,
        "down_after": 3,
        "early": 300,
    }

    check = fetching._settings(make_check().code, described)

    assert {name: getattr(check, name) for name in FINER} == FINER
    plain = fetching._settings(make_check().code, {"grace": 60, "timeout": 60})
    assert not plain.is_finer
    muted = {"grace": 60, "timeout": 60, "muted_until": NOW.isoformat()}
    assert fetching._settings(make_check().code, muted).muted_until == NOW


@pytest.mark.parametrize(
    ("ups", "now", "statuses"),
    [
        ([1, 0, 1], "up", "up down up"),
        ([1, 0], "paused", "up paused"),
        # Paused while it was down; then resumed, too; then it failed, or ran too long.
        ([1, 0, 0, 1], "up", "up down paused up"),
        ([1, 0, 0, 0, 1], "up", "up down paused new up"),
        ([1, 0, 0], "down", "up paused down"),
        ([1, 0, 0], "paused", "up down paused"),
        ([1, 0, 0], "new", "up paused new"),
        ([1, 0, 0, 0], "paused", "up down new paused"),
        ([0], "down", "down"),
        ([], "up", ""),
    ],
)
def test_no_flip_that_an_api_tells_is_to_what_it_was_before(
    ups: list[int], now: Status, statuses: str
) -> None:
    assert fetching._statuses(list(map(bool, ups)), now) == statuses.split()


def test_an_older_server_has_keywords_of_other_names() -> None:
    described = {"grace": 60, "timeout": 60, "subject": "ok", "subject_fail": ""}

    check = fetching._settings(make_check().code, described)

    assert (check.success_kw, check.failure_kw) == ("ok", "")
    assert check.filter_subject


def test_document_does_not_say_what_a_file_declares() -> None:
    line = documents.check(MovedCheck(make_check(origin=DECLARED), ()), "p")

    assert "origin" not in json.loads(line)


def test_import_from_before_is_not_begun_anew_for_them() -> None:
    # As a version digested it that knew none of the fields.
    assert marking.of(MovedCheck(make_check(), ()), ()) == (
        "02d92ab195b00b3390c9cc3baf009a8a"
    )
