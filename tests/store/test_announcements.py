"""What hcl tells of itself is kept."""

from datetime import timedelta

from hcl import store
from hcl.store.announcements import Announcement
from tests.app import App
from tests.build import NOW


async def test_an_announcement_comes_back(app: App) -> None:
    one = Announcement(
        None, NOW, "absence", "hcl was away.", ("It was off.", "Really.")
    )
    async with app.database.transaction() as conn:
        id_ = await store.announcements.add(conn, one)

    conn = app.database.committed
    (kept,) = await store.announcements.since(conn, NOW, 1)
    assert kept == Announcement(
        None, NOW, "absence", "hcl was away.", ["It was off.", "Really."], id_
    )
    assert await store.announcements.since(conn, NOW + timedelta(seconds=1)) == []
