"""Copies by the real process and the real command, and what goes wrong with them."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hcl.db.copies import identity_of
from tests import toml
from tests.app import CONFIG, running_app
from tests.clocks import a_clock
from tests.patience import ENDS
from tests.server.process import API_KEY, Serve, curl, until
from tests.server.test_one_server import files, of_another_program, on_a_disk
from tests.sinks import HttpSink

_IDENTITY = "SELECT value FROM settings WHERE name = 'identity'"


def hcl(folder: Path, *arguments: str, before: Sequence[str] = ()) -> str:
    """Run a command; return what it says, or its one error line."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "hcl", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )
    if not done.returncode:
        assert done.stderr == ""
        return done.stdout
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line.removeprefix("Error: ")


def asked(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute(sql)]


def page_of(serve: Serve, path: str = "") -> str:
    """Sign in, and return a page, the list if none is named."""
    with httpx2.Client(trust_env=False, verify=False, follow_redirects=True) as browser:
        browser.post(f"{serve.root}/sign-in", data={"key": API_KEY, "next": ""})
        return browser.get(f"{serve.root}/{path}").text


def copies_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_backup_while_pings_come_has_all_that_were_answered_before(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        check = serve.api("POST", "checks/", name="Backup")
        answered, stops = [0], threading.Event()

        def ping() -> None:
            with httpx2.Client(trust_env=False, verify=False) as client:
                while not stops.is_set():
                    assert client.get(check["ping_url"]).text == "OK"
                    answered[0] += 1

        pinger = threading.Thread(target=ping)
        pinger.start()
        try:
            for number in range(3):
                at_least = answered[0]
                line = hcl(tmp_path, "backup", "copy.sqlite")
                at_most = answered[0] + 1

                [held] = asked(tmp_path / "copy.sqlite", "SELECT count(*) FROM log")
                assert at_least <= held <= at_most, number
                assert f", 1 check, {held:,} ping" in line
        finally:
            stops.set()
            pinger.join()
        assert serve.api("GET", "checks/")["checks"][0]["n_pings"] == answered[0]
    assert (tmp_path / "copy.sqlite").stat().st_mode & 0o777 == 0o600


def test_server_keeps_copies_by_itself_and_shows_the_last_good_one(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    old = ["hcl-20200101T000000Z.sqlite", "hcl-20200102T000000Z.sqlite"]
    for folder in (first, second):
        folder.mkdir()
        for name in (*old, "mine.txt", ".hcl-20200101T000000Z.sqlite.part"):
            (folder / name).touch()
    backup = toml.table("backup", folder="one", second_folder="two", keep=toml.Raw("2"))
    with Serve(tmp_path, tables=backup) as serve:
        serve.api("POST", "checks/", name="Backup")
        wait_for(lambda: serve.log.count("backed up to") == 2)
        wait_for(lambda: all(len(copies_in(to)) == 3 for to in (first, second)))

        for folder in (first, second):
            kept, name, mine = sorted(copies_in(folder), key=lambda n: n == "mine.txt")
            assert (kept, mine) == (old[1], "mine.txt")
            assert (folder / name).stat().st_mode & 0o777 == 0o600
            assert asked(folder / name, "PRAGMA integrity_check") == ["ok"]
            # By that it is told from another server's in the same folder.
            own = asked(tmp_path / "hcl.sqlite", _IDENTITY)
            assert [identity_of(folder / name)] == own
        assert "overdue" not in page_of(serve)
        assert holds_locks(serve)
        told = hcl(tmp_path, "status")
        assert f"Backups     {first}/hcl-" in told
        assert f"            {second / name}: " in told
        # A restart makes no other before that is due.
        serve.stop()
        serve.start()
        assert page_of(serve, "server").count("it was read, and is whole") == 2
        serve.stop()
    assert serve.log.count("backed up to") == 2


def holds_locks(serve: Serve) -> bool:
    """Tell whether SQLite has its lock on the shm still, which it has while open."""
    inode = (serve.folder / "hcl.sqlite-shm").stat().st_ino
    held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    pid = str(serve.process.pid)
    return any(pid in words and words[-3].endswith(f":{inode}") for words in held)


def wait_for(condition: Any) -> None:
    """Wait for what another process does."""
    import asyncio

    asyncio.run(until(condition))


async def test_failing_backup_is_told_and_shown_and_so_is_its_end(
    tmp_path: Path,
) -> None:
    async with HttpSink() as sink:
        channels = toml.webhook("Own", server=toml.post(sink.url, "$NAME / $BODY"))
        (tmp_path / "two").mkdir()
        backup = toml.table("backup", folder="disk", second_folder="two")
        with Serve(tmp_path, channels, tables=backup) as serve:
            check = serve.api("POST", "checks/", name="Backup")
            [told] = await sink.wait_for(1)
            assert told.text.startswith("hcl cannot back up its database / ")
            assert f"{tmp_path}/disk: there is no such folder: make it, or" in told.text
            assert "There is no copy in" in told.text
            assert curl(check["ping_url"]) == "OK"
            # The other one is not held up by that.
            await until(lambda: "backed up to" in serve.log)
            shown = page_of(serve)
            assert shown.count("The last backup failed") == 1
            assert "there is none yet" in shown
            assert "failed at " in hcl(tmp_path, "status")

            (tmp_path / "disk").mkdir()
            serve.process.send_signal(signal.SIGHUP)

            [_, told] = await sink.wait_for(2)
            assert told.text.startswith("hcl backs up its database again / ")
            assert "The last backup failed" not in page_of(serve)
            assert len(copies_in(tmp_path / "disk")) == 1
            assert serve.stop() == 0
    assert "Traceback" not in serve.log
    assert "never retrieved" not in serve.log
    assert serve.log.count("ERROR no backup:") == 1


async def test_failing_backup_is_told_again_though_the_clock_was_ahead(
    tmp_path: Path,
) -> None:
    clock, times = a_clock()
    text = toml.table("backup", folder=str(tmp_path / "none")) + CONFIG
    sql = "SELECT count(*) FROM announcements WHERE kind = 'backup'"
    async with running_app(tmp_path, text, clock=clock) as app:
        keeping = app.assembly.keeping
        running, path = asyncio.create_task(keeping.run()), app.config.database.path

        await until(lambda: asked(path, sql) == [1])
        times.set_wall(-400 * 86_400)
        await app.watch.look()
        keeping.use(app.config.backup)

        await until(lambda: asked(path, sql) == [2])
        running.cancel()
        await asyncio.wait([running])


async def test_disk_that_hangs_once_the_copy_is_made_is_told(tmp_path: Path) -> None:
    disk, sql = tmp_path / "disk", "SELECT count(*) FROM announcements"
    disk.mkdir()
    # Whoever reads it waits, as for a share that is away.
    old = disk / "hcl-20200101T000000Z.sqlite"
    os.mkfifo(old)
    text = toml.table("backup", folder=str(disk), keep=1) + CONFIG
    async with running_app(tmp_path, text) as app:
        keeping = app.assembly.keeping
        keeping.use(replace(app.config.backup, every=timedelta(seconds=0.2)))
        running, path = asyncio.create_task(keeping.run()), app.config.database.path
        try:
            await until(lambda: asked(path, sql) == [1])
            os.close(os.open(old, os.O_WRONLY | os.O_NONBLOCK))

            await until(lambda: asked(path, sql) == [2])
        finally:
            with suppress(OSError):
                os.close(os.open(old, os.O_WRONLY | os.O_NONBLOCK))
            running.cancel()
            await asyncio.wait([running])


def big(folder: Path) -> None:
    """Make the database of a server that is stopped large."""
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as connection, connection:
        connection.execute(
            "INSERT INTO settings VALUES ('big', CAST(zeroblob(20000000) AS BLOB))"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_the_server_while_it_copies_leaves_no_half_copy(
    tmp_path: Path, number: int
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with Serve(tmp_path) as serve:
        serve.stop()
        big(tmp_path)
        serve.write_config("", tables=toml.table("backup", folder="disk"))
        serve.start()
        wait_for(lambda: any(".part" in name for name in copies_in(disk)))
        assert serve.stop(number) == (-number if number == signal.SIGKILL else 0)

        if number == signal.SIGTERM:
            assert [name for name in copies_in(disk) if ".part" in name] == []
        serve.start()
        wait_for(lambda: "backed up to" in serve.log)
        wait_for(lambda: not any(".part" in name for name in copies_in(disk)))

        # Two, if the first was whole just when the server was to end.
        assert 1 <= len(copies_in(disk)) <= 2
        for name in copies_in(disk):
            assert asked(disk / name, "PRAGMA integrity_check") == ["ok"]


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_command_that_is_told_to_end_leaves_no_half_copy(
    tmp_path: Path, command: str
) -> None:
    with Serve(tmp_path) as serve:
        serve.stop()
    big(tmp_path)
    shutil.copy(tmp_path / "hcl.sqlite", tmp_path / "copy")
    before = (tmp_path / "copy").read_bytes()

    with subprocess.Popen(
        [sys.executable, "-m", "hcl", command, "copy"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        wait_for(lambda: any(".part" in name for name in copies_in(tmp_path)))
        process.terminate()
        _, told = process.communicate(timeout=ENDS)

    # Its last step may just have been done.
    if process.returncode:
        assert process.returncode == 1
        assert told.strip() in (b"Aborted!", b"Error: stopped")
        assert (tmp_path / "copy").read_bytes() == before
        assert asked(tmp_path / "hcl.sqlite", "SELECT count(*) FROM checks") == [0]
    halves = [".part"] + [".before-"] * bool(process.returncode)
    assert not [n for n in copies_in(tmp_path) if any(half in n for half in halves)]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("none/copy", "none: there is no such folder: make it, or mount its disk"),
        ("hcl.toml/copy", "hcl.toml: is no folder: make it, or mount its disk"),
        ("hcl.sqlite", "hcl.sqlite: hcl is at work on it: name another file"),
        ("hcl.sqlite-wal", "hcl.sqlite-wal: hcl is at work on it: name another file"),
        ("hcl.sqlite.lock", "hcl.sqlite.lock: hcl is at work on it: name another file"),
        ("hcl.toml", "hcl.toml: hcl is at work on it: name another file"),
        ("log", "log: is there, and no copy: name another file"),
        ("/dev/null", "/dev/null: is no file: name another one, or a folder"),
    ],
)
def test_backup_to_where_none_can_be_is_told_in_one_line(
    served: Serve, target: str, told: str
) -> None:
    before = copies_in(served.folder)

    assert hcl(served.folder, "backup", target) == told

    assert copies_in(served.folder) == before
    assert served.api("GET", "checks/") == {"checks": []}


@pytest.mark.parametrize("command", ["backup", "export"])
def test_what_stands_for_the_standard_output_is_not_replaced(
    served: Serve, command: str
) -> None:
    # Else it would be that of this machine.
    on_a_disk("8m", "")
    # The database may lie in /dev/shm.
    dev = (
        "mount -t tmpfs none /mnt && mkdir /mnt/shm && mount --bind /dev/shm /mnt/shm"
        " && ln -s /proc/self/fd/1 /mnt/stdout && mount --rbind /mnt /dev"
    )
    script = f'{dev} && "$@" /dev/stdout >out; readlink /dev/stdout'
    inside = ["unshare", "-rm", "sh", "-c", script, "sh"]

    done = subprocess.run(
        [*inside, sys.executable, "-m", "hcl", command],
        cwd=served.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENDS,
    )

    assert done.stdout == "/proc/self/fd/1\n"
    assert done.stderr.splitlines() == [
        "Error: /dev/stdout: is no file: name another one, or a folder"
        if command == "backup"
        else "/dev/stdout: written"
    ]
    if command == "export":
        assert '"Home"' in (served.folder / "out").read_text()


def test_backup_replaces_no_database_but_copies(tmp_path: Path) -> None:
    of_another_program(tmp_path / "photos.sqlite")
    with Serve(tmp_path) as serve:
        hcl(tmp_path, "backup", "copy.sqlite")
        serve.stop()
    # That of another server, which was stopped in order.
    (tmp_path / "other").mkdir()
    for name in ("hcl.sqlite", "hcl.sqlite.lock"):
        shutil.copy(tmp_path / name, tmp_path / "other")
    before = files(tmp_path), files(tmp_path / "other")

    lines = [
        hcl(tmp_path, "backup", name) for name in ("photos.sqlite", "other/hcl.sqlite")
    ]
    after = files(tmp_path), files(tmp_path / "other")
    again = hcl(tmp_path, "backup", "copy.sqlite")

    assert lines == [
        "photos.sqlite: is there, and no copy: name another file",
        "other/hcl.sqlite: is the database of a server: name another file",
    ]
    assert after == before
    assert again.startswith("copy.sqlite: ")


def test_backup_replaces_a_copy_that_is_damaged(tmp_path: Path) -> None:
    with Serve(tmp_path):
        hcl(tmp_path, "backup", "copy.sqlite")
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(copy.read_bytes()[:100] + bytes(copy.stat().st_size - 100))

        hcl(tmp_path, "backup", "copy.sqlite")

    assert asked(copy, "PRAGMA integrity_check") == ["ok"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Serve(tmp_path_factory.mktemp("served")) as serve:
        yield serve


@pytest.mark.parametrize(
    ("size", "then", "told"),
    [
        ("64k", "", "disk: the copy needs 1."),
        ("8m", "mount -o remount,ro disk;", "disk/copy: cannot be written: Read-only"),
    ],
)
def test_backup_to_a_disk_without_room_or_for_reading_is_told_in_one_line(
    served: Serve, size: str, then: str, told: str
) -> None:
    (served.folder / "disk").mkdir(exist_ok=True)
    before = on_a_disk(size, then)

    line = hcl(served.folder, "backup", "disk/copy", before=before)

    assert line.startswith(told)


@pytest.mark.parametrize("put", ["cp", "ln -s"])
def test_database_on_a_disk_for_reading_is_copied_with_what_is_in_its_wal(
    tmp_path: Path, put: str
) -> None:
    (tmp_path / "disk").mkdir()
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup")
        if put == "cp":
            # Stopped in order: it has no WAL, and says that it has.
            serve.stop()
        serve.write_config("", tables=toml.table("database", path="disk/hcl.sqlite"))
        then = f"{put} {tmp_path}/hcl.sqlite disk/; mount -o remount,ro disk;"

        told = hcl(tmp_path, "backup", "copy", before=on_a_disk("8m", then))

    assert ", 1 check, " in told


def test_backup_without_a_database_is_told_in_one_line(tmp_path: Path) -> None:
    Serve(tmp_path)

    line = hcl(tmp_path, "backup", "copy")

    assert line == f"{tmp_path}/hcl.sqlite: there is no database"
    assert copies_in(tmp_path) == ["hcl.toml"]
