"""A log that cannot be read keeps nobody from being called down."""

import asyncio
import logging
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hcl import store
from hcl.cli import main
from hcl.pings.arrival import Target
from tests import toml
from tests.app import (
    CONFIG,
    OTHER_PING_KEY,
    OTHER_WRITE_KEY,
    PING_KEY,
    running_app,
)
from tests.build import DAY, HOUR, NOW, make_ping
from tests.checks.away.watching import again, look, running, up
from tests.clocks import Times
from tests.damage import damage, damage_where
from tests.patience import ENDS
from tests.sinks import HttpSink
from tests.store import change, rows
from tests.web.pages.browsing import project_path, sign_in


async def test_after_an_absence_checks_are_judged_without_their_damaged_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        dead = await up(app, NOW - DAY - HOUR - timedelta(seconds=1))
        check = await up(app, NOW - DAY)
    damage(tmp_path / "hcl.sqlite", "pings")
    times.run(2 * 3600)
    returned = NOW + timedelta(hours=2)

    async with running(tmp_path, times) as app:
        caplog.clear()
        await look(app)
        times.run(600)
        await look(app)

        assert (await again(app, dead)).status == "down"
        assert (await again(app, check)).counted_from == returned
        # What was judged once is not judged again.
        assert await store.life.unjudged(app.database.committed) is None
        errors = [r for r in caplog.records if r.levelno >= logging.ERROR]
        assert len(errors) == 1
        assert "is damaged; move it away" in errors[0].getMessage()
        times.run(25 * 3600)
        await look(app)
        assert (await again(app, check)).status == "down"


async def test_a_step_moves_deadlines_though_logs_are_damaged(tmp_path: Path) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
    damage(tmp_path / "hcl.sqlite", "pings")

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(60)
        await look(app)
        times.set_wall(7200)
        await look(app)

        after = await again(app, check)
        assert after.alert_after == NOW + DAY + timedelta(hours=2)
        assert after.last_ping == NOW - HOUR
        times.run(25 * 3600)
        await look(app)
        assert (await again(app, check)).status == "down"


async def test_a_step_is_undone_though_logs_are_damaged(tmp_path: Path) -> None:
    """Also of a check that failed in a window of maintenance in between."""
    times = Times(synchronised=False)
    async with running(tmp_path, times) as app:
        check = await up(app, NOW - HOUR)
    damage(tmp_path / "hcl.sqlite", "pings")

    async with running(tmp_path, times) as app:
        await look(app)
        times.run(60)
        await look(app)
        times.set_wall(7200)
        await look(app)
        await app.parts.maintenance.open(1, HOUR, app.clock.now())
        fail = make_ping(created=app.clock.now(), action="fail")
        await app.parts.pinging.receive(Target(code=check.code), fail)
        times.set_wall(-7200)
        await look(app)

        assert (await again(app, check)).alert_after == NOW + DAY
        times.run(26 * 3600)
        await look(app)
        assert (await again(app, check)).status == "down"


async def test_what_tells_slow_runs_may_be_damaged_and_the_rest_starts_and_reloads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(tmp_path):
        pass
    damage(tmp_path / "hcl.sqlite", "paces")
    slow = toml.webhook(
        "Hook C",
        down="http://127.0.0.1:9/c",
        slow={"url": "http://127.0.0.1:9/c"},
        events=["down", "slow"],
    )

    async with running_app(tmp_path) as app:
        await app.reload(CONFIG + slow)
        await app.http.get(f"/ping/{OTHER_PING_KEY}/job/fail", params={"create": 1})
        await app.sender.send_once(app.clock.now())

    assert "the database is damaged: database disk image is malformed" in caplog.text
    assert "job down over Hook C: cannot connect" in caplog.text


