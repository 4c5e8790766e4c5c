"""Files that hcl may not have: whose they are, and the cure, in the line that tells."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hcl.cli import main
from hcl.config import ConfigError, load
from hcl.db import DatabaseError, back_up
from tests import toml
from tests.app import running_app
from tests.certificates import Authority
from tests.config import PROJECT

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Have one that others may enter, unlike those of pytest."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def refused(path: Path) -> str:
    with as_nobody(), pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value)


CURE = f"belongs to the user 0, and hcl runs as {NOBODY}; chown it, or run hcl as it"


def test_file_of_somebody_else_is_told_with_the_cure(folder: Path) -> None:
    path = folder / "hcl.toml"
    path.touch(mode=0o600)

    assert refused(path) == f"{path}: cannot be read: {path} {CURE}"


def test_folder_that_cannot_be_entered_is_what_is_named(folder: Path) -> None:
    folder.chmod(0o700)

    told = refused(folder / "inner" / "hcl.toml")

    assert told == f"{folder}/inner/hcl.toml: cannot be read: {folder} {CURE}"


def test_own_file_that_its_mode_forbids_is_told(folder: Path) -> None:
    path = folder / "hcl.toml"
    path.touch(mode=0)
    os.chown(path, NOBODY, NOBODY)

    assert refused(path).endswith(f": the mode of {path} forbids it; chmod it")


def test_secret_of_somebody_else_is_told_by_its_key(folder: Path) -> None:
    secret, path = folder / "key", folder / "hcl.toml"
    secret.touch(mode=0o600)
    path.write_text(toml.table("api", metrics_key={"file": "key"}) + PROJECT)

    told = refused(path)

    assert told.endswith(f"api.metrics_key: cannot read {secret}: {secret} {CURE}")


def told_to_root(folder: Path, *, beside: str = "") -> list[str]:
    """Have root check a file whose database is another's; return what is withheld."""
    key = toml.key("me", toml.Raw('{ file = "inner/key" }'))
    (folder / "hcl.toml").write_text(beside + toml.project() + key)
    (folder / "hcl.toml").chmod(0o600)
    (folder / "hcl.sqlite").touch()
    for name in ("hcl.toml", "hcl.sqlite"):
        os.chown(folder / name, NOBODY, NOBODY)

    config = str(folder / "hcl.toml")
    result = CliRunner().invoke(main, ["check-config", "--config", config])

    assert result.exit_code == 0, result.output
    problem = f"{config}: warning: hcl runs as the user {NOBODY}, who owns its database"
    told = [line for line in result.stderr.splitlines() if "hcl runs as" in line]
    return [line.removeprefix(f"{problem}, and cannot read ") for line in told]


@pytest.fixture
def inner(folder: Path) -> Path:
    """Have a folder with a key in it."""
    made = folder / "inner"
    made.mkdir()
    made.chmod(0o755)
    (made / "key").write_text("k" * 32)
    os.chown(made / "key", NOBODY, NOBODY)
    return made


@pytest.mark.parametrize(
    ("user", "group", "mode", "is_told"),
    [
        (0, 0, 0o600, True),
        (0, 0, 0o640, True),
        (0, NOBODY, 0o640, False),
        (NOBODY, 0, 0o600, False),
        (NOBODY, 0, 0o040, True),
        (0, 0, 0o604, False),
    ],
)
def test_root_is_told_of_a_secret_that_hcl_cannot_read(
    folder: Path, inner: Path, user: int, group: int, mode: int, is_told: bool
) -> None:
    os.chown(inner / "key", user, group)
    (inner / "key").chmod(mode)

    assert told_to_root(folder) == [f"{inner}/key: chown it"] * is_told


@pytest.mark.parametrize("is_link", [False, True])
def test_root_is_told_of_a_folder_that_hcl_cannot_enter(
    folder: Path, inner: Path, is_link: bool
) -> None:
    hidden = inner
    if is_link:
        hidden = folder / "hidden"
        hidden.mkdir()
        (inner / "key").rename(hidden / "key")
        (inner / "key").symlink_to(hidden / "key")
    hidden.chmod(0o700)

    told = told_to_root(folder)

    assert told == [f"{inner}/key: {hidden} may not be entered; chmod that"]


def test_root_is_told_of_certificates_that_hcl_cannot_read(
    folder: Path, inner: Path
) -> None:
    authority = Authority(folder)
    cert, key = folder / "cert.pem", folder / "ca.key"
    shutil.copy(authority.file, cert)
    listens = toml.table(
        "smtpd", listen="h:1", domain="h", tls_cert=str(cert), tls_key=str(key)
    )
    trusts = toml.table("tls", ca_file=str(authority.file))
    for file in (cert, key, authority.file):
        file.chmod(0o600)

    told = told_to_root(folder, beside=listens + trusts)

    files = sorted({cert, key, authority.file})
    assert told == [f"{file}: chown it" for file in files]


def test_root_leaves_a_first_file_to_whose_its_folder_is(folder: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)
    path = folder / "hcl.toml"

    result = CliRunner().invoke(main, ["init", str(path)])

    assert result.exit_code == 0, result.output
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (NOBODY, NOBODY)
    assert found.st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (["check-config"], 0, "what would change is not known: "),
        (["plan"], 1, "Error: "),
        (["explain", "nightly"], 1, "Error: "),
        (["test-alert"], 0, "the checks cannot be counted: "),
    ],
)
async def test_database_that_may_not_be_read_is_told_with_the_cure(
    folder: Path, command: list[str], status: int, told: str
) -> None:
    at = toml.table("database", path="inner/hcl.sqlite")
    channel = toml.channel("Shell", "shell", server="true", events=["server"])
    inner = folder / "inner"
    inner.mkdir(mode=0o700)
    async with running_app(folder, at + toml.project() + channel):
        pass
    (folder / "hcl.toml").chmod(0o644)
    command = [*command, "--config", str(folder / "hcl.toml")]

    def run() -> Result:
        return CliRunner().invoke(main, command)

    # What it imports nobody may read either.
    await asyncio.to_thread(run)
    with as_nobody():
        result = await asyncio.to_thread(run)

    database = inner / "hcl.sqlite"
    why = f"{database}: unable to open database file: {inner} {CURE}"
    assert result.exit_code == status, result.output
    assert f"{told}{why}\n" in result.stderr


def test_folder_for_copies_that_may_not_be_entered_is_told(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir(mode=0o700)
    target = inner / "copies" / "copy"

    with as_nobody(), pytest.raises(DatabaseError) as error:
        back_up(folder / "hcl.sqlite", target)

    assert str(error.value) == f"{target}: cannot be written: Permission denied"


def test_backup_names_the_database_that_may_not_be_read(folder: Path) -> None:
    inner, out = folder / "inner", folder / "out"
    inner.mkdir(mode=0o700)
    out.mkdir()
    out.chmod(0o777)

    with as_nobody(), pytest.raises(DatabaseError) as error:
        back_up(inner / "hcl.sqlite", out / "copy")

    assert str(error.value).startswith(f"{inner}/hcl.sqlite: unable to open")
