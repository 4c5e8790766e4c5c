"""Databases that older versions of hcl left, with messages that wait."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

import hcl
from hcl import store
from hcl.alerts.lines import PAUSES
from tests import toml
from tests.alerts.sending import targets
from tests.app import running_app
from tests.build import HOUR, NOW
from tests.sinks import HttpSink
from tests.store import rows

CODES = [f"c11ebf40-920c-43ea-a6e4-00000000000{n}" for n in range(4)]


_FOLDER = Path(hcl.__file__).parent / "db/migrations"
# The schema that this version makes.
NEWEST = len(list(_FOLDER.glob("*.sql")))


def put_of_version(path: Path, version: int) -> None:
    """Make a database of an older schema, with three checks that are down.

    Of the first the message was sent an hour ago, of the second it failed twice and has
    one behind it, of the third it has not been tried.
    """
    with closing(sqlite3.connect(path)) as connection:
        for number, file in enumerate(sorted(_FOLDER.glob("*.sql"))[:version], 1):
            connection.executescript(
                f"{file.read_text()}; PRAGMA user_version = {number};"
            )
        connection.execute(
            "INSERT INTO projects VALUES (1, 'p', 'Home', 'k', 'b', 9, 1)"
        )
        connection.execute(
            "INSERT INTO channels (id, project_id, code, name, kind, on_down, on_up,"
            " enabled, last_error) VALUES (1, 1, 'c', 'Hook', 'webhook', 1, 1, 1, 'no')"
        )
        for id_ in (1, 2, 3):
            _put_check(connection, id_)
        now = NOW.timestamp()
        for id_, check_id, attempts, next_try, sent in (
            (1, 1, 0, None, now - 3600),
            (2, 2, 2, now + 100, None),
            (3, 2, 0, now, None),
            (4, 3, 0, now, None),
        ):
            old, new = ("down", "up") if id_ == 3 else ("up", "down")
            connection.execute(
                "INSERT INTO flips VALUES (?, ?, ?, ?, ?, '', 0)",
                (id_, check_id, now - 7200 + id_, old, new),
            )
            connection.execute(
                "INSERT INTO notifications (id, flip_id, check_id, channel_id,"
                " created, attempts, next_try, sent, answer)"
                " VALUES (?, ?, ?, 1, ?, ?, ?, ?, '')",
                (id_, id_, check_id, now - 7200 + id_, attempts, next_try, sent),
            )
        connection.commit()


def _put_check(connection: sqlite3.Connection, id_: int) -> None:
    connection.execute(
        "INSERT INTO checks (id, project_id, code, unique_key, badge_key, name, slug,"
        ' tags, "desc", kind, timeout, grace, schedule, tz, methods, manual_resume,'
        " start_kw, success_kw, failure_kw, filter_subject, filter_body,"
        " filter_http_body, filter_default_fail) SELECT ?, 1, ?, ?, ?, '', '', '', '',"
        " 'simple', 60, 60, '', '', '', 0, '', '', '', 0, 0, 0, 0",
        (id_, CODES[id_], CODES[id_], CODES[id_]),
    )
    status = "up" if id_ == 2 else "down"
    connection.execute(
        "INSERT INTO check_states (check_id, status, n_pings) VALUES (?, ?, 0)",
        (id_, status),
    )
    connection.execute("INSERT INTO checks_channels VALUES (?, 1)", (id_,))


@pytest.fixture(params=range(1, NEWEST))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a database of each schema before."""
    put_of_version(tmp_path / "hcl.sqlite", request.param)
    return tmp_path


def text(sink: HttpSink, **keys: str) -> str:
    down, up = f"{sink.url}down/$CODE", f"{sink.url}up/$CODE"
    return toml.project() + toml.webhook("Hook", down=down, up=up, **keys)


async def test_what_waited_is_sent_by_the_new_version(older: Path) -> None:
    async with HttpSink() as sink, running_app(older, text(sink)) as app:
        assert await rows(app.database, "PRAGMA user_version") == [NEWEST]
        kept = await rows(
            app.database,
            "SELECT id, attempts, reminder, hold, notice, handed_on FROM notifications",
        )
        assert kept == [(n, 2 if n == 2 else 0, 0, "", "", 0) for n in (1, 2, 3, 4)]

        await app.sender.send_once(NOW)
        await app.sender.send_once(NOW)

        waiting = "SELECT id FROM notifications WHERE next_try NOTNULL"
        assert await rows(app.database, waiting) == []
        told = targets(sink)
        assert sorted(told) == sorted(
            [f"/down/{CODES[2]}", f"/up/{CODES[2]}", f"/down/{CODES[3]}"]
        )
        assert told.index(f"/down/{CODES[2]}") < told.index(f"/up/{CODES[2]}")
        tries = await rows(app.database, "SELECT notification_id FROM tries")
        assert sorted(tries) == [2, 3, 4]


async def test_what_had_failed_goes_on_failing_where_it_was(older: Path) -> None:
    async with HttpSink(status=500) as sink, running_app(older, text(sink)) as app:
        await app.sender.send_once(NOW + timedelta(seconds=100))

        found = await rows(
            app.database,
            "SELECT attempts, next_try FROM notifications WHERE id = 2",
        )
        assert found == [(3, (NOW + timedelta(seconds=100) + PAUSES[2]).timestamp())]
        failing = "SELECT failing_since NOTNULL FROM channels"
        assert await rows(app.database, failing) == [1]


async def test_outage_of_before_is_reminded_of(older: Path) -> None:
    reminded = {"remind_every": "2h"}
    async with HttpSink() as sink, running_app(older, text(sink, **reminded)) as app:
        assert await rows(
            app.database,
            "SELECT check_id, reminder FROM notifications WHERE hold = 'remind'",
        ) == [(1, 1)]
        # It was sent an hour before NOW.
        [at] = await rows(
            app.database, "SELECT next_try FROM notifications WHERE hold = 'remind'"
        )
        assert at >= (NOW + HOUR).timestamp()


async def test_tries_and_the_greatest_id_outlive_a_table_that_is_made_anew(
    tmp_path: Path,
) -> None:
    put_of_version(tmp_path / "hcl.sqlite", 3)
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as connection:
        connection.execute("INSERT INTO tries VALUES (7, 2, 0, 1.5, 0, 'no')")
        connection.execute("DELETE FROM notifications WHERE id = 4")
        connection.commit()

    async with HttpSink() as sink, running_app(tmp_path, text(sink)) as app:
        tries = await rows(app.database, "SELECT id, notification_id FROM tries")
        greatest = await store.notifications.highest_id(app.database.committed)
        wrong = await rows(app.database, "PRAGMA foreign_key_check")
        enforced = await rows(app.database, "PRAGMA foreign_keys")

    assert tries == [(7, 2)]
    assert greatest == 4
    assert wrong == []
    assert enforced == [1]
