from datetime import datetime
from typing import Any, get_args

import pytest

from hcl import store
from hcl.model import Flip, Notification, Status
from tests.app import App
from tests.build import HOUR, MICROSECOND, NOW, make_check
from tests.store import change, note, plan_of, put_check, put_flip, rows

STATUSES = get_args(Status)
LATER = NOW + HOUR


async def due(app: App, channel_id: int = 1, limit: int = 100) -> list[Notification]:
    found = await store.waiting.due(app.database.committed, channel_id, NOW, limit)
    return [row.notification for row in found]


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
    await change(app.database, "DELETE FROM life")

    flip_id = await put_flip(app.database, check, created)

    assert await due(app, 1) == [Notification(1, 1, check.id, flip_id, created, 0)]
    assert await due(app, 2) == [Notification(2, 2, check.id, flip_id, created, 0)]


async def test_flips_before_the_given_one_are_not_written_down_again(app: App) -> None:
    check = await put_check(app.database, 1)
    first = await put_flip(app.database, check)
    await put_flip(app.database, check, NOW, "down", "up")

    async with app.database.transaction() as conn:
        written = await store.notifications.add_for_flips(conn, first, NOW)

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


async def test_newer_flip_has_what_waits_of_its_check_tried_at_once(app: App) -> None:
    check, other = [await put_check(app.database, 1) for _ in range(2)]
    for each in (check, other):
        await put_flip(app.database, each, NOW)
    for n in (1, 2):
        waits = Notification(n, 1, n, n, NOW, 0)
        await note(app.database, waits, next_try=NOW + 9 * HOUR)

    await put_flip(app.database, check, LATER)

    reader = app.database.committed
    found = await store.waiting.due(reader, 1, LATER, 9)
    assert [row.notification.id for row in found] == [1, 3]
    assert await store.outbox.next_after(reader, LATER) == NOW + 9 * HOUR


async def test_messages_for_channels_that_left_the_file_are_given_up(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)
    await put_flip(app.database, check)
    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), sent=NOW, answer="yes")
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 1")

    async with app.database.transaction() as conn:
        given_up = await store.outages.give_up_disabled(conn)

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

    assert await store.notifications.count_waiting(app.database.committed) == 2

    await note(app.database, Notification(2, 2, 1, 1, NOW, 0), sent=NOW)
    assert await store.notifications.count_waiting(app.database.committed) == 1


async def test_highest_id_never_falls(app: App) -> None:
    reader = app.database.committed
    assert await store.notifications.highest_id(reader) is None
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)

    await change(app.database, "DELETE FROM checks")

    assert await store.notifications.highest_id(reader) == 2
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
        dropped = [
            await store.notifications.drop(conn, 4, limit) for limit in (1, 2, 2)
        ]

    assert dropped == [1, 2, 0]
    found = await rows(app.database, "SELECT id FROM notifications ORDER BY id")
    assert found == [1, 5]
    assert await rows(app.database, "SELECT count(*) FROM flips") == [5]


# Reminders


async def remind(app: App, *reminders: tuple[Notification, datetime]) -> None:
    async with app.database.transaction() as conn:
        await store.notifications.add_reminders(conn, reminders, NOW)


async def put_down(app: App, *channel_ids: int, **check: Any) -> list[Notification]:
    """Let a check of its own go down and tell of it; return what was told."""
    stored = await put_check(app.database, *channel_ids, **({"status": "down"} | check))
    flip_id = await put_flip(app.database, stored)
    told = [n for c in channel_ids for n in await due(app, c) if n.flip_id == flip_id]
    for notification in told:
        await note(app.database, notification, sent=NOW)
    return told


REMINDERS = (
    "SELECT flip_id, channel_id, reminder, next_try FROM notifications"
    " WHERE hold = 'remind' ORDER BY id"
)


async def test_reminders_are_numbered(app: App) -> None:
    [told] = await put_down(app, 1)

    await remind(app, (told, NOW))
    [first] = await due(app)
    await note(app.database, first, sent=NOW)
    await remind(app, (first, LATER))

    assert (first.reminder, first.hold) == (1, "remind")
    assert await rows(app.database, REMINDERS) == [
        (1, 1, 1, None),
        (1, 1, 2, LATER.timestamp()),
    ]


async def test_reminder_is_written_down_once(app: App) -> None:
    [told] = await put_down(app, 1)

    for at in (NOW, LATER):
        await remind(app, (told, at))

    assert await rows(app.database, REMINDERS) == [(1, 1, 1, NOW.timestamp())]


async def test_reminder_of_a_flip_that_is_not_the_last_is_not_written_down(
    app: App,
) -> None:
    [over] = await put_down(app, 1)
    [lasts] = await put_down(app, 1)
    check = make_check(id=over.check_id)
    await put_flip(app.database, check, NOW, "down", "new")

    await remind(app, (over, NOW), (lasts, NOW))

    assert await rows(app.database, REMINDERS) == [(2, 1, 1, NOW.timestamp())]


