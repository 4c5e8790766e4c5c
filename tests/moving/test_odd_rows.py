"""Rows that no test database of ours had: what makes no sense stays behind, by name."""

import shutil
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from hcl.moving.healthchecks.columns import WANTED
from tests.moving.commands import EXPECTED, SOURCE, hcl
from tests.moving.serving import read

# SQLite keeps anything in a column of any type, and servers are older than their rows.
ODD = """
UPDATE accounts_profile SET check_limit = 2147483647, nag_period = 'often';
UPDATE accounts_project SET name = char(10) || 'Twin';
UPDATE auth_user SET email = x'ff40', username = '';
UPDATE api_channel SET kind = 'hipchat' WHERE id = (SELECT min(id) FROM api_channel);
UPDATE api_channel SET value = '' WHERE kind = 'slack';
UPDATE api_channel SET value = replace(hex(zeroblob(60000)), '00', '[')
 WHERE kind = 'telegram';
UPDATE api_channel SET code = 'none' WHERE kind = 'discord';
UPDATE api_check SET status = 'started' WHERE id = (SELECT min(id) FROM api_check);
UPDATE api_check SET timeout = NULL, grace = 1, schedule = NULL, desc = x'e4',
 last_duration = 'long', last_start = 'never', n_pings = NULL
 WHERE id = (SELECT min(id) + 1 FROM api_check);
UPDATE api_check SET badge_key = (SELECT badge_key FROM api_check WHERE id = 3)
 WHERE id IN (4, 5);
UPDATE api_ping SET created = '9999-12-31 23:59:59.999999' WHERE owner_id = 3 AND n = 1;
UPDATE api_ping SET n = 1099511627776 WHERE owner_id = 3 AND n = 2;
UPDATE api_check SET last_ping = x'ff' WHERE id = (SELECT max(id) FROM api_check);
UPDATE api_ping SET n = NULL WHERE owner_id = 3 AND n = 3;
UPDATE api_ping SET rid = 'none' WHERE owner_id = 3 AND n = 4;
UPDATE api_ping SET kind = 'confirm', remote_addr = 7, ua = NULL, scheme = NULL,
 method = x'50', exitstatus = 'one', body_raw = 5 WHERE owner_id = 3 AND n = 5;
INSERT INTO api_ping SELECT * FROM api_ping WHERE owner_id = 3 AND n IN (5, 6);
UPDATE api_check SET kind = 'cron', schedule = '@daily', status = 'new' WHERE id = 5;
UPDATE api_check SET code = NULL WHERE id = 6;
INSERT INTO api_check (id, project_id, name) SELECT 999, project_id, char(27) || '[1m'
 FROM api_check WHERE id = 6;
UPDATE api_flip SET old_status = 'nagged' WHERE id = 13;
UPDATE api_flip SET created = '0001-01-01 00:00:00' WHERE id = 17;
"""


def loose(path: Path) -> Path:
    """Copy the database, with tables that take anything, as some file may have."""
    shutil.copy(SOURCE, path)
    with closing(sqlite3.connect(path)) as conn, conn:
        for table in WANTED:
            conn.executescript(
                f"CREATE TABLE loose AS SELECT * FROM {table}; DROP TABLE {table};"
                f"ALTER TABLE loose RENAME TO {table}"
            )
    return path


def test_a_schedule_that_would_hold_up_every_ping_stays_behind(tmp_path: Path) -> None:
    copy = loose(tmp_path / "odd.sqlite")
    slow = "\n".join(f"Mon *-2-29 {n // 60}:{n % 60}" for n in range(1000))
    with closing(sqlite3.connect(copy)) as conn, conn:
        [name] = conn.execute("SELECT name FROM api_check WHERE id = 5").fetchone()
        set_ = "UPDATE api_check SET kind = 'oncalendar', schedule = ? WHERE id = 5"
        conn.execute(set_, (slow,))

    done = hcl(tmp_path, "import", copy)

    assert done.returncode == 0, done.stderr
    assert f"check {name} makes no sense: its schedule has 1" in done.stdout


