from hcl.store import settings
from tests.app import App


async def test_value_never_set_is_none(app: App) -> None:
    assert await settings.get(app.database.reader, "colour") is None


async def test_value_is_set_and_set_again(app: App) -> None:
    async with app.database.transaction() as conn:
        await settings.put(conn, "colour", "red")
        await settings.put(conn, "colour", "green €")

    assert await settings.get(app.database.reader, "colour") == "green €"