async def test_an_outage_is_told_though_its_log_is_damaged(tmp_path: Path) -> None:
    times = Times()
    async with HttpSink() as sink:
        hook = toml.webhook("Hook C", down=toml.post(sink.url))
        text = CONFIG + hook
        async with running(tmp_path, times, text) as app:
            url = f"/ping/{OTHER_PING_KEY}/backup"
            await app.http.get(url, params={"create": 1})
            await app.assembly.filer.file_once()
        damage(tmp_path / "hcl.sqlite", "pings")

        async with running(tmp_path, times, text) as app:
            await look(app)
            times.run(26 * 3600)
            await look(app)
            await app.sender.send_once(app.clock.now())

            assert [record.body for record in sink.records] == [b"backup is down"]


async def test_the_list_is_shown_though_a_log_is_damaged(tmp_path: Path) -> None:
    async with running_app(tmp_path):
        pass
    damage(tmp_path / "hcl.sqlite", "pings")

    async with running_app(tmp_path) as app:
        for job in ("backup/fail", "sync/start"):
            url = f"/ping/{PING_KEY}/{job}"
            await app.http.get(url, params={"create": 1})
        await sign_in(app)
        pages = [
            await app.http.get(f"{project_path(app)}{name}") for name in ("", "wall")
        ]

        assert [page.status_code for page in pages] == [200, 200]
        assert all("backup" in page.text for page in pages)


async def test_a_message_that_is_damaged_holds_no_other_up(
    tmp_path: Path,
) -> None:
    times, marker = Times(), b"here the card is bad"
    async with HttpSink() as sink:
        hooks = [toml.webhook(f"Hook {n}", down=toml.post(sink.url)) for n in "CD"]
        text = CONFIG + "".join(hooks)
        async with running(tmp_path, times, text) as app:
            # Each of the long ones has a page to itself.
            for name, hook, said in (
                ("first", "Hook C", marker.decode() * 125),
                ("second", "Hook C", "-" * 2500),
                ("third", "Hook D", ""),
            ):
                wanted = {"name": name, "channels": hook}
                made = await app.api(
                    "POST", "checks/", json=wanted, key=OTHER_WRITE_KEY
                )
                code = made.json()["uuid"]
                await app.http.get(f"/ping/{code}/fail")
                await change(
                    app.database,
                    "UPDATE notifications SET answer = ? WHERE id ="
                    " (SELECT max(id) FROM notifications)",
                    said,
                )
        damage_where(tmp_path / "hcl.sqlite", marker)

        async with running(tmp_path, times, text) as app:
            sending = asyncio.create_task(app.sender.run())
            await sink.wait_for(2)

            assert not sending.done()
            await app.sender.finish(timedelta(seconds=ENDS))
            sent = "SELECT id FROM notifications WHERE id IN (2, 3) AND sent > 0"
            assert await rows(app.database, sent) == [2, 3]
            sending.cancel()
            told = sorted(record.body for record in sink.records)
            assert told == [b"second is down", b"third is down"]


async def put_log(tmp_path: Path, *, filed: bool = True) -> None:
    """Leave a check that is down, of whose long log pings 11 to 20 are damaged."""
    async with running_app(tmp_path) as app:
        url = f"/ping/{PING_KEY}/backup"
        await app.http.get(url, params={"create": 1})
        for n in range(2, 31):
            bad = BAD * 125 if 11 <= n <= 20 else b"-" * 2500
            await app.http.post(f"{url}/fail" if n == 30 else url, content=bad)
        if filed:
            await app.assembly.filer.file_once()
    damage_where(tmp_path / "hcl.sqlite", BAD)


BAD = b"here the card is bad"


@pytest.mark.parametrize("filed", [True, False])
async def test_pings_are_listed_around_damage(tmp_path: Path, *, filed: bool) -> None:
    await put_log(tmp_path, filed=filed)

    async with running_app(tmp_path) as app:
        await app.http.get(f"/ping/{PING_KEY}/backup/start")
        [check] = (await app.api("GET", "checks/")).json()["checks"]
        answer = await app.api("GET", f"checks/{check['uuid']}/pings/")

        assert answer.status_code == 200
        document = answer.json()
        ns = [ping["n"] for ping in document["pings"]]
        assert ns[:10] == [31, *range(30, 21, -1)]
        assert set(range(1, 6)) <= set(ns) <= {*range(1, 11), *range(21, 32)}
        said = "Not all can be read: hcl's database is damaged."
        assert document["incomplete"] == said