def test_what_makes_no_sense_stays_behind_and_the_rest_comes(tmp_path: Path) -> None:
    copy = loose(tmp_path / "odd.sqlite")
    with closing(sqlite3.connect(copy)) as conn, conn:
        names = dict(conn.execute("SELECT id, name FROM api_check"))
        conn.executescript(ODD)

    done = hcl(tmp_path, "import", copy)

    assert done.returncode == 0, done.stderr
    first, second, *rest = EXPECTED["checks"]
    # The sixth lost its UUID.
    stays = [second, *rest[:3], *rest[4:]]
    for words in (
        f"  - check {names[min(names)]} makes no sense: its status is 'started'",
        f"  - check {names[6]} makes no sense: None is no UUID",
        "  - check [1m makes no sense: None is no UUID",
        "2 pings had the number of another ping of the check, and stayed behind",
        f"of a schedule that cannot be worked out here: {names[2]} and {names[5]}",
        "  - 1 row of api_channel made no sense, and stayed behind",
        "  - 4 rows of api_ping made no sense, and stayed behind",
        "  - 2 rows of api_flip made no sense, and stayed behind",
        "hcl has no channel of the kind hipchat",
        "what it holds makes no sense for the kind slack",
        "what it holds makes no sense for the kind telegram",
        '"Twin (2)"',
    ):
        assert words in done.stdout
    projects = tomllib.loads((tmp_path / "hcl.toml").read_text())["projects"]
    assert [p["name"] for p in projects] == ["Twin", "Twin (2)", "Twin (3)"]
    assert {p["check_limit"] for p in projects} == {1_000_000_000}
    codes = [code for (code,) in read(tmp_path, "SELECT code FROM checks ORDER BY id")]
    assert codes == [check["uuid"] for check in stays]
    assert first["uuid"] not in codes
    assert read(
        tmp_path,
        "SELECT timeout, grace, schedule, desc, last_duration, last_start FROM checks"
        f" JOIN check_states ON check_id = id WHERE code = '{second['uuid']}'",
    ) == [(86400.0, 60.0, "", "\ufffd", None, None)]
    assert read(
        tmp_path,
        "SELECT action, scheme, method, ua, exitstatus, body FROM pings"
        " WHERE remote_addr = '7'",
    ) == [("log", "http", "P", "", None, b"5")]
    assert read(
        tmp_path, "SELECT count(*) = count(DISTINCT badge_key) FROM checks"
    ) == [(1,)]


def test_number_of_a_ping_that_is_none_comes_by_no_flip(tmp_path: Path) -> None:
    copy = loose(tmp_path / "odd.sqlite")
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute("UPDATE api_ping SET n = 'many' WHERE owner_id IN (1, 7, 26)")

    hcl(tmp_path, "import", copy)

    kinds = read(tmp_path, "SELECT DISTINCT typeof(n_pings) FROM flips")
    assert kinds == [("integer",)]
    # Else nobody would take what is exported.
    hcl(tmp_path, "export", "all.jsonl")
    (tmp_path / "other").mkdir()
    done = hcl(tmp_path / "other", "import", "../all.jsonl")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "UPDATE api_check SET code = (SELECT code FROM api_check LIMIT 1)"
            " WHERE id = (SELECT min(id) + 1 FROM api_check)",
            "two checks have the UUID ",
        ),
        (
            "UPDATE api_check SET code = (SELECT upper(substr(code, 1, 8)) || '-'"
            " || substr(code, 9) FROM api_check LIMIT 1)"
            " WHERE id = (SELECT min(id) + 1 FROM api_check)",
            "two checks have the UUID ",
        ),
        (
            "UPDATE accounts_project SET code = 'none' WHERE id = 1",
            "project 1 of accounts_project makes no sense: its code 'none' is no UUID",
        ),
        ("DELETE FROM accounts_project", "there is no project in it"),
        ("ALTER TABLE api_check RENAME TO checks", "it has no table api_check"),
    ],
)
def test_what_cannot_be_told_apart_changes_nothing(
    tmp_path: Path, sql: str, words: str
) -> None:
    (tmp_path / "source").mkdir()
    copy = loose(tmp_path / "source" / "odd.sqlite")
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(sql)

    done = hcl(tmp_path, "import", copy)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert words in line
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_columns_that_older_versions_had_otherwise_are_read(tmp_path: Path) -> None:
    copy = loose(tmp_path / "old.sqlite")
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.executescript(
            "".join(
                f"ALTER TABLE api_check DROP COLUMN {column};"
                for column in ("success_kw", "failure_kw", "filter_subject", "slug")
            )
            + "ALTER TABLE api_check ADD COLUMN subject;"
            "ALTER TABLE api_check ADD COLUMN subject_fail;"
            "UPDATE api_check SET subject = '', subject_fail = '';"
            "UPDATE api_check SET subject = 'ok, done' WHERE id IN (2, 3);"
            "UPDATE api_check SET subject_fail = 'bad' WHERE id = 3;"
            "ALTER TABLE accounts_member DROP COLUMN role;"
            "ALTER TABLE accounts_member ADD COLUMN rw;"
            "UPDATE accounts_member SET rw = 0;"
            "ALTER TABLE accounts_profile DROP COLUMN reports;"
            "ALTER TABLE accounts_profile ADD COLUMN reports_allowed;"
            "UPDATE accounts_profile SET reports_allowed = 1;"
        )

    done = hcl(tmp_path, "import", copy)

    assert done.returncode == 0, done.stderr
    assert "could look at it: give out a read-only API key" in done.stdout
    assert "could change it" not in done.stdout
    assert "had monthly reports by mail" in done.stdout
    assert read(
        tmp_path,
        "SELECT success_kw, failure_kw, filter_subject FROM checks ORDER BY id LIMIT 4",
    ) == [("", "", 0), ("ok, done", "", 1), ("ok, done", "bad", 1), ("", "", 0)]
