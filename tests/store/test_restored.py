"""A database that goes on from a copy: what waited in it is given up, and told."""

from hcl import store
from tests.app import App
from tests.build import NOW
from tests.store import put_check, put_flip, rows


async def test_what_waits_in_a_copy_is_given_up_and_counted_until_it_is_told(
    app: App,
) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check)
    before = await store.restored.unsent(app.database.committed)

    async with app.database.transaction() as conn:
        count = await store.outbox.give_up_restored(conn, "the replica", NOW)
    unsent = await store.restored.unsent(app.database.committed)
    async with app.database.transaction() as conn:
        await store.restored.told(conn)

    assert (before, count, unsent) == (None, 1, 1)
    assert await store.restored.unsent(app.database.committed) is None
    sql = "SELECT next_try, sent, answer FROM notifications"
    assert await rows(app.database, sql) == [
        (None, None, "not sent: it waited in a copy that was restored")
    ]


async def test_epoch_is_none_until_it_is_set(app: App) -> None:
    before = await store.epoch.get(app.database.committed)
    async with app.database.transaction() as conn:
        await store.epoch.put(conn, 3)

    assert (before, await store.epoch.get(app.database.committed)) == (0, 3)
