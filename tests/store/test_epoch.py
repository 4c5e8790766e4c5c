"""The epoch: whose turn it is to serve."""

from hcl import store
from tests.app import App


async def test_epoch_is_none_until_it_is_set(app: App) -> None:
    before = await store.epoch.get(app.database.committed)
    async with app.database.transaction() as conn:
        await store.epoch.put(conn, 3)

    assert (before, await store.epoch.get(app.database.committed)) == (0, 3)