async def test_newer_flip_has_reminders_looked_at_but_not_what_gathers(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    holds = ("remind", "delay", "quiet", "fold")
    for _ in holds:
        await put_flip(app.database, check)
    for id_, why in enumerate(holds, 1):
        sql = "UPDATE notifications SET hold = ?, next_try = ? WHERE id = ?"
        await change(app.database, sql, why, LATER.timestamp(), id_)

    await put_flip(app.database, check, NOW, "down", "up")

    found = await rows(
        app.database,
        "SELECT hold FROM notifications WHERE next_try <= ? ORDER BY id",
        NOW.timestamp(),
    )
    assert found == ["remind", "delay", ""]


async def test_reminders_that_wait_for_their_time_are_deleted(app: App) -> None:
    [told] = await put_down(app, 1)
    [other] = await put_down(app, 1)
    await remind(app, (told, LATER), (other, NOW))
    [tried] = await due(app)
    await note(app.database, tried, next_try=LATER)

    async with app.database.transaction() as conn:
        await store.notifications.drop_reminders(conn)

    # One that failed was due, and is not finished.
    assert await rows(app.database, REMINDERS) == [(2, 1, 1, LATER.timestamp())]


async def test_last_told_of_outages_that_last(app: App) -> None:
    [first] = await put_down(app, 1, tags="prod db")
    one, two = await put_down(app, 1, 2)
    await put_down(app, 1, status="paused")
    await remind(app, (one, NOW))
    reminder = (await due(app))[-1]
    await note(app.database, reminder, sent=LATER)
    await remind(app, (reminder, LATER))
    waits = await put_check(app.database, 1, status="down")
    await put_flip(app.database, waits)

    found = await store.notifications.last_told(app.database.committed)

    told = [(n.id, n.reminder, tags, *moments) for n, tags, *moments in found]
    assert told == [
        (first.id, 0, ("prod", "db"), NOW, None),
        (reminder.id, 1, (), LATER, LATER),
        (two.id, 0, (), NOW, None),
    ]


async def test_last_told_reads_messages_of_checks_that_are_down_alone(
    app: App,
) -> None:
    # Tags that change have it read, in a transaction that pings wait for.
    plan = await plan_of(app.database, store.notifications.last_told)

    assert "SCAN s USING INDEX check_states_down" in plan
    assert "SEARCH n USING INDEX notifications_check (check_id=?)" in plan


async def test_last_told_does_not_count_what_came_from_another_channel(
    app: App,
) -> None:
    check = await put_check(app.database, 1, status="down")
    await put_flip(app.database, check)
    await hand_on(app, 1, 2)
    [handed] = await due(app, 2)
    await note(app.database, handed, sent=NOW)

    assert await store.notifications.last_told(app.database.committed) == []


# What is handed on


async def hand_on(app: App, channel_id: int, fallback: int, notice: str = "No.") -> int:
    async with app.database.transaction() as conn:
        return await store.notifications.hand_on(
            conn, channel_id, fallback, notice, NOW, decided=NOW
        )


async def test_all_that_a_channel_owes_is_handed_on_once(app: App) -> None:
    check = await put_check(app.database, 1)
    failed = await put_flip(app.database, check)
    await note(app.database, (await due(app))[0], next_try=LATER)
    waits = await put_flip(app.database, await put_check(app.database, 1))
    await put_flip(app.database, await put_check(app.database, 2))

    handed = [await hand_on(app, 1, 2) for _ in range(2)]

    assert handed == [2, 0]
    found = [n for n in await due(app, 2) if n.notice]
    assert [(n.flip_id, n.notice, n.attempts) for n in found] == [
        (failed, "No.", 0),
        (waits, "No.", 0),
    ]
    # What comes later is handed on too.
    newer = await put_flip(app.database, await put_check(app.database, 1))
    assert await hand_on(app, 1, 2, "No again.") == 1
    assert (await due(app, 2))[-1].flip_id == newer


async def test_what_is_finished_or_held_on_purpose_is_not_handed_on(app: App) -> None:
    for why in ("delay", "remind", "quiet", "fold", "quiet", "fold"):
        await put_flip(app.database, await put_check(app.database, 1))
        await change(
            app.database,
            "UPDATE notifications SET hold = ?, next_try = ?"
            " WHERE id = (SELECT max(id) FROM notifications)",
            why,
            LATER.timestamp(),
        )
    await put_flip(app.database, await put_check(app.database, 1))
    await change(app.database, "UPDATE notifications SET attempts = 1 WHERE id > 4")
    await note(app.database, (await due(app))[-1], sent=NOW)

    assert await hand_on(app, 1, 2) == 2

    # What gathered goes on gathering.
    assert [(n.hold, n.attempts) for n in await due(app, 2)] == [
        ("quiet", 0),
        ("fold", 0),
    ]


async def test_what_nobody_has_decided_on_is_not_handed_on(app: App) -> None:
    """It may have to wait for a delay, or for the morning."""
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, NOW)
    await put_flip(app.database, check, NOW + HOUR, "down", "up")

    assert await hand_on(app, 1, 2) == 1


