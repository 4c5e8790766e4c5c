from datetime import timedelta

import pytest

from hcl import store
from hcl.store.life import Absence, Marked, Sign
from tests.app import App
from tests.build import DAY, HOUR, NOW, make_ping
from tests.store import change, put_check, put_flip, put_pings, rows

SIGN = Sign("boot", 1234.5, NOW, 3600.0, was_synchronised=True)


async def leave(app: App, sign: Sign) -> None:
    async with app.database.transaction(changes_checks=False) as conn:
        await store.life.leave(conn, sign)


async def test_last_sign_is_kept(app: App) -> None:
    await change(app.database, "DELETE FROM life")
    none = await store.life.last(app.database.committed)
    await leave(app, Sign("older", 1.0, NOW - DAY))
    await leave(app, SIGN)

    assert none is None
    assert await store.life.last(app.database.committed) == SIGN
    assert await rows(app.database, "SELECT count(*) FROM life") == [1]


async def test_a_ping_that_came_later_is_a_sign_too(app: App) -> None:
    check = await put_check(app.database)
    await leave(app, SIGN)
    later = make_ping(n=1, created=NOW + timedelta(seconds=20))
    await put_pings(app.database, (check.id, later), filed=False)

    sign = await store.life.last(app.database.committed)

    assert sign is not None
    assert sign.moment == NOW + timedelta(seconds=20)
    assert (sign.boot, sign.ran) == (1254.5, 3620.0)


async def test_a_ping_that_came_before_moves_no_sign_back(app: App) -> None:
    check = await put_check(app.database)
    await leave(app, SIGN)
    earlier = make_ping(n=1, created=NOW - HOUR)
    await put_pings(app.database, (check.id, earlier), filed=False)

    assert await store.life.last(app.database.committed) == SIGN


async def test_absences_of_late_are_told_newest_first(app: App) -> None:
    lengths = [(3, 2), (2, 1), (30, 29)]
    stored = [
        Absence(NOW - went * HOUR, NOW - back * HOUR, "stopped")
        for went, back in lengths
    ]
    async with app.database.transaction(changes_checks=False) as conn:
        for absence in (stored[2], stored[0], stored[1]):
            await store.life.add_absence(conn, absence)

    lately = await store.life.absences(app.database.committed, NOW - DAY)

    assert lately == [stored[1], stored[0]]


async def test_starts_that_fail_fill_no_disk_with_absences(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hcl.store.life.MOST_KEPT", 3)
    stored = [Absence(NOW - n * HOUR, NOW, "stopped") for n in (3, 9, 5, 4, 3, 2, 1)]

    async with app.database.transaction(changes_checks=False) as conn:
        for absence in stored:
            await store.life.add_absence(conn, absence)

    conn = app.database.committed
    kept = await store.life.absences(conn, NOW - DAY)
    # All is judged from the first moment on that nothing was heard.
    assert await store.life.unjudged(conn) == stored[1]
    assert kept == [*reversed(stored[-3:]), stored[1]]


async def test_marks_tell_the_last_ids_of_days(app: App) -> None:
    check = await put_check(app.database, 1)
    async with app.database.transaction(changes_checks=False) as conn:
        await store.life.mark(conn, 3)
    await put_flip(app.database, check)
    async with app.database.transaction(changes_checks=False) as conn:
        # Once for each day.
        await store.life.mark(conn, 3)
        await store.life.mark(conn, 5)

    conn = app.database.committed
    assert await store.life.marked(conn, 2) == Marked(0, 0)
    assert await store.life.marked(conn, 3) == Marked(0, 0)
    assert await store.life.marked(conn, 4) == Marked(0, 0)
    assert await store.life.marked(conn, 5) == Marked(1, 1)
    assert await store.life.marked(conn, 99) == Marked(1, 1)


async def test_old_marks_are_forgotten_but_the_one_that_counts(app: App) -> None:
    async with app.database.transaction(changes_checks=False) as conn:
        for day in (1, 2, 4, 8):
            await store.life.mark(conn, day)

        await store.life.forget(conn, 5)

    assert await rows(app.database, "SELECT day FROM marks ORDER BY day") == [4, 8]
