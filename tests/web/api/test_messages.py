"""Messages of a check over the API: who was told, and how that went."""

from datetime import timedelta
from typing import Any

from hcl import store
from tests.app import READ_KEY, App
from tests.build import HOUR, NOW
from tests.store import note, put_check, put_flip, rows
from tests.web.api.calls import create

MINUTE = timedelta(minutes=1)


async def messages(app: App, code: str) -> list[dict[str, Any]]:
    answer = await app.api("GET", f"checks/{code}/messages/")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["messages"])


async def test_check_that_nobody_was_told_of_has_none(app: App) -> None:
    assert await messages(app, (await create(app))["uuid"]) == []


async def test_messages_come_newest_first_with_what_became_of_them(app: App) -> None:
    check = await put_check(app.database, 1, 2)
    other = await put_check(app.database, 1)
    await put_flip(app.database, check, NOW)
    await put_flip(app.database, other, NOW)
    await put_flip(app.database, check, NOW + HOUR, "down", "up")
    conn = app.database.committed
    due_a = await store.waiting.due(conn, 1, NOW + HOUR, 9)
    down_a = due_a[0].notification
    [row] = await store.waiting.due(conn, 2, NOW + HOUR, 9)
    down_b = row.notification
    await note(app.database, down_a, answer="HTTP 500", next_try=NOW + MINUTE)
    await note(app.database, down_a, answer="HTTP 200", sent=NOW + MINUTE)
    await note(app.database, down_b, answer="HTTP 404", next_try=NOW + 2 * HOUR)

    assert await messages(app, check.code) == [
        {
            "date": "2026-06-15T13:00:00+00:00",
            "channel": "Hook A",
            "event": "up",
            "status": "waits",
            "tries": 0,
            "answer": "next to be sent",
            # It has waited with the one before it.
            "next_try": "2026-06-15T12:01:00+00:00",
        },
        {
            "date": "2026-06-15T12:00:00+00:00",
            "channel": "Hook B",
            "event": "down",
            "status": "failed",
            "tries": 1,
            "answer": "HTTP 404",
            "next_try": "2026-06-15T14:00:00+00:00",
        },
        {
            "date": "2026-06-15T12:00:00+00:00",
            "channel": "Hook A",
            "event": "down",
            "status": "sent",
            "tries": 2,
            "answer": "HTTP 200",
        },
    ]


async def test_what_waits_behind_a_failing_integration_says_so(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, NOW)
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "HTTP 500", NOW)

    [message] = await messages(app, check.code)

    assert (message["status"], message["answer"]) == (
        "waits",
        "this integration is failing",
    )
    # It is tried once another has come through.
    assert "next_try" not in message


async def test_reminders_and_what_was_dropped_are_named(app: App) -> None:
    check = await put_check(app.database, 1, status="down")
    await put_flip(app.database, check)
    [row] = await store.waiting.due(app.database.committed, 1, NOW, 9)
    await note(app.database, row.notification, answer="HTTP 200", sent=NOW)
    async with app.database.transaction() as conn:
        reminder = [(row.notification, NOW + HOUR)]
        await store.notifications.add_reminders(conn, reminder, NOW)

    first, _ = await messages(app, check.code)
    assert (first["event"], first["status"]) == ("reminder", "waits")
    assert first["answer"] == "a reminder, if it is still down then"

    [later] = await store.waiting.due(app.database.committed, 1, NOW + HOUR, 9)
    async with app.database.transaction() as conn:
        await store.outbox.finish(conn, [(later.notification, "not sent: over")])
    first, _ = await messages(app, check.code)
    assert (first["status"], first["answer"]) == ("not sent", "not sent: over")
    assert "next_try" not in first


async def test_readers_are_not_told_whom_hcl_tells(app: App) -> None:
    code = (await create(app))["uuid"]

    answer = await app.api("GET", f"checks/{code}/messages/", key=READ_KEY)

    assert answer.status_code == 401


async def test_messages_of_one_check_are_found_by_its_index(app: App) -> None:
    plan = await rows(
        app.database,
        "EXPLAIN QUERY PLAN SELECT n.id FROM notifications n"
        " WHERE n.check_id = 1 ORDER BY n.id DESC LIMIT 9",
    )

    assert "notifications_check" in plan[0][3]
