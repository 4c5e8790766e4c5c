from typing import Any, get_args

import pytest

from hcl.model import Flip, Notification, Status
from hcl.store import notifications
from tests.app import App
from tests.build import HOUR, MICROSECOND, NOW
from tests.store import change, note, plan_of, put_check, put_flip, rows

STATUSES = get_args(Status)
LATER = NOW + HOUR


async def due(app: App, channel_id: int = 1, limit: int = 100) -> list[Notification]:
    return await notifications.due(app.database.reader, channel_id, NOW, limit)


async def due_ids(app: App, channel_id: int = 1, limit: int = 100) -> list[int]:
    return [notification.id for notification in await due(app, channel_id, limit)]


@pytest.mark.parametrize("new_status", STATUSES)
@pytest.mark.parametrize("old_status", STATUSES)
async def test_flips_are_written_down_that_notify(
    app: App, old_status: Any, new_status: Any
) -> None:
    check = await put_check(app.database, 1)

    await put_flip(app.database, check, NOW, old_status, new_status)

    notifies = Flip(NOW, old_status, new_status, "").notifies
    assert len(await due(app)) == notifies


async def test_each_channel_of_the_check_gets_one(app: App) -> None:
    await put_check(app.database, 1, 2)
    check = await put_check(app.database, 1, 2)
    created = NOW - MICROSECOND

    flip_id = await put_flip(app.database, check, created)

    assert await due(app, 1) == [Notification(1, 1, check.id, flip_id, created, 0)]
    assert await due(app, 2) == [Notification(2, 2, check.id, flip_id, created, 0)]


async def test_flips_before_the_given_one_are_not_written_down_again(app: App) -> None:
    check = await put_check(app.database, 1)
    first = await put_flip(app.database, check)
    await put_flip(app.database, check, NOW, "down", "up")

    async with app.database.transaction() as conn:
        written = await notifications.add_for_flips(conn, first, NOW)

    assert written == 1
    found = await rows(app.database, "SELECT flip_id FROM notifications ORDER BY id")
    assert found == [1, 2, 2]


