import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hcl import __version__, store
from hcl.model import Announcement
from hcl.store.backups import Kept
from hcl.store.life import Absence
from tests import toml
from tests.app import CONFIG, OTHER_READ_KEY, READ_KEY, WRITE_KEY, App, running_app
from tests.build import HOUR, NOW
from tests.clocks import a_clock
from tests.store import change, put_check, put_flip
from tests.web.pages.browsing import sign_in, text_of


async def page_of(app: App, key: str = WRITE_KEY) -> str:
    await sign_in(app, key)
    answer = await app.http.get("/server")
    assert answer.status_code == 200
    return text_of(answer.text)


async def test_it_says_what_runs_and_what_it_holds(app: App) -> None:
    page = await page_of(app)

    assert f"hcl {__version__}" in page
    assert sqlite3.sqlite_version in page
    assert "well The database answers" in page
    assert "Checker lag none" in page
    assert str(app.config.path) in page
    assert str(app.config.database.path) in page
    assert (
        "hcl makes no backups of its own: [backup] in hcl.toml has it make them."
        in page
    )
    assert "Nothing was set aside before a migration or a restore." in page


async def test_pings_and_deliveries_are_counted(app: App) -> None:
    app.parts.counters.pings.update(["success", "success", "ign"])
    app.parts.counters.deliveries[("webhook", "sent")] = 1234
    app.parts.counters.deliveries[("webhook", "given_up")] = 1

    page = await page_of(app)

    assert "Success 2 Ignored 1" in page
    assert "webhook 1,234 0 1" in page


async def test_queues_and_lag_are_told(app: App) -> None:
    check = await put_check(app.database, 1)
    await put_flip(app.database, check, datetime.now(UTC) - HOUR)
    late = (datetime.now(UTC) - 2 * HOUR).timestamp()
    await change(app.database, "UPDATE check_states SET look_at = ?", late)

    page = await page_of(app)

    assert "Checker lag 2 hours" in page
    assert "Messages to deliver 1 the oldest has waited for 1 hour" in page
    assert "trouble The checker is late." in page


async def test_failing_channels_of_own_projects_are_named(app: App) -> None:
    async with app.database.transaction() as conn:
        await store.channels.note_failed(conn, 1, "no", NOW)

    own, other = await page_of(app), await page_of(app, OTHER_READ_KEY)

    assert "Hook A of Home, since 15 Jun 12:00" in own
    assert "not all is well 1 integration does not deliver." in own
    assert "Hook A" not in other
    assert "1 of projects that this key does not open" in other


async def test_copies_of_migrations_are_listed(app: App) -> None:
    path = app.config.database.path
    path.with_name(f"{path.name}.schema-2").write_bytes(b"x" * 2500)
    path.with_name(f"{path.name}.schema-2.gz").write_bytes(b"x")

    page = await page_of(app)

    assert f"{path.name}.schema-2 2.5 kB" in page
    assert "schema-2.gz" not in page


async def test_database_behind_a_link_is_told_of_as_it_lies(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "hcl.sqlite").symlink_to(disk / "hcl.sqlite")
    async with running_app(tmp_path) as app:
        await put_check(app.database)
        (disk / "hcl.sqlite.schema-2").write_bytes(b"x" * 2500)

        page = await page_of(app)

    assert "hcl.sqlite.schema-2 2.5 kB" in page
    assert "Write-ahead log" in page
    assert "Write-ahead log 0 bytes" not in page


async def test_who_may_only_look_sees_no_paths(app: App) -> None:
    page = await page_of(app, READ_KEY)

    assert str(app.config.path.parent) not in page


async def test_who_is_not_signed_in_sees_nothing(app: App) -> None:
    answer = await app.http.get("/server")

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sign-in")


async def test_last_good_backup_is_shown_and_what_is_wrong(tmp_path: Path) -> None:
    backup = toml.table("backup", folder="one", second_folder="two")
    kept = Kept(since=NOW, name="hcl-1.sqlite", made=NOW, size=2500, pings=1234)
    bad = Kept(since=NOW, problem="disk/x: is full", tried=NOW, told=NOW)
    async with running_app(tmp_path, backup + CONFIG) as app:
        async with app.database.transaction() as conn:
            await store.backups.put(conn, tmp_path / "one", kept)
            await store.backups.put(conn, tmp_path / "two", bad)

        page, read_only = await page_of(app), await page_of(app, READ_KEY)

    assert f"{tmp_path}/one : the last good one is from 15 Jun 12:00" in page
    assert "not all is well A backup is missing." in page
    assert (
        "2.5 kB, 1,234 pings; it was read, and is whole. One is made every day" in page
    )
    assert "two : there is none yet." in page
    assert "Overdue. The last try failed" in page
    assert "disk/x: is full." in page
    assert "The last good one is from 15 Jun" in read_only
    assert "There is none yet." in read_only
    assert "disk/x" not in read_only
    assert str(tmp_path) not in read_only


async def test_uptime_is_as_long_as_it_runs_whatever_the_clock_says(
    tmp_path: Path,
) -> None:
    clock, times = a_clock()
    async with running_app(tmp_path, CONFIG, clock=clock) as app:
        times.run(60)
        clock.take(8 * HOUR)

        assert "Uptime 1 minute" in await page_of(app)


async def test_absences_and_steps_of_the_clock_are_told(app: App) -> None:
    now = app.clock.now()
    away = Absence(now - HOUR, now - HOUR / 2, "suspended")
    async with app.database.transaction() as conn:
        await store.life.add_absence(conn, away)
    app.clock.steps += [HOUR, -2 * HOUR]

    page = await page_of(app)

    assert "for 30 min the machine slept" in page
    assert "The clock was set since the start 2 times: 2 h back, 1 h forward" in page
    assert "Replication" not in page


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("", "well The database answers"),
        ("replication goes on", "well The database answers"),
        ("replication stands still since 02:55", "Replication stands still."),
    ],
)
async def test_replication_is_told(tmp_path: Path, subject: str, words: str) -> None:
    standby = toml.table("standby", socket=str(tmp_path / "litestream.sock"))
    async with running_app(tmp_path, standby + CONFIG) as app:
        if subject:
            told = Announcement(None, app.clock.now(), "replication", subject)
            async with app.database.transaction() as conn:
                await store.announcements.add(conn, told)

        page = await page_of(app)

    assert words in page
    assert (subject or "nothing was amiss") in page
