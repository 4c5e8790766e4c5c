"""What pages are made of in slices, between which the loop looks after pings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jinja2
import pytest

from hcl.web.pages.dashboard.boards import Shown
from hcl.web.pages.frame import SLICE, Paths, templates, written
from hcl.web.pages.overview import rows
from tests.app import App
from tests.build import NOW, make_check, make_ping
from tests.store import put_check, put_pings
from tests.web.pages.browsing import project_path, sign_in


class Turns:
    """Counts how often the loop has come round."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        """Count until it is cancelled."""
        while True:
            self.count += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def counting() -> AsyncIterator[Turns]:
    """Count the turns of the loop meanwhile."""
    turns = Turns()
    task = asyncio.create_task(turns.run())
    await asyncio.sleep(0)
    try:
        yield turns
    finally:
        task.cancel()


def noting(turns: Turns, noted: list[int], size: int) -> Callable[[], str]:
    """Return what writes so many characters, and notes in which turn it did."""

    def note() -> str:
        noted.append(turns.count)
        return "x" * size

    return note


async def test_page_is_written_in_slices() -> None:
    template = templates().from_string(
        "{% for n in range(50) %}{{ note() }}{% endfor %}"
    )
    noted: list[int] = []

    async with counting() as turns:
        page = await written(template, {"note": noting(turns, noted, SLICE // 10)})

    assert page == "x" * (SLICE // 10) * 50
    assert max(map(noted.count, noted)) <= 11


async def test_rows_of_the_list_are_written_in_slices(app: App) -> None:
    items = [Shown(make_check(id=n, status="up"), "up") for n in range(100)]
    url = Paths(app.parts.site, readonly=False)

    async with counting() as turns:
        await asyncio.sleep(0)
        before = turns.count
        drawn = await rows.rows(items, rows.Facts(), url, NOW)

    assert len(drawn) == 100
    assert turns.count - before >= 100 // rows.SLICE


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the pieces that templates are written in."""
    noted: list[str] = []
    generate = jinja2.Template.generate

    def note(self: jinja2.Template, *args: Any, **fields: Any) -> Any:
        for piece in generate(self, *args, **fields):
            noted.append(piece)
            yield piece

    monkeypatch.setattr(jinja2.Template, "generate", note)
    return noted


@pytest.mark.parametrize("path", ["", "/log", "/edit"])
async def test_no_piece_of_a_page_of_a_check_is_long(
    app: App, pieces: list[str], path: str
) -> None:
    await sign_in(app)
    check = await put_check(app.database, name="a", status="up", n_pings=120)
    for n in range(1, 121):
        sent = make_ping(n=n, created=datetime.now(UTC) - timedelta(minutes=121 - n))
        await put_pings(app.database, (check.id, sent))

    response = await app.http.get(f"/checks/{check.code}{path}")

    assert response.status_code == 200
    assert response.text == "".join(pieces)
    assert len(response.text) > 4 * SLICE
    assert max(map(len, pieces)) < 3 * SLICE


async def test_pages_are_written_one_after_another(app: App, pieces: list[str]) -> None:
    await sign_in(app)
    for name in "abcde":
        await put_check(app.database, name=name)
    paths = [project_path(app) + page for page in ("", "new", "wall", "badges", "")]
    pieces.clear()

    answers = await asyncio.gather(*(app.http.get(path) for path in paths))

    together = "".join(pieces)
    assert len(together) == sum(len(answer.text) for answer in answers)
    assert all(answer.text in together for answer in answers)
