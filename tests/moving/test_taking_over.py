"""What may have come between the copy and the start is judged as an absence."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hcl import store
from tests.build import DAY, HOUR, NOW
from tests.checks.away.watching import again, look, running, up
from tests.clocks import Times
from tests.moving.commands import AS_OF, EXPECTED, SOURCE, hcl
from tests.moving.serving import Served, judged, read
from tests.store import rows


async def test_only_what_moved_is_judged_by_when_it_was_heard_there(
    tmp_path: Path,
) -> None:
    times = Times()
    async with running(tmp_path, times) as app:
        # Due half an hour before hcl goes, and half an hour after the copy.
        here, moved = [await up(app, NOW - DAY - 1.5 * HOUR) for _ in "ab"]
        late = await up(app, NOW - DAY - 3 * HOUR)
        async with app.database.transaction() as conn:
            for check in moved, late:
                mark = store.moved.Mark("", 1, NOW - HOUR)
                await store.moved.set_mark(conn, check.id, mark)
    times.run(5)

    async with running(tmp_path, times) as app:
        await look(app)

        assert (await again(app, here)).status == "down"
        assert (await again(app, late)).status == "down"
        excused = await again(app, moved)
        assert (excused.status, excused.excused) == ("up", 1)
        assert excused.counted_from == NOW + timedelta(seconds=5)
        [subject] = await rows(app.database, "SELECT subject FROM announcements")
        assert subject.startswith("nobody listened from ")
        assert await rows(app.database, "SELECT as_of FROM moved") == [None, None]


def test_what_lived_there_lives_here_and_what_was_overdue_is_down(
    moved: Callable[[str], Path],
) -> None:
    folder = moved("served")
    with Served(folder) as server:
        judged(folder)

        status = {
            check["uuid"]: check["status"]
            for project in EXPECTED["projects"][:2]
            for check in server.get(
                "/api/v3/checks/", headers={"X-Api-Key": project["api_key_plain"]}
            ).json()["checks"]
        }
    for check in EXPECTED["checks"]:
        if check["uuid"] in status:
            overdue = check["deadline"] and check["deadline"] < EXPECTED["as_of"]
            wanted = "down" if overdue else check["status_column"]
            assert status[check["uuid"]] == wanted, check["name"]


def test_an_alert_that_waited_there_is_told_once(tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    shutil.copy(SOURCE, copy)
    sql = "UPDATE api_flip SET created = ? WHERE processed IS NULL"
    told = "SELECT code, channel_id FROM notifications JOIN checks c ON c.id = check_id"
    [owed] = [
        (check["uuid"], len(check["channels"]))
        for check in EXPECTED["checks"]
        if not all(flip["processed"] for flip in check["flips"])
    ]

    for age, count in (timedelta(hours=23), owed[1]), (timedelta(hours=25), 0):
        folder = tmp_path / str(age.days)
        folder.mkdir()
        with closing(sqlite3.connect(copy)) as conn, conn:
            conn.execute(sql, (f"{datetime.now(UTC) - age:%Y-%m-%d %H:%M:%S.%f}",))
        for _ in range(2):
            done = hcl(folder, "import", copy)
            assert done.returncode == 0, done.stderr

            waiting = read(folder, told)
            assert [code for code, _ in waiting] == [owed[0]] * count
            assert len(set(waiting)) == count


def test_what_pings_there_while_the_copy_is_on_its_way_is_not_called_down(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy.sqlite"
    shutil.copy(SOURCE, copy)
    code = EXPECTED["checks"][0]["uuid"]
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(
            "UPDATE api_check SET kind = 'simple', timeout = 60000000,"
            " grace = 60000000, status = 'up', last_ping = ?, last_start = NULL"
            " WHERE code = ?",
            (f"{AS_OF:%Y-%m-%d %H:%M:%S}", code.replace("-", "")),
        )
    # It arrived here, or was copied once more, long after it had been made.
    later = (AS_OF + HOUR).timestamp()
    os.utime(copy, (later, later))

    assert hcl(tmp_path, "import", copy).returncode == 0

    with Served(tmp_path):
        judged(tmp_path)

        status = "SELECT status FROM check_states JOIN checks ON check_id = id"
        assert read(tmp_path, f"{status} WHERE code = '{code}'") == [("up",)]
