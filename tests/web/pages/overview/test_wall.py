"""The wall: what is wrong, large, for all who may look."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.app import READ_KEY, App
from tests.build import DAY
from tests.store import put_check
from tests.web.api.calls import create
from tests.web.pages.browsing import project_path, sign_in, text_of

MINUTE = timedelta(minutes=1)


async def wall(app: App) -> str:
    response = await app.http.get(project_path(app) + "wall")
    assert response.status_code == 200
    return response.text


async def put(app: App, name: str, **fields: Any) -> None:
    now = datetime.now(UTC)
    values = {"status": "up", "last_ping": now, "alert_after": now + DAY}
    await put_check(app.database, name=name, **(values | fields))


async def test_what_is_down_is_a_tile(app: App) -> None:
    await sign_in(app, READ_KEY)
    await put(app, "Good")
    await put(app, "<b>Bad", status="down", alert_after=None)

    text = await wall(app)

    tiles, _, rest = text.partition('class="names"')
    assert "&lt;b&gt;Bad" in tiles
    assert "Good" in rest
    assert "<title>(1 down) Home" in text


async def test_last_ping_is_never_in_the_future(app: App) -> None:
    await sign_in(app)
    ahead = datetime.now(UTC) + 3 * DAY
    await put(app, "Bad", status="down", alert_after=None, last_ping=ahead)

    assert re.search(r"last ping <time [^>]+>now</time>", await wall(app))


async def test_wall_has_no_controls(app: App) -> None:
    await sign_in(app)
    await put(app, "Bad", status="down", alert_after=None)

    text = await wall(app)

    for element in ("<form", "<button", "<input", "<nav"):
        assert element not in text


async def test_quiet_wall_says_that_nothing_is_wrong(app: App) -> None:
    await sign_in(app)
    empty = await wall(app)
    await put(app, "Good")

    assert "No checks yet" in empty
    assert "Nothing is wrong" in await wall(app)


async def test_more_than_fits_is_counted(app: App) -> None:
    await sign_in(app)
    for i in range(30):
        await put(app, f"Bad {i}", status="down", alert_after=None)

    assert "and 6 more" in await wall(app)


async def test_unnamed_check_is_not_told_by_its_code(app: App) -> None:
    await sign_in(app, READ_KEY)
    check = await put_check(app.database, status="down")

    text = await wall(app)

    assert "unnamed check" in text
    assert check.code not in text


async def test_names_on_the_wall_can_be_seen_and_turn_nothing(app: App) -> None:
    await sign_in(app)
    await put(app, " ", status="down", alert_after=None)
    await put(app, "a\u202eb")

    text = await wall(app)

    assert "<h2>unnamed check</h2>" in text
    assert "\u202e" not in text


async def test_tile_says_why_and_when_it_gets_worse(app: App) -> None:
    await sign_in(app)
    code = (await create(app, name="Off-site copy"))["uuid"]
    await app.http.post(f"/ping/{code}/11", content=b"rsync\nNo space left\n")
    await put(app, "Late", alert_after=datetime.now(UTC) + 40 * MINUTE + MINUTE / 2)

    tiles = wall_text(await wall(app))
    await sign_in(app, READ_KEY)
    read_only = wall_text(await wall(app))

    assert "Off-site copy down 0 s Exit 11 No space left" in tiles
    assert re.search(r"Late late 19 min Goes down in 40 min no ping since ", tiles)
    assert "No space left" not in read_only


def wall_text(page: str) -> str:
    return text_of(page.partition('id="wall"')[2])


async def test_wall_answers_in_its_head(app: App) -> None:
    await sign_in(app)
    await put(app, "a")
    await put(app, "b")

    text = text_of(await wall(app))

    assert "All 2 checks are up Home: 2 up" in text
    assert "up a up b" in text
