from typing import Any

import pytest

from hcl.checks import editing, spec
from hcl.model import SETTINGS, Check
from tests.build import make_check


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
