"""The fields of a check: kept, changed, and worked out from each other."""

from pathlib import Path
from typing import Any

import pytest

from tests.app import CONFIG, OTHER_WRITE_KEY, App, running_app
from tests.web.api.calls import FULL, create, update


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


VERSIONS = pytest.mark.parametrize("version", [1, 2, 3])


async def channel_ids(app: App) -> dict[str, str]:
    response = await app.api("GET", "channels/")
    return {channel["name"]: channel["id"] for channel in response.json()["channels"]}


# Fields


@VERSIONS
async def test_all_fields_are_kept_as_sent(app: App, version: int) -> None:
    check = await create(app, version, **FULL)

    assert {name: check[name] for name in FULL} == FULL


@pytest.mark.parametrize(("field", "value"), FULL.items())
@VERSIONS
async def test_field_that_is_left_out_keeps_its_value(
    app: App, field: str, value: Any, version: int
) -> None:
    check = await create(app, version, **{field: value})
    others = {name: FULL[name] for name in FULL if name not in (field, "slug")}

    alone = await update(app, check, version)
    with_others = await update(app, check, version, **others)

    assert alone == check
    assert check[field] == value
    if (field, version) != ("slug", 1) and (field, version) != ("slug", 2):
        assert with_others[field] == value


@pytest.mark.parametrize(("field", "value"), FULL.items())
async def test_update_sets_one_field_and_no_other(
    app: App, field: str, value: Any
) -> None:
    check = await create(app)

    changed = await update(app, check, **{field: value})

    mirrored = {"subject", "subject_fail"}
    assert {name for name in check if check[name] != changed[name]} - mirrored == {
        field
    }
    assert changed[field] == value


@pytest.mark.parametrize(
    "field",
    ["name", "slug", "tags", "desc", "methods", "start_kw", "success_kw", "failure_kw"],
)
async def test_string_can_be_emptied(app: App, field: str) -> None:
    check = await create(app, **FULL)

    changed = await update(app, check, 3, **{field: ""})

    assert changed[field] == ""


@VERSIONS
async def test_unknown_keys_are_ignored_even_when_null(app: App, version: int) -> None:
    before = await create(app, version)
    ignored: dict[str, Any] = {
        "uuid": None,
        "status": "up",
        "n_pings": 9,
        "x": None,
        "": [],
        "id": 7,
    }

    created = await create(app, version, **ignored, last_ping=None, kind="cron")
    updated = await update(app, before, version, **ignored)

    assert (created["status"], created["n_pings"]) == ("new", 0)
    assert updated == before


@pytest.mark.parametrize(
    "value", ["a\0b", "\0", "'\"; DROP TABLE checks", "𝕏" * 100, " a ", "\n"]
)
async def test_text_is_kept_character_by_character(app: App, value: str) -> None:
    check = await create(app, name=value, tags=value, desc=value)

    read = (await app.api("GET", f"checks/{check['uuid']}")).json()

    assert (read["name"], read["tags"], read["desc"]) == (value, value, value)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Foo.bar_Baz", "foobar_baz"),
        ("  Ünïcode - Näme -- 7 ", "unicode-name-7"),
        ("日本", ""),
        ("_-a-_", "a"),
        ("", ""),
    ],
)
async def test_v1_and_v2_make_the_slug_from_the_name(
    app: App, version: int, name: str, slug: str
) -> None:
    created = await create(app, version, name=name)
    old = await create(app, name="old", slug="old")

    updated = await update(app, old, version, name=name)

    assert (created["slug"], updated["slug"]) == (slug, slug)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("fields", "slug"),
    [
        ({}, "mine"),
        ({"tags": "x"}, "mine"),
        ({"name": "Old Name"}, "mine"),
        ({"name": "New Name"}, "new-name"),
        ({"name": "New Name", "slug": "yours"}, "yours"),
        ({"name": "New Name", "slug": ""}, ""),
        ({"name": "Old Name", "slug": ""}, ""),
    ],
)
async def test_v1_and_v2_make_a_slug_only_for_a_new_name(
    app: App, version: int, fields: dict[str, Any], slug: str
) -> None:
    check = await create(app, version, name="Old Name", slug="mine")

    updated = await update(app, check, version, **fields)

    assert updated["slug"] == slug


