"""A machine whose folder for temporary files is full."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.server.process import Serve

# $1: a folder that takes nothing.
_FULL = """
mount -t tmpfs -o size=4k tmpfs "$1" && head -c 4096 /dev/zero >"$1/x" || exit 9
shift
exec "$@"
"""


def test_hcl_starts_and_deletes_much_though_tmp_is_full(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    serve = Serve(tmp_path)
    serve.starter = ["unshare", "-rm", "sh", "-c", _FULL, "sh", str(full)]
    # Which comes before /var/tmp and /tmp.
    serve.env = {"SQLITE_TMPDIR": str(full)}
    with serve:
        check = serve.api("POST", "checks/", name="Backup")
        serve.stop()
        with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as connection:
            # More than SQLite keeps in memory of what it may have to undo.
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                " WHERE i < 5000) INSERT INTO flips (check_id, created, old_status,"
                " new_status, reason, n_pings) SELECT 1, i, 'down', 'up', '', 0 FROM n"
            )
            connection.commit()
        serve.start()

        assert serve.api("DELETE", f"checks/{check['uuid']}")["name"] == "Backup"
