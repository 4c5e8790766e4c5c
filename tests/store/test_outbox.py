from datetime import datetime
from typing import Any

import pytest

from hcl import store
from hcl.model import Flip, Hold, Notification
from hcl.store.outbox import Outcome
from hcl.store.waiting import Waiting
from tests.app import App
from tests.build import DAY, HOUR, MICROSECOND, NOW
from tests.store import change, note, plan_of, put_check, put_flip, rows

LATER = NOW + HOUR

# For so many seconds hcl has run when what is refused may be given up.
REFUSED = 3700.0


async def due(
    app: App, channel_id: int = 1, now: datetime = NOW, limit: int = 100
) -> list[Waiting]:
    return await store.waiting.due(app.database.committed, channel_id, now, limit)


async def due_ids(app: App, channel_id: int = 1, now: datetime = NOW) -> list[int]:
    return [row.notification.id for row in await due(app, channel_id, now)]


async def due_one(app: App) -> Notification:
    [row] = await due(app)
    return row.notification


async def put_two_flips(app: App) -> None:
    """Let two checks go down: notifications 1 and 2 of the first channel."""
    for check in [await put_check(app.database, 1) for _ in range(2)]:
        await put_flip(app.database, check)


async def hold(app: App, id_: int, until: datetime, why: Hold) -> None:
    async with app.database.transaction() as conn:
        await store.outbox.hold(
            conn, [(Notification(id_, 1, 1, 1, NOW, 0), until, why)], NOW
        )


async def next_tries(app: App) -> list[datetime | None]:
    found = await rows(app.database, "SELECT next_try FROM notifications ORDER BY id")
    return [x and datetime.fromtimestamp(x, NOW.tzinfo) for x in found]


# What is due


async def test_due_message_comes_with_all_that_decides_on_it(app: App) -> None:
    check = await put_check(app.database, 1, 2, n_pings=7, tags="prod  db")
    created = NOW - MICROSECOND
    await change(app.database, "UPDATE life SET ran = 7.5")
    flip_id = await put_flip(app.database, check, created)

    [found] = await due(app, 2)

    assert found == Waiting(
        notification=Notification(2, 2, check.id, flip_id, created, 0, ran=7.5),
        next_try=created,
        flip=Flip(created, "up", "down", ""),
        n_pings=7,
        status="new",
        tags=("prod", "db"),
        channels=frozenset(),
    )


async def test_due_message_comes_with_the_status_and_the_tags_of_now(app: App) -> None:
    check = await put_check(app.database, 1, status="up", tags="a")
    await put_flip(app.database, check)

    async with app.database.transaction() as conn:
        await store.checks.save(conn, check._replace(status="paused", tags="b c"))

    [found] = await due(app)
    assert (found.status, found.tags) == ("paused", ("b", "c"))


async def test_reminder_comes_with_the_channels_of_its_check(app: App) -> None:
    both, none = [await put_check(app.database, 1, 2), await put_check(app.database)]
    for check in (both, none):
        flip_id = await put_flip(app.database, check)
        first = Notification(0, 1, check.id, flip_id, NOW, 0)
        async with app.database.transaction() as conn:
            await store.notifications.add_reminders(conn, [(first, NOW)], NOW)

    found = [row for row in await due(app) if row.notification.reminder]

    assert [row.channels for row in found] == [frozenset({1, 2}), frozenset()]
    assert [row.notification.hold for row in found] == ["remind", "remind"]


async def test_due_messages_come_in_order_with_all_that_waits_of_their_checks(
    app: App,
) -> None:
    one, two, three = [await put_check(app.database, 1, 2) for _ in range(3)]
    for check in (two, one, two, three, one):
        await put_flip(app.database, check)

    found = await due(app, 2)

    told = [(row.notification.check_id, row.notification.flip_id) for row in found]
    assert told == [(2, 1), (1, 2), (2, 3), (3, 4), (1, 5)]
    of_two = [r.notification.check_id for r in await due(app, 2, limit=2)]
    assert of_two == [2, 1, 2, 1]


async def test_message_is_due_at_its_moment_and_not_a_microsecond_before(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, LATER)

    assert await due(app, now=LATER - MICROSECOND) == []
    assert len(await due(app, now=LATER)) == 1


async def test_what_waits_for_later_comes_along_only_with_what_is_due(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, NOW)
    await put_flip(app.database, check, NOW)
    await hold(app, 1, LATER, "quiet")

    assert [(r.notification.id, r.next_try) for r in await due(app)] == [
        (1, LATER),
        (2, NOW),
    ]
    await hold(app, 2, LATER, "quiet")
    assert await due(app) == []


