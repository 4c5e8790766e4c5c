from datetime import timedelta

from hcl import store
from hcl.store.outbox import Outcome
from tests.app import App
from tests.build import HOUR, MICROSECOND, NOW
from tests.store import change, put_check, put_flip, rows
from tests.store.test_channels import save


async def try_all(app: App, answer: str, **what: object) -> None:
    """Note a try of everything that waits for the first channel."""
    async with app.database.transaction() as conn:
        waiting = await store.waiting.due(conn, 1, NOW + 9 * HOUR, 99)
        outcomes = [
            Outcome((w.notification,), answer, NOW, 1.5, **what)  # type: ignore[arg-type]
            for w in waiting
        ]
        await store.outbox.note(conn, outcomes)


async def test_every_try_is_recorded_with_its_notification(app: App) -> None:
    check = await put_check(app.database, 1, name="Backup", slug="backup")
    await put_flip(app.database, check)

    await try_all(app, "no answer", next_try=NOW + HOUR)
    await try_all(app, "HTTP 200", sent=NOW + HOUR)

    [record] = await store.tries.recent(app.database.committed)
    assert (record.project, record.check) == ("Home", "Backup")
    assert (record.channel, record.kind) == ("Hook A", "webhook")
    assert (record.status, record.reminder, record.created) == ("down", 0, NOW)
    assert (record.sent, record.next_try) == (NOW + HOUR, None)
    assert record.answer == "HTTP 200"
    second_and_half = timedelta(seconds=1.5)
    assert record.tries == (
        store.tries.Try(NOW, second_and_half, False, "no answer"),
        store.tries.Try(NOW, second_and_half, True, "HTTP 200"),
    )


async def test_newest_come_first_and_no_more_than_asked_for(app: App) -> None:
    check = await put_check(app.database, 1)
    for _ in range(5):
        await put_flip(app.database, check)

    found = await store.tries.recent(app.database.committed, limit=3)

    assert [record.id for record in found] == [5, 4, 3]


async def test_records_are_found_by_check_and_channel(app: App) -> None:
    one = await put_check(app.database, 1, name="One", slug="first")
    two = await put_check(app.database, 1, 2, name="")
    for check in (one, two):
        await put_flip(app.database, check)
    reader = app.database.committed

    for wanted in ("One", "first", one.code):
        [record] = await store.tries.recent(reader, check=wanted)
        assert record.check == "One"
    both = await store.tries.recent(reader, check=two.code)
    assert [(r.check, r.channel) for r in both] == [
        (two.code, "Hook B"),
        (two.code, "Hook A"),
    ]
    assert len(await store.tries.recent(reader, channel="Hook A")) == 2
    assert await store.tries.recent(reader, check="Two") == []
    assert await store.tries.recent(reader, check="One", channel="Hook B") == []


async def test_waiting_and_failed_ones_are_told_apart(app: App) -> None:
    sent, failing, fresh = [await put_check(app.database, 1) for _ in range(3)]
    await put_flip(app.database, sent)
    await try_all(app, "no", next_try=NOW)
    await try_all(app, "HTTP 200", sent=NOW)
    await put_flip(app.database, failing)
    await try_all(app, "no", next_try=NOW)
    await put_flip(app.database, fresh)
    reader = app.database.committed

    waiting = await store.tries.recent(reader, wanted="waiting")
    failed = await store.tries.recent(reader, wanted="failed")

    assert [record.check for record in waiting] == [fresh.code, failing.code]
    assert [record.check for record in failed] == [failing.code, sent.code]


async def test_tries_go_with_their_notification(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, NOW - MICROSECOND)
    await try_all(app, "HTTP 200", sent=NOW)

    async with app.database.transaction() as conn:
        await store.notifications.drop(conn, 1, 9)

    assert await rows(app.database, "SELECT count(*) FROM tries") == [0]


async def test_try_of_a_deleted_notification_is_left_out(app: App) -> None:
    await change(app.database, "DELETE FROM notifications")

    async with app.database.transaction() as conn:
        await store.tries.add(conn, [(99, NOW, 0.1, True, "HTTP 200")])

    assert await rows(app.database, "SELECT count(*) FROM tries") == [0]


async def test_records_are_found_by_project_and_by_channel_row(app: App) -> None:
    ours = await put_check(app.database, 1, 2, name="Ours")
    bell = await save(app, 2, "Bell")
    theirs = await put_check(app.database, bell.id, name="Theirs", project_id=2)
    for check in (ours, theirs):
        await put_flip(app.database, check)
    reader = app.database.committed

    [record] = await store.tries.recent(reader, project_id=2)
    assert (record.check, record.code) == ("Theirs", theirs.code)
    assert record.unique_key == theirs.unique_key
    [record] = await store.tries.recent(reader, project_id=1, channel_id=2)
    assert (record.check, record.channel) == ("Ours", "Hook B")
