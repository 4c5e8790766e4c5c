"""Finer rules over the API: what may be asked, what is answered, and to whom."""

from datetime import timedelta
from typing import Any

import pytest

from tests.app import READ_KEY, App
from tests.build import DAY, HOUR
from tests.store import change, put_check
from tests.web.api.calls import create, update


@pytest.fixture
def app(cleared_app: App) -> App:
    return cleared_app


FINER = {"max_run": 7200, "min_run": 2, "down_after": 3, "early": 300}


async def test_fields_are_answered_where_they_are_set(app: App) -> None:
    check = await create(app, **FINER)

    assert {name: check[name] for name in FINER} == FINER
    # They come last: what stands before them is what a peer says.
    assert list(check)[-4:] == ["max_run", "min_run", "down_after", "early"]
    [listed] = (await app.api("GET", "checks/", key=READ_KEY)).json()["checks"]
    assert {name: listed[name] for name in FINER} == FINER


@pytest.mark.parametrize("name", FINER)
async def test_one_field_is_answered_alone(app: App, name: str) -> None:
    plain = await create(app)

    changed = await update(app, plain, **{name: FINER[name]})

    assert changed == {**plain, name: FINER[name]}


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_run", None), ("min_run", None), ("down_after", 1), ("early", 0)],
)
async def test_what_is_taken_back_leaves_no_trace(
    app: App, name: str, value: Any
) -> None:
    check = await create(app)
    path = f"checks/{check['uuid']}"
    before = (await app.api("GET", path)).content

    await update(app, check, **{name: FINER[name]})
    await update(app, check, **{name: value})

    assert (await app.api("GET", path)).content == before


@pytest.mark.parametrize(
    ("before", "asked", "problem"),
    [
        ({}, {"max_run": 59, "min_run": 60}, "max_run is less than min_run"),
        ({"min_run": 60}, {"max_run": 59}, "max_run is less than min_run"),
        ({"max_run": 59}, {"min_run": 60}, "min_run is more than max_run"),
        # Each of these can be.
        ({}, {"max_run": 60, "min_run": 60}, ""),
        ({"min_run": 60}, {"max_run": None}, ""),
        ({"min_run": 60}, {"max_run": 59, "min_run": None}, ""),
        ({"max_run": 60, "min_run": 60}, {"max_run": 30, "min_run": 20}, ""),
        # Without max_run its grace may be what people change.
        ({"min_run": 7200}, {"grace": 60}, ""),
    ],
)
async def test_a_run_that_could_never_be_right_is_refused(
    app: App, before: dict[str, Any], asked: dict[str, Any], problem: str
) -> None:
    check = await create(app, **before)

    answer = await app.api("POST", f"checks/{check['uuid']}", json=asked)

    if not problem:
        assert answer.status_code == 200
        return
    told = {"error": f"json validation error: {problem}"}
    assert (answer.status_code, answer.json()) == (400, told)
    assert (await app.api("GET", f"checks/{check['uuid']}")).json() == check


async def test_one_that_never_could_be_right_before_may_be_called_otherwise(
    app: App,
) -> None:
    check = await create(app, max_run=60)
    await change(app.database, "UPDATE checks SET min_run = 90")

    changed = await update(app, check, name="Other", grace=120)

    assert (changed["name"], changed["min_run"]) == ("Other", 90)


async def test_other_fields_leave_them_as_they_are(app: App) -> None:
    check = await create(app, **FINER)

    changed = await update(app, check, name="Other", timeout=3600)

    assert {name: changed[name] for name in FINER} == FINER


@pytest.mark.parametrize("version", [1, 2])
async def test_versions_that_peers_have_know_nothing_of_them(
    app: App, version: int
) -> None:
    # Not even what they would be if they were asked for.
    check = await create(app, version, max_run="x", min_run=0, down_after=0, early=-1)
    plain = await create(app, version)
    assert set(check) == set(plain)
    await update(app, check, **FINER)

    path = f"checks/{check['uuid']}"
    after = await app.api("POST", path, json={"max_run": None}, version=version)

    assert after.json() == check
    there = (await app.api("GET", path)).json()
    assert {name: there[name] for name in FINER} == FINER


