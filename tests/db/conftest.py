"""A database that a test has open."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hcl.db import (
    Database,
    open_database,
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path / "hcl.sqlite")
    try:
        yield database
    finally:
        await database.close()
