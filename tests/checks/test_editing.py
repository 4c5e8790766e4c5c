from datetime import timedelta
from typing import Any

import pytest

from hcl.checks import editing, rules, spec
from hcl.model import SETTINGS, Check, Run
from tests.build import HOUR, NOW, make_check

SECOND = timedelta(seconds=1)


def test_fingerprint_holds_every_setting() -> None:
    check, codes = make_check(), ["a", "b"]
    seen = editing.fingerprint(check, codes)

    for name in SETTINGS:
        other: Any = {name: "other"}
        changed = check._replace(**other)
        assert editing.differences(seen, changed, codes) == [name]
    assert editing.differences(seen, check, ["x"]) == ["channels"]
    # What is left is no setting: who it is, and how it fares.
    rest = set(Check._fields) - set(SETTINGS)
    assert rest == {
        "id",
        "project_id",
        "code",
        "badge_key",
        "origin",
        "muted_until",
        *Check._fields[Check._fields.index("status") :],
    }


HEARD: dict[str, Any] = {"status": "up", "last_ping": NOW - 30 * SECOND, "n_pings": 1}


@pytest.mark.parametrize(
    "rules_of",
    [
        {},
        {"kind": "cron", "schedule": "0 * * * *"},
        {"last_start": NOW},
        {"last_start": NOW, "max_run": HOUR, "open_runs": (Run(NOW, None),)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SETTINGS)
def test_what_a_deadline_comes_from_has_it_worked_out_anew(
    name: str, rules_of: dict[str, Any]
) -> None:
    """Else an edit of it would have no effect until the next ping."""
    check = rules.on_edit(make_check(**(HEARD | rules_of)), NOW).check
    edited: dict[str, Any] = {name: OTHERS.get(name, "other")}

    after = check._replace(**edited)

    is_due_anew = rules.on_edit(after, NOW).check != after
    assert editing.moves_deadline(check, after) or not is_due_anew


OTHERS: dict[str, Any] = {
    "kind": "oncalendar",
    "schedule": "*-*-* *:15:00",
    "tz": "Asia/Kolkata",
    "timeout": 2 * HOUR,
    "grace": 2 * HOUR,
    "max_run": 2 * HOUR,
    "min_run": SECOND,
    "down_after": 2,
    "early": HOUR,
    "manual_resume": True,
    "filter_subject": True,
    "filter_body": True,
    "filter_http_body": True,
    "filter_default_fail": True,
}


def test_of_each_setting_that_is_no_text_another_value_is_tried() -> None:
    check = make_check()
    no_text = {n for n in SETTINGS if not isinstance(getattr(check, n), str)}
    assert no_text <= OTHERS.keys()


@pytest.mark.parametrize("seen", ["", "made up", "a.b.c"])
def test_everything_is_different_from_a_fingerprint_that_is_none(seen: str) -> None:
    assert editing.differences(seen, make_check(), []) == [*SETTINGS, "channels"]


@pytest.mark.parametrize(
    ("document", "follows", "slug"),
    [
        pytest.param({"name": "New Name"}, True, "new-name", id="renamed"),
        pytest.param({"name": "New Name"}, False, "old", id="v3"),
        pytest.param({"name": "Name"}, True, "old", id="same name"),
        pytest.param({"name": "New", "slug": "own"}, True, "own", id="own slug"),
        pytest.param({"tags": "x"}, True, "old", id="no name"),
    ],
)
def test_slug_follows_a_new_name_where_the_request_says_so(
    document: dict[str, Any], follows: bool, slug: str
) -> None:
    wanted = spec.parse(document, slug_follows_name=follows)

    edited = editing.edited(make_check(name="Name", slug="old"), wanted)

    assert edited.slug == slug


def test_a_schedule_wins_over_a_timeout() -> None:
    check = make_check()

    edited = editing.edited(check, spec.parse({"schedule": "0 3 * * *", "timeout": 60}))

    assert edited == check._replace(kind="cron", schedule="0 3 * * *")


def test_copy_has_the_settings_and_nothing_else() -> None:
    check = make_check(
        name="n" * 100, slug="s", tags="a b", filter_body=True, status="up", n_pings=3
    )
    fresh = make_check(id=0, code="its own")

    copy = editing.copied(check, fresh)

    assert copy == fresh._replace(
        name="n" * 93 + " (copy)", tags="a b", filter_body=True
    )
