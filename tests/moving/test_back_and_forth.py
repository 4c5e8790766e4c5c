"""What goes from one hcl to another and back is the same."""

import json
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2

from tests.moving.commands import EXPECTED, hcl
from tests.moving.serving import Served, read


def exported(folder: Path, name: str = "out.jsonl") -> list[dict[str, Any]]:
    """Export, and return all but the header."""
    done = hcl(folder, "export", name)
    assert done.returncode == 0, done.stderr
    lines = (folder / name).read_text().splitlines()
    header, *rest = [json.loads(line) for line in lines]
    assert header["type"] == "hcl"
    return rest


def test_two_servers_and_no_difference(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    here, there = moved("here"), tmp_path / "there"
    there.mkdir()
    shutil.copy(here / "hcl.toml", there)

    before = exported(here)
    assert hcl(there, "import", here / "out.jsonl").returncode == 0
    assert exported(there) == before

    codes = [c["uuid"] for c in EXPECTED["checks"]]
    with Served(there) as server:
        for number, code in enumerate(codes[:12]):
            action = ("", "/start", "/fail", "/log", "/7")[number % 5]
            httpx2.post(
                f"{server.root}/ping/{code}{action}", content=b"\xff", trust_env=False
            )
        # The server runs on: what it has not filed is written too.
        running = exported(there, "running.jsonl")
        server.stop(signal.SIGKILL)
    after = exported(there)
    assert [d for d in running if d["type"] == "ping"] == [
        d for d in after if d["type"] == "ping"
    ]

    # Each has a channel that tells of slow runs.
    with closing(sqlite3.connect(here / "hcl.sqlite")) as conn, conn:
        conn.execute("INSERT INTO paces SELECT check_id, n_pings FROM check_states")

    back = hcl(here, "import", there / "out.jsonl")

    assert back.returncode == 0, back.stderr
    assert exported(here) == after
    # Nobody is told of those of the other one.
    told = "SELECT 1 FROM paces JOIN check_states USING (check_id) WHERE n < n_pings"
    assert read(here, told) == []
    assert after != before
    for folder in here, there:
        again = hcl(folder, "import", there / "out.jsonl")
        assert "0 checks came, 0 checks changed, with 0 pings" in again.stdout


def test_a_new_server_has_all_but_secrets(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    here, there = moved("here"), tmp_path / "there"
    there.mkdir()
    before = exported(here)
    text = (here / "out.jsonl").read_text()

    done = hcl(there, "import", here / "out.jsonl")

    assert done.returncode == 0, done.stderr
    for project in EXPECTED["projects"]:
        for name in ("api_key_plain", "ping_key", "api_key_column"):
            assert not project[name] or project[name] not in text
        for channel in project["channels"]:
            assert channel["value"] not in text or channel["kind"] == "group"
    # All its channels are off, so that nobody can be told of what waits.
    kinds = "check", "flip", "ping"
    told = {"is_told": True, "untold": []}
    assert [{**d, **told} for d in exported(there) if d["type"] in kinds] == [
        {**d, **told} for d in before if d["type"] in kinds
    ]
    assert "enabled = false" in (there / "hcl.toml").read_text()


def test_windows_that_are_not_over_come_along_once(
    moved: Callable[[str], Path], tmp_path: Path
) -> None:
    here, there = moved("here"), tmp_path / "there"
    there.mkdir()
    shutil.copy(here / "hcl.toml", there)
    now = time.time()
    with closing(sqlite3.connect(here / "hcl.sqlite")) as connection, connection:
        connection.executemany(
            'INSERT INTO windows (project_id, reason, tags, "start", "end")'
            " VALUES (1, ?, 'nas', ?, ?)",
            [("open", now - 60, now + 3600), ("over", 7200, 10800)],
        )

    before = exported(here)
    for _ in range(2):
        assert hcl(there, "import", here / "out.jsonl").returncode == 0

    [windows] = [d["windows"] for d in before if "windows" in d]
    assert [(w["reason"], w["tags"]) for w in windows] == [("open", ["nas"])]
    assert exported(there) == before
