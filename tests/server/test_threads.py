"""No thread can be had: a command of a channel, say, has started what there may be."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hcl.config.settings import StandbyConfig
from hcl.outgoing.reasons import NO_THREAD
from hcl.pings import filer
from hcl.server.announcer import Announcer
from hcl.server.standby.fence import Fence
from hcl.server.standby.guard import Guard
from tests import toml
from tests.app import CONFIG, PING_KEY, App, running_app
from tests.patience import ENDS

REFUSED = "can't start new thread"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    (tmp_path / "copies").mkdir()
    tables = [
        toml.table("watchdog", url="http://127.0.0.1:9/ping"),
        toml.table("backup", folder="copies"),
    ]
    async with running_app(tmp_path, "\n".join(tables) + CONFIG) as app:
        yield app


@pytest.fixture
def no_threads(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system refuse each thread from now on."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError(REFUSED)

    monkeypatch.setattr(threading.Thread, "start", refuse)


@pytest.mark.usefixtures("no_threads")
async def test_the_watchdog_is_asked_again_later(app: App) -> None:
    await app.assembly.watchdog.ask_once()

    assert app.assembly.watchdog.trouble.endswith(NO_THREAD)


@pytest.mark.usefixtures("no_threads")
async def test_a_fence_that_cannot_be_read_is_told(app: App, tmp_path: Path) -> None:
    announcer = Announcer(
        app.database, app.clock, app.alarms["sender"], app.parts.changes
    )
    fence = Fence(StandbyConfig(fence=tmp_path / "fence"))
    guard = Guard(fence, app.config.database.path, app.database, announcer)

    await guard.look_once(time.monotonic())

    assert guard.trouble == f"the fence cannot be read: {REFUSED}"


@pytest.mark.usefixtures("no_threads")
async def test_a_backup_that_cannot_be_made_is_told(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    keeping = asyncio.create_task(app.assembly.keeping.run())
    try:
        async with asyncio.timeout(ENDS):
            while "no backup: " not in caplog.text:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)

        assert not keeping.done()
        assert REFUSED in caplog.text
    finally:
        keeping.cancel()


@pytest.mark.usefixtures("no_threads")
async def test_many_pings_are_filed(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filer, "MANY_PINGS", 1)
    url = f"/ping/{PING_KEY}/job"
    answers = [(await app.http.get(url, params={"create": 1})).status_code]

    await app.filer.file_once()

    assert answers == [201]


@pytest.mark.usefixtures("no_threads")
async def test_an_alert_says_why_it_is_tried_again(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await app.http.get(f"/ping/{PING_KEY}/job/fail", params={"create": 1})

    await app.sender.send_once(app.clock.now())

    assert f"job down over Hook A: {NO_THREAD}" in caplog.text