async def test_checks_that_are_due_are_counted_by_their_oldest_due_message(
    app: App,
) -> None:
    first, second = [await put_check(app.database, 1) for _ in range(2)]
    for check in (first, second, first):
        await put_flip(app.database, check)
    await hold(app, 1, LATER, "quiet")

    found = await due(app, limit=1)

    assert [row.notification.id for row in found] == [2]


async def test_messages_of_other_channels_do_not_come_along(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    await put_flip(app.database, check)
    await put_flip(app.database, check)

    assert await due_ids(app, 1) == [1, 3]
    assert await due_ids(app, 2) == [2, 4]


# When to look again


async def test_next_tries_are_told_by_channel(app: App) -> None:
    one, two = [await put_check(app.database, 1, 2) for _ in range(2)]
    reader = app.database.committed
    assert await store.outbox.next_tries(reader) == {}

    await put_flip(app.database, one, LATER)
    await put_flip(app.database, two, LATER + HOUR)
    assert await store.outbox.next_tries(reader) == {1: LATER, 2: LATER}

    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), next_try=NOW + 9 * HOUR)
    assert await store.outbox.next_tries(reader) == {1: LATER + HOUR, 2: LATER}


async def test_next_moment_is_the_first_that_is_not_over(app: App) -> None:
    reader = app.database.committed
    assert await store.outbox.next_after(reader, NOW) is None
    for hours in (0, 2, 1):
        check = await put_check(app.database, 1, 2)
        await put_flip(app.database, check, NOW + hours * HOUR)

    assert await store.outbox.next_after(reader, NOW - MICROSECOND) == NOW
    assert await store.outbox.next_after(reader, NOW) == NOW + HOUR
    assert await store.outbox.next_after(reader, NOW + HOUR) == NOW + 2 * HOUR
    assert await store.outbox.next_after(reader, NOW + 2 * HOUR) is None


async def test_window_ends_with_the_first_that_gathers(app: App) -> None:
    await put_two_flips(app)
    reader = app.database.committed
    assert await store.outbox.window_ends(reader, 1, NOW) is None

    await hold(app, 1, LATER + HOUR, "fold")
    await hold(app, 2, LATER, "fold")
    assert await store.outbox.window_ends(reader, 1, NOW) == LATER
    assert await store.outbox.window_ends(reader, 2, NOW) is None
    assert await store.outbox.window_ends(reader, 1, LATER) == LATER + HOUR

    # Neither what failed nor what is held for another reason is a window.
    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), next_try=LATER)
    await hold(app, 2, LATER, "quiet")
    assert await store.outbox.window_ends(reader, 1, NOW) is None


HELD: list[tuple[Hold, int]] = [
    ("", 0),
    ("", 1),
    ("delay", 0),
    ("remind", 0),
    ("remind", 1),
    ("quiet", 0),
    ("quiet", 1),
    ("fold", 0),
    ("fold", 1),
]


async def put_held(app: App, *channel_ids: int) -> None:
    """Put a message of each sort until later; their ids count as HELD does."""
    for why, attempts in HELD:
        check = await put_check(app.database, *channel_ids)
        await put_flip(app.database, check)
        await change(
            app.database,
            "UPDATE notifications SET hold = ?, attempts = ?, next_try = ?"
            " WHERE check_id = ?",
            why,
            attempts,
            LATER.timestamp(),
            check.id,
        )


async def test_retry_is_for_what_waits_after_a_failure(app: App) -> None:
    await put_held(app, 1)

    async with app.database.transaction() as conn:
        await store.outbox.retry(conn, NOW)

    due_now = [HELD[id_ - 1] for id_ in await due_ids(app)]
    assert due_now == [held for held in HELD if held[1] or not held[0]]


async def test_retry_of_a_channel_leaves_others_alone(app: App) -> None:
    await put_held(app, 1, 2)

    async with app.database.transaction() as conn:
        await store.outbox.retry(conn, NOW, 2)

    assert await due_ids(app, 1) == []
    assert len(await due_ids(app, 2)) == 5


async def test_retry_puts_nothing_off(app: App) -> None:
    await put_two_flips(app)

    async with app.database.transaction() as conn:
        await store.outbox.retry(conn, LATER)

    assert await next_tries(app) == [NOW, NOW]


async def test_what_was_put_off_is_looked_at_again(app: App) -> None:
    await put_held(app, 1)

    async with app.database.transaction() as conn:
        await store.outbox.look_again(conn, NOW)

    due_now = [HELD[id_ - 1] for id_ in await due_ids(app)]
    assert due_now == [("delay", 0), ("quiet", 0)]


