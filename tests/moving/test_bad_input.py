"""What cannot be moved is told in a line, and leaves nothing half-done."""

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hcl.checks import schedule
from hcl.moving.exported import Exported
from hcl.moving.moved import MovingError
from hcl.occurrences import EPOCH
from tests.moving.commands import EXPECTED, SOURCE, hcl, moved_in
from tests.moving.serving import Served, read

HEADER = (
    '{"type":"hcl","version":1,"made_by":"x","as_of":"2026-11-28T08:00:00+00:00"}\n'
)
PROJECT = (
    '{"type":"project","id":"87134be1-0bcc-4d1c-95a9-314599ba695a","name":"A\\nB",'
    '"channels":[]}\n'
)
CHECK = (
    '{"type":"check","id":"58a2c6bd-e7f9-463c-89c5-87592b8b2dac",'
    '"project":"87134be1-0bcc-4d1c-95a9-314599ba695a","slug":"same"}\n'
)
OTHER = CHECK.replace("58a2", "68a2")


def damaged() -> bytes:
    """Break a page in the middle of the database."""
    whole = SOURCE.read_bytes()
    return whole[: 60 * 4096] + b"\xff" * 4096 + whole[61 * 4096 :]


FILES = {
    "postgres": (b"PGDMP\x01\x0e", "is a dump of PostgreSQL"),
    "sql": (b"--\n-- PostgreSQL database dump\n--", "is a dump of PostgreSQL"),
    "gz": (gzip.compress(b"x"), "is compressed: unpack it first"),
    "empty": (b"", "is empty"),
    "text": (b"hello", "is not what can be moved"),
    "cut": (SOURCE.read_bytes()[:100_000], "cannot be read"),
    "broken": (damaged(), "damaged"),
    "other.json": (b'{"a": 1}\n', "line 1: is nothing that `hcl export` writes"),
    "newer": (HEADER.replace(":1,", ":9,").encode(), "of another version of hcl"),
    "half": ((HEADER + PROJECT + CHECK).encode(), "is not whole"),
    "line": ((HEADER + PROJECT + CHECK[:-9]).encode(), "line 3: it ends in the middle"),
    "twice": (
        (HEADER + PROJECT + CHECK + CHECK + '{"type":"end","lines":4}\n').encode(),
        "line 4: check 58a2c6bd-e7f9-463c-89c5-87592b8b2dac is there twice",
    ),
    "status": (
        (HEADER + PROJECT + CHECK.replace('"slug"', '"status":"x","slug"')).encode(),
        "line 3: 'x' is none of new, up, down, paused",
    ),
    "deep": ((HEADER + "[" * 200_000 + "\n").encode(), "line 2: is not JSON"),
    "lines": (
        (HEADER + PROJECT + CHECK + '{"type":"end","lines":9}\n').encode(),
        "lines are missing",
    ),
}


# Of each line of a document, what would end the import in its middle, or what reads it
# later: a page, an API, the next ping, which came into the log of another check.
ODD: list[tuple[str, dict[str, Any]]] = [
    ("hcl", {"as_of": "0001-01-01T00:00:00+00:00"}),
    ("project", {"name": "\ud800"}),
    ("check", {"timeout": 1e13}),
    ("check", {"grace": -1}),
    ("check", {"n_pings": 2**40}),
    ("check", {"excused": 10**30}),
    ("check", {"last_ping": "9999-12-31T23:59:59+00:00"}),
    ("check", {"name": "\ud800"}),
    ("check", {"kind": "oncalendar", "schedule": "Mon *-2-29 1:1\n" * 1000}),
    ("flip", {"n_pings": 10**30}),
    ("flip", {"at": "0001-01-01T00:00:00+00:00"}),
    ("ping", {"n": 2**32 - 1}),
    ("ping", {"at": "0001-01-01T00:00:00+00:00"}),
    ("ping", {"exitstatus": 10**30}),
    ("ping", {"ua": "\ud800"}),
]
MOMENT = "2026-11-28T08:00:00+00:00"
FLIP = f'{{"type":"flip","at":"{MOMENT}","from":"new","to":"up","n_pings":1}}\n'
PING = f'{{"type":"ping","n":1,"at":"{MOMENT}","action":"success"}}\n'


@pytest.mark.parametrize(("kind", "odd"), ODD)
def test_what_cannot_be_is_told_by_its_line(
    tmp_path: Path, kind: str, odd: dict[str, Any]
) -> None:
    path = tmp_path / "in.jsonl"
    lines = [*map(json.loads, (HEADER, PROJECT, CHECK, FLIP, PING))]
    [number] = [n for n, line in enumerate(lines, 1) if line["type"] == kind]
    lines[number - 1] |= odd
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    with pytest.raises(MovingError, match=f"line {number}: "):
        Exported(path.open("rb"), str(path))


