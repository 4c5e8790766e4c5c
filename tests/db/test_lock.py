import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hcl.db import DatabaseError, back_up, held, lock, why_none_is_made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "hcl.sqlite"
    path.write_bytes(b"something")
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "hcl.toml"


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do what may be done by a user who has no rights but their own."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def refusal(path: Path, config: Path) -> str:
    with pytest.raises(DatabaseError) as caught, held(path, config):
        pass
    return str(caught.value)


def test_lock_names_its_holder_and_stays(path: Path, config: Path) -> None:
    lock = path.with_name("hcl.sqlite.lock")

    with held(path, config):
        assert lock.read_text() == f"{os.getpid()}\n"
        assert lock.stat().st_mode & 0o777 == 0o600

    assert lock.exists()


def test_lock_of_a_file_is_held_once_whatever_its_name(
    tmp_path: Path, path: Path, config: Path
) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.symlink_to(tmp_path)
    link.symlink_to(path)

    with held(path, config):
        for name in (path, link, folder / "hcl.sqlite"):
            assert refusal(name, config) == (
                f"{name}: another hcl serves it, process {os.getpid()}: one server a"
                " database; stop that one first"
            )

    with held(link, config):
        pass


def test_lock_that_is_no_file_is_told_in_one_line(path: Path, config: Path) -> None:
    path.with_name("hcl.sqlite.lock").mkdir()

    assert refusal(path, config) == (
        f"{path}: hcl.sqlite.lock cannot be written: Is a directory: hcl needs a folder"
        " that it can write, on a disk with room"
    )


def test_lock_is_never_followed_to_another_file(path: Path, config: Path) -> None:
    other = path.with_name("other")
    other.write_text("mine")
    path.with_name("hcl.sqlite.lock").symlink_to(other)

    assert "hcl.sqlite.lock cannot be written" in refusal(path, config)
    assert other.read_text() == "mine"


@pytest.fixture
def folder_of_nobody(tmp_path: Path) -> Iterator[Path]:
    """A folder, outside of pytest's, that belongs to another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(f"/tmp/hcl-{os.getpid()}-nobody")
    folder.mkdir()
    (folder / "hcl.sqlite").write_bytes(b"something")
    for name in (folder, folder / "hcl.sqlite"):
        os.chown(name, 65534, 65534)
    yield folder
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def test_lock_that_another_user_left_is_no_obstacle(folder_of_nobody: Path) -> None:
    path, config = folder_of_nobody / "hcl.sqlite", folder_of_nobody / "hcl.toml"
    with held(path, config):
        pass

    with as_nobody(), held(path, config):
        assert path.with_name("hcl.sqlite.lock").stat().st_uid == 65534


def test_lock_that_another_user_holds_is_an_obstacle(folder_of_nobody: Path) -> None:
    path, config = folder_of_nobody / "hcl.sqlite", folder_of_nobody / "hcl.toml"

    with held(path, config), as_nobody():
        line = refusal(path, config)

    assert f"another hcl serves it, process {os.getpid()}:" in line


def test_folder_that_cannot_be_written_is_told_in_one_line(
    folder_of_nobody: Path,
) -> None:
    path, config = folder_of_nobody / "hcl.sqlite", folder_of_nobody / "hcl.toml"
    os.chown(folder_of_nobody, 0, 0)

    with as_nobody():
        line = refusal(path, config)

    assert line == (
        f"{path}: hcl.sqlite.lock cannot be written: Permission denied: hcl needs a"
        " folder that it can write, on a disk with room"
    )


def test_empty_file_is_as_good_as_none(path: Path, config: Path) -> None:
    path.write_bytes(b"")
    with held(path, config) as note_served:
        note_served()

    assert "there is no database, but hcl.sqlite.lock" in refusal(path, config)

    with held(path, config, new=True):
        pass


def test_what_a_start_would_refuse_is_known_before(
    tmp_path: Path, path: Path, config: Path
) -> None:
    elsewhere, nowhere = tmp_path / "elsewhere/hcl.sqlite", tmp_path / "no/hcl.sqlite"
    elsewhere.parent.mkdir()
    with held(path, config) as note_served:
        note_served()
    served = why_none_is_made(path, config)
    path.unlink()

    for missing in (path, elsewhere, nowhere, elsewhere.parent):
        assert why_none_is_made(missing, config) == refusal(missing, config)
    assert served == why_none_is_made(tmp_path / "new.sqlite", config) == ""


@pytest.mark.parametrize("left", ["", "123 starts\n"])
def test_first_start_that_was_killed_does_not_keep_the_next_one_from_starting(
    path: Path, config: Path, left: str
) -> None:
    path.write_bytes(b"")
    path.with_name("hcl.sqlite.lock").write_text(left)

    with held(path, config) as note_served:
        assert path.with_name("hcl.sqlite.lock").read_text().endswith(" starts\n")
        note_served()

    assert path.with_name("hcl.sqlite.lock").read_text() == f"{os.getpid()}\n"


def test_lock_goes_where_no_database_came_of_it(path: Path, config: Path) -> None:
    path.unlink()

    with ExitStack() as stack:
        stack.enter_context(held(path, config))

    assert not path.with_name("hcl.sqlite.lock").exists()


def test_lock_of_another_user_stays_where_nobody_tells_who_holds_it(
    folder_of_nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, config = folder_of_nobody / "hcl.sqlite", folder_of_nobody / "hcl.toml"
    with held(path, config):
        pass
    # As with ProcSubset=pid.
    monkeypatch.setattr(lock, "_LOCKS", folder_of_nobody / "hidden")

    with as_nobody():
        line = refusal(path, config)

    assert "hcl.sqlite.lock cannot be written: Permission denied" in line
    assert (folder_of_nobody / "hcl.sqlite.lock").exists()


def has_no_locks(*_: object) -> None:
    """Do what flock(2) does on a share without a daemon for locks."""
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_disk_without_locks_is_told(
    path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", has_no_locks)

    assert refusal(path, config) == (
        f"{path}: it cannot be locked: No locks available: take a disk of this machine,"
        " or have the share mounted with locks"
    )


def test_a_copy_to_a_disk_without_locks_is_told_and_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "copies" / "copy.sqlite"
    target.parent.mkdir()
    monkeypatch.setattr(fcntl, "flock", has_no_locks)

    with pytest.raises(DatabaseError, match="No locks available: take a disk"):
        back_up(path, target)

    assert list(target.parent.iterdir()) == []
