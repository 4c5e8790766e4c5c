"""Files that hcl may not have: whose they are, and the cure, in the line that tells."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hcl.config import ConfigError, load
from tests import toml
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