YEAR = 31_536_000


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        *(
            (name, value, problem)
            for name in ("max_run", "min_run")
            for value, problem in (
                (0, "is too small"),
                (-1, "is too small"),
                (YEAR + 1, "is too large"),
                (10**30, "is too large"),
                (1.0, "is not a number"),
                ("60", "is not a number"),
                (True, "is not a number"),
                ([], "is not a number"),
                (1, ""),
                (YEAR, ""),
                (None, ""),
            )
        ),
        ("down_after", 0, "is too small"),
        ("down_after", 101, "is too large"),
        ("down_after", None, "is not a number"),
        ("down_after", 2.5, "is not a number"),
        ("down_after", True, "is not a number"),
        ("down_after", 1, ""),
        ("down_after", 100, ""),
        ("early", -1, "is too small"),
        ("early", 86_401, "is too large"),
        ("early", None, "is not a number"),
        ("early", False, "is not a number"),
        ("early", 0, ""),
        ("early", 86_400, ""),
    ],
)
async def test_what_a_field_may_be(
    app: App, name: str, value: Any, problem: str
) -> None:
    answer = await app.api("POST", "checks/", json={name: value})

    if problem:
        error = f"json validation error: {name} {problem}"
        assert (answer.status_code, answer.json()) == (400, {"error": error})
    else:
        assert answer.status_code == 201


async def test_copy_has_them_too(app: App) -> None:
    check = await create(app, **FINER)
    project = app.synced.projects[0]

    found = await app.parts.managing.copy(project, check["uuid"])

    assert found.check.max_run == timedelta(hours=2)
    assert found.check.down_after == 3


async def test_status_of_a_check_that_takes_three(app: App) -> None:
    check = await create(app, down_after=3)
    path = f"/ping/{check['uuid']}"
    statuses = []

    for signal in ("/fail", "/log", "/7", "", "/fail", "/1", "/fail", ""):
        await app.http.get(path + signal)
        answer = (await app.api("GET", f"checks/{check['uuid']}")).json()
        statuses.append(answer["status"])

    assert statuses == ["grace", "grace", "grace", "up", "grace", "grace", "down", "up"]
    flips = (await app.api("GET", f"checks/{check['uuid']}/flips/")).json()["flips"]
    assert [flip["up"] for flip in flips] == [1, 0, 1]


async def test_short_run_is_a_fail_in_the_log(app: App) -> None:
    check = await create(app, min_run=60)
    path = f"/ping/{check['uuid']}"

    await app.http.get(f"{path}/start")
    await app.http.get(path)

    pings = (await app.api("GET", f"checks/{check['uuid']}/pings/")).json()["pings"]
    assert [ping["type"] for ping in pings] == ["fail", "start"]
    assert pings[0]["duration"] < 60
    answer = (await app.api("GET", f"checks/{check['uuid']}")).json()
    assert (answer["status"], answer["last_duration"]) == ("down", 0)


async def test_overlapping_runs_read_as_ever(app: App) -> None:
    """The newest start is what `started` and `next_ping` tell of, as for all checks."""
    runs = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(2)]
    answers = []
    for fields in ({}, {"max_run": 3600}):
        check = await create(app, name="x", **fields)
        path = f"/ping/{check['uuid']}"
        for signal in (
            f"/start?rid={runs[0]}",
            f"/start?rid={runs[1]}",
            f"?rid={runs[0]}",
            f"?rid={runs[1]}",
        ):
            await app.http.get(path + signal)
            answer = (await app.api("GET", f"checks/{check['uuid']}")).json()
            answers.append((answer["status"], answer["started"]))

    assert answers[:4] == answers[4:]
    assert answers[:4] == [("new", True), ("new", True), ("up", True), ("up", False)]


async def test_list_tells_at_once_what_the_checker_counted(app: App) -> None:
    now = app.clock.now()
    check = await put_check(
        app.database,
        status="up",
        down_after=2,
        last_ping=now - DAY - HOUR,
        alert_after=now,
    )
    # Between the deadline and the checker.
    await app.api("GET", "checks/")

    await app.checker.check_once(now)

    listed = (await app.api("GET", "checks/")).json()["checks"]
    assert listed == [(await app.api("GET", f"checks/{check.code}")).json()]
