"""Upgrade, and go back to the version before: by what docs/upgrading.md says."""

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.db.test_migrations import NEWEST, put_of_version
from tests.server.process import Serve

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "upgrading.md"


def test_copy_that_was_set_aside_leads_back_to_the_version_before(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "hcl.sqlite", tmp_path / "hcl.sqlite.schema-3"
    put_of_version(path, 3)
    path.chmod(0o644)
    with Serve(tmp_path) as serve:
        serve.api("POST", "checks/", name="Newer")
        serve.stop()
    assert asked(path, "PRAGMA user_version") == [NEWEST]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600
    _, back = DOCUMENT.read_text().split("## Go back")
    [commands] = re.findall(r"(?ms)^ *```sh\n(.*?)^ *```$", back)

    subprocess.run(["sh", "-euc", commands], cwd=tmp_path, check=True)

    assert asked(path, "PRAGMA user_version") == [3]
    assert asked(path, "SELECT id FROM checks") == [1, 2, 3]
    assert asked(path, "SELECT id FROM notifications") == [1, 2, 3, 4]
    assert asked(path, "PRAGMA integrity_check") == ["ok"]
    assert asked(tmp_path / "newer" / "hcl.sqlite", "PRAGMA user_version") == [NEWEST]
    # And forth again.
    with serve:
        assert asked(path, "PRAGMA user_version") == [NEWEST]


def asked(path: Path, sql: str) -> list[object]:
    """Ask as somebody with the sqlite3 shell would."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(sql)]
