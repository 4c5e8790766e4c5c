"""All that is in a database of Healthchecks is here after it was imported."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from hcl import config, store
from hcl.model import Check, Ping
from tests.moving.commands import (
    EXPECTED,
    SOURCE,
    checks_of,
    database,
    hcl,
    moved_in,
)
from tests.moving.serving import read
from tests.patience import ENDS

SAME = (
    "name slug tags desc kind methods manual_resume start_kw success_kw failure_kw"
    " filter_subject filter_body filter_http_body filter_default_fail badge_key n_pings"
)


def kept(check: Check) -> dict[str, Any]:
    """Describe a check as the expected file does."""
    due: dict[str, Any] = {"schedule": check.schedule, "tz": check.tz}
    if check.kind == "simple":
        due = {"timeout": check.timeout.total_seconds()}
    deadline = check.alert_after
    return {
        **{name: getattr(check, name) for name in SAME.split()},
        **due,
        "grace": check.grace.total_seconds(),
        "status_column": check.status,
        "last_ping": check.last_ping and check.last_ping.timestamp(),
        "last_start": check.last_start and check.last_start.timestamp(),
        "last_duration": check.last_duration and check.last_duration.total_seconds(),
        "deadline": deadline and deadline.timestamp(),
    }


async def test_every_check_is_here_with_its_state(imported: Path) -> None:
    async with database(imported) as conn:
        for expected in EXPECTED["checks"]:
            check = await store.checks.by_code(conn, expected["uuid"])

            assert check
            assert kept(check) == {name: expected[name] for name in kept(check)}
            codes = await store.channels.codes_of_check(conn, check.id)
            assert codes == expected["channel_uuids"]
            assert check.unique_key == expected["unique_key"]


def kept_ping(ping: Ping, body: bytes) -> dict[str, Any]:
    return {
        "n": ping.n,
        "at": ping.created.timestamp(),
        "type": ping.action,
        "scheme": ping.scheme,
        "method": ping.method,
        "remote_addr": ping.remote_addr or None,
        "ua": ping.ua,
        "rid": ping.rid,
        "exitstatus": ping.exitstatus,
        "body_sha256": hashlib.sha256(body).hexdigest() if body else None,
    }


async def test_every_ping_and_flip_is_here(imported: Path) -> None:
    async with database(imported) as conn:
        for expected in EXPECTED["checks"]:
            check = await store.checks.by_code(conn, expected["uuid"])
            assert check
            pings = [
                await store.pings.by_n(conn, check.id, ping.n)
                for ping in await store.pings.newest(conn, check.id, 10_000)
            ]
            flips = await store.flips.of_check(conn, check.id)

            for ping, wanted in zip(pings, expected["pings"], strict=True):
                assert ping
                body = None if wanted["object_size"] else wanted["body_sha256"]
                found = kept_ping(ping, ping.body)
                assert found == {**{k: wanted[k] for k in found}, "body_sha256": body}
            assert [
                {
                    "at": flip.created.timestamp(),
                    "from": flip.old_status,
                    "to": flip.new_status,
                    "reason": flip.reason,
                }
                for flip in reversed(flips)
            ] == [
                {k: f[k] for k in ("at", "from", "to", "reason")}
                for f in expected["flips"]
            ]


async def test_every_channel_is_here_under_a_name_of_its_own(imported: Path) -> None:
    async with database(imported) as conn:
        known = (await store.projects.known(conn)).items()
        for project in EXPECTED["projects"]:
            [id_] = [id_ for id_, row in known if row.code == project["uuid"]]
            rows = await store.channels.of_project(conn, id_)

            found = {row.code: row.kind for row in rows}
            others = {"trello": "webhook", "call": "sms"}
            wanted = {c["uuid"]: c["kind"] for c in project["channels"]}
            assert found == {k: others.get(v, v) for k, v in wanted.items()}
            assert len({row.name for row in rows}) == len(rows)


def test_the_config_holds_keys_and_channels_for_its_owner_alone(imported: Path) -> None:
    path = imported / "hcl.toml"
    read = config.load(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in read.projects] == [
        EXPECTED["projects"][0]["name"],
        EXPECTED["projects"][1]["name"],
        "second-user@example.net",
    ]
    assert [p.id for p in read.projects] == [p["uuid"] for p in EXPECTED["projects"]]
    off = [c.name for p in read.projects for c in p.channels if not c.enabled]
    assert off == ["Not verified yet"]
    [group] = [c for c in read.projects[0].channels if c.kind == "group"]
    assert len(group.settings.members) == 3


async def test_only_the_alert_that_waited_waits(imported: Path) -> None:
    async with database(imported) as conn:
        rows = await conn.execute_fetchall(
            "SELECT DISTINCT c.code FROM notifications n JOIN checks c"
            " ON c.id = n.check_id WHERE n.next_try IS NOT NULL"
        )

    waiting = {row[0] for row in rows}
    owed = {
        check["uuid"]
        for check in EXPECTED["checks"]
        if any(not flip["processed"] for flip in check["flips"])
    }
    # It is a day old by now, or it is not: nothing else may be told.
    assert waiting <= owed


def test_a_run_again_doubles_nothing(moved: Callable[[str], Path]) -> None:
    folder = moved("again")
    before = (folder / "hcl.toml").read_text()

    again = moved_in(folder)

    assert "0 checks came, 0 checks changed, with 0 pings and 0 flips" in again.stdout
    # It was said once what these lack.
    assert 'channel "telegram' not in again.stderr
    assert (folder / "hcl.toml").read_text() == before


def test_a_run_again_into_another_config_leaves_each_check_its_channels(
    moved: Callable[[str], Path],
) -> None:
    folder = moved("anew")
    # Somebody begins anew, with the database that is there.
    (folder / "hcl.toml").unlink()
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn, conn:
        # What was changed here stays.
        conn.execute("DELETE FROM checks_channels WHERE check_id = 1")
    served = "SELECT check_id, channel_id FROM checks_channels ORDER BY 1, 2"
    before = read(folder, served)

    moved_in(folder)

    assert read(folder, served) == before != []


def test_import_that_ends_half_way_says_what_it_did_to_the_config(
    tmp_path: Path,
) -> None:
    first, second, _ = (project["name"] for project in EXPECTED["projects"])
    moved_in(tmp_path, "--project", second)
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as conn, conn:
        conn.execute(
            "CREATE TRIGGER full BEFORE INSERT ON checks BEGIN"
            " SELECT raise(ABORT, 'no room'); END"
        )

    ended = hcl(tmp_path, "import", SOURCE, "--project", first)
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as conn, conn:
        conn.execute("DROP TRIGGER full")
    again = hcl(tmp_path, "import", SOURCE, "--project", first)

    key = "the read-write API key of "
    assert ended.returncode == 1
    assert ended.stderr == "Error: no room\n"
    assert key in ended.stdout
    assert "To fill in" in ended.stdout
    assert again.returncode == 0, again.stderr
    assert key not in again.stdout


def test_what_lacks_the_secret_is_said_and_brought_by_a_run_with_it(
    tmp_path: Path,
) -> None:
    name, path = EXPECTED["projects"][0]["name"], tmp_path / "hcl.toml"
    path.write_text('[[projects]] # mine\nname = "Here"\nping_key = "here"\n')

    without = hcl(tmp_path, "import", SOURCE, "--project", name)
    late = moved_in(tmp_path, "--project", name)
    before = path.read_text()
    again = moved_in(tmp_path, "--project", name)

    signed = "badges of tags, and those of all checks, have other URLs here"
    assert signed in without.stdout
    assert signed not in late.stdout
    assert f'"{name}" has the old server\'s SECRET_KEY now, by which' in late.stdout
    here, moved = config.load(path).projects
    assert here.healthchecks_secret == ""
    assert moved.healthchecks_secret == EXPECTED["secret_key"]
    assert [(key.name, key.access, key.is_hmac) for key in moved.keys] == [
        ("Healthchecks", "read-write", False),
        ("Healthchecks, read-only", "read-only", False),
        ("Healthchecks (2)", "read-write", True),
        ("Healthchecks, read-only (2)", "read-only", True),
    ]
    assert "SECRET_KEY" not in again.stdout
    assert path.read_text() == before


def test_a_project_without_a_key_gets_one_to_sign_in_by(tmp_path: Path) -> None:
    copy = tmp_path / "keyless.sqlite"
    shutil.copy(SOURCE, copy)
    with closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute("UPDATE accounts_project SET api_key = '', api_key_readonly = ''")

    done = moved_in(tmp_path, source=copy)
    before = (tmp_path / "hcl.toml").read_text()
    again = moved_in(tmp_path, source=copy)

    projects = config.load(tmp_path / "hcl.toml").projects
    assert [[(k.name, k.access) for k in p.keys] for p in projects] == [
        [("me", "read-write")]
    ] * len(projects)
    assert len({p.keys[0].sha256 for p in projects}) == len(projects)
    assert done.stdout.count("has a new read-write API key, which hcl.toml holds") == 3
    assert "API key" not in again.stdout
    assert (tmp_path / "hcl.toml").read_text() == before


def test_one_project_comes_alone_into_a_config_that_is_there(tmp_path: Path) -> None:
    text = '[[projects]]\nname = "Here"\nping_key = "here" # mine'
    (tmp_path / "hcl.toml").write_text(text)

    done = moved_in(tmp_path, "--project", EXPECTED["projects"][1]["name"])

    after = (tmp_path / "hcl.toml").read_text()
    names = [p["name"] for p in tomllib.loads(after)["projects"]]
    assert names == ["Here", EXPECTED["projects"][1]["name"]]
    assert after.startswith(text)
    assert (tmp_path / "hcl.toml.before-import-1").read_text() == text
    assert "[server]" not in done.stdout


def test_dry_run_shows_what_comes_and_writes_nothing(tmp_path: Path) -> None:
    done = moved_in(tmp_path, "--dry-run")

    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret-key"]
    assert "second-user@example.net could look at it: give" in done.stdout
    assert "owner.one@example.org had weekly reports by mail" in done.stdout
    assert "whom it is from (EMAIL_HOST … and DEFAULT_FROM_EMAIL of" in done.stdout
    assert "  - [server]: site_root, as SITE_ROOT of the old server; and" in done.stdout
    for project in EXPECTED["projects"]:
        [line] = [
            line
            for line in done.stdout.splitlines()
            if line.startswith(f"{project['name'] or project['owner']} ")
        ]
        checks = checks_of(project)
        assert line.split()[-6:-2] == [
            "new",
            str(len(checks)),
            str(sum(len(check["pings"]) for check in checks)),
            str(sum(len(check["flips"]) for check in checks)),
        ]


def test_what_a_terminal_cannot_show_is_replaced(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hcl", "import", SOURCE, "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        encoding="latin-1",
        timeout=ENDS,
        check=True,
    )

    assert "\nBüro ? Ops / ?? ?  " in done.stdout
