import asyncio
import sqlite3
import uuid
from datetime import timedelta
from typing import Any, get_type_hints

import pytest

from hcl import store
from hcl.model import Check, Run
from tests.app import OTHER_PING_KEY, PING_KEY, App
from tests.build import HOUR, MICROSECOND, NOW, make_check, make_ping
from tests.store import change, plan_of, put_check, put_flip, put_pings, rows

# No two values of one type are alike, so that no column can be taken for another.
FULL = make_check(
    id=0,
    name="Backup €",
    slug="backup",
    tags="prod  db",
    desc="line\nline\0",
    kind="oncalendar",
    timeout=timedelta(seconds=61, microseconds=1),
    grace=timedelta(days=365),
    schedule="Mon..Fri 12:00\n13:00",
    tz="Europe/Riga",
    methods="POST",
    start_kw="begin",
    success_kw="fine",
    failure_kw="broken",
    max_run=timedelta(seconds=5, microseconds=2),
    min_run=timedelta(microseconds=7),
    down_after=17,
    early=timedelta(seconds=9),
    status="down",
    n_pings=2**40,
    last_ping=NOW + MICROSECOND,
    last_start=NOW + 2 * MICROSECOND,
    last_start_rid="1a2b3c4d-0000-4000-8000-000000000000",
    last_duration=timedelta(microseconds=3),
    alert_after=NOW + 4 * MICROSECOND,
    bad_outcomes=16,
    missed=NOW + 5 * MICROSECOND,
    open_runs=(
        Run(NOW + 6 * MICROSECOND, None),
        Run(NOW + 8 * MICROSECOND, "1a2b3c4d-0000-4000-8000-000000000000", True),
    ),
)
BOOLEANS = [name for name, kind in get_type_hints(Check).items() if kind is bool]


async def add(app: App, check: Check) -> Check:
    async with app.database.transaction() as conn:
        return check._replace(id=await store.checks.add(conn, check))


async def save(app: App, check: Check) -> None:
    async with app.database.transaction() as conn:
        await store.checks.save(conn, check)


@pytest.mark.parametrize("check", [FULL, make_check()])
async def test_check_comes_back_as_it_was_added(app: App, check: Check) -> None:
    added = await add(app, check)

    assert await store.checks.by_id(app.database.committed, added.id) == added


@pytest.mark.parametrize("name", BOOLEANS)
async def test_each_boolean_has_a_column_of_its_own(app: App, name: str) -> None:
    only: dict[str, Any] = {name: True}

    check = await add(app, FULL._replace(**only))

    assert await store.checks.by_code(app.database.committed, check.code) == check


async def test_saving_changes_every_field_of_one_check(app: App) -> None:
    check = await put_check(app.database)
    other = await put_check(app.database)
    changed = FULL._replace(
        id=check.id, code=check.code, manual_resume=True, filter_body=True
    )

    await save(app, changed)

    assert await store.checks.by_id(app.database.committed, check.id) == changed
    assert await store.checks.by_id(app.database.committed, other.id) == other


async def test_saving_a_state_leaves_the_settings(app: App) -> None:
    check = await put_check(app.database)
    other = await put_check(app.database)
    changed = FULL._replace(id=check.id, manual_resume=True)

    async with app.database.transaction() as conn:
        await store.checks.save_states(conn, [changed])

    assert await store.checks.by_id(app.database.committed, check.id) == check._replace(
        status=FULL.status,
        n_pings=FULL.n_pings,
        last_ping=FULL.last_ping,
        last_start=FULL.last_start,
        last_start_rid=FULL.last_start_rid,
        last_duration=FULL.last_duration,
        alert_after=FULL.alert_after,
        bad_outcomes=FULL.bad_outcomes,
        missed=FULL.missed,
        open_runs=FULL.open_runs,
    )
    assert await store.checks.by_id(app.database.committed, other.id) == other


async def test_code_that_is_taken_is_refused(app: App) -> None:
    check = await put_check(app.database)

    with pytest.raises(sqlite3.IntegrityError):
        await add(app, check._replace(badge_key=str(uuid.uuid4())))


async def test_unknown_codes_find_nothing(app: App) -> None:
    check = await put_check(app.database)
    reader = app.database.committed

    assert await store.checks.by_code(reader, check.code.upper()) is None
    assert await store.checks.by_id(reader, check.id + 1) is None
    assert await store.checks.by_codes(reader, []) == []
    assert await store.checks.by_codes(reader, ["", "%", '"]', "\0", "\ud800"]) == []


