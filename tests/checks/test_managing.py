import asyncio
from datetime import timedelta
from typing import Any

import pytest

from hcl import store
from hcl.checks import editing, spec
from hcl.checks.managing import (
    ChannelError,
    EditedError,
    ForeignCheckError,
    LimitError,
    Managed,
    UnknownCheckError,
)
from hcl.checks.rules import NotPausedError
from hcl.pings.arrival import Target
from tests.app import App
from tests.build import DAY, HOUR, NOW, make_ping
from tests.patience import ENDS
from tests.store import put_check, rows


async def create(app: App, **document: Any) -> Managed:
    project = app.synced.projects[0]
    wanted = spec.parse(document)
    return await app.parts.managing.create(project, wanted, NOW)


async def everything(app: App) -> list[Any]:
    return [
        await rows(app.database, f"SELECT * FROM {table}")
        for table in ("checks", "checks_channels", "pings", "flips", "notifications")
    ]


async def test_concurrent_upserts_with_unique_make_one_check(app: App) -> None:
    done = await asyncio.gather(
        *(create(app, name="job", tags=f"t{n}", unique=["name"]) for n in range(20))
    )

    assert [created for _, _, created in done] == [True] + [False] * 19
    [check] = await store.checks.of_project(await app.database.current(), 1)
    assert {found.id for found, _, _ in done} == {check.id}
    assert check.tags == "t19"


async def test_concurrent_creates_stop_at_the_limit(app: App) -> None:
    done = await asyncio.gather(
        *(create(app, name=f"job {n}") for n in range(15)), return_exceptions=True
    )

    assert [type(result) for result in done] == [Managed] * 10 + [LimitError] * 5
    assert await store.checks.count(await app.database.current(), 1) == 10


@pytest.mark.parametrize("channels", ["Hook A,no such", "Hook A,", ",", "Hook A,,"])
async def test_failed_create_leaves_nothing(app: App, channels: str) -> None:
    with pytest.raises(ChannelError):
        await create(app, name="job", channels=channels)

    assert await everything(app) == [[], [], [], [], []]


async def test_failed_update_leaves_all_as_it_was(app: App) -> None:
    check, _, _ = await create(app, name="job", channels="Hook A")
    before = await everything(app)

    with pytest.raises(ChannelError):
        await create(app, name="job", tags="new", channels="x", unique=["name"])
    with pytest.raises(ChannelError):
        await app.parts.managing.update(
            app.synced.projects[0],
            check.code,
            spec.parse({"name": "new", "channels": "Hook B,x"}),
            NOW,
        )

    assert await everything(app) == before


async def test_checks_of_others_stay_as_they_are(app: App) -> None:
    home, other = app.synced.projects
    check = await put_check(app.database, 1, status="up")
    before = await everything(app)
    managing = app.parts.managing

    for act in (
        managing.pause(other, check.code, NOW),
        managing.resume(other, check.code, NOW),
        managing.delete(other, check.code),
        managing.update(other, check.code, spec.parse({"name": "x"}), NOW),
    ):
        with pytest.raises(ForeignCheckError):
            await act
    with pytest.raises(UnknownCheckError):
        await managing.delete(home, check.code.upper())

    assert await everything(app) == before


async def test_pings_and_edits_at_once_lose_nothing(app: App) -> None:
    check, _, _ = await create(app, name="job", timeout=60)
    project = app.synced.projects[0]
    managing, pinging = app.parts.managing, app.parts.pinging
    address = Target(code=check.code)

    await asyncio.gather(
        *(
            act
            for n in range(1, 31)
            for act in (
                pinging.receive(address, make_ping()),
                managing.update(
                    project, check.code, spec.parse({"timeout": 60 * n}), NOW
                ),
                managing.update(
                    project, check.code, spec.parse({"tags": f"t{n}"}), NOW
                ),
            )
        )
    )

    found = await store.checks.by_id(await app.database.current(), check.id)
    assert found is not None
    assert (found.n_pings, found.tags) == (30, "t30")
    assert found.timeout == timedelta(minutes=30)
    assert found.alert_after == NOW + timedelta(minutes=30) + HOUR


