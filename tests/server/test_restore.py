"""A copy put in the place of the database, by the real command and server."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests import toml
from tests.damage import damage
from tests.db.test_migrations import NEWEST, put_of_version
from tests.server.process import Serve, curl, until
from tests.server.standby.litestream import Machine
from tests.server.test_away import be_away, waiting
from tests.server.test_backup import asked, copies_in, hcl
from tests.server.test_one_server import (
    cut_short,
    files,
    folder,
    newer,
    of_another_program,
    on_a_disk,
    pipe,
    text_file,
)
from tests.sinks import HttpSink


async def test_restored_copy_goes_on_as_after_an_absence_and_sends_nothing_old(
    tmp_path: Path,
) -> None:
    async with HttpSink(status=500) as sink:
        own = toml.post(sink.url, "$STATUS: $NAME / $BODY")
        hook = toml.webhook("Own", down=own, up=own, server=own)
        with Serve(tmp_path, hook) as serve:
            watched = serve.api(
                "POST", "checks/", name="Watched", timeout=60, grace=60, channels="*"
            )
            failed = serve.api("POST", "checks/", name="Failed", channels="*")
            curl(watched["ping_url"])
            curl(failed["ping_url"] + "/fail")
            await sink.wait_for(1)
            hcl(tmp_path, "backup", "copy.sqlite")
            curl(failed["ping_url"])
            line = hcl(tmp_path, "restore", "copy.sqlite")
            assert line.startswith(f"{tmp_path}/hcl.sqlite: another hcl serves it, pro")
            assert serve.stop() == 0
            # So that the time of the copy is long ago.
            shutil.copy(tmp_path / "hcl.sqlite", tmp_path / "kept")
            shutil.copy(tmp_path / "copy.sqlite", tmp_path / "hcl.sqlite")
            be_away(tmp_path, 130)
            shutil.copy(tmp_path / "hcl.sqlite", tmp_path / "copy.sqlite")
            shutil.copy(tmp_path / "kept", tmp_path / "hcl.sqlite")
            (tmp_path / "copy.sqlite").chmod(0o644)

            told = hcl(tmp_path, "restore", "copy.sqlite")

            assert f"{tmp_path}/hcl.sqlite: restored from copy.sqlite\n" in told
            assert ", 2 checks, 2 pings, the newest of " in told
            assert "2 minutes" in told
            assert "1 message that waited in it is marked as not sent." in told
            [aside] = [name for name in copies_in(tmp_path) if ".before-" in name]
            assert f"What was there before is {tmp_path}/{aside} now." in told
            for name in ("hcl.sqlite", aside):
                assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
            assert asked(tmp_path / aside, "SELECT count(*) FROM log") == [3]
            assert waiting(tmp_path) == []
            sink.status = 200
            before = len(sink.records)
            serve.start()
            await sink.wait_for(before + 2)
            await until(lambda: not waiting(tmp_path))
            status = serve.api("GET", f"checks/{watched['uuid']}")["status"]
            serve.stop()
            # It is told once.
            serve.start()
            serve.stop()

        texts = sorted(record.text for record in sink.records[before:])
        assert len(texts) == 2
        assert texts[0].startswith(
            "server: hcl goes on from a copy of its database, copy.sqlite / It was put"
        )
        assert "1 message that waited in it, of Failed, was not sent:" in texts[0]
        assert texts[1].startswith("server: hcl was away from ")
        assert "it was not there: it goes on from a copy of its database" in texts[1]
        # Its deadline fell into the absence.
        assert status == "up"
        assert "not sent: it waited in a copy" in hcl(tmp_path, "notifications")


def test_restore_where_no_database_is_any_more(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup")
        hcl(tmp_path, "backup", "copy.sqlite")
        serve.stop()
        for name in ("hcl.sqlite", "hcl.sqlite-wal", "hcl.sqlite-shm"):
            (tmp_path / name).unlink(missing_ok=True)

        told = hcl(tmp_path, "restore", "copy.sqlite")

        assert "What was there before" not in told
        serve.start()
        assert [c["name"] for c in serve.api("GET", "checks/")["checks"]] == ["Backup"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_names_that_are_no_utf_8_are_names(tmp_path: Path) -> None:
    # As an older machine wrote it on its disk.
    folder = tmp_path / os.fsdecode(b"caf\xe9 '%41?#")
    folder.mkdir()
    copy = folder / os.fsdecode(b"d\xe9c.sqlite")
    with Serve(folder) as serve:
        serve.api("POST", "checks/", name="Backup")
        hcl(folder, "backup", copy.name)
        serve.stop()

    told = hcl(folder, "restore", copy.name)

    assert told.splitlines()[1].startswith("  It holds ")
    with Serve(folder) as serve:
        found = serve.api("GET", "checks/")["checks"]
    assert [check["name"] for check in found] == ["Backup"]


def test_root_leaves_the_database_to_whose_it_was(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        hcl(tmp_path, "backup", "copy.sqlite")
        serve.stop()
    os.chown(tmp_path / "hcl.sqlite", 12345, 23456)

    hcl(tmp_path, "restore", "copy.sqlite")

    owner = (tmp_path / "hcl.sqlite").stat()
    assert (owner.st_uid, owner.st_gid) == (12345, 23456)


def test_copy_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    put_of_version(tmp_path / "old", 1)
    with Serve(tmp_path) as serve:
        serve.stop()

        told = hcl(tmp_path, "restore", "old")

        assert "3 messages that waited in it are marked as not sent." in told
        serve.start()
        assert asked(tmp_path / "hcl.sqlite", "PRAGMA user_version") == [NEWEST]
        assert waiting(tmp_path) == []


def test_plain_copy_with_its_wal_is_restored_with_what_is_in_that(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup")
        (tmp_path / "copied").mkdir()
        for name in ("hcl.sqlite", "hcl.sqlite-wal"):
            shutil.copy(tmp_path / name, tmp_path / "copied")
        serve.stop()

        assert ", 1 check, " in hcl(tmp_path, "restore", "copied/hcl.sqlite")

        serve.start()
        assert len(serve.api("GET", "checks/")["checks"]) == 1


def test_plain_copy_on_a_disk_for_reading_is_restored(tmp_path: Path) -> None:
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup")
        (tmp_path / "disk").mkdir()
        serve.stop()
        # As a database that was stopped in order: it has no WAL, and says that it has.
        then = "cp hcl.sqlite disk/copy; mount -o remount,ro disk;"

        told = hcl(tmp_path, "restore", "disk/copy", before=on_a_disk("8m", then))

        assert ", 1 check, " in told
        serve.start()
        assert len(serve.api("GET", "checks/")["checks"]) == 1


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def damaged(path: Path) -> None:
    put_of_version(path, 3)
    damage(path, "flips")


def newer_one_of_hcl(path: Path) -> None:
    put_of_version(path, 3)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def link_to_the_database(path: Path) -> None:
    path.symlink_to(path.parent / "hcl.sqlite")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    with Serve(folder) as serve:
        serve.api("POST", "checks/", name="Backup")
        serve.stop()
    return folder


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (missing, "there is no such file"),
        (empty, "is empty: it is no copy of a database"),
        (folder, "is a folder: name a copy that `hcl backup` made"),
        (pipe, "is no file: name a copy that `hcl backup` made"),
        (text_file, "file is not a database: it is damaged, or is no database"),
        (cut_short, "file is not a database: it is damaged, or is no database"),
        (damaged, "is damaged: "),
        (newer, "is no database of hcl's"),
        (newer_one_of_hcl, "made by a newer hcl (schema 999): run that one"),
        (of_another_program, "is no database of hcl's"),
        (link_to_the_database, "is the database itself"),
    ],
)
def test_what_cannot_be_restored_is_told_in_one_line_and_nothing_changes(
    stopped: Path, make: Callable[[Path], None], told: str
) -> None:
    copy = stopped / "copy"
    make(copy)
    try:
        before = files(stopped)

        line = hcl(stopped, "restore", "copy")

        assert line.startswith(f"copy: {told}")
        after = files(stopped)
        # The pid in it.
        del before["hcl.sqlite.lock"], after["hcl.sqlite.lock"]
        assert after == before
    finally:
        if copy.is_dir():
            copy.rmdir()
        else:
            copy.unlink(missing_ok=True)


def test_restore_that_comes_to_nothing_at_the_end_leaves_the_database(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup")
        hcl(tmp_path, "backup", "copy.sqlite")
        serve.stop()
        before = files(tmp_path)
        # Somebody is just making the same file.
        part = tmp_path / ".hcl.sqlite.part"
        part.mkdir()

        line = hcl(tmp_path, "restore", "copy.sqlite")

        assert line.startswith(f"{tmp_path}/hcl.sqlite: ")
        part.rmdir()
        after = files(tmp_path)
        del before["hcl.sqlite.lock"], after["hcl.sqlite.lock"]
        assert after == before


def test_files_of_others_modes_are_private_after_a_start(tmp_path: Path) -> None:
    names = ("hcl.sqlite", "hcl.sqlite-wal", "hcl.sqlite-shm", "hcl.sqlite.lock")
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Backup")
        # What is killed leaves them all.
        serve.stop(9)
        for name in names:
            (tmp_path / name).chmod(0o666)
        mask = os.umask(0)
        try:
            serve.start()
        finally:
            os.umask(mask)
        serve.api("POST", "checks/", name="Another")

        modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in names}

    assert modes == dict.fromkeys(names, 0o600)


def test_link_in_the_place_of_a_copy_that_is_set_aside_is_not_followed(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    put_of_version(tmp_path / "hcl.sqlite", 3)
    aside = tmp_path / "hcl.sqlite.schema-3"
    aside.symlink_to(victim)

    with Serve(tmp_path) as serve:
        serve.stop()

    assert victim.read_text() == "precious"
    assert not aside.is_symlink()
    assert aside.stat().st_mode & 0o777 == 0o600
    assert asked(aside, "PRAGMA user_version") == [3]


@pytest.mark.parametrize("is_lost", [False, True])
def test_restored_copy_of_before_the_fence_was_raised_serves_or_says_what_to_do(
    tmp_path: Path, is_lost: bool
) -> None:
    with Serve(tmp_path) as serve:
        hcl(tmp_path, "backup", "copy.sqlite")
        assert serve.stop() == 0
        serve.write_config("", tables=toml.table("standby", fence="fence"))
        hcl(tmp_path, "fence", "--raise")
        if is_lost:
            (tmp_path / "hcl.sqlite").unlink()

        told = hcl(tmp_path, "restore", "copy.sqlite")

        advice = "`hcl fence --raise` before you start hcl here"
        assert (advice in told) == is_lost
        if is_lost:
            assert "The fence stands at epoch 1, raised by " in told
            hcl(tmp_path, "fence", "--raise")
        serve.start()
        serve.api("POST", "checks/", name="Served")
        epoch = 2 if is_lost else 1
        assert f"database is of epoch {epoch}." in hcl(tmp_path, "fence")
        assert not (tmp_path / "hcl.sqlite.fenced").exists()


def test_restoring_where_another_machine_serves_says_that_both_would(
    tmp_path: Path,
) -> None:
    with Serve(tmp_path) as serve:
        serve.write_config("", tables=toml.table("standby", fence="fence"))
        assert serve.stop() == 0
    hcl(tmp_path, "fence", "--raise")
    hcl(tmp_path, "backup", "copy.sqlite")
    (tmp_path / "fence").write_text("1 alpha 2026-11-28T12:00:00Z\n")

    told = hcl(tmp_path, "restore", "copy.sqlite")

    advice = "if hcl may run there, `hcl fence --raise` before you start hcl here."
    assert f"The fence was raised by alpha: {advice}" in told


def test_litestream_is_to_be_stopped_and_then_replicates_what_was_restored(
    tmp_path: Path,
) -> None:
    with Machine(tmp_path, "a", "b") as first, Machine(tmp_path, "b", "a") as second:
        first.start()
        check = first.api("POST", "checks/", name="Backup")
        hcl(first.folder, "backup", "copy.sqlite")
        first.litestream.start()
        curl(check["ping_url"])
        first.stop()
        before = files(first.folder)

        line = hcl(first.folder, "restore", "copy.sqlite")

        pid = first.litestream.process.pid
        assert line == (
            f"{first.folder}/hcl.sqlite: another program has it open, process {pid}"
            " (litestream): stop that one first"
        )
        assert files(first.folder).keys() == before.keys()
        first.litestream.stop()
        hcl(first.folder, "restore", "copy.sqlite")
        first.litestream.start()
        first.start()
        for _ in range(2):
            curl(check["ping_url"])
        first.litestream.wait_for_sync()
        first.crash()
        taken = second.hcl("standby", "--take-over")
        assert taken.returncode == 0, taken.stderr
        assert asked(second.folder / "hcl.sqlite", "SELECT count(*) FROM log") == [2]
