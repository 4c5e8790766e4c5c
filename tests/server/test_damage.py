"""A database that is damaged: people are told by hcl itself, as long as it can."""

import logging
from pathlib import Path

import pytest

from hcl import store
from hcl.alarm import Alarm
from hcl.changes import Changes
from hcl.db import UnreadableError
from hcl.server.announcer import Announcer
from hcl.server.damage import Damage
from tests import toml
from tests.app import App
from tests.checks.away.watching import running
from tests.clocks import Times
from tests.damage import damage
from tests.server.process import Serve
from tests.sinks import HttpSink


def damage_of(app: App) -> Damage:
    clock = app.clock
    announcer = Announcer(app.database, clock, Alarm(clock.now), Changes())
    return Damage(app.database, clock, announcer)


async def meet(app: App, table: str) -> None:
    """Read what is damaged."""
    with pytest.raises(UnreadableError, match="malformed"):
        await app.database.committed.execute_fetchall(f"SELECT * FROM {table}")


async def told(app: App) -> list[str]:
    made = await store.announcements.since(app.database.committed, app.clock.at(0))
    return [one.subject for one in made if one.kind == "damage"]


async def test_damage_is_told_once_a_day_over_restarts(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        looks = damage_of(app)
        await looks.look_once()
        assert (looks.trouble, await told(app)) == ("", [])
    damage(tmp_path / "hcl.sqlite", "paces")

    for started in range(2):
        async with running(tmp_path, times) as app:
            await meet(app, "paces")
            looks = damage_of(app)
            for _ in range(3):
                await looks.look_once()
                times.run(3 * 3600)
            assert looks.trouble == "the database is damaged"
            assert await told(app) == ["hcl's database is damaged"], started
            times.run(15 * 3600 * started)
            await looks.look_once()
            assert len(await told(app)) == 1 + started


async def test_when_it_was_told_may_be_damaged_too(tmp_path: Path) -> None:
    async with running(tmp_path, Times()) as app:
        async with app.database.transaction() as conn:
            await store.settings.put(conn, "damage_told", "2026-\ufffd")
        app.database.trouble.is_damage = True

        await damage_of(app).look_once()

        assert await told(app) == ["hcl's database is damaged"]


async def test_where_nobody_can_be_told_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = Times()
    async with running(tmp_path, times):
        pass
    damage(tmp_path / "hcl.sqlite", "announcements")

    async with running(tmp_path, times) as app:
        await meet(app, "announcements")
        looks = damage_of(app)
        caplog.set_level(logging.ERROR)
        for _ in range(3):
            await looks.look_once()

    [line] = [r.getMessage() for r in caplog.records if "tell people" in r.message]
    assert line.startswith("cannot tell people that the database is damaged: ")


async def test_people_are_told_by_a_server_that_can_call_nobody_down(
    tmp_path: Path,
) -> None:
    async with HttpSink() as sink:
        channel = toml.webhook("Own", server=toml.post(sink.url, "$NAME / $BODY"))
        with Serve(tmp_path, channel) as serve:
            serve.api("POST", "checks/", name="Backup", timeout=60, grace=60)
            serve.stop()
            damage(tmp_path / "hcl.sqlite", "flips")
            serve.start()
            serve.api("POST", "checks/", name="Backup", timeout=60, grace=60)

            [message] = await sink.wait_for(1)

    assert message.text.startswith("hcl's database is damaged / Part of ")
    assert "hcl restore" in message.text