async def test_v3_makes_no_slug(app: App) -> None:
    check = await create(app, name="Some Name")

    renamed = await update(app, check, name="Other Name")
    slugged = await update(app, check, slug="own")
    kept = await update(app, check, name="Third Name")

    slugs = [answer["slug"] for answer in (check, renamed, slugged, kept)]
    assert slugs == ["", "", "own", "own"]


@VERSIONS
async def test_schedule_wins_over_timeout(app: App, version: int) -> None:
    check = await create(app, version, timeout=120, schedule="0 3 * * *")

    simple = await update(app, check, version, timeout=180)

    assert (check["schedule"], check["tz"]) == ("0 3 * * *", "UTC")
    assert "timeout" not in check
    assert simple["timeout"] == 180
    assert "schedule" not in simple
    assert "tz" not in simple


async def test_timeout_beside_a_schedule_is_not_stored(app: App) -> None:
    check = await create(app, timeout=300)

    await update(app, check, timeout=120, schedule="0 3 * * *")

    fields = {"timeout": 300, "unique": ["timeout"]}
    response = await app.api("POST", "checks/", json=fields)
    assert (response.status_code, response.json()["uuid"]) == (200, check["uuid"])


@pytest.mark.parametrize(
    "schedule",
    ["*/5 * * * *", "0 0 1 1 *", "*-*~1 12:00", "daily", "Mon..Fri 09:00\nSat 10:00"],
)
async def test_schedule_of_either_kind_is_kept_as_sent(app: App, schedule: str) -> None:
    check = await create(app)

    updated = await update(app, check, schedule=schedule)
    edited = await update(app, check, name="x")

    assert updated["schedule"] == edited["schedule"] == schedule
    assert "timeout" not in updated


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Europe/Riga", "Europe/Riga"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("EST", "America/Panama"),
        ("EST5EDT", "America/New_York"),
        ("CST6CDT", "America/Chicago"),
        ("MST7MDT", "America/Denver"),
        ("PST8PDT", "America/Los_Angeles"),
        ("UTC", "UTC"),
        ("GMT", "GMT"),
        ("Etc/UTC", "Etc/UTC"),
        ("Etc/GMT+5", "Etc/GMT+5"),
    ],
)
async def test_tz_becomes_canonical(app: App, sent: str, kept: str) -> None:
    created = await create(app, schedule="0 0 * * *", tz=sent)
    check = await create(app, schedule="0 0 * * *")

    updated = await update(app, check, tz=sent)

    assert (created["tz"], updated["tz"]) == (kept, kept)


async def test_tz_of_a_simple_check_waits_for_its_schedule(app: App) -> None:
    check = await create(app, tz="Europe/Riga")

    updated = await update(app, check, schedule="0 0 * * *")

    assert updated["tz"] == "Europe/Riga"


@pytest.mark.parametrize(
    ("before", "sent", "expected"),
    [
        ({}, {"subject": "OK"}, ("OK", "", True)),
        ({}, {"subject_fail": "BAD"}, ("", "BAD", True)),
        ({}, {"subject": ""}, ("", "", False)),
        ({}, {"subject": "", "subject_fail": ""}, ("", "", False)),
        ({}, {"subject": "a", "success_kw": "b"}, ("b", "", True)),
        ({}, {"subject_fail": "a", "failure_kw": "b"}, ("", "b", True)),
        ({}, {"subject": "a", "success_kw": ""}, ("", "", True)),
        ({}, {"subject": "a", "filter_subject": False}, ("a", "", False)),
        ({}, {"subject": "", "filter_subject": True}, ("", "", True)),
        ({}, {"success_kw": "a"}, ("a", "", False)),
        ({"subject": "a"}, {"subject": ""}, ("", "", False)),
        ({"subject": "a"}, {"subject_fail": "b"}, ("a", "b", True)),
        ({"subject": "a", "subject_fail": "b"}, {"subject": ""}, ("", "b", True)),
        ({"success_kw": "a"}, {"subject_fail": ""}, ("a", "", True)),
        ({"success_kw": "a"}, {}, ("a", "", False)),
        ({"filter_subject": True}, {"subject": ""}, ("", "", False)),
        ({"filter_subject": True}, {"success_kw": "a"}, ("a", "", True)),
    ],
)
@VERSIONS
async def test_old_names_of_the_keywords(
    app: App,
    before: dict[str, Any],
    sent: dict[str, Any],
    expected: tuple[str, str, bool],
    version: int,
) -> None:
    check = await create(app, version, **before)

    after = await update(app, check, version, **sent)

    success, failure, filtering = expected
    assert (after["success_kw"], after["failure_kw"]) == (success, failure)
    assert after["filter_subject"] is filtering
    assert after["subject"] == (success if filtering else "")
    assert after["subject_fail"] == (failure if filtering else "")


