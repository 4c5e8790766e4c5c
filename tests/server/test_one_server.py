"""One server a database, with real processes: its lock, its path, its disk."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from tests import toml
from tests.damage import damage
from tests.patience import ENDS
from tests.server.process import Serve, curl, until


def serve_in(
    folder: Path, *options: str, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a server that is to end by itself."""
    return subprocess.run(
        [*before, sys.executable, "-m", "hcl", "serve", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )


def only_error(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a start ended with."""
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line.removeprefix("Error: ")


def by_the_same_config(folder: Path) -> Path:
    return folder


def by_another_config(folder: Path) -> Path:
    return another(folder, folder / "hcl.sqlite")


def by_a_link(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "hcl.sqlite")
    return another(folder, folder / "link")


def another(folder: Path, database: Path) -> Path:
    """Make a config of another folder and port for a database."""
    other = folder / "other"
    other.mkdir()
    Serve(other, tables=toml.table("database", path=str(database)))
    return other


@pytest.mark.parametrize("way", [by_the_same_config, by_another_config, by_a_link])
def test_second_server_ends_with_one_line_that_names_the_first(
    tmp_path: Path, way: Callable[[Path], Path]
) -> None:
    with Serve(tmp_path) as serve:
        line = only_error(serve_in(way(tmp_path)))

        assert line.endswith(
            f": another hcl serves it, process {serve.process.pid}: one server a"
            " database; stop that one first"
        )
        assert serve.process.poll() is None
        assert serve.api("GET", "checks/") == {"checks": []}


def test_reload_keeps_the_lock_and_kill_9_gives_it_back(tmp_path: Path) -> None:
    lock = tmp_path / "hcl.sqlite.lock"
    with Serve(tmp_path) as serve:
        assert lock.read_text() == f"{serve.process.pid}\n"
        assert lock.stat().st_mode & 0o777 == 0o600
        serve.process.send_signal(signal.SIGHUP)
        serve.api("GET", "checks/")
        assert "another hcl serves it" in only_error(serve_in(tmp_path))

        serve.stop(signal.SIGKILL)
        assert lock.exists()
        serve.start()

        assert lock.read_text() == f"{serve.process.pid}\n"


@pytest.mark.parametrize("text", ["", "1\n", "nonsense" * 100])
def test_lock_that_nobody_holds_is_no_obstacle(tmp_path: Path, text: str) -> None:
    with Serve(tmp_path) as serve:
        serve.stop()
        (tmp_path / "hcl.sqlite.lock").write_text(text)
        serve.start()

        lock = tmp_path / "hcl.sqlite.lock"
        assert lock.read_text() == f"{serve.process.pid}\n"


def deleted(folder: Path) -> None:
    (folder / "hcl.sqlite").unlink()


def moved(folder: Path) -> None:
    (folder / "hcl.sqlite").rename(folder / "away.sqlite")


def replaced(folder: Path) -> None:
    shutil.copy(folder / "hcl.sqlite", folder / "copy")
    (folder / "copy").rename(folder / "hcl.sqlite")


def wal_deleted(folder: Path) -> None:
    (folder / "hcl.sqlite-wal").unlink()


def shm_deleted(folder: Path) -> None:
    (folder / "hcl.sqlite-shm").unlink()


def lock_deleted(folder: Path) -> None:
    (folder / "hcl.sqlite.lock").unlink()


@pytest.mark.parametrize(
    ("happens", "fate"),
    [
        (deleted, "hcl.sqlite was deleted or moved away"),
        (moved, "hcl.sqlite was deleted or moved away"),
        (replaced, "hcl.sqlite was replaced"),
        (wal_deleted, "hcl.sqlite-wal was deleted or moved away"),
        (shm_deleted, "hcl.sqlite-shm was deleted or moved away"),
        (lock_deleted, "hcl.sqlite.lock was deleted or moved away"),
    ],
)
def test_no_ping_is_acknowledged_into_a_file_that_is_gone(
    tmp_path: Path, happens: Callable[[Path], None], fate: str
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        assert curl(check["ping_url"]) == "OK"
        before = serve.log
        happens(tmp_path)

        answer = httpx2.get(check["ping_url"], trust_env=False)
        status = serve.process.wait(ENDS)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert status == 1
    cure = "Put the right file there, and start hcl again"
    if happens in (shm_deleted, lock_deleted):
        cure = "Start hcl again, and let nobody delete it"
    assert serve.log.removeprefix(before) == (
        f"Error: {tmp_path}/hcl.sqlite: {fate} while hcl served it; what came since was"
        f" refused. {cure}\n"
    )


def test_database_that_was_deleted_is_not_made_anew(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        serve.stop()
        for file in tmp_path.glob("hcl.sqlite*"):
            if not file.name.endswith(".lock"):
                file.unlink()

        line = only_error(serve_in(tmp_path))

        assert line == (
            f"{tmp_path}/hcl.sqlite: there is no database, but hcl.sqlite.lock of an"
            " earlier one: mount its disk, put it back, or have a new one made by"
            " `hcl serve --new`"
        )
        assert not (tmp_path / "hcl.sqlite").exists()


async def test_a_reload_warns_of_a_database_without_which_hcl_would_not_start_again(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        other = toml.table("database", path="elsewhere/hcl.sqlite")
        serve.write_config("", tables=other)

        serve.process.send_signal(signal.SIGHUP)
        await until(lambda: "database has changed: restart hcl to use it" in serve.log)

        path = tmp_path / "elsewhere/hcl.sqlite"
        problem = f"hcl would not start again: {path}: there is no folder"
        assert f"WARNING {problem} {path.parent}: make it, or mount its" in serve.log


def test_database_elsewhere_is_made_only_by_new(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    path = disk / "hcl.sqlite"
    serve = Serve(tmp_path, tables=toml.table("database", path=str(path)))

    line = only_error(serve_in(tmp_path))

    assert line == (
        f"{path}: there is no database, and not beside hcl.toml: mount its disk, put it"
        " back, or have a new one made by `hcl serve --new`"
    )
    assert list(disk.iterdir()) == []
    with subprocess.Popen(
        [sys.executable, "-m", "hcl", "serve", "--new"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == (
            f"WARNING {path}: there is no database, a new one is made\n"
        )
        assert "listens on" in process.stderr.readline()
        process.terminate()
    with serve:
        assert path.stat().st_mode & 0o777 == 0o600


def test_start_that_comes_to_nothing_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    with Serve(tmp_path / "busy") as busy:
        shutil.copy(tmp_path / "busy" / "hcl.toml", tmp_path)

        line = only_error_of_last(serve_in(tmp_path))

        assert line.startswith(f"Error: cannot listen on 127.0.0.1:{busy.port}")
        assert sorted(os.listdir(tmp_path)) == ["busy", "hcl.toml"]


def only_error_of_last(done: subprocess.CompletedProcess[str]) -> str:
    """Return the line that a start ended with, after a warning."""
    assert done.returncode == 1
    warning, line = done.stderr.splitlines()
    assert warning.startswith("WARNING ")
    return line


def text_file(path: Path) -> None:
    path.write_text("This is no database, but a text that is long enough. " * 100)


def cut_short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "disk" / "hcl.sqlite")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE later (a);")
        connection.execute("PRAGMA user_version = 999")


def newer_in_the_wal(path: Path) -> None:
    """Leave the version where kill -9 leaves it: in the WAL."""
    newer(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")
        for name in (path, path.with_name(f"{path.name}-wal")):
            shutil.copy(name, name.with_name(f"kept-{name.name}"))
    for name in (path, path.with_name(f"{path.name}-wal")):
        name.with_name(f"kept-{name.name}").rename(name)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id)")


def schema_damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE a (a);")
    data = path.read_bytes().replace(b"CREATE TABLE a (a)", b"CREATE TABLE a (a,")
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (text_file, "file is not a database: it is damaged, or never was one; move it"),
        (cut_short, "file is not a database: it is damaged, or never was one; move it"),
        (schema_damaged, "malformed database schema"),
        (folder, "is a folder: let database.path name a file"),
        (pipe, "is no file: let database.path name a file"),
        (link_to_nothing, "there is no folder "),
        (newer, "made by a newer hcl (schema 999): run that one, or go back by"),
        (newer_in_the_wal, "made by a newer hcl (schema 1000): run that one, or go"),
        (of_another_program, "a database of another program already exists there: let"),
    ],
)
def test_database_that_cannot_be_used_is_told_in_one_line_and_left_as_it_was(
    tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / "hcl.sqlite"
    Serve(tmp_path)
    make(path)
    before = files(tmp_path)

    line = only_error(serve_in(tmp_path))

    assert line.startswith(f"{path}: {told}")
    after = files(tmp_path)
    after.pop("hcl.sqlite.lock", None)
    if make is newer_in_the_wal:
        # SQLite reads no WAL without it.
        after.pop("hcl.sqlite-shm", None)
    assert after == before


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        file.name: (file.stat().st_mode, file.read_bytes())
        for file in folder.iterdir()
        if file.is_file()
    }


def test_damage_of_a_page_is_told_once_and_the_rest_is_served(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        for _ in range(3):
            curl("--data-raw", "x" * 6000, check["ping_url"])
        serve.stop()
        damage(tmp_path / "hcl.sqlite", "pings")
        serve.start()
        before = serve.log
        for _ in range(5):
            answer = httpx2.get(
                f"{serve.root}/api/v3/checks/{check['uuid']}/pings/",
                headers={"X-Api-Key": "hcw_" + "k" * 28},
                trust_env=False,
            )
            assert answer.status_code == 200
            assert "is damaged" in answer.json()["incomplete"]

        assert curl(check["ping_url"]) == "OK"
        assert len(serve.api("GET", "checks/")["checks"]) == 1
        status = httpx2.get(f"{serve.root}/api/v3/status/", trust_env=False)
        assert (status.status_code, status.text) == (503, "the database is damaged")
        assert serve.stop() == 0
    told = serve.log.removeprefix(before).splitlines()
    errors = [line for line in told if line.startswith("ERROR")]
    assert errors == [
        "ERROR done without what cannot be read: database disk image is malformed: it"
        " is damaged; move it away, and put back a copy (docs/upgrading.md)"
    ]


def test_start_while_another_program_holds_its_lock_is_told_in_one_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hcl.sqlite"
    with Serve(tmp_path) as serve:
        serve.stop()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        line = only_error(serve_in(tmp_path))

    assert line == (
        f"{path}: database is locked: another program holds its lock; end that one (an"
        " sqlite3 shell, a backup)"
    )


def test_while_another_program_holds_its_lock_pings_are_answered_soon_and_told_once(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        before = serve.log
        with closing(
            sqlite3.connect(tmp_path / "hcl.sqlite", isolation_level=None)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            took = []
            for _ in range(8):
                begun = time.monotonic()
                answer = httpx2.get(check["ping_url"], timeout=ENDS, trust_env=False)
                took.append(time.monotonic() - begun)
                assert answer.status_code == 503
            other.execute("ROLLBACK")

        assert curl(check["ping_url"]) == "OK"
        assert max(took) < 5
        assert serve.log.removeprefix(before).splitlines() == [
            "ERROR the database cannot be used: database is locked"
        ]


def test_while_the_disk_is_full_each_ping_is_503_and_the_log_has_one_line(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        assert curl(check["ping_url"]) == "OK"
        before = serve.log
        # No file grows any more, as on a disk without room.
        size = (tmp_path / "hcl.sqlite-wal").stat().st_size
        limits = resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE)
        full = (size, limits[1])
        resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE, full)

        with httpx2.Client(trust_env=False) as client:
            answers = [client.get(check["ping_url"]) for _ in range(50)]
            status = client.get(f"{serve.root}/api/v3/status/")
        resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE, limits)

        assert {answer.status_code for answer in answers} == {503}
        assert (status.status_code, status.text) == (
            503,
            "the database cannot be written",
        )
        assert curl(check["ping_url"]) == "OK"
        assert serve.api("GET", f"checks/{check['uuid']}")["n_pings"] == 2
        [line] = serve.log.removeprefix(before).splitlines()
        assert line == (
            "ERROR the database cannot be used: disk I/O error: the disk is full, or"
            " fails; the kernel's log tells more"
        )


_ON_A_DISK = 'mount -t tmpfs -o size={size} none disk && {then} exec "$@"'


def on_a_disk(size: str, then: str) -> tuple[str, ...]:
    """Begin a command that has a small disk of its own mounted on the folder disk."""
    try:
        subprocess.run(
            ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk can be mounted here")
    script = _ON_A_DISK.format(size=size, then=then)
    return ("unshare", "-rm", "sh", "-c", script, "sh")


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("mount -o remount,ro disk;", "Read-only file system: hcl needs a folder that"),
        (
            "cp hcl.sqlite disk/; touch disk/hcl.sqlite.lock;"
            " mount -o remount,ro disk;",
            "Read-only file system: hcl needs a folder that",
        ),
        (
            "cp hcl.sqlite disk/; touch disk/hcl.sqlite.lock;"
            " cat /dev/zero >disk/fill 2>/dev/null;",
            "its lock cannot be written: No space left on device: hcl needs a folder",
        ),
        ("cat /dev/zero >disk/fill 2>/dev/null;", "No space left on device"),
    ],
    ids=["read-only", "read-only with a lock", "full with a database", "full"],
)
def test_disk_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, then: str, told: str
) -> None:
    before = on_a_disk("1M", then)
    with Serve(tmp_path) as serve:
        serve.stop()
    (tmp_path / "disk").mkdir()
    path = tmp_path / "disk" / "hcl.sqlite"
    Serve(tmp_path, tables=toml.table("database", path=str(path)))

    done = serve_in(tmp_path, "--new", before=before)

    errors = [line for line in done.stderr.splitlines() if "WARNING" not in line]
    assert done.returncode == 1
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith(f"Error: {path}: ")
    assert told in errors[0]
