"""What hcl tells of itself is kept."""

from dataclasses import replace
from datetime import timedelta

from hcl import store
from hcl.model import Line, Section
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


async def test_a_report_comes_back_with_all_its_lines(app: App) -> None:
    lines = (Line("A", "down", "code", (0, -1, 30)), Line("B", "1 hour", bar=0.5))
    sections = (Section("Was down", lines, 3), Section("Longest runs", ()))
    one = Announcement(1, NOW, "report", "Weekly", ["Short."], sections=sections)
    async with app.database.transaction() as conn:
        id_ = await store.announcements.add(conn, one)

    kept = await store.announcements.by_id(app.database.committed, id_)

    assert kept == replace(one, id=id_)