async def test_what_failed_by_a_clock_that_was_ahead_is_tried_now(app: App) -> None:
    await put_held(app, 1)

    async with app.database.transaction() as conn:
        await store.outbox.look_again(conn, LATER - 365 * DAY)

    due_now = [HELD[id_ - 1] for id_ in await due_ids(app)]
    # A reminder of before is made anew by its channel's settings.
    assert due_now == [held for held in HELD if held != ("remind", 0)]


# What becomes of them


async def test_message_is_held_until_its_moment(app: App) -> None:
    await put_two_flips(app)

    await hold(app, 1, LATER, "fold")

    assert await due_ids(app) == [2]
    found = await rows(app.database, "SELECT hold, attempts, answer FROM notifications")
    assert found == [("fold", 0, ""), ("", 0, "")]


async def test_finished_message_is_not_held(app: App) -> None:
    await put_two_flips(app)
    await note(app.database, Notification(1, 1, 1, 1, NOW, 0), sent=NOW)

    await hold(app, 1, LATER, "fold")

    assert await next_tries(app) == [None, NOW]


async def test_message_that_is_dropped_keeps_the_reason(app: App) -> None:
    await put_two_flips(app)
    dropped = (await due(app))[0].notification

    async with app.database.transaction() as conn:
        await store.outbox.finish(conn, [(dropped, "not sent: why")])

    assert await due_ids(app) == [2]
    assert await rows(
        app.database, "SELECT next_try, sent, answer FROM notifications LIMIT 1"
    ) == [(None, None, "not sent: why")]


