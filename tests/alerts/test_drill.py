"""Each channel says that all is well, so often."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hcl.model import Project
from tests import toml
from tests.app import App, running_app
from tests.build import HOUR, NOW
from tests.sinks import HttpSink
from tests.store import put_check, rows

DAY = timedelta(days=1)


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


@pytest.fixture
async def app(tmp_path: Path, sink: HttpSink) -> AsyncIterator[App]:
    own = toml.webhook("Own", server=toml.post(sink.url, "$STATUS: $NAME / $BODY"))
    lamp = toml.webhook("Lamp", down=sink.url, up=sink.url)
    alerts = toml.table("alerts", test_every="week")
    async with running_app(tmp_path, alerts + toml.project() + own + lamp) as app:
        yield app


async def written(app: App) -> int:
    [count] = await rows(app.database, "SELECT count(*) FROM notifications")
    return int(count)


async def test_test_message_goes_out_each_week(app: App, sink: HttpSink) -> None:
    await put_check(app.database, 1, status="down")
    version = app.parts.changes.begin()

    assert await app.assembly.drill.test_once(NOW) == NOW + 7 * DAY
    # Open lists show it.
    assert app.parts.changes.is_over(version)
    await app.sender.send_once(NOW)
    assert await app.assembly.drill.test_once(NOW + 6 * DAY) == NOW + 7 * DAY
    assert await written(app) == 1
    assert await app.assembly.drill.test_once(NOW + 7 * DAY) == NOW + 14 * DAY
    assert await written(app) == 2

    # Not over what is made for checks.
    [request] = sink.records
    assert request.text.startswith("server: hcl works, and 1 check is down: a test / ")
    assert "hcl watches 1 check of Home; 1 is down." in request.text
    assert "This message comes every week." in request.text


async def test_all_is_well_where_no_check_is_down(app: App, sink: HttpSink) -> None:
    await app.assembly.drill.test_once(NOW)
    await app.sender.send_once(NOW)

    [request] = sink.records
    assert request.text.startswith("server: All is well: a test message of hcl / ")


async def test_clock_that_was_ahead_puts_no_test_off(app: App) -> None:
    await app.assembly.drill.test_once(NOW + 400 * DAY)

    assert await app.assembly.drill.test_once(NOW) == NOW + 7 * DAY
    assert await written(app) == 2


async def test_test_that_came_by_a_clock_a_bit_ahead_comes_not_twice(app: App) -> None:
    await app.assembly.drill.test_once(NOW)

    assert await app.assembly.drill.test_once(NOW - HOUR / 2) == NOW + 7 * DAY
    assert await written(app) == 1


async def test_nothing_is_sent_where_it_is_off(app: App) -> None:
    app.assembly.drill.use("", app.synced.projects)

    assert await app.assembly.drill.test_once(NOW + HOUR) is None
    assert await written(app) == 0


async def test_a_reload_while_checks_are_counted_stops_nothing(app: App) -> None:
    drill, [home] = app.assembly.drill, app.synced.projects

    class Counted(list[Project]):
        def __iter__(self) -> Iterator[Project]:
            yield from super().__iter__()
            # By now the file has one project more.
            drill.use("day", [home, replace(home, id=home.id + 1)])

    drill.use("week", Counted([home]))

    assert await drill.test_once(NOW) == NOW + 7 * DAY
    assert await written(app) == 1