def test_what_people_set_is_brought_to_what_it_may_be(tmp_path: Path) -> None:
    odd = CHECK.replace('"slug"', '"timeout":0,"grace":1e9,"down_after":0,"slug"')
    path = tmp_path / "in.jsonl"
    path.write_text(HEADER + PROJECT + odd + '{"type":"end","lines":3}\n')

    with closing(Exported(path.open("rb"), str(path))) as source:
        [moved] = source.checks([1])

    found = moved.check.timeout, moved.check.grace, moved.check.down_after
    assert found == (timedelta(minutes=1), timedelta(days=365), 1)


def test_what_is_due_last_of_all_is_taken(tmp_path: Path) -> None:
    last = schedule.next_occurrence("oncalendar", "2199-12-31", "UTC", EPOCH)
    assert last is not None
    due = (last + timedelta(days=365)).isoformat()
    check = CHECK.replace('"slug"', f'"alert_after":"{due}","slug"')
    path = tmp_path / "in.jsonl"
    path.write_text(HEADER + PROJECT + check + '{"type":"end","lines":3}\n')

    with closing(Exported(path.open("rb"), str(path))) as source:
        [moved] = source.checks([1])

    assert moved.check.alert_after == last + timedelta(days=365)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_moved_is_told_in_a_line(
    tmp_path: Path, name: str
) -> None:
    content, words = FILES[name]
    (tmp_path / name).write_bytes(content)

    done = hcl(tmp_path, "import", name)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Error: {name}: ")
    assert words in line
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_copy_amid_a_write_is_told_in_a_line(tmp_path: Path) -> None:
    live = tmp_path / "live.sqlite"
    shutil.copy(SOURCE, live)
    (tmp_path / "copy").mkdir()
    with closing(sqlite3.connect(live, isolation_level=None)) as conn:
        conn.executescript("PRAGMA cache_size = 1; BEGIN; UPDATE api_ping SET ua = 'x'")
        for name in "live.sqlite", "live.sqlite-journal":
            shutil.copy(tmp_path / name, tmp_path / "copy")

        done = hcl(tmp_path / "copy", "import", "live.sqlite")

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "live.sqlite-journal tells of a write that did not end" in line


def test_what_is_odd_is_brought_along(tmp_path: Path) -> None:
    """A slug that two have, a name of two lines, and a run that cannot be right."""
    other = OTHER.replace('"slug"', '"max_run":1,"min_run":2,"slug"')
    document = HEADER + PROJECT + CHECK + other + '{"type":"end","lines":4}\n'
    (tmp_path / "in.jsonl").write_text(document)

    done = hcl(tmp_path, "import", "in.jsonl")

    assert done.returncode == 0, done.stderr
    assert read(tmp_path, "SELECT slug FROM checks") == [("same",), ("same",)]
    assert read(tmp_path, "SELECT name FROM projects") == [("A B",)]
    assert "never right, their min_run being more than max_run, or " in done.stdout
    assert read(tmp_path, "SELECT max_run FROM checks ORDER BY 1") == [(None,), (1.0,)]


def test_more_than_the_secret_key_in_its_file_is_told(tmp_path: Path) -> None:
    for text in ("SECRET_KEY=abc\n", "DEBUG=False\nSECRET_KEY=abc\n"):
        (tmp_path / "env").write_text(text)

        done = hcl(tmp_path, "import", SOURCE, "--secret-key-file", "env")

        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert "env: holds more than the old server's SECRET_KEY" in line
        assert [path.name for path in tmp_path.iterdir()] == ["env"]


def test_what_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    for arguments, words in (
        (("nothing.sqlite",), "cannot be read: No such file"),
        ((SOURCE, "--project", "Nope"), 'no project is named "Nope"; there are "Home'),
        ((SOURCE, "--secret-key-file", "nothing"), "nothing: cannot be read"),
        ((SOURCE, "--config", "no/hcl.toml"), "there is no folder"),
    ):
        done = hcl(tmp_path, "import", *arguments)

        assert done.returncode == 1
        assert words in done.stderr.splitlines()[-1]
        assert list(tmp_path.iterdir()) == []


def test_while_a_server_runs_nothing_is_changed(moved: Callable[[str], Path]) -> None:
    folder = moved("served")
    with Served(folder) as server:
        before = (folder / "hcl.toml").read_text()

        done = hcl(folder, "import", SOURCE)

        assert done.returncode == 1
        assert f"process {server.process.pid}" in done.stderr
        assert "stop that one first" in done.stderr
        assert (folder / "hcl.toml").read_text() == before