async def test_tick_off_finishes_and_keeps_the_answer(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    sent = NOW + MICROSECOND

    await note(app.database, await due_one(app), answer="HTTP 200 €", sent=sent)

    assert await rows(
        app.database, "SELECT attempts, next_try, sent, answer FROM notifications"
    ) == [(0, None, sent.timestamp(), "HTTP 200 €")]


async def test_failures_are_counted(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    notification = await due_one(app)

    for _ in range(3):
        await note(app.database, notification, answer="no", next_try=LATER)

    [found] = await due(app, now=LATER)
    assert found.notification.attempts == 3
    assert await rows(
        app.database, "SELECT next_try, sent, answer FROM notifications"
    ) == [(LATER.timestamp(), None, "no")]


async def test_each_try_is_kept(app: App) -> None:
    await put_two_flips(app)
    told = tuple(row.notification for row in await due(app))
    begins = [NOW, NOW + HOUR]

    failed = Outcome(told, "no", begins[0], 1.5, next_try=LATER)
    taken = Outcome(told, "yes", begins[1], 0.25, sent=LATER)
    for outcome in (failed, taken):
        async with app.database.transaction() as conn:
            await store.outbox.note(conn, [outcome])

    assert await rows(
        app.database,
        "SELECT notification_id, created, seconds, sent, answer FROM tries ORDER BY id",
    ) == [
        (1, NOW.timestamp(), 1.5, 0, "no"),
        (2, NOW.timestamp(), 1.5, 0, "no"),
        (1, LATER.timestamp(), 0.25, 1, "yes"),
        (2, LATER.timestamp(), 0.25, 1, "yes"),
    ]


async def test_try_of_a_check_that_was_deleted_leaves_nothing(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    notification = await due_one(app)
    async with app.database.transaction() as conn:
        await store.checks.delete(conn, check.id)

    await note(app.database, notification, sent=NOW)

    for table in ("notifications", "tries"):
        assert await rows(app.database, f"SELECT * FROM {table}") == []


async def test_tries_go_with_their_check(app: App) -> None:
    await put_two_flips(app)
    for row in await due(app):
        await note(app.database, row.notification, sent=NOW)

    async with app.database.transaction() as conn:
        await store.checks.delete(conn, 1)

    found = await rows(app.database, "SELECT notification_id FROM tries")
    assert found == [2]


async def test_failure_puts_off_all_that_waits_of_its_check(app: App) -> None:
    check, other = [await put_check(app.database, 1, 2) for _ in range(2)]
    for each in (check, check, other, check):
        await put_flip(app.database, each)
    await hold(app, 7, NOW + 9 * HOUR, "delay")

    await note(app.database, (await due(app))[0].notification, next_try=LATER)

    found = await rows(
        app.database,
        "SELECT next_try FROM notifications WHERE channel_id = 1 ORDER BY id",
    )
    moments = [datetime.fromtimestamp(x, NOW.tzinfo) for x in found]
    assert moments == [LATER, LATER, NOW, NOW + 9 * HOUR]
    assert len(await due(app, 2)) == 4


async def test_messages_that_follow_one_that_is_finished_are_not_put_off(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    for _ in range(3):
        await put_flip(app.database, check)

    await note(app.database, (await due(app))[0].notification, sent=NOW)
    assert await due_ids(app) == [2, 3]

    await note(app.database, (await due(app))[0].notification, answer="given up")
    assert await due_ids(app) == [3]


async def test_message_given_up_meanwhile_stays_so(app: App) -> None:
    check = await put_check(app.database, 1)
    for _ in range(2):
        await put_flip(app.database, check)
    first = (await due(app))[0].notification
    await change(app.database, "UPDATE notifications SET next_try = NULL WHERE id = 1")

    await note(app.database, first, next_try=LATER)

    # And what comes after it need not wait with it.
    assert await next_tries(app) == [None, NOW]


@pytest.mark.parametrize(
    ("refused", "newer", "expected"),
    [
        (False, True, [LATER, LATER]),
        (True, True, [None, NOW]),
        (True, False, [LATER, None]),
    ],
)
async def test_refused_message_is_given_up_for_a_newer_one(
    app: App, refused: bool, newer: bool, expected: list[Any]
) -> None:
    check = await put_check(app.database, 1)
    for _ in range(2):
        await put_flip(app.database, check)
    first = (await due(app))[0].notification
    if not newer:
        await note(app.database, Notification(2, 1, 1, 2, NOW, 0), sent=NOW)

    await note(app.database, first, next_try=LATER, refused=refused, ran=REFUSED)

    assert await next_tries(app) == expected


async def test_refused_summary_gives_way_check_by_check(app: App) -> None:
    one, two = [await put_check(app.database, 1) for _ in range(2)]
    for check in (one, one, two):
        await put_flip(app.database, check)
    told = tuple(row.notification for row in await due(app))
    await put_flip(app.database, two)

    async with app.database.transaction() as conn:
        await store.outbox.note(
            conn,
            [Outcome(told, "no", NOW, next_try=LATER, refused=True, ran=REFUSED)],
        )

    assert await next_tries(app) == [LATER, LATER, None, NOW]


async def test_reminders_follow_what_was_sent(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    first = await due_one(app)

    await note(app.database, first, sent=NOW, reminders=((first, LATER),))

    assert await rows(
        app.database,
        "SELECT flip_id, channel_id, reminder, hold, next_try, attempts"
        " FROM notifications WHERE id = 2",
    ) == [(1, 1, 1, "remind", LATER.timestamp(), 0)]


async def test_reminders_do_not_follow_what_is_over(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    first = await due_one(app)
    await put_flip(app.database, check, NOW, "down", "paused")

    await note(app.database, first, sent=NOW, reminders=((first, LATER),))

    assert await next_tries(app) == [None]


# Speed


async def test_hot_statements_use_indexes(app: App) -> None:
    database = app.database
    for check in [await put_check(database, 1, 2) for _ in range(20)]:
        await put_flip(database, check)
        await put_flip(database, check)

    due_plan = await plan_of(
        database, lambda conn: store.waiting.due(conn, 1, NOW, 100)
    )
    tries_plan = await plan_of(database, store.outbox.next_tries)
    after_plan = await plan_of(
        database, lambda conn: store.outbox.next_after(conn, NOW)
    )
    window_plan = await plan_of(
        database, lambda conn: store.outbox.window_ends(conn, 1, NOW)
    )

    index = "USING INDEX notifications_next (channel_id=? AND next_try"
    assert index in due_plan
    assert "USING INDEX notifications_waiting (channel_id=? AND check_id=?)" in due_plan
    for plan in (due_plan, tries_plan, after_plan, window_plan):
        assert "SCAN notifications" not in plan
        assert "SCAN n " not in plan
    for plan in (tries_plan, after_plan):
        assert "INDEX notifications_next" in plan


async def test_few_due_messages_are_found_among_many_held(app: App) -> None:
    """Nothing that is only held is read to find what is due."""
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    await change(
        app.database,
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3000)"
        " INSERT INTO notifications (flip_id, check_id, channel_id, created, next_try,"
        " hold) SELECT 1, 1, 1, 0, ?, 'quiet' FROM n",
        LATER.timestamp(),
    )
    await change(
        app.database, "UPDATE notifications SET next_try = ?", LATER.timestamp()
    )
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    await app.database.committed.set_progress_handler(count, 10)
    assert await due(app) == []
    assert await store.outbox.next_after(app.database.committed, NOW) == LATER
    await app.database.committed.set_progress_handler(lambda: None, 1_000_000)

    assert steps < 100
