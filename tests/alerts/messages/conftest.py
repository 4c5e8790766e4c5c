"""Snapshots: what messages look like, one file each, to be read by people."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "snapshots"
REWRITE = "REWRITE_SNAPSHOTS"

Compare = Callable[[str, str], None]


@pytest.fixture
def snapshot() -> Compare:
    """Compare a text with its file, or write the file if REWRITE_SNAPSHOTS is set."""

    def compare(name: str, text: str) -> None:
        path = FOLDER / name
        # Templates end lines as they are on disk; nothing may depend on the system.
        data = text.encode()
        if os.environ.get(REWRITE):
            path.write_bytes(data)
        assert path.exists(), f"set {REWRITE}=1 to write {path}"
        assert path.read_bytes().decode() == data.decode()

    return compare


@pytest.fixture
def kept_names() -> set[str]:
    """The names of all snapshot files."""
    return {path.name for path in FOLDER.iterdir()}