def test_a_config_that_would_not_load_stays_as_it_was(tmp_path: Path) -> None:
    key = EXPECTED["projects"][1]["ping_key"]
    text = f'[[projects]]\nname = "Here"\nping_key = "{key}"\n'
    (tmp_path / "hcl.toml").write_text(text)

    done = hcl(tmp_path, "import", SOURCE)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "ping_key" in line
    assert (tmp_path / "hcl.toml").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["hcl.toml"]


def test_columns_that_older_versions_lack_have_defaults(tmp_path: Path) -> None:
    copy = tmp_path / "old.sqlite"
    shutil.copy(SOURCE, copy)
    with closing(sqlite3.connect(copy)) as conn, conn:
        for table, column in (
            ("api_check", "filter_http_body"),
            ("api_check", "filter_default_fail"),
            ("api_check", "start_kw"),
            ("api_flip", "reason"),
            ("api_ping", "object_size"),
            ("accounts_project", "show_slugs"),
        ):
            conn.execute(f'ALTER TABLE {table} DROP COLUMN "{column}"')
        conn.execute("CREATE TABLE pings AS SELECT * FROM api_ping")
        conn.execute("DROP TABLE api_ping")
        conn.execute("ALTER TABLE pings RENAME TO api_ping")
        conn.execute("ALTER TABLE api_ping ADD COLUMN body TEXT")
        conn.execute(
            "UPDATE api_ping SET body = 'in text', body_raw = NULL"
            " WHERE length(body_raw) = 0 OR body_raw IS NULL"
        )
        # A row that makes no sense stays behind, and the others come.
        conn.execute("UPDATE api_ping SET created = 'never' WHERE id = 1")

    done = hcl(tmp_path, "import", copy)

    assert done.returncode == 0, done.stderr
    assert "1 row of api_ping made no sense, and stayed behind" in done.stdout
    count = len([p for c in EXPECTED["checks"] for p in c["pings"]])
    assert read(tmp_path, "SELECT count(*) FROM pings") == [(count - 1,)]
    assert read(
        tmp_path, "SELECT count(*) > 99 FROM pings WHERE body = x'696e2074657874'"
    )


