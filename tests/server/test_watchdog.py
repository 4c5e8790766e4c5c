"""Another monitor is told that hcl is well, while it is."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hcl.server import watchdog
from tests import toml
from tests.app import CONFIG, App, running_app
from tests.server.process import Serve, curl, until
from tests.sinks import HttpSink
from tests.store import change


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with HttpSink() as sink:
        yield sink


@pytest.fixture
async def app(tmp_path: Path, sink: HttpSink) -> AsyncIterator[App]:
    url = f"{sink.url}ping/secret"
    text = toml.table("watchdog", url=url) + CONFIG
    async with running_app(tmp_path, text) as app:
        yield app


async def test_it_is_asked_while_hcl_is_well(app: App, sink: HttpSink) -> None:
    await app.assembly.watchdog.ask_once()

    [request] = sink.records
    assert (request.method, request.target) == ("GET", "/ping/secret")
    assert app.assembly.watchdog.trouble == ""


async def test_it_is_not_asked_while_hcl_is_not_well(
    app: App, sink: HttpSink, caplog: pytest.LogCaptureFixture
) -> None:
    await app.api("POST", "checks/", json={"name": "Late"})
    late = app.clock.now() - timedelta(hours=1)
    await change(app.database, "UPDATE check_states SET look_at = ?", late.timestamp())

    await app.assembly.watchdog.ask_once()
    await change(app.database, "UPDATE check_states SET look_at = NULL")
    caplog.set_level(logging.INFO)
    await app.assembly.watchdog.ask_once()

    assert len(sink.records) == 1
    assert [record.message for record in caplog.records] == [
        "the watchdog is not asked, since the checker is late",
        "the watchdog hears of hcl again",
    ]


async def test_it_is_asked_soon_once_hcl_is_well_again(
    app: App, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "AGAIN", timedelta(milliseconds=10))
    await app.api("POST", "checks/", json={"name": "Late"})
    late = app.clock.now() - timedelta(hours=1)
    await change(app.database, "UPDATE check_states SET look_at = ?", late.timestamp())
    running = asyncio.create_task(app.assembly.watchdog.run())
    await until(lambda: app.assembly.watchdog.trouble != "")

    await change(app.database, "UPDATE check_states SET look_at = NULL")
    await sink.wait_for(1)

    running.cancel()
    assert len(sink.records) == 1


@pytest.mark.parametrize(
    ("status", "behave", "told"),
    [
        (404, "answer", "the watchdog 127.0.0.1 answers HTTP 404"),
        (
            302,
            "answer",
            "the watchdog 127.0.0.1 answers HTTP 302, which leads to elsewhere.example:"
            " let watchdog.url name that",
        ),
        (200, "hang", "the watchdog 127.0.0.1 did not answer within 0.3 s"),
        (200, "head", "the watchdog 127.0.0.1 cannot be reached: "),
        (200, "garbage", "the watchdog 127.0.0.1 cannot be reached: "),
        (200, "close", "the watchdog 127.0.0.1 cannot be reached: "),
        (200, "stream", ""),
    ],
)
async def test_what_is_wrong_with_it_is_told_once(
    app: App,
    sink: HttpSink,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    behave: str,
    told: str,
) -> None:
    monkeypatch.setattr(watchdog, "TIMEOUT", 0.3 if behave == "hang" else 5.0)
    sink.status = status
    sink.behave = behave  # type: ignore[assignment] # one of those it knows
    if status == 302:
        sink.headers = (("Location", "http://elsewhere.example/secret"),)

    for _ in range(2):
        await app.assembly.watchdog.ask_once()

    lines = [record.message for record in caplog.records]
    assert len(lines) == (1 if told else 0)
    assert "".join(lines).startswith(told)
    assert "secret" not in "".join(lines)


async def test_a_monitor_that_knows_no_such_check_is_told(
    app: App, sink: HttpSink, caplog: pytest.LogCaptureFixture
) -> None:
    """As healthchecks.io answers, with a 200: nobody waits for hcl then."""
    sink.body = b"OK (not found)"

    assert await app.assembly.watchdog.ask_once()

    [line] = [record.message for record in caplog.records]
    assert line == "the watchdog 127.0.0.1 knows no such check"


async def test_server_asks_by_new_settings_and_waits_for_no_answer_at_its_end(
    tmp_path: Path,
) -> None:
    async with HttpSink(status=404) as gone, HttpSink() as good, HttpSink() as mute:
        mute.behave = "hang"
        serve = Serve(tmp_path, tables=toml.table("watchdog", url=gone.url))
        with serve:
            check = serve.api("POST", "checks/", name="Backup")
            await until(lambda: "answers HTTP 404" in serve.log)
            for sink in (good, mute):
                serve.write_config("", tables=toml.table("watchdog", url=sink.url))
                serve.process.send_signal(signal.SIGHUP)
                await sink.wait_for(1)
            # While that one hangs.
            assert curl(check["ping_url"]) == "OK"
            assert serve.stop() == 0
        assert "INFO the watchdog hears of hcl again" in serve.log
        assert "Traceback" not in serve.log
