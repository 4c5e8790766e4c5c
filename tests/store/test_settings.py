from hcl import store
from tests.app import App


async def test_value_never_set_is_none(app: App) -> None:
    assert await store.settings.get(app.database.committed, "colour") is None


async def test_value_is_set_and_set_again(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.settings.put(conn, "colour", "red")
        await store.settings.put(conn, "colour", "green €")

    assert await store.settings.get(app.database.committed, "colour") == "green €"
