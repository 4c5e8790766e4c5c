"""Declared checks in the real server: plan, reload, undo, restarts and a kill."""

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.moving.commands import hcl
from tests.server.process import PING_KEY, Serve, curl, until
from tests.server.test_declaring import declare

BOTH = declare("nightly", grace="30m") + declare("disk", timeout="12h")
ONE = declare("nightly", grace="45m")


def plan(folder: Path) -> tuple[int, str]:
    """Run `hcl plan`; return its exit status, and what it said."""
    done = hcl(folder, "plan")
    return done.returncode, done.stdout + done.stderr


def checks(serve: Serve) -> dict[str, dict[str, Any]]:
    return {check["slug"]: check for check in serve.api("GET", "checks/")["checks"]}


async def reload(serve: Serve, count: int) -> None:
    """Have the server read its file for the so manieth time."""
    serve.process.send_signal(signal.SIGHUP)
    await until(lambda: serve.log.count("INFO reloaded") == count)


def history(folder: Path) -> list[Any]:
    """Return the pings that are kept, and what became of the statuses."""
    with closing(sqlite3.connect(folder / "hcl.sqlite")) as conn:
        return [
            conn.execute(
                "SELECT slug, old_status, new_status FROM flips"
                " JOIN checks c ON c.id = check_id ORDER BY flips.id"
            ).fetchall(),
            conn.execute(
                "SELECT slug, n_pings FROM checks JOIN check_states"
                " ON check_id = id ORDER BY id"
            ).fetchall(),
        ]


async def test_plan_reload_and_undo_over_restarts(tmp_path: Path) -> None:
    with Serve(tmp_path, BOTH) as serve:
        for slug in ("nightly", "disk"):
            assert curl(f"{serve.root}/ping/{PING_KEY}/{slug}") == "OK"
        first = checks(serve)
        assert await asyncio.to_thread(plan, tmp_path) == (
            0,
            "leave 2 checks as they are\nnothing to do\n",
        )

        serve.write_config(ONE)
        status, said = await asyncio.to_thread(plan, tmp_path)
        assert status == 2
        assert "    grace: 30 minutes -> 45 minutes\n" in said
        assert 'let go disk of "Home": ' in said
        # It has only looked.
        assert checks(serve) == first
        await reload(serve, 1)
        edited = checks(serve)
        serve.stop(signal.SIGKILL)

        serve.start()
        again = checks(serve)
        assert await asyncio.to_thread(plan, tmp_path) == (
            0,
            "leave 1 check as it is\nnothing to do\n",
        )
        # A wrong file is told, and changes nothing.
        serve.write_config(ONE + ONE)
        status, said = await asyncio.to_thread(plan, tmp_path)
        serve.process.send_signal(signal.SIGHUP)
        await until(lambda: "slug: is the same as that of check" in serve.log)
        assert (status, checks(serve)) == (1, again)
        serve.stop()

        serve.write_config(BOTH)
        serve.start()
        undone = checks(serve)
    log = serve.log

    assert {slug: check["origin"] for slug, check in first.items()} == {
        "nightly": "file",
        "disk": "file",
    }
    assert edited["nightly"] == {
        **first["nightly"],
        "grace": 2700,
        "next_ping": first["nightly"]["next_ping"],
    }
    assert (edited["disk"]["status"], "origin" in edited["disk"]) == ("paused", False)
    assert again == edited
    assert undone["nightly"] == first["nightly"]
    assert {**undone["disk"], "next_ping": first["disk"]["next_ping"]} == first["disk"]
    assert undone["disk"]["next_ping"] >= first["disk"]["next_ping"]
    assert (
        'WARNING 1 declared check of project "Home" is not in the file any more, and is'
        " paused: disk\n"
    ) in log
    assert "is back in the file, and is watched again: disk\n" in log
    flips, counts = history(tmp_path)
    assert [row[1:] for row in flips if row[0] == "disk"] == [
        ("new", "up"),
        ("up", "paused"),
        ("paused", "up"),
    ]
    assert counts == [("nightly", 1), ("disk", 1)]