async def test_codes_find_their_checks_once_each(app: App) -> None:
    stored = [await put_check(app.database) for _ in range(5)]
    asked = [check.code for check in stored[1:]] * 2 + [str(uuid.uuid4())]

    found = await store.checks.by_codes(app.database.committed, asked)

    assert sorted(found, key=lambda check: check.id) == stored[1:]


async def test_unique_key_finds_the_check_of_its_project_only(app: App) -> None:
    check = await put_check(app.database)
    reader = app.database.committed

    assert await store.checks.by_unique_key(reader, 1, check.unique_key) == check
    assert await store.checks.by_unique_key(reader, 2, check.unique_key) is None


async def test_slugs_find_checks_with_the_ping_key_they_came_by(app: App) -> None:
    home = await put_check(app.database, slug="backup")
    twins = [await put_check(app.database, slug="twin") for _ in range(2)]
    other = await put_check(app.database, slug="backup", project_id=2)
    await put_check(app.database, slug="other")
    asked = {
        (PING_KEY, "backup"),
        (OTHER_PING_KEY, "backup"),
        (PING_KEY, "twin"),
        (OTHER_PING_KEY, "twin"),
        (PING_KEY, "missing"),
        ("unknown", "backup"),
        ("", ""),
    }

    found = await store.checks.by_slugs(app.database.committed, asked)

    expected = [(PING_KEY, home), (OTHER_PING_KEY, other)]
    expected += [(PING_KEY, twin) for twin in twins]
    assert sorted(found, key=str) == sorted(expected, key=str)


async def test_odd_slugs_harm_nobody(app: App) -> None:
    check = await put_check(app.database, slug="backup")
    odd = ['a"b', "a\\b", "a'b", "%", "a\0b", "\ud800", "€"]

    found = await store.checks.by_slugs(
        app.database.committed, [(PING_KEY, slug) for slug in [*odd, "backup"]]
    )

    assert found == [(PING_KEY, check)]


async def test_slugs_do_not_find_checks_of_a_project_that_left_the_file(
    app: App,
) -> None:
    await put_check(app.database, slug="backup")
    await change(app.database, "UPDATE projects SET enabled = 0, ping_key = NULL")

    found = await store.checks.by_slugs(
        app.database.committed, [(PING_KEY, "backup"), ("", "backup")]
    )

    assert found == []


async def test_checks_of_a_project_come_in_order_of_creation(app: App) -> None:
    stored = [
        await put_check(app.database, name=name, slug=slug)
        for name, slug in (("c", "x"), ("a", "y"), ("b", "x"))
    ]
    await put_check(app.database, project_id=2, slug="x")
    reader = app.database.committed

    assert await store.checks.of_project(reader, 1) == stored
    assert await store.checks.of_project(reader, 1, slug="x") == [
        stored[0],
        stored[2],
    ]
    assert await store.checks.count(reader, 1) == 3
    assert await store.checks.count(reader, 3) == 0


async def test_oldest_check_with_all_the_values_matches(app: App) -> None:
    await put_check(app.database, name="a", tags="t", project_id=2)
    await put_check(app.database, name="a", tags="")
    oldest = await put_check(app.database, name="a", tags="t", grace=2 * HOUR)
    await put_check(app.database, name="a", tags="t", grace=2 * HOUR)
    reader = app.database.committed

    assert oldest == await store.checks.oldest_match(
        reader, 1, {"name": "a", "tags": "t", "grace": 2 * HOUR}
    )
    assert (
        await store.checks.oldest_match(reader, 1, {"name": "a", "tags": "T"}) is None
    )
    assert await store.checks.oldest_match(reader, 1, {"timeout": HOUR}) is None


async def test_match_of_each_unique_field(app: App) -> None:
    values: dict[str, str | timedelta] = {
        "name": "n",
        "slug": "s",
        "tags": "t",
        "timeout": 3 * HOUR,
        "grace": 2 * HOUR,
    }
    await put_check(app.database)
    check = await put_check(app.database, **values)

    for name, value in values.items():
        found = await store.checks.oldest_match(
            app.database.committed, 1, {name: value}
        )

        assert found == check, name


async def test_due_checks_come_longest_overdue_first(app: App) -> None:
    for hours in (3, 1, 2):
        await put_check(app.database, name=str(hours), alert_after=NOW - hours * HOUR)
    await put_check(app.database, alert_after=NOW + MICROSECOND)
    await put_check(app.database, alert_after=None)
    reader = app.database.committed

    assert [check.name for check in await store.checks.due(reader, NOW, 9)] == [
        "3",
        "2",
        "1",
    ]
    assert [check.name for check in await store.checks.due(reader, NOW, 2)] == [
        "3",
        "2",
    ]


