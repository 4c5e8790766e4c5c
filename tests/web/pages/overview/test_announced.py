"""What hcl tells of itself on the list and the wall, and which checks it marks."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import StreamingResponse

from hcl import store
from hcl.model import Announcement
from hcl.pings.arrival import Target
from hcl.web.pages.dashboard.dashboard import open_dashboard
from hcl.web.pages.overview import live
from tests.app import READ_KEY, App
from tests.build import DAY, HOUR, make_ping
from tests.store import change, put_check
from tests.web.pages.browsing import project_path, sign_in, text_of
from tests.web.pages.overview.test_live import streaming, visiting

SUBJECT = "hcl was away from 02:55 to 03:10 UTC, 15 min"
NASTY = "hcl <script>alert(1)</script> \x1b[31m was away"


async def announce(app: App, subject: str = SUBJECT, **values: Any) -> None:
    fields: dict[str, Any] = {
        "project_id": 1,
        "created": datetime.now(UTC),
        "kind": "absence",
    }
    told = Announcement(subject=subject, **(fields | values))
    async with app.database.transaction() as conn:
        await store.announcements.add(conn, told)
    app.parts.changes.tell()


async def page(app: App, path: str = "", index: int = 0) -> str:
    response = await app.http.get(project_path(app, index) + path)
    assert response.status_code == 200
    return response.text


def news(page: str) -> str:
    match = re.search(r'<div class="announced".*?</div>', page, re.DOTALL)
    return text_of(match[0]) if match else ""


async def test_what_a_clock_that_was_ahead_told_is_not_to_come(app: App) -> None:
    await sign_in(app)
    await announce(app, created=datetime.now(UTC) + 8 * HOUR)

    assert news(await page(app)) == f"{SUBJECT} now"


async def test_list_and_wall_tell_it_for_a_day(app: App) -> None:
    await sign_in(app)
    now = datetime.now(UTC)
    await announce(app, "yesterday", created=now - DAY - HOUR)
    await announce(app, created=now - 2 * HOUR, story=["It was off.", "Job 1."])

    assert news(await page(app)) == f"{SUBJECT} 2 h ago It was off. Job 1."
    wall = await page(app, "wall")
    assert SUBJECT in wall
    assert "yesterday" not in wall


async def test_nothing_is_told_where_there_is_nothing(app: App) -> None:
    await sign_in(app)

    assert news(await page(app)) == ""
    assert 'class="announced"' not in await page(app, "wall")


async def test_reports_are_for_those_who_are_not_here(app: App) -> None:
    await announce(app, "Daily report of Home: nothing was down", kind="report")
    await sign_in(app)

    assert news(await page(app)) == ""


async def test_it_is_told_to_those_whom_it_concerns(app: App) -> None:
    await announce(app, "of the other", project_id=2)
    await announce(app, "of all", project_id=None, kind="reload")
    await sign_in(app)

    assert news(await page(app)) == "of all now"


async def test_who_may_only_look_sees_no_names(app: App) -> None:
    code = "7dd1b5a2-9f4b-4a3e-8d5a-0c9d3d0f2c11"
    await announce(app, story=[f"hcl cannot know of 1 check: {code}."])
    await sign_in(app, READ_KEY)

    shown = await page(app)

    assert news(shown) == f"{SUBJECT} now"
    assert code not in shown


async def test_newest_come_first_and_the_others_are_counted(app: App) -> None:
    for number in range(5):
        await announce(app, f"number {number}")
    await sign_in(app)

    told = news(await page(app))

    assert told == ("number 4 now number 3 now number 2 now and 2 more on the last day")


async def test_nothing_in_it_breaks_a_page(app: App) -> None:
    await announce(app, NASTY, story=[NASTY])
    await sign_in(app)

    for path in ("", "wall"):
        shown = await page(app, path)
        assert "<script>alert" not in shown
        assert "\x1b" not in shown


async def put_unheard(app: App, **values: Any) -> Any:
    heard = datetime(2026, 6, 15, 2, 0, tzinfo=UTC)
    fields = {
        "name": "Job",
        "status": "up",
        "n_pings": 1,
        "last_ping": heard,
        "counted_from": datetime.now(UTC),
        "excused": 1,
        "alert_after": datetime.now(UTC) + DAY,
    }
    return await put_check(app.database, **(fields | values))


# By the date of a test the year may be another.
UNHEARD = re.compile("not heard since 15 Jun( 2026)? 02:00")


@pytest.mark.parametrize("key", [None, READ_KEY])
async def test_check_that_was_excused_is_marked_until_it_pings(
    app: App, key: str | None
) -> None:
    check = await put_unheard(app)
    await (sign_in(app, key) if key else sign_in(app))
    address = check.unique_key if key else check.code
    before = text_of(await page(app))
    its_own = text_of((await app.http.get(f"/checks/{address}")).text)

    await app.parts.pinging.receive(
        Target(code=check.code), make_ping(created=datetime.now(UTC))
    )

    assert UNHEARD.search(before)
    assert "Not heard since" in its_own
    assert "hcl was away, and may have missed its pings." in its_own
    assert "not heard since" not in text_of(await page(app)).lower()
    shown = text_of((await app.http.get(f"/checks/{address}")).text)
    assert "not heard since" not in shown.lower()


async def test_check_that_was_not_excused_is_not_marked(app: App) -> None:
    await put_unheard(app, counted_from=None, excused=0)
    await sign_in(app)

    assert "not heard since" not in text_of(await page(app))


async def first_words(app: App, mark: str) -> str:
    """Return what a stream tells first a page of this fingerprint."""
    dashboard = await open_dashboard(app.database)
    response = await live.stream(visiting(app, dashboard, f"rows&v={mark}"))
    assert isinstance(response, StreamingResponse)
    chunks: Any = response.body_iterator
    try:
        return str(await anext(chunks))
    finally:
        await chunks.aclose()


async def test_open_list_is_loaded_anew_when_something_is_told(app: App) -> None:
    await sign_in(app)
    check = await put_unheard(app, counted_from=None, excused=0)
    for query in ("rows", ""):
        async with streaming(app, query) as stream:
            await announce(app)

            message = await stream.message()

            assert message["anew"] is True
    async with streaming(app, f"check={check.code}&v=x") as stream:
        await announce(app)
        await change(app.database, "UPDATE check_states SET excused = 1")
        app.parts.changes.tell()

        # One message, since it concerns the check; none for what is told.
        assert await stream.message() == {"anew": True}


async def test_page_that_was_loaded_before_it_was_told_is_old(app: App) -> None:
    await sign_in(app)
    shown = await page(app)
    await announce(app)
    mark = re.search(r"live\?rows=&amp;v=(\w+)", shown)
    assert mark

    assert '{"anew": true}' in await first_words(app, mark[1])


async def test_old_news_are_no_reason_to_load_a_page_anew(app: App) -> None:
    await announce(app, created=datetime.now(UTC) - timedelta(days=30))
    await sign_in(app)
    mark = re.search(r"live\?rows=&amp;v=(\w+)", await page(app))
    assert mark

    assert "anew" not in await first_words(app, mark[1])