async def test_edit_that_brings_a_deadline_nearer_wakes_the_checker(app: App) -> None:
    start = NOW + 10_000 * DAY
    check = await put_check(
        app.database, status="up", last_ping=start, alert_after=start + DAY + HOUR
    )
    task = asyncio.create_task(app.alarms["checker"].sleep(start + DAY + HOUR))
    await asyncio.sleep(0)

    await app.parts.managing.update(
        app.synced.projects[0], check.code, spec.parse({"timeout": 60}), start
    )

    async with asyncio.timeout(ENDS):
        await task


async def test_edit_of_a_check_that_is_overdue_leaves_its_going_down_to_the_checker(
    app: App,
) -> None:
    last_ping = NOW - 2 * HOUR
    check = await put_check(
        app.database, 1, status="up", last_ping=last_ping, alert_after=NOW + DAY
    )

    edited, _, _ = await app.parts.managing.update(
        app.synced.projects[0], check.code, spec.parse({"timeout": 60}), NOW
    )

    assert (edited.status, edited.alert_after) == ("up", NOW - timedelta(minutes=59))
    assert await app.checker.check_once(NOW) == 1
    [flip] = await store.flips.of_check(await app.database.current(), check.id)
    assert flip.created == NOW - timedelta(minutes=59)


async def test_pausing_at_once_makes_one_flip(app: App) -> None:
    check = await put_check(app.database, 1, status="up")
    project = app.synced.projects[0]
    managing = app.parts.managing

    await asyncio.gather(*(managing.pause(project, check.code, NOW) for _ in range(5)))
    resumed = await asyncio.gather(
        *(managing.resume(project, check.code, NOW) for _ in range(3)),
        return_exceptions=True,
    )

    assert [type(result) for result in resumed] == [Managed] + [NotPausedError] * 2
    assert [
        flip.new_status
        for flip in await store.flips.of_check(await app.database.current(), check.id)
    ] == ["new", "paused"]
    assert await rows(app.database, "SELECT id FROM notifications") == []


async def test_edit_of_a_check_that_changed_meanwhile_is_refused(app: App) -> None:
    project = app.synced.projects[0]
    check, codes, _ = await create(app, name="a", timeout=3600)
    seen = editing.fingerprint(check, codes)
    update = app.parts.managing.update
    await update(project, check.code, spec.parse({"name": "b"}), NOW, seen=seen)

    wanted = spec.parse({"name": "c", "channels": "*"})
    with pytest.raises(EditedError) as refused:
        await update(project, check.code, wanted, NOW, seen=seen)

    assert refused.value.changed == ["name"]
    assert refused.value.check.name == "b"
    kept = await store.checks.by_code(app.database.committed, check.code)
    assert kept is not None
    assert kept.name == "b"


async def test_copy_of_a_check_without_a_name_has_none_either(app: App) -> None:
    check, _, _ = await create(app)

    copy, _, _ = await app.parts.managing.copy(app.synced.projects[0], check.code)

    assert copy.name == ""


async def test_clear_and_copy_are_only_for_the_owner(app: App) -> None:
    other = app.synced.projects[1]
    check, _, _ = await create(app)
    before = await everything(app)

    with pytest.raises(ForeignCheckError):
        await app.parts.managing.clear(other, check.code)
    with pytest.raises(ForeignCheckError):
        await app.parts.managing.copy(other, check.code)
    with pytest.raises(ForeignCheckError):
        await app.parts.managing.assign(other, check.code, [], seen="")

    assert await everything(app) == before


async def test_clear_takes_pings_that_are_not_yet_counted(app: App) -> None:
    project = app.synced.projects[0]
    check, _, _ = await create(app)
    pinging = app.parts.pinging
    for _ in range(3):
        await pinging.receive(Target(code=check.code), make_ping())

    await app.parts.managing.clear(project, check.code)
    await pinging.receive(Target(code=check.code), make_ping())
    await pinging.recover()
    await app.filer.file_once()

    assert await rows(app.database, "SELECT n FROM pings") == [4]
    assert await rows(app.database, "SELECT n_pings FROM check_states") == [4]
    assert await rows(app.database, "SELECT count(*) FROM inbox") == [0]