async def test_channels_that_do_not_want_to_hear_get_none(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await change(app.database, "UPDATE channels SET on_down = 0 WHERE id = 1")

    await put_flip(app.database, check)
    assert (await due_ids(app, 1), await due_ids(app, 2)) == ([], [1])

    # Hook B has no request for up.
    await put_flip(app.database, check, NOW, "down", "up")
    assert (await due_ids(app, 1), await due_ids(app, 2)) == ([2], [1])


async def test_channels_that_left_the_file_get_none(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 1")

    await put_flip(app.database, check)

    assert await rows(app.database, "SELECT channel_id FROM notifications") == [2]


async def test_due_messages_come_in_order_one_a_check(app: App) -> None:
    one, two, three = [await put_check(app.database, 1, 2) for _ in range(3)]
    for check in (two, one, two, three, one):
        await put_flip(app.database, check)

    found = await due(app, 2)

    assert [notification.check_id for notification in found] == [two.id, one.id, 3]
    assert [notification.flip_id for notification in found] == [1, 2, 4]
    assert await due(app, 2, limit=2) == found[:2]


async def test_later_message_of_a_check_does_not_overtake_one_that_failed(
    app: App,
) -> None:
    check, other = [await put_check(app.database, 1) for _ in range(2)]
    await put_flip(app.database, check)
    await put_flip(app.database, check, NOW, "down", "up")
    await put_flip(app.database, other)
    [failed, _] = await due(app)

    await note(app.database, failed, next_try=NOW + MICROSECOND)

    assert await due_ids(app) == [3]


async def test_later_message_of_a_check_is_due_once_the_one_before_is_finished(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    for _ in range(3):
        await put_flip(app.database, check)

    await note(app.database, (await due(app))[0], sent=NOW)
    assert await due_ids(app) == [2]

    await note(app.database, (await due(app))[0], answer="given up")
    assert await due_ids(app) == [3]


async def test_message_is_due_at_its_moment_and_not_a_microsecond_before(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, LATER)
    reader = app.database.reader

    assert await notifications.due(reader, 1, LATER - MICROSECOND, 9) == []
    assert len(await notifications.due(reader, 1, LATER, 9)) == 1


async def test_next_tries_are_told_by_channel(app: App) -> None:
    one, two = [await put_check(app.database, 1, 2) for _ in range(2)]
    reader = app.database.reader
    assert await notifications.next_tries(reader) == {}

    await put_flip(app.database, one, LATER)
    await put_flip(app.database, two, LATER + HOUR)
    assert await notifications.next_tries(reader) == {1: LATER, 2: LATER}

    # The second message of a check that waits is not what its channel has to do next.
    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), next_try=NOW + 9 * HOUR)
    assert await notifications.next_tries(reader) == {1: LATER + HOUR, 2: LATER}


async def test_newer_flip_has_what_waits_of_its_check_tried_at_once(app: App) -> None:
    check, other = [await put_check(app.database, 1) for _ in range(2)]
    for each in (check, other):
        await put_flip(app.database, each, NOW)
    for n in (1, 2):
        waits = Notification(n, 1, n, n, NOW, 0)
        await note(app.database, waits, next_try=NOW + 9 * HOUR)

    await put_flip(app.database, check, LATER)

    reader = app.database.reader
    assert [n.id for n in await notifications.due(reader, 1, LATER, 9)] == [1]
    assert await notifications.next_after(reader, LATER) == NOW + 9 * HOUR


async def test_tick_off_finishes_and_keeps_the_answer(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    [notification] = await due(app)
    sent = NOW + MICROSECOND

    await note(app.database, notification, answer="HTTP 200 €", sent=sent)

    assert await rows(
        app.database, "SELECT attempts, next_try, sent, answer FROM notifications"
    ) == [(0, None, sent.timestamp(), "HTTP 200 €")]


async def test_failures_are_counted(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    [notification] = await due(app)

    for _ in range(3):
        await note(app.database, notification, answer="no", next_try=LATER)

    [found] = await notifications.due(app.database.reader, 1, LATER, 9)
    assert found.attempts == 3
    assert await rows(
        app.database, "SELECT next_try, sent, answer FROM notifications"
    ) == [(LATER.timestamp(), None, "no")]


async def test_messages_for_channels_that_left_the_file_are_given_up(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)
    await put_flip(app.database, check)
    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), sent=NOW, answer="yes")
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 1")

    async with app.database.transaction() as conn:
        given_up = await notifications.give_up_disabled(conn)

    assert given_up == 1
    assert await rows(
        app.database,
        "SELECT channel_id, next_try, answer FROM notifications ORDER BY id",
    ) == [
        (1, None, "yes"),
        (2, NOW.timestamp(), ""),
        (1, None, "the channel was taken out"),
        (2, NOW.timestamp(), ""),
    ]


async def test_waiting_flips_are_counted_once_each(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)
    await put_flip(app.database, check)
    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), sent=NOW)

    assert await notifications.count_waiting(app.database.reader) == 2

    await note(app.database, Notification(2, 2, 1, 1, NOW, 0), sent=NOW)
    assert await notifications.count_waiting(app.database.reader) == 1


async def test_highest_id_never_falls(app: App) -> None:
    reader = app.database.reader
    assert await notifications.highest_id(reader) is None
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)

    await change(app.database, "DELETE FROM checks")

    assert await notifications.highest_id(reader) == 2
    again = await put_check(app.database, 1)
    await put_flip(app.database, again)
    assert await due_ids(app) == [3]


async def test_only_old_finished_ones_are_dropped_the_oldest_first(app: App) -> None:
    for hours in (3, 2, 4, 1, 0):
        check = await put_check(app.database, 1)
        await put_flip(app.database, check, NOW - hours * HOUR)
    for notification in (await due(app))[1:]:
        await note(app.database, notification, sent=NOW)

    async with app.database.transaction() as conn:
        dropped = [await notifications.drop(conn, NOW, limit) for limit in (1, 2, 2)]

    assert dropped == [1, 2, 0]
    found = await rows(app.database, "SELECT id FROM notifications ORDER BY id")
    assert found == [1, 5]
    assert await rows(app.database, "SELECT count(*) FROM flips") == [5]


async def test_hot_statements_use_indexes(app: App) -> None:
    database = app.database
    for check in [await put_check(database, 1, 2) for _ in range(20)]:
        await put_flip(database, check)
        await put_flip(database, check)

    due_plan = await plan_of(
        database, lambda conn: notifications.due(conn, 1, NOW, 100)
    )
    tries_plan = await plan_of(database, notifications.next_tries)

    assert "USING INDEX notifications_waiting (channel_id=?)" in due_plan
    assert "SCAN notifications" not in due_plan
    assert "FOR GROUP BY" not in due_plan
    assert "USING INDEX notifications_waiting" in tries_plan
