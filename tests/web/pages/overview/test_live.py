"""Live pages: what a stream tells, when it ends, and that it holds nothing up."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from hcl.changes import Changes
from hcl.pings.arrival import Target
from hcl.web.pages.dashboard import boards
from hcl.web.pages.dashboard.boards import PACE
from hcl.web.pages.dashboard.dashboard import Dashboard, open_dashboard
from hcl.web.pages.overview import live
from hcl.web.pages.visit import door
from hcl.web.pages.visit.visit import Visit
from tests import toml
from tests.app import CONFIG, READ_KEY, App, running_app
from tests.build import DAY, make_ping
from tests.patience import ENDS
from tests.server.process import API_KEY, Serve
from tests.store import change, put_check, put_flip, traced
from tests.web.pages.browsing import project_path, sign_in

SECOND = timedelta(seconds=1)


class Stream:
    """The messages of one stream, as app.js reads them."""

    def __init__(self, chunks: AsyncIterator[Any]) -> None:
        self._chunks = chunks

    async def text(self) -> str:
        """Return what comes next, as it is."""
        async with asyncio.timeout(ENDS):
            return str(await anext(self._chunks))

    async def message(self) -> dict[str, Any]:
        """Return the next message."""
        while True:
            text = await self.text()
            if text.startswith("data: "):
                return dict(json.loads(text.removeprefix("data: ")))

    async def is_over(self) -> bool:
        """Read on, and tell whether the end comes."""
        async with asyncio.timeout(ENDS):
            async for _ in self._chunks:
                pass
        return True


def visiting(app: App, dashboard: Dashboard, query: str = "rows") -> Visit:
    """Make the visit of a browser that is signed in."""
    cookies = "; ".join(f"{name}={value}" for name, value in app.http.cookies.items())
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": query.encode(),
            "headers": [(b"cookie", cookies.encode())],
            "client": ("192.0.2.1", 1),
            "path_params": {"project": app.synced.projects[0].code},
        }
    )
    return door.begin(request, app.parts, dashboard)


@asynccontextmanager
async def streaming(
    app: App, query: str = "rows", on: Dashboard | None = None
) -> AsyncIterator[Stream]:
    """Open a stream, and read its first words."""
    dashboard = on or await open_dashboard(app.database)
    response = await live.stream(visiting(app, dashboard, query))
    assert isinstance(response, StreamingResponse)
    chunks: Any = response.body_iterator
    stream = Stream(chunks)
    try:
        assert (await stream.text()).startswith("retry: ")
        yield stream
    finally:
        await chunks.aclose()


async def ping(app: App, code: str, **fields: Any) -> None:
    sent = make_ping(**({"created": datetime.now(UTC)} | fields))
    await app.parts.pinging.receive(Target(code=code), sent)


async def test_ping_pushes_the_row(app: App) -> None:
    check = await put_check(app.database, name="<b>Backup", status="up")
    await sign_in(app)

    async with streaming(app) as stream:
        await ping(app, check.code)
        message = await stream.message()

    row = message["rows"][f"c{check.id}"]
    assert "&lt;b&gt;Backup" in row
    assert f"/checks/{check.code}" in row
    assert "now</time>" in row


async def test_page_hears_that_nothing_has_changed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.05)
    await sign_in(app)

    async with streaming(app) as stream:
        # An event, which app.js can tell from silence; of a comment it is not told.
        assert await stream.text() == "event: beat\ndata:\n\n"


async def test_rows_of_a_read_only_key_tell_no_code(app: App) -> None:
    check = await put_check(app.database, name="a", status="up")
    await sign_in(app, READ_KEY)

    async with streaming(app) as stream:
        await ping(app, check.code)
        message = await stream.message()

    assert check.code not in json.dumps(message)
    assert check.unique_key in json.dumps(message)


async def test_change_of_status_has_the_page_loaded_anew(app: App) -> None:
    check = await put_check(app.database, name="a", status="up")
    await sign_in(app)

    async with streaming(app) as stream:
        await ping(app, check.code, action="fail")
        message = await stream.message()

    assert message["moves"] == ["last", "status"]
    assert "anew" not in message
    assert message["icon"] == "down"
    assert message["answer"] == "1 check is down"
    assert message["title"] == "(1 down) Home – hcl"


async def test_start_sends_a_row_and_the_counts(app: App) -> None:
    check = await put_check(app.database, name="a", status="up")
    await put_check(app.database, name="b", status="up")
    await sign_in(app)

    async with streaming(app) as stream:
        await ping(app, check.code, action="start")
        message = await stream.message()

    assert list(message["rows"]) == [f"c{check.id}"]
    assert message["moves"] == ["started"]
    assert "anew" not in message
    assert (message["counts"]["all"], message["counts"]["started"]) == (2, 1)


async def test_wall_hears_of_no_ping_that_changes_nothing_on_it(app: App) -> None:
    well = await put_check(app.database, name="a", status="up")
    bad = await put_check(app.database, name="b", status="down")
    await sign_in(app)

    async with streaming(app, "") as stream:
        await ping(app, well.code, action="start")
        await asyncio.sleep(2 * PACE)
        await ping(app, bad.code, action="fail")
        message = await stream.message()

    assert message == {"anew": True}


async def test_missed_ping_is_told_by_the_checker(app: App) -> None:
    now = datetime.now(UTC)
    await put_check(app.database, status="up", alert_after=now - DAY, last_ping=now)
    await sign_in(app)

    async with streaming(app) as stream:
        await app.checker.check_once(now + DAY * 3)
        # Nothing that is shown has changed: it was shown as down before.
        await change(app.database, "UPDATE checks SET name = 'new name'")
        app.parts.changes.tell()
        message = await stream.message()

    assert message["anew"] is True


async def test_edit_and_deletion_are_told(app: App) -> None:
    code = (await app.api("POST", "checks/", json={"name": "a"})).json()["uuid"]
    await sign_in(app)

    async with streaming(app) as stream:
        await app.api("POST", f"checks/{code}", json={"name": "b"})
        edited = await stream.message()
        await app.api("DELETE", f"checks/{code}")
        deleted = await stream.message()
        await app.api("POST", "checks/", json={"name": "c"})
        created = await stream.message()

    assert [m["anew"] for m in (edited, deleted, created)] == [True] * 3


async def test_status_that_changes_by_time_alone_is_told(app: App) -> None:
    began = datetime.now(UTC)
    await sign_in(app)
    # Both are still to come when the stream begins, however slow the machine is.
    ahead = max(SECOND, 10 * (datetime.now(UTC) - began))
    soon = datetime.now(UTC) + 2 * ahead
    await put_check(
        app.database,
        status="up",
        last_ping=soon - DAY,
        grace=ahead,
        alert_after=soon,
    )

    async with streaming(app) as stream:
        late = await stream.message()
        down = await stream.message()

    assert late["title"] == "(1 late) Home – hcl"
    assert down["title"] == "(1 down) Home – hcl"


async def test_many_pings_become_few_messages(app: App) -> None:
    check = await put_check(app.database, status="up")
    await sign_in(app)

    async with streaming(app) as stream:
        began = time.monotonic()
        for _ in range(3):
            await asyncio.gather(*(ping(app, check.code) for _ in range(50)))
            await stream.message()
        took = time.monotonic() - began

    assert took >= 2 * PACE


async def test_page_of_one_check_hears_of_no_other(app: App) -> None:
    own, other = [await put_check(app.database, status="up") for _ in range(2)]
    await sign_in(app)

    async with streaming(app, f"check={own.code}") as stream:
        await ping(app, other.code)
        await asyncio.sleep(2 * PACE)
        app.parts.changes.tell()
        await ping(app, own.code)
        message = await stream.message()
        version = app.parts.changes.begin()

    assert message == {"anew": True}
    assert not app.parts.changes.is_over(version)


async def test_page_that_is_old_when_the_stream_begins_is_told(app: App) -> None:
    await sign_in(app)
    dashboard = await open_dashboard(app.database)

    response = await live.stream(visiting(app, dashboard, "rows&v=old"))
    assert isinstance(response, StreamingResponse)
    chunks: Any = response.body_iterator
    first = await anext(chunks)
    await chunks.aclose()

    assert '{"anew": true}' in first


async def test_too_many_changes_have_the_page_loaded_anew(app: App) -> None:
    checks = [await put_check(app.database, status="up") for _ in range(60)]
    await sign_in(app)

    async with streaming(app) as stream:
        await asyncio.gather(*(ping(app, check.code) for check in checks))
        message = await stream.message()

    assert message == {"anew": True}


async def test_stream_ends_with_the_key(app: App) -> None:
    await sign_in(app)
    home = replace(app.config.projects[0], keys=())
    config = replace(app.config, projects=(home, app.config.projects[1]))

    async with streaming(app) as stream:
        await app.use(config)
        app.parts.changes.tell()
        text = await stream.text()

        assert text.startswith("event: end")
        assert await stream.is_over()


async def test_stream_ends_when_pages_are_switched_off(app: App) -> None:
    await sign_in(app)
    config = replace(app.config, web=replace(app.config.web, enabled=False))

    async with streaming(app) as stream:
        app.parts.use(config, app.synced.projects, app.synced.secret)
        app.parts.changes.tell()
        text = await stream.text()

    assert text.startswith("event: end")


async def test_stream_ends_when_the_key_may_only_look(app: App) -> None:
    await sign_in(app)
    [key, _] = app.config.projects[0].keys
    home = replace(app.config.projects[0], keys=(replace(key, access="read-only"),))
    config = replace(app.config, projects=(home, app.config.projects[1]))

    async with streaming(app) as stream:
        await app.use(config)
        app.parts.changes.tell()
        text = await stream.text()

    assert text.startswith("event: end")


async def test_one_session_leaves_room_for_others(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_OF_ONE", 1)
    monkeypatch.setattr(live, "MOST_OF_KEY", 2)
    dashboard = await open_dashboard(app.database)

    async with AsyncExitStack() as stack:
        await sign_in(app)
        await stack.enter_async_context(streaming(app, on=dashboard))
        same_session = await asked(app, dashboard)
        await sign_in(app)
        await stack.enter_async_context(streaming(app, on=dashboard))
        await sign_in(app)
        same_key = await asked(app, dashboard)
        await sign_in(app, READ_KEY)
        other = await asked(app, dashboard)

    assert (same_session, same_key, other) == (503, 503, 200)


async def asked(app: App, dashboard: Dashboard) -> int:
    """Ask for a stream without reading it; return the status."""
    return (await live.stream(visiting(app, dashboard))).status_code


async def test_streams_are_counted_and_bounded(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "MOST_LISTENERS", 2)
    await sign_in(app)
    dashboard = await open_dashboard(app.database)

    async with streaming(app, on=dashboard), streaming(app, on=dashboard):
        refused = await asked(app, dashboard)

    assert refused == 503
    assert dashboard.boards.listeners == 0


async def test_all_streams_of_a_project_read_and_write_changes_once(app: App) -> None:
    check = await put_check(app.database, status="up")
    await sign_in(app)
    dashboard = await open_dashboard(app.database)

    async with (
        streaming(app, on=dashboard) as one,
        streaming(app, on=dashboard) as two,
    ):
        board = dashboard.boards.of(app.parts, app.synced.projects[0])
        await ping(app, check.code)
        async with traced(app.database.committed) as statements:
            messages = await asyncio.gather(one.message(), two.message())
        items = board.items
        await board.refresh()

    assert messages[0] == messages[1]
    assert board.items is items
    # And they write its rows once.
    assert sum("CROSS JOIN flips" in sql for sql in statements) == 1


async def test_what_has_not_changed_is_kept_once(app: App) -> None:
    pinged, other = [await put_check(app.database, status="up") for _ in range(2)]
    dashboard = await open_dashboard(app.database)
    board = dashboard.boards.of(app.parts, app.synced.projects[0])
    before = await board.refresh()

    await ping(app, pinged.code)
    after = await board.refresh()

    # Who looks holds what they saw last: of 1000 checks it would be a megabyte each.
    assert after[other.id] is before[other.id]
    assert after[pinged.id].check.n_pings == before[pinged.id].check.n_pings + 1


async def test_nobody_is_told_when_nobody_listens(app: App) -> None:
    check = await put_check(app.database, status="up")
    await ping(app, check.code)
    before = app.parts.changes.wanted

    await sign_in(app)
    async with streaming(app):
        during = app.parts.changes.wanted
    await ping(app, check.code)

    assert (before, during, app.parts.changes.wanted) == (False, True, False)


async def test_news_before_the_wait_are_not_missed() -> None:
    changes = Changes()
    version = changes.begin()

    changes.tell()

    async with asyncio.timeout(ENDS):
        await changes.wait(version, 60)
    assert changes.is_over(version)


async def test_flips_of_rows_are_read_with_no_cursor_left(app: App) -> None:
    check = await put_check(app.database, status="up")
    await put_flip(app.database, check)
    await sign_in(app)

    async with streaming(app) as stream:
        await ping(app, check.code)
        await stream.message()
        # A cursor that is open would have the reader see what was there before.
        await put_check(app.database, name="newer")
        page = await app.http.get(project_path(app))

    assert "newer" in page.text


async def test_without_a_session_a_stream_is_refused(app: App) -> None:
    response = await app.http.get(project_path(app) + "live")

    assert response.status_code == 401


async def test_real_server_pushes_and_stops_with_streams_open(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        code = serve.api("POST", "checks/", name="Backup")["uuid"]
        async with httpx2.AsyncClient(base_url=serve.root, trust_env=False) as http:
            await http.post("/sign-in", data={"key": API_KEY})
            path = (await http.get("/")).headers["location"] + "live?rows"
            # Who leaves many pages finds room for the next.
            for _ in range(live.MOST_OF_ONE + 1):
                async with http.stream("GET", path) as left:
                    assert left.status_code == 200
            async with http.stream("GET", path) as one, http.stream("GET", path):
                lines = one.aiter_lines()
                assert await anext(lines) == "retry: 2000"
                httpx2.get(f"{serve.root}/ping/{code}", trust_env=False)
                async with asyncio.timeout(ENDS):
                    async for line in lines:
                        if line.startswith("data: "):
                            break
                began = time.monotonic()
                status = await asyncio.to_thread(serve.stop, signal.SIGTERM)
                took = time.monotonic() - began

    assert json.loads(line.removeprefix("data: "))["counts"]["up"] == 1
    assert status == 0
    # Else it would take three seconds more than its work.
    assert took < 2.5 + serve.start_seconds
    assert "Traceback" not in serve.log


async def test_pages_of_very_many_checks_are_told_to_load_anew(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards, "MOST_CHECKS", 1)
    monkeypatch.setattr(boards, "COARSE_PACE", 0.01)
    check = await put_check(app.database, status="up")
    await put_check(app.database)
    await sign_in(app)
    dashboard = await open_dashboard(app.database)

    async with streaming(app, on=dashboard) as stream:
        await ping(app, check.code)
        first = await stream.message()
        await ping(app, check.code)
        second = await stream.message()

        assert first == second == {"anew": True}
        assert dashboard.boards.of(app.parts, app.synced.projects[0]).items == {}


async def test_open_pages_hear_of_a_reload_and_of_a_backup_that_failed(
    tmp_path: Path,
) -> None:
    text = toml.table("backup", folder="gone") + CONFIG
    async with running_app(tmp_path, text) as app:
        changes = app.parts.changes
        version = changes.begin()
        await app.reload(text)
        of_reload = changes.is_over(version)

        version = changes.begin()
        keeping = asyncio.create_task(app.assembly.keeping.run())
        await changes.wait(version, ENDS)
        keeping.cancel()

        assert of_reload
        assert changes.is_over(version)