async def test_check_is_due_at_its_deadline_and_not_a_microsecond_before(
    app: App,
) -> None:
    deadline = NOW + 123_457 * MICROSECOND
    check = await put_check(app.database, alert_after=deadline)
    reader = app.database.committed

    assert await store.checks.due(reader, deadline - MICROSECOND, 9) == []
    assert await store.checks.due(reader, deadline, 9) == [check]


async def test_next_look_is_the_earliest(app: App) -> None:
    reader = app.database.committed
    assert await store.checks.next_look(reader) is None

    await put_check(app.database)
    assert await store.checks.next_look(reader) is None

    await put_check(app.database, alert_after=NOW + HOUR)
    await put_check(app.database, alert_after=NOW - MICROSECOND)
    assert await store.checks.next_look(reader) == NOW - MICROSECOND


async def test_deleting_a_check_takes_all_that_is_its_own(app: App) -> None:
    tables = ("checks", "checks_channels", "pings", "flips", "notifications")
    for check in [await put_check(app.database, 1, 2) for _ in range(2)]:
        await put_flip(app.database, check)
        await put_pings(app.database, *((check.id, make_ping(n=n)) for n in (1, 2)))

    async with app.database.transaction() as conn:
        await store.checks.delete(conn, 1)

    for table, left in zip(tables, (1, 2, 2, 1, 2), strict=True):
        key = "id" if table == "checks" else "check_id"
        found = await rows(app.database, f"SELECT {key} FROM {table}")
        assert found == [2] * left, table


async def test_hot_statements_use_indexes(app: App) -> None:
    database = app.database
    for n in range(20):
        await put_check(database, slug=f"s{n}", alert_after=NOW)

    by_codes = await plan_of(
        database, lambda conn: store.checks.by_codes(conn, ["a", "b"])
    )
    by_slugs = await plan_of(
        database, lambda conn: store.checks.by_slugs(conn, [(PING_KEY, "s1")])
    )
    due = await plan_of(database, lambda conn: store.checks.due(conn, NOW, 10))
    next_look = await plan_of(database, store.checks.next_look)

    assert "SEARCH checks USING INDEX sqlite_autoindex_checks_1 (code=?)" in by_codes
    assert "SCAN checks" not in by_codes
    assert "INDEX sqlite_autoindex_projects_2 (ping_key=?)" in by_slugs
    assert "USING INDEX checks_slug (project_id=? AND slug=?)" in by_slugs
    assert "SCAN checks" not in by_slugs
    assert "MATERIALIZE" not in by_slugs
    assert "SEARCH check_states USING INDEX check_states_look_at (look_at<?)" in due
    assert "TEMP B-TREE" not in due
    assert "USING COVERING INDEX check_states_look_at" in next_look


async def test_readers_of_one_connection_do_not_mix(app: App) -> None:
    stored = [await put_check(app.database, slug=f"s{n}") for n in range(50)]
    reader = app.database.committed

    found = await asyncio.gather(
        *(store.checks.by_code(reader, c.code) for c in stored)
    )

    assert found == stored


async def test_titles_of_checks_that_are_down_are_told(app: App) -> None:
    await put_check(app.database, name="fine", status="up")
    named = await put_check(app.database, name="named", status="down")
    nameless = await put_check(app.database, status="down")
    for status in ("new", "paused"):
        await put_check(app.database, name=status, status=status)
    await put_check(app.database, name="foreign", project_id=2, status="down")
    last = await put_check(app.database, name="last", status="down")
    reader = app.database.committed

    assert await store.checks.down_titles(reader, 1, [], 9) == [
        "named",
        nameless.code,
        "last",
    ]
    but = [named.id, last.id, 99]
    assert await store.checks.down_titles(reader, 1, but, 9) == [nameless.code]
    assert await store.checks.down_titles(reader, 1, [], 2) == ["named", nameless.code]
    assert await store.checks.down_titles(reader, 3, [], 9) == []


async def test_titles_are_found_without_looking_at_checks_that_are_up(
    app: App,
) -> None:
    plan = await plan_of(
        app.database, lambda conn: store.checks.down_titles(conn, 1, [], 9)
    )

    assert "SCAN s USING INDEX check_states_down" in plan
    assert "SEARCH c USING INTEGER PRIMARY KEY" in plan


async def test_what_checks_have_alike_is_in_memory_once(app: App) -> None:
    for _ in range(2):
        await put_check(app.database, tags="home backup", schedule="5 4 * * *")

    one, two = await store.checks.where(app.database.committed, "ORDER BY id", ())

    for name in ("tags", "kind", "schedule", "tz", "status"):
        assert getattr(one, name) is getattr(two, name)