async def test_fallback_gets_only_what_it_wants_to_hear(app: App) -> None:
    check = await put_check(app.database, 1)
    down = await put_flip(app.database, check)
    await put_flip(app.database, check, NOW, "down", "up")

    # Hook B has no request for up.
    assert await hand_on(app, 1, 2) == 1
    assert [n.flip_id for n in await due(app, 2)] == [down]


async def test_fallback_that_left_the_file_gets_nothing(app: App) -> None:
    await put_flip(app.database, await put_check(app.database, 1))
    await change(app.database, "UPDATE channels SET enabled = 0 WHERE id = 2")

    assert await hand_on(app, 1, 2) == 0


# Groups


async def expand(app: App, notification: Notification, *channel_ids: int) -> int:
    async with app.database.transaction() as conn:
        return await store.notifications.expand(
            conn, notification, channel_ids, LATER, reminds=True
        )


async def test_group_has_its_channels_tell(app: App) -> None:
    check = await put_check(app.database, 1)
    created = NOW - HOUR
    await change(app.database, "UPDATE life SET ran = 7.5")
    await put_flip(app.database, check, created)
    [told] = await due(app)
    await change(app.database, "UPDATE life SET ran = 3600")

    assert await expand(app, told, 1, 2) == 1

    # The first was to tell of it anyway.
    found = await store.waiting.due(app.database.committed, 2, LATER, 9)
    assert [row.notification for row in found] == [
        Notification(2, 2, check.id, told.flip_id, created, 0, ran=7.5)
    ]
    assert found[0].next_try == LATER
    assert await expand(app, told, 2) == 0


async def test_age_of_a_reminder_counts_from_its_moment(app: App) -> None:
    [told] = await put_down(app, 1)
    await change(app.database, "UPDATE life SET ran = 7.5")

    await remind(app, (told, LATER))

    [(reminder, *_)] = await store.waiting.due(app.database.committed, 1, LATER, 9)
    assert (reminder.created, reminder.ran) == (LATER, 3607.5)


async def test_reminder_and_notice_of_a_group_are_told_too(app: App) -> None:
    [told] = await put_down(app, 1)
    await remind(app, (told, NOW))
    [reminder] = await due(app)
    await change(app.database, "UPDATE notifications SET notice = 'No.' WHERE id = 2")

    assert await expand(app, told, 2) == 1
    assert await expand(app, reminder, 2) == 1

    found = await store.waiting.due(app.database.committed, 2, LATER, 9)
    assert [(r.notification.reminder, r.notification.notice) for r in found] == [
        (0, ""),
        (1, "No."),
    ]
    assert {row.notification.hold for row in found} == {""}


async def test_channels_of_a_group_hear_only_what_they_want(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, NOW, "down", "up")
    [told] = await due(app)

    assert await expand(app, told, 2) == 0

    await change(app.database, "UPDATE channels SET on_up = 1, enabled = 0")
    assert await expand(app, told, 2) == 0


# How many wait


async def test_what_is_held_is_not_owed(app: App) -> None:
    moments = [NOW - 2 * HOUR, NOW - HOUR, NOW]
    for created in moments:
        await put_flip(app.database, await put_check(app.database, 1), created)
    await change(app.database, "UPDATE notifications SET hold = 'quiet' WHERE id = 1")
    reader = app.database.committed

    assert await store.notifications.waiting(reader) == (2, 1, NOW - HOUR)
    assert await store.notifications.count_waiting(reader) == 2

    # But once it has failed it is.
    await change(app.database, "UPDATE notifications SET attempts = 1 WHERE id = 1")
    assert await store.notifications.waiting(reader) == (3, 0, NOW - 2 * HOUR)
    assert await store.notifications.count_waiting(reader) == 3


async def test_nothing_waits_at_first(app: App) -> None:
    reader = app.database.committed

    assert await store.notifications.waiting(reader) == (0, 0, None)
    assert await store.notifications.count_waiting(reader) == 0


async def test_what_waits_is_counted_by_channel(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)
    await put_flip(app.database, check, NOW, "down", "up")
    await change(app.database, "UPDATE notifications SET next_try = NULL WHERE id = 1")

    found = await store.notifications.waiting_by_channel(app.database.committed)

    assert found == {1: 1, 2: 1}
