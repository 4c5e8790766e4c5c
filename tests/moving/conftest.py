"""One import for all that only look at what came of it, or go on from a copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.moving.commands import moved_in


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that a database of Healthchecks was imported into."""
    folder = tmp_path_factory.mktemp("imported")
    moved_in(folder)
    return folder


@pytest.fixture
def moved(imported: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return what makes a folder of this name, in which the import was just done."""

    def make(name: str) -> Path:
        shutil.copytree(imported, tmp_path / name)
        return tmp_path / name

    return make
