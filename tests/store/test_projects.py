from dataclasses import replace

from aiosqlite import Connection

from hcl import store
from hcl.model import Project
from tests.app import PING_KEY, App
from tests.store import rows

SHED = Project(
    id=0,
    code="0c9b4c0e-3c8b-4f6e-9d76-0d6a7c3a8e11",
    name="Shed",
    ping_key="shedshedshedshedshed22",
    badge_key="badge",
    check_limit=7,
)


async def save(app: App, project: Project) -> Project:
    async with app.database.transaction() as conn:
        return await store.projects.save(conn, project)


async def enabled(conn: Connection) -> list[Project]:
    found = await conn.execute_fetchall(
        "SELECT id, code, name, coalesce(ping_key, ''), badge_key, check_limit"
        " FROM projects WHERE enabled ORDER BY id"
    )
    return [Project(*row) for row in found]


async def test_project_comes_back_as_it_was_saved(app: App) -> None:
    saved = await save(app, SHED)

    assert saved == replace(SHED, id=3)
    assert (await enabled(app.database.committed))[-1] == saved


async def test_saving_again_changes_the_row(app: App) -> None:
    saved = await save(app, SHED)
    changed = replace(
        saved,
        code="1c9b4c0e-3c8b-4f6e-9d76-0d6a7c3a8e11",
        name="Barn",
        ping_key="barn",
        badge_key="other",
        check_limit=8,
    )

    await save(app, changed)

    assert (await enabled(app.database.committed))[2:] == [changed]


async def test_enabled_projects_come_in_order_of_creation(app: App) -> None:
    await save(app, SHED)

    found = await enabled(app.database.committed)

    assert [project.name for project in found] == ["Home", "Other", "Shed"]


async def test_ping_key_finds_its_project(app: App) -> None:
    reader = app.database.committed

    home = await store.projects.by_ping_key(reader, PING_KEY)

    assert home is not None
    assert home.name == "Home"
    assert await store.projects.by_ping_key(reader, PING_KEY.upper()) is None
    assert await store.projects.by_ping_key(reader, "") is None


async def test_disabled_project_keeps_its_row_and_frees_its_ping_key(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.projects.disable_all(conn)

    reader = app.database.committed
    assert await enabled(reader) == []
    assert await store.projects.by_ping_key(reader, PING_KEY) is None
    assert await store.projects.by_ping_key(reader, "") is None
    known = await store.projects.known_by_id(reader, 1)
    assert (known.name, known.enabled) == ("Home", False)
    assert await rows(app.database, "SELECT ping_key FROM projects") == [None, None]


async def test_code_finds_a_project_before_its_name_does(app: App) -> None:
    home, other = await enabled(app.database.committed)
    reader = app.database.committed

    assert await store.projects.find(reader, other.code, "Home") == other
    assert await store.projects.find(reader, "no such code", "Home") == home
    assert await store.projects.find(reader, other.code, "No such name") == other
    assert await store.projects.find(reader, "no such code", "No such name") is None
