"""A takeover that is killed between two steps, by the real command."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests import toml
from tests.damage import damage
from tests.db.test_migrations import NEWEST, put_of_version
from tests.patience import ENDS
from tests.server.process import Serve, curl
from tests.server.test_backup import asked, copies_in, hcl

# Runs hcl, and kills it before it moves or removes a file.
KILLED = """\
import os, sys
event, file = sys.argv[1:3]
def kill(name, arguments):
    if name == event and os.path.basename(arguments[0]) == file:
        os.kill(os.getpid(), 9)
sys.addaudithook(kill)
sys.argv[1:3] = []
from hcl.cli import main
main(prog_name="hcl")
"""

# Runs hcl, and has another program read the copy that it prepares.
READ = """\
import sqlite3, sys
held = []
def read(name, arguments):
    path = str(arguments[0]) if name == "sqlite3.connect" else ""
    if path.endswith("taking-over") and not held:
        held.append(None)
        held.append(sqlite3.connect(path))
        held[1].execute("PRAGMA journal_mode = WAL")
        held[1].execute("BEGIN")
        held[1].execute("SELECT 1 FROM checks").fetchall()
sys.addaudithook(read)
from hcl.cli import main
main(prog_name="hcl")
"""

TAKE_OVER = ("standby", "--take-over", "--from-copy")


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a machine that was killed, passed, and has followed."""
    folder = tmp_path_factory.mktemp("passed")
    standby = toml.table("standby", follow="file:///nowhere", fence="fence")
    with Serve(folder, tables=standby) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        hcl(folder, "backup", "hcl.sqlite.standby")
        curl(check["ping_url"])
        serve.stop(9)
    (folder / "hcl.sqlite.fenced").write_text("passed\n")
    return folder


@pytest.mark.parametrize(
    ("event", "file"),
    [
        ("os.rename", "hcl.sqlite"),
        ("os.rename", "hcl.sqlite-wal"),
        ("os.remove", "hcl.sqlite.fenced"),
        ("os.rename", "hcl.sqlite.taking-over"),
    ],
)
def test_takeover_that_is_killed_can_be_done_again_and_keeps_what_was_here(
    passed: Path, tmp_path: Path, event: str, file: str
) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, event, file, *TAKE_OVER],
        cwd=folder,
        check=False,
        timeout=ENDS,
    )

    said = hcl(folder, *TAKE_OVER)

    assert killed.returncode == -9
    assert "The fence stands at epoch 1." in said
    [aside] = [name for name in copies_in(folder) if ".before-" in name]
    assert asked(folder / aside, "SELECT count(*) FROM log") == [1]
    assert asked(folder / "hcl.sqlite", "SELECT count(*) FROM log") == [0]
    assert not (folder / "hcl.sqlite.fenced").exists()


def test_what_a_kill_left_of_the_database_is_not_called_what_was_here(
    passed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")
    (folder / "hcl.sqlite").rename(folder / "hcl.sqlite.before-20260101T000000Z")
    (folder / "hcl.sqlite-wal").write_bytes(b"log")

    said = hcl(folder, *TAKE_OVER)

    assert "set aside" not in said
    assert asked(folder / "hcl.sqlite", "SELECT count(*) FROM log") == [0]


def test_copy_whose_wal_is_not_written_into_it_is_not_taken(
    passed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")

    done = subprocess.run(
        [sys.executable, "-c", READ, *TAKE_OVER],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )

    assert done.stderr == (
        f"Error: nothing is taken over: {folder}/hcl.sqlite.taking-over: its WAL cannot"
        " be written into it: make room, and let no other program open it\n"
    )
    assert not (folder / "fence").exists()
    assert asked(folder / "hcl.sqlite", "SELECT count(*) FROM log") == [1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("is_there", [True, False])
def test_root_leaves_what_is_taken_over_to_whom_hcl_runs_as(
    passed: Path, tmp_path: Path, is_there: bool
) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")
    database = folder / "hcl.sqlite"
    if not is_there:
        database.unlink()
    os.chown(database if is_there else folder, 12345, 23456)

    hcl(folder, *TAKE_OVER)

    owner = database.stat()
    assert (owner.st_uid, owner.st_gid) == (12345, 23456)
    assert owner.st_mode & 0o777 == 0o600


def test_machine_that_is_upgraded_takes_over_from_one_that_is_not(
    passed: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")
    copy = folder / "hcl.sqlite.standby"
    copy.unlink()
    put_of_version(copy, NEWEST - 1)

    said = hcl(folder, *TAKE_OVER)

    assert "Not sent: 3 messages that waited there." in said
    assert "The fence stands at epoch 1." in said
    database = folder / "hcl.sqlite"
    assert asked(database, "PRAGMA user_version") == [NEWEST]
    assert asked(database, "SELECT count(*) FROM checks") == [3]
    assert not list(folder.glob("*taking-over*"))


def test_copy_of_a_newer_version_is_not_taken(passed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")
    with closing(sqlite3.connect(folder / "hcl.sqlite.standby")) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")

    line = hcl(folder, *TAKE_OVER)

    assert f"made by a newer hcl (schema {NEWEST + 1}): run that one" in line
    assert not (folder / "fence").exists()


def test_copy_that_was_followed_half_is_not_taken(passed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")
    damage(folder / "hcl.sqlite.standby", "flips")

    line = hcl(folder, *TAKE_OVER)

    copy = folder / "hcl.sqlite.standby"
    assert line.startswith(f"nothing is taken over: {copy}: is damaged: ")
    assert not (folder / "fence").exists()
    assert asked(folder / "hcl.sqlite", "SELECT count(*) FROM log") == [1]


def test_disk_without_room_for_the_copy_is_named(passed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(passed, tmp_path / "here")

    line = hcl(folder, *TAKE_OVER, before=("prlimit", "--fsize=100000"))

    assert line == f"nothing is taken over: {folder}: File too large"
    assert asked(folder / "hcl.sqlite", "SELECT count(*) FROM log") == [1]