# Channels


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ("*", {"Hook A", "Hook B"}),
        ("", set()),
        ("Hook A", {"Hook A"}),
        ("Hook B,Hook A", {"Hook A", "Hook B"}),
        ("Hook A,Hook A", {"Hook A"}),
        ("{A}", {"Hook A"}),
        ("{B},{A}", {"Hook A", "Hook B"}),
        ("{A},Hook A", {"Hook A"}),
        ("{A},Hook B", {"Hook A", "Hook B"}),
    ],
)
@VERSIONS
async def test_channels_are_named_by_id_or_name(
    app: App, channels: str, expected: set[str], version: int
) -> None:
    ids = await channel_ids(app)
    wanted = channels.format(A=ids["Hook A"], B=ids["Hook B"])
    both = await create(app, version, channels="*")

    created = await create(app, version, channels=wanted)
    updated = await update(app, both, version, channels=wanted)
    kept = await update(app, both, version, name="x")

    joined = ",".join(sorted(ids[name] for name in expected))
    assert created["channels"] == updated["channels"] == kept["channels"] == joined


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        (",", "empty channel identifier"),
        ("Hook A,", "empty channel identifier"),
        (",Hook A", "empty channel identifier"),
        ("Hook A,,Hook B", "empty channel identifier"),
        ("Hook", "invalid channel identifier: Hook"),
        ("hook a", "invalid channel identifier: hook a"),
        ("Hook A ", "invalid channel identifier: Hook A "),
        ("Hook A, Hook B", "invalid channel identifier:  Hook B"),
        ("*,Hook A", "invalid channel identifier: *"),
        ("**", "invalid channel identifier: **"),
        (" ", "invalid channel identifier:  "),
        ("Hook A,x,", "invalid channel identifier: x"),
        ("%", "invalid channel identifier: %"),
    ],
)
async def test_bad_channels_are_refused(app: App, channels: str, text: str) -> None:
    check = await create(app, name="before", channels="Hook A")
    fields = {"name": "after", "channels": channels}

    created = await app.api("POST", "checks/", json=fields)
    updated = await app.api("POST", f"checks/{check['uuid']}", json=fields)

    assert (created.status_code, created.json()) == (400, {"error": text})
    assert (updated.status_code, updated.json()) == (400, {"error": text})
    assert (await app.api("GET", "checks/")).json() == {"checks": [check]}


async def test_channel_of_another_project_is_invalid(app: App) -> None:
    hook = (await channel_ids(app))["Hook A"]

    for name in (hook, "Hook A"):
        response = await app.api(
            "POST", "checks/", json={"channels": name}, key=OTHER_WRITE_KEY
        )

        assert response.status_code == 400
        assert response.json() == {"error": f"invalid channel identifier: {name}"}


async def test_name_of_one_channel_and_id_of_another_is_not_unique(
    tmp_path: Path,
) -> None:
    name = "b7a6d9c2-5c3e-4c51-9b2e-3c7f0d1e2f3a"
    text = CONFIG.replace('name = "Hook A"', f'name = "Hook A"\nid = "{name}"')
    text = text.replace('name = "Hook B"', f'name = "{name}"')
    async with running_app(tmp_path, text) as app:
        response = await app.api("POST", "checks/", json={"channels": f"Hook A,{name}"})

        assert response.status_code == 400
        assert response.json() == {"error": f"non-unique channel identifier: {name}"}