def test_what_is_new_comes_and_what_was_changed_here_stays(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, copy = moved("here"), tmp_path / "later.sqlite"
    shutil.copy(SOURCE, copy)
    [mine, theirs, both] = [c["uuid"] for c in EXPECTED["checks"][:3]]
    with closing(sqlite3.connect(copy)) as conn, conn:
        for code in (theirs, both):
            conn.execute(
                "INSERT INTO api_ping (owner_id, n, created, scheme, method, ua)"
                " SELECT id, n_pings + 1, '2026-11-28 08:30:00', 'http', 'GET', 'new'"
                " FROM api_check WHERE code = ?",
                (code.replace("-", ""),),
            )
            conn.execute(
                "UPDATE api_check SET n_pings = n_pings + 1, name = 'Renamed',"
                " last_ping = '2026-11-28 08:30:00' WHERE code = ?",
                (code.replace("-", ""),),
            )
        conn.execute(
            "INSERT INTO api_channel (code, created, kind, value, email_verified,"
            " name, project_id, last_error, disabled) SELECT ?, created, 'email',"
            " 'late@example.org', 1, 'Late', project_id, '', 0 FROM api_channel"
            " LIMIT 1",
            ("1" * 32,),
        )
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn, conn:
        conn.execute("UPDATE checks SET name = 'Mine' WHERE code = ?", (mine,))
        conn.execute(
            "INSERT INTO pings SELECT (id << 32) + n_pings + 1, 1, 'log', 'http', '',"
            " 'GET', 'here', NULL, NULL, x'' FROM checks JOIN check_states"
            " ON check_id = id WHERE code = ?",
            (both,),
        )
        conn.execute(
            "UPDATE check_states SET n_pings = n_pings + 1 WHERE check_id ="
            " (SELECT id FROM checks WHERE code = ?)",
            (both,),
        )

    done = moved_in(folder, "--config", "hcl.toml", source=copy)

    assert "0 checks came, 1 check changed, with 1 ping and 0 flips" in done.stdout
    assert f"left as they are: {EXPECTED['checks'][2]['name']}" in done.stdout
    names = dict(read(folder, "SELECT code, name FROM checks"))
    assert [names[code] for code in (mine, theirs, both)] == [
        "Mine",
        "Renamed",
        EXPECTED["checks"][2]["name"],
    ]
    new = "SELECT code, ua FROM pings JOIN checks c ON c.id = check_id WHERE ua IN"
    assert read(folder, f"{new} ('new', 'here') ORDER BY ua DESC") == [
        (theirs, "new"),
        (both, "here"),
    ]
    late = "SELECT count(*) FROM checks_channels JOIN channels h ON h.id = channel_id"
    assert read(folder, f"{late} WHERE h.name = 'Late'") == [(0,)]
    assert (folder / "hcl.toml").read_text().count('name = "Late"') == 1


def test_keys_that_were_changed_there_are_told(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, copy = moved("here"), tmp_path / "later.sqlite"
    shutil.copy(SOURCE, copy)
    name = EXPECTED["projects"][0]["name"]
    same = moved_in(folder, source=copy)
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(
            "UPDATE accounts_project SET ping_key = 'anew', api_key = ? WHERE name = ?",
            ("12345678." + "0" * 64, name),
        )

    done = moved_in(folder, source=copy)

    assert " there than in hcl.toml" not in same.stdout
    assert "that hcl.toml does not have" not in same.stdout
    assert f'"{name}" has another ping key there than in hcl.toml' in done.stdout
    assert f'"{name}" has a read-write API key there that hcl.toml' in done.stdout


def test_what_was_changed_there_comes_though_it_is_pinged_here_since(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    """Job by job is led here, while the old server is edited still."""
    folder, copy = moved("here"), tmp_path / "later.sqlite"
    shutil.copy(SOURCE, copy)
    code = EXPECTED["checks"][0]["uuid"]
    state = f"(SELECT id FROM checks WHERE code = '{code}')"
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn, conn:
        conn.execute(
            "UPDATE check_states SET n_pings = n_pings + 2, status = 'up' WHERE"
            f" check_id = {state}"
        )
    own = "code = ?", (code.replace("-", ""),)
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(f"UPDATE api_check SET name = 'Renamed' WHERE {own[0]}", own[1])

    done = [moved_in(folder, source=copy) for _ in "ab"]
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(
            "INSERT INTO api_ping (owner_id, n, created, scheme, method, ua)"
            " SELECT id, n_pings + 2, '2026-11-28 08:30:00', 'http', 'GET', 'new'"
            f" FROM api_check WHERE {own[0]}",
            own[1],
        )
        conn.execute(
            f"UPDATE api_check SET n_pings = n_pings + 2 WHERE {own[0]}", own[1]
        )
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn, conn:
        conn.execute(
            "INSERT INTO pings SELECT (check_id << 32) + n_pings, 1, 'log', 'http', '',"
            " 'GET', 'here', NULL, NULL, x'' FROM check_states WHERE check_id ="
            f" {state}"
        )
    last = moved_in(folder, source=copy)

    assert "0 checks came, 1 check changed, with 0 pings" in done[0].stdout
    assert "0 checks came, 0 checks changed, with 0 pings" in done[1].stdout
    assert "left as they are: Renamed" in last.stdout


def test_what_was_called_down_here_and_pinged_there_is_up_and_told(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    """While both servers run, jobs still ping the old one: hcl misses them."""
    folder, copy = moved("here"), tmp_path / "later.sqlite"
    check = EXPECTED["checks"][0]
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn, conn:
        [[id_]] = conn.execute("SELECT id FROM checks WHERE code = ?", (check["uuid"],))
        conn.execute(
            "UPDATE check_states SET status = 'down' WHERE check_id = ?", (id_,)
        )
        conn.execute(
            "INSERT INTO flips (check_id, created, old_status, new_status, reason,"
            " n_pings) VALUES (?, ?, 'up', 'down', 'missed', ?)",
            (id_, EXPECTED["as_of"] + 60, check["n_pings"]),
        )
    shutil.copy(SOURCE, copy)
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute(
            "UPDATE api_check SET n_pings = n_pings + 1, last_ping ="
            " '2026-11-28 08:30:00' WHERE code = ?",
            (check["uuid"].replace("-", ""),),
        )

    done = [moved_in(folder, source=copy) for _ in "ab"]

    assert "1 check that hcl had called down had pinged" in done[0].stdout
    assert "called down" not in done[1].stdout
    flips = read(
        folder,
        "SELECT old_status, new_status, datetime(created, 'unixepoch') FROM flips"
        f" WHERE check_id = {id_} ORDER BY id DESC LIMIT 2",
    )
    assert flips == [
        ("down", "up", "2026-11-28 08:30:00"),
        ("up", "down", "2026-11-28 08:01:00"),
    ]
    # Once over each of its channels.
    waits = "SELECT channel_id FROM notifications WHERE next_try IS NOT NULL AND"
    told = read(folder, f"{waits} check_id = {id_}")
    assert len(told) == len(set(told)) > 0