async def test_what_a_crash_left_uncounted_is_counted_around_damage(
    tmp_path: Path,
) -> None:
    await put_log(tmp_path, filed=False)
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as connection, connection:
        connection.execute("UPDATE check_states SET n_pings = 5, status = 'up'")

    async with running_app(tmp_path) as app:
        [check] = (await app.api("GET", "checks/")).json()["checks"]

        assert (check["n_pings"], check["status"]) == (30, "down")
        # People are to be told, and the next ping is heard.
        assert app.database.trouble.is_damage
        ping = await app.http.get(f"/ping/{PING_KEY}/backup")
        assert ping.text == "OK"
        [check] = (await app.api("GET", "checks/")).json()["checks"]
        assert (check["n_pings"], check["status"]) == (31, "up")


@pytest.mark.parametrize("filed", [True, False])
async def test_pages_of_a_check_are_shown_around_damage(
    tmp_path: Path, *, filed: bool
) -> None:
    await put_log(tmp_path, filed=filed)

    async with running_app(tmp_path) as app:
        [check] = (await app.api("GET", "checks/")).json()["checks"]
        await sign_in(app)
        root = f"/checks/{check['uuid']}"
        page = await app.http.get(root)
        log = await app.http.get(f"{root}/log")
        one = await app.http.get(f"{root}/pings/15")
        whole = [await app.http.get(f"{root}/pings/{n}") for n in (2, 30)]

        for shown in (page, log):
            assert shown.status_code == 200
            assert "Not all of this can be read: the database is damaged" in shown.text
            assert "/pings/30" in shown.text
            assert "/pings/2" in shown.text
        assert (one.status_code, "is damaged" in one.text) == (500, True)
        assert [page.status_code for page in whole] == [200, 200]
        body = await app.api("GET", f"{root[1:]}/pings/2/body")
        assert (body.status_code, len(body.content)) == (200, 2500)


@pytest.mark.parametrize(
    "table", ["pings", "flips", "notifications", "tries", "announcements"]
)
async def test_a_check_is_shown_whichever_table_is_damaged(
    tmp_path: Path, table: str
) -> None:
    await put_log(tmp_path)
    damage(tmp_path / "hcl.sqlite", table)

    async with running_app(tmp_path) as app:
        [check] = (await app.api("GET", "checks/")).json()["checks"]
        root = f"checks/{check['uuid']}"
        explained = await app.api("GET", f"{root}/explain/")
        await sign_in(app)
        project = project_path(app)
        pages = [f"/{root}", f"/{root}/log", project, f"{project}wall", "/server"]
        shown = [
            await app.http.get(page) for page in (*pages, f"{project}integrations")
        ]

        assert [page.status_code for page in shown] == [200] * 6
        assert "backup" in shown[0].text
        # Nothing is made up in its place.
        assert "Nobody" not in shown[0].text or table not in ("flips", "notifications")
        assert explained.status_code == 200
        is_said = "hcl's database is damaged" in explained.text
        assert is_said or table in ("tries", "announcements")


def test_the_command_explains_though_flips_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(put_log(tmp_path))
    damage(tmp_path / "hcl.sqlite", "flips")
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["explain", "backup"])

    assert result.exit_code == 0, result.output
    assert "Not all can be read: hcl's database is damaged." in result.output


async def test_hcl_toml_is_taken_though_announcements_are_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_app(tmp_path):
        pass
    damage(tmp_path / "hcl.sqlite", "announcements")
    second = toml.webhook("Hook C", down="http://127.0.0.1:9/c")

    async with running_app(tmp_path, CONFIG + second) as app:
        await app.reload(CONFIG)

        assert "Hook C" not in {c.name for c in app.synced.channels.values()}
    told = "cannot have channels that are back tell of what has ended: database disk"
    assert told in caplog.text
