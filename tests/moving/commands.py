"""What tests of moving share: the real commands, and what is in the database after."""

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiosqlite import Connection
from click.testing import CliRunner

from hcl.cli import main
from hcl.db import open_to_read

DATA = Path(__file__).parent / "data"
SOURCE = DATA / "healthchecks-a.sqlite"
EXPECTED: dict[str, Any] = json.loads(
    (DATA / "healthchecks-a.expected.json").read_text()
)
AS_OF = datetime.fromtimestamp(EXPECTED["as_of"], UTC)


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


def hcl(
    folder: Path, *arguments: str | Path, env: dict[str, str] | None = None
) -> Done:
    """Run a command of hcl in a folder; in this process, which is quicker."""
    with contextlib.chdir(folder):
        result = CliRunner().invoke(main, [*map(str, arguments)], env=env)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def moved_in(folder: Path, *arguments: str | Path, source: Path = SOURCE) -> Done:
    """Import the database of Healthchecks with its secret, as of its own moment."""
    (folder / "secret-key").write_text(EXPECTED["secret_key"] + "\n")
    done = hcl(
        folder,
        "import",
        source,
        "--secret-key-file",
        "secret-key",
        "--as-of",
        AS_OF.isoformat(),
        *arguments,
    )
    assert done.returncode == 0, done.stderr
    return done


@asynccontextmanager
async def database(folder: Path) -> AsyncIterator[Connection]:
    """Open the database that was imported into, to read it."""
    async with open_to_read(folder / "hcl.sqlite") as conn:
        yield conn


def checks_of(project: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is expected of a project's checks."""
    return [c for c in EXPECTED["checks"] if c["project_id"] == project["id"]]
