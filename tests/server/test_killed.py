"""kill -9 between what happens and its telling: reports, and runs that were slow."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx2

from tests import toml
from tests.server.process import Serve, curl, free_port, until
from tests.sinks import HttpSink
from tests.web.test_own_time import signed

REPORT = '[[projects.reports]]\nevery = "day"\nat = "12:00"\nchannels = ["Own"]\n'


def query(folder: Path, sql: str) -> list[Any]:
    uri = f"file:{folder}/hcl.sqlite?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return connection.execute(sql).fetchall()


def ran_steadily(check: dict[str, Any]) -> None:
    """Tell, late, of ten runs of a minute, and that one began ten minutes ago."""
    with httpx2.Client(trust_env=False) as client:
        now = time.time()
        moments = [
            (action, now - 3600 * hours + seconds)
            for hours in range(11, 1, -1)
            for action, seconds in (("/start", 0), ("", 60))
        ]
        for action, at in [*moments, ("/start", now - 600)]:
            url = httpx2.URL(check["ping_url"] + action)
            headers = signed(check["uuid"], url.path, f"{at:.3f}")
            assert client.post(url, headers=headers).text == "OK"


async def test_what_was_to_be_told_is_told_after_kill_9(tmp_path: Path) -> None:
    port = free_port()
    own = toml.post(f"http://127.0.0.1:{port}/", "$STATUS: $NAME")
    channel = toml.webhook("Own", server=own, slow=own, events=["slow", "server"])
    # A busy machine may take so long that an absence is told too.
    written = (
        "SELECT n.announcement_id IS NULL FROM notifications n"
        " LEFT JOIN announcements a ON a.id = n.announcement_id"
        " WHERE a.kind IS NOT 'absence' ORDER BY 1"
    )
    serve = Serve(tmp_path, channel + REPORT)
    with serve:
        made = serve.api("POST", "checks/", name="Backup", channels="*")
        ran_steadily(made)
        # A start alone has nobody look.
        is_looked = "SELECT count(*) FROM paces WHERE n >= 20"
        await until(lambda: query(tmp_path, is_looked) == [(1,)])
        is_known = "SELECT count(*) FROM settings WHERE name LIKE 'report:%'"
        await until(lambda: query(tmp_path, is_known) == [(1,)])
        curl(made["ping_url"])
        # Nobody has looked at the run yet, most likely.
        serve.stop(SIGKILL)

    # A report comes to be due.
    with closing(sqlite3.connect(tmp_path / "hcl.sqlite")) as connection, connection:
        connection.execute(
            "UPDATE settings SET value = CAST(value AS REAL) - 86400"
            " WHERE name LIKE 'report:%'"
        )
    with serve:
        # Both are committed, and nobody is there to take them.
        await until(lambda: query(tmp_path, written) == [(0,), (1,)])
        serve.stop(SIGKILL)

    async with HttpSink(port=port) as sink:
        with serve:
            await sink.wait_for(2)
            owed = "SELECT 1 FROM notifications WHERE next_try IS NOT NULL"
            await until(lambda: not query(tmp_path, owed))
            assert serve.stop() == 0

    told = [record.text for record in sink.records]
    ours = [text.partition(" of ")[0] for text in told if "was away" not in text]
    assert sorted(ours) == [
        "server: Daily report",
        "slow: Backup",
    ]
    assert query(tmp_path, written) == [(0,), (1,)]
